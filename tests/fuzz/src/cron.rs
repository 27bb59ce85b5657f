//! A cron expression, and a time zone in a second line.

use chrono::{DateTime, TimeDelta, Utc};
use explo_sync::schedule::Schedule;

use super::assert_printable;

/// Nov 20 2026, 10:00.
const NOW: DateTime<Utc> = DateTime::from_timestamp(1_795_168_800, 0).unwrap();

pub fn target(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (cron, zone) = text.split_once('\n').unwrap_or((text, "UTC"));
    match Schedule::parse(cron, zone) {
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert_printable(&error.to_string());
            }
        }
        Ok(schedule) => {
            let spaced = cron.split_whitespace().collect::<Vec<_>>().join("  ");
            assert_eq!(first_times(&schedule), first_times(&Schedule::parse(&spaced, zone).unwrap()), "{spaced:?}");
        }
    }
}

/// They follow each other, on whole seconds, and none is left out.
fn first_times(schedule: &Schedule) -> Vec<DateTime<Utc>> {
    let mut times = vec![NOW];
    for number in 0..4 {
        let Some(next) = schedule.next_after(times[number]) else { break };
        assert!(next > times[number] && next.timestamp_subsec_nanos() == 0, "{next} after {}", times[number]);
        let before = next - TimeDelta::seconds(1);
        assert_eq!(schedule.next_after(before), Some(next));
        let middle = times[number] + (next - times[number]) / 2;
        assert_eq!(schedule.next_after(middle), Some(next), "seen from {middle}");
        times.push(next);
    }
    times
}
