//! When a schedule fires: crontab's meaning and both changes of the clock, in tables and against clocks stepped by minutes.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use explo_sync::schedule::{Schedule, ScheduleError};
use proptest::{collection::vec, prelude::*, sample::select};
use rstest::rstest;

const BERLIN: &str = "Europe/Berlin";
const NEW_YORK: &str = "America/New_York";

const MINUTE: TimeDelta = TimeDelta::minutes(1);

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule::parse(cron, zone).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// What is said of a schedule that is refused.
fn refusal(cron: &str, zone: &str) -> String {
    Schedule::parse(cron, zone).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn fires_after(cron: &str, zone: &str, after: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + use<> {
    let schedule = schedule(cron, zone);
    std::iter::successors(schedule.next_after(after), move |last| schedule.next_after(*last))
}

/// The first fires in UTC, up to the minute.
fn first(count: usize, after: &str, cron: &str) -> String {
    let fires = fires_after(cron, "UTC", after.parse().unwrap()).take(count);
    fires.map(|fire| fire.format("%Y-%m-%d %H:%M").to_string()).collect::<Vec<_>>().join(", ")
}

/// The instant at which a zone's clock shows this.
fn local(zone: &str, time: &str) -> DateTime<Utc> {
    let zone: Tz = zone.parse().unwrap();
    zone.from_local_datetime(&time.parse().unwrap()).unwrap().to_utc()
}

/// The fires from midnight until before five on a zone's clock, with the hours from UTC.
fn night(zone: &str, date: &str, cron: &str) -> String {
    let second = TimeDelta::seconds(1);
    let (start, end) = (local(zone, &format!("{date}T00:00:00")), local(zone, &format!("{date}T05:00:00")));
    let fires = fires_after(cron, zone, start - second).take_while(|fire| *fire < end);
    let zone: Tz = zone.parse().unwrap();
    fires.map(|fire| fire.with_timezone(&zone).format("%H:%M%:::z").to_string()).collect::<Vec<_>>().join(" ")
}

#[rstest]
#[case::a_fixed_time_in_the_gap_fires_once_after_it("30 2 * * *", "03:00+02")]
#[case::so_does_the_first_time_that_is_skipped("0 2 * * *", "03:00+02")]
#[case::the_instant_after_the_gap_fires("0 3 * * *", "03:00+02")]
#[case::fixed_times_around_the_gap_stay("59 1,2,3 * * *", "01:59+01 03:00+02 03:59+02")]
#[case::many_fixed_times_in_the_gap_are_one_fire("*/15 2 * * *", "03:00+02")]
#[case::also_with_one_right_after_it("*/30 1-3 * * *", "01:00+01 01:30+01 03:00+02 03:30+02")]
#[case::the_last_second_of_the_gap_fires_after_it("59 59 2 * * *", "03:00+02")]
#[case::a_weekday_and_a_month_may_be_fixed_too("30 2 * MAR SUN", "03:00+02")]
#[case::every_hour_none_is_invented("0 * * * *", "00:00+01 01:00+01 03:00+02 04:00+02")]
#[case::every_hour_at_half("30 * * * *", "00:30+01 01:30+01 03:30+02 04:30+02")]
#[case::all_hours_by_number_are_every_hour("30 0-23 * * *", "00:30+01 01:30+01 03:30+02 04:30+02")]
#[case::every_half_hour("*/30 * * * *", "00:00+01 00:30+01 01:00+01 01:30+01 03:00+02 03:30+02 04:00+02 04:30+02")]
#[case::every_2_h_none_is_invented("0 */2 * * *", "00:00+01 04:00+02")]
#[case::steps_of_a_range_too("15 1-4/1 * * *", "01:15+01 03:15+02 04:15+02")]
fn when_two_becomes_three(#[case] cron: &str, #[case] expected: &str) {
    assert_eq!(night(BERLIN, "2026-03-29", cron), expected);
    let expected = expected.replace("+01", "-05").replace("+02", "-04");
    assert_eq!(night(NEW_YORK, "2026-03-08", cron), expected);
}

#[rstest]
#[case::a_fixed_time_in_the_fold_fires_the_first_time("30 2 * * *", "02:30+02")]
#[case::so_does_the_first_time_that_comes_twice("0 2 * * *", "02:00+02")]
#[case::the_instant_after_the_fold_comes_once("0 3 * * *", "03:00+01")]
#[case::fixed_times_around_the_fold_stay("59 1,2,3 * * *", "01:59+02 02:59+02 03:59+01")]
#[case::many_fixed_times_in_the_fold_fire_once_each("*/15 2 * * *", "02:00+02 02:15+02 02:30+02 02:45+02")]
#[case::the_last_second_of_the_fold_fires_once("59 59 2 * * *", "02:59+02")]
#[case::every_hour_both_times("0 * * * *", "00:00+02 01:00+02 02:00+02 02:00+01 03:00+01 04:00+01")]
#[case::all_hours_by_number_both_times("0 0-23 * * *", "00:00+02 01:00+02 02:00+02 02:00+01 03:00+01 04:00+01")]
#[case::every_quarter_both_times(
    "*/15 1-2/1 * * *",
    "01:00+02 01:15+02 01:30+02 01:45+02 02:00+02 02:15+02 02:30+02 02:45+02 02:00+01 02:15+01 02:30+01 02:45+01"
)]
#[case::every_2_h_both_times("0 */2 * * *", "00:00+02 02:00+02 02:00+01 04:00+01")]
#[case::both_times_even_if_the_next_day_is_far("7 2,2/9 25 10 *", "02:07+02 02:07+01")]
fn in_berlin_when_three_becomes_two(#[case] cron: &str, #[case] expected: &str) {
    assert_eq!(night(BERLIN, "2026-10-25", cron), expected);
}

#[rstest]
#[case::a_fixed_time_in_the_fold_fires_the_first_time("30 1 * * *", "01:30-04")]
#[case::so_does_the_first_time_that_comes_twice("0 1 * * *", "01:00-04")]
#[case::the_instant_after_the_fold_comes_once("0 2 * * *", "02:00-05")]
#[case::fixed_times_around_the_fold_stay("59 0,1,2 * * *", "00:59-04 01:59-04 02:59-05")]
#[case::every_hour_both_times("0 * * * *", "00:00-04 01:00-04 01:00-05 02:00-05 03:00-05 04:00-05")]
#[case::every_quarter_both_times(
    "*/15 1-2/2 * * *",
    "01:00-04 01:15-04 01:30-04 01:45-04 01:00-05 01:15-05 01:30-05 01:45-05"
)]
#[case::every_2_h_past_the_fold("0 */2 * * *", "00:00-04 02:00-05 04:00-05")]
fn in_new_york_when_two_becomes_one(#[case] cron: &str, #[case] expected: &str) {
    assert_eq!(night(NEW_YORK, "2026-11-01", cron), expected);
}

#[rstest]
#[case::an_hour_of_a_common_year_is_never_lost("0 * * * *", 2026, 8_760)]
#[case::nor_of_a_leap_year("@hourly", 2028, 8_784)]
#[case::nor_at_the_end_of_the_tables("0 * * * *", 2099, 8_760)]
#[case::nor_is_a_quarter("*/15 * * * *", 2026, 4 * 8_760)]
#[case::a_day_has_one_fixed_time_in_gap_or_fold("30 2 * * *", 2026, 365)]
#[case::in_the_other_fold_too("30 1 * * *", 2026, 365)]
#[case::two_fixed_times_that_the_gap_joins("0 2,3 * * *", 2026, 2 * 365 - 1)]
#[case::seconds_are_counted_like_minutes("30 0 */1 * * *", 2026, 8_760)]
fn over_a_year(#[case] cron: &str, #[case] year: i32, #[case] expected: usize, #[values(BERLIN, NEW_YORK)] zone: &str) {
    let new_year = |year: i32| local(zone, &format!("{year}-01-01T00:00:00")) - TimeDelta::seconds(1);
    let (start, end) = (new_year(year), new_year(year + 1));
    let fires: Vec<_> = fires_after(cron, zone, start).take_while(|fire| *fire <= end).collect();
    assert!(fires.is_sorted_by(|a, b| a < b), "strictly increasing");
    assert_eq!(fires.len(), expected);
}

#[rstest]
#[case::every_five_minutes("*/5 * * * *", "2026-01-01 00:05, 2026-01-01 00:10, 2026-01-01 00:15")]
#[case::a_step_from_a_number_runs_to_the_end("20/20 4 * * *", "2026-01-01 04:20, 2026-01-01 04:40, 2026-01-02 04:20")]
#[case::lists_and_ranges("0,30 9-10,17 * * *", "2026-01-01 09:00, 2026-01-01 09:30, 2026-01-01 10:00")]
#[case::sunday_is_0("0 0 * * 0", "2026-01-04 00:00, 2026-01-11 00:00, 2026-01-18 00:00")]
#[case::sunday_is_7("0 0 * * 7", "2026-01-04 00:00, 2026-01-11 00:00, 2026-01-18 00:00")]
#[case::sunday_is_sun("0 0 * * SUN", "2026-01-04 00:00, 2026-01-11 00:00, 2026-01-18 00:00")]
#[case::sunday_is_all_three("0 0 * * sunday,0-0,7", "2026-01-04 00:00, 2026-01-11 00:00, 2026-01-18 00:00")]
#[case::monday_is_1("0 0 * * 1", "2026-01-05 00:00, 2026-01-12 00:00, 2026-01-19 00:00")]
#[case::a_range_ends_with_sunday("0 0 * * FRI-SUN", "2026-01-02 00:00, 2026-01-03 00:00, 2026-01-04 00:00")]
#[case::a_range_begins_with_sunday("0 0 * * 0-2/2", "2026-01-04 00:00, 2026-01-06 00:00, 2026-01-11 00:00")]
#[case::steps_of_weekdays_begin_with_sunday("0 0 * * */3", "2026-01-03 00:00, 2026-01-04 00:00, 2026-01-07 00:00")]
#[case::either_day_is_enough("0 0 13 * FRI", "2026-01-02 00:00, 2026-01-09 00:00, 2026-01-13 00:00")]
#[case::even_if_every_weekday_is_named("0 0 13 * 0-6", "2026-01-02 00:00, 2026-01-03 00:00, 2026-01-04 00:00")]
#[case::both_are_needed_after_a_star("0 0 */2 * MON", "2026-01-05 00:00, 2026-01-19 00:00, 2026-02-09 00:00")]
#[case::with_six_fields_weekdays_have_names(
    "0 0 0 * * Mon-wed",
    "2026-01-05 00:00, 2026-01-06 00:00, 2026-01-07 00:00"
)]
#[case::with_six_fields_days_of_the_month_are_numbers(
    "0 0 0 5,6 * *",
    "2026-01-05 00:00, 2026-01-06 00:00, 2026-02-05 00:00"
)]
#[case::months_have_names("0 0 1 feb,MAY-June *", "2026-02-01 00:00, 2026-05-01 00:00, 2026-06-01 00:00")]
#[case::months_without_a_31st_are_passed_over("0 0 31 * *", "2026-01-31 00:00, 2026-03-31 00:00, 2026-05-31 00:00")]
#[case::february_has_no_30th("59 23 28-30 2 *", "2026-02-28 23:59, 2027-02-28 23:59, 2028-02-28 23:59")]
#[case::leap_days("0 12 29 2 *", "2028-02-29 12:00, 2032-02-29 12:00, 2036-02-29 12:00")]
#[case::the_space_between_is_free("  0\t6   * * * ", "2026-01-01 06:00, 2026-01-02 06:00, 2026-01-03 06:00")]
#[case::yearly("@yearly", "2027-01-01 00:00, 2028-01-01 00:00, 2029-01-01 00:00")]
#[case::monthly("@monthly", "2026-02-01 00:00, 2026-03-01 00:00, 2026-04-01 00:00")]
#[case::weekly("@weekly", "2026-01-04 00:00, 2026-01-11 00:00, 2026-01-18 00:00")]
#[case::daily("@daily", "2026-01-02 00:00, 2026-01-03 00:00, 2026-01-04 00:00")]
#[case::hourly(" @hourly", "2026-01-01 01:00, 2026-01-01 02:00, 2026-01-01 03:00")]
fn in_utc_after_new_year_2026(#[case] cron: &str, #[case] expected: &str) {
    assert_eq!(first(3, "2026-01-01T00:00:00Z", cron), expected);
}

#[rstest]
#[case::a_leap_day_may_be_eight_years_away("0 0 29 2 *", "2096-02-29T00:00:00Z", "")]
#[case::the_31st_of_february_never("0 0 31 2 *", "2026-01-01T00:00:00Z", "")]
#[case::nor_the_31st_of_april_or_june("0 0 31 4,6 *", "2026-01-01T00:00:00Z", "")]
#[case::unless_a_weekday_is_enough("0 0 31 2 MON", "2026-01-01T00:00:00Z", "2026-02-02 00:00")]
#[case::a_fraction_of_a_second_is_not_skipped("0 6 * * *", "2026-01-01T05:59:59.999999999Z", "2026-01-01 06:00")]
#[case::nor_fired_twice("0 6 * * *", "2026-01-01T06:00:00.000000001Z", "2026-01-02 06:00")]
#[case::before_all_schedules("0 6 * * *", "-0100-01-01T00:00:00Z", "1970-01-01 06:00")]
#[case::after_all_schedules("0 6 * * *", "2100-12-31T06:00:00Z", "")]
fn at_the_edges(#[case] cron: &str, #[case] after: &str, #[case] expected: &str) {
    assert_eq!(first(1, after, cron), expected);
}

#[test]
fn no_time_is_too_far_away() {
    for zone in [BERLIN, NEW_YORK, "Pacific/Kiritimati"] {
        assert_eq!(schedule("* * * * * *", zone).next_after(DateTime::<Utc>::MAX_UTC), None);
        assert!(schedule("* * * * * *", zone).next_after(DateTime::<Utc>::MIN_UTC).is_some());
    }
}

#[rstest]
#[case::too_few_fields("* * * *", "it has 4 fields, not 5 as in crontab or 6 with seconds first")]
#[case::the_year_of_quartz("0 0 0 * * * 2026", "it has 7 fields")]
#[case::nothing(" ", "it has 0 fields")]
#[case::the_minute("60 * * * *", r#"the minute "60" must be *, or 0 to 59, with commas"#)]
#[case::the_hour("0 24 * * *", r#"the hour "24" must be *, or 0 to 23"#)]
#[case::the_second("0-60 0 0 * * *", r#"the second "0-60" must be"#)]
#[case::the_day("0 0 0 * *", r#"the day of the month "0" must be *, or 1 to 31"#)]
#[case::the_month("0 0 1 13 *", r#"the month "13" must be *, or 1 to 12 or JAN to DEC"#)]
#[case::the_weekday("0 0 * * 8", r#"the weekday "8" must be *, or 0 to 7 or SUN to SAT"#)]
#[case::an_unknown_name("0 0 * * MOO", r#"the weekday "MOO" must be"#)]
#[case::a_signed_number("0 0 * * +1", r#"the weekday "+1" must be"#)]
#[case::a_step_of_nothing("*/0 * * * *", r#"the minute "*/0" must be"#)]
#[case::a_step_of_no_weekdays("0 0 * * */0", r#"the weekday "*/0" must be"#)]
#[case::a_step_beyond_the_field("*/90 * * * *", r#"the minute "*/90" must be"#)]
#[case::a_range_that_goes_down("0 22-2 * * *", r#"the hour "22-2" must be"#)]
#[case::weekdays_that_go_down("0 0 * * SAT-MON", r#"the weekday "SAT-MON" must be"#)]
#[case::two_stars_are_not_two_fields("** * * * *", r#"the minute "**" must be"#)]
#[case::an_open_list("1, * * * *", r#"the minute "1," must be"#)]
#[case::last_days("0 0 L * *", r#"the day of the month "L" must be"#)]
#[case::l_is_named("0 0 L * *", "L, W, # and ? are not supported")]
#[case::working_days("0 0 15W * *", r#"the day of the month "15W" must be"#)]
#[case::last_weekdays("0 0 * * 5L", r#"the weekday "5L" must be"#)]
#[case::numbered_weekdays("0 0 * * MON#1", r#"the weekday "MON#1" must be"#)]
#[case::any_day("0 0 ? * MON", r#"the day of the month "?" must be"#)]
#[case::any_weekday("0 0 0 1 * ?", r#"the weekday "?" must be"#)]
#[case::weekdays_by_number_with_seconds(
    "0 0 0 * * 1-5",
    r#"with 6 fields the weekday "1-5" must be by name, SUN to SAT"#
)]
#[case::both_days_with_seconds("0 0 0 13 * FRI", "make one of them *, or use 5 fields, where either is enough")]
#[case::the_start(
    "@reboot",
    "@yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly; schedule.run_on_start"
)]
#[case::an_unknown_nickname("@fortnightly", "the nicknames are @yearly")]
fn an_expression_is_refused_with_the_way_out(#[case] cron: &str, #[case] part: &str) {
    let message = refusal(cron, "UTC");
    assert!(message.starts_with(&format!("{cron:?} can't be used: ")) && message.contains(part), "{message}");
    assert_eq!(message.lines().count(), 1);
}

#[rstest]
#[case::without_its_continent("Berlin", r#"did you mean "Europe/Berlin"? Else write an IANA name"#)]
#[case::with_a_slip("Amercia/New-York", r#"did you mean "America/New_York"?"#)]
#[case::in_lower_case("utc", r#"did you mean "UTC"?"#)]
#[case::an_abbreviation("PST", r#"not a time zone: write an IANA name such as "Europe/Berlin" or "UTC""#)]
#[case::an_offset("+01:00", "not a time zone: write an IANA name")]
#[case::nothing("", r#""" is not a time zone: write an IANA name"#)]
fn a_zone_is_refused_with_the_way_out(#[case] zone: &str, #[case] part: &str) {
    let message = refusal("@daily", zone);
    assert!(message.contains(part), "{message}");
}

#[test]
fn all_mistakes_are_told_at_once_each_for_its_key() {
    let errors = Schedule::parse("61 25 * * 9", "Mars/Olympus").unwrap_err();
    let reasons: Vec<_> = errors.iter().filter(|error| matches!(error, ScheduleError::Cron { .. })).collect();
    assert_eq!((errors.len(), reasons.len()), (4, 3));
    assert!(matches!(&errors[3], ScheduleError::Timezone { name, .. } if name == "Mars/Olympus"));
}

/// A field as it is written, and its values.
type Field = (String, BTreeSet<u32>);

fn field(from: u32, to: u32) -> impl Strategy<Value = Field> {
    let item = (0..6_u8, from..=to, from..=to, 1..=to).prop_map(move |(form, a, b, step)| {
        let (a, b) = (a.min(b), a.max(b));
        match form {
            0 => (a.to_string(), BTreeSet::from([a])),
            1 => (format!("{a}-{b}"), (a..=b).collect()),
            2 => (format!("{a}-{b}/{step}"), (a..=b).filter(|n| (n - a).is_multiple_of(step)).collect()),
            3 => (format!("{a}/{step}"), (a..=to).filter(|n| (n - a).is_multiple_of(step)).collect()),
            4 => (format!("*/{step}"), (from..=to).filter(|n| (n - from).is_multiple_of(step)).collect()),
            _ => ("*".to_owned(), (from..=to).collect()),
        }
    });
    vec(item, 1..3).prop_map(|items: Vec<Field>| {
        let texts: Vec<_> = items.iter().map(|(text, _)| &**text).collect();
        (texts.join(","), items.iter().flat_map(|(_, values)| values).copied().collect())
    })
}

/// Five fields.
#[derive(Debug, Clone)]
struct Crontab([Field; 5]);

fn crontab() -> impl Strategy<Value = Crontab> {
    let fields = (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7));
    fields.prop_map(|(minute, hour, day, month, weekday)| Crontab([minute, hour, day, month, weekday]))
}

/// Any day: what matters is the hours.
fn crontab_of_every_day() -> impl Strategy<Value = Crontab> {
    let star = || ("*".to_owned(), (0..=31).collect());
    (field(0, 59), field(0, 23)).prop_map(move |(minute, hour)| Crontab([minute, hour, star(), star(), star()]))
}

impl Crontab {
    fn text(&self) -> String {
        self.0.each_ref().map(|(text, _)| &**text).join(" ")
    }

    fn has_day(&self, time: NaiveDateTime) -> bool {
        let [_, _, (day, days), (_, months), (weekday, weekdays)] = &self.0;
        let today = time.weekday().num_days_from_sunday();
        let fits = (days.contains(&time.day()), weekdays.contains(&today) || today == 0 && weekdays.contains(&7));
        let starred = day.starts_with('*') || weekday.starts_with('*');
        months.contains(&time.month()) && if starred { fits.0 && fits.1 } else { fits.0 || fits.1 }
    }

    fn has(&self, time: NaiveDateTime) -> bool {
        let [(_, minutes), (_, hours), ..] = &self.0;
        self.has_day(time) && hours.contains(&time.hour()) && minutes.contains(&time.minute())
    }

    fn is_every_hour(&self) -> bool {
        let (text, hours) = &self.0[1];
        text.contains(['*', '/']) || hours.len() == 24
    }

    /// The first fire in UTC, found minute by minute; days that don't fit are taken in one step.
    fn next_in_utc(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut time = after.naive_utc().with_second(0)?.with_nanosecond(0)? + MINUTE;
        while time <= until.naive_utc() {
            if self.has(time) {
                return Some(time.and_utc());
            }
            let step = if self.has_day(time) { MINUTE } else { TimeDelta::days(1) };
            time = if step == MINUTE { time + MINUTE } else { (time.date() + step).and_hms_opt(0, 0, 0)? };
        }
        None
    }

    /// The fires in a zone, found by watching its clock every minute: every-hour schedules fire whenever it shows a time of
    /// theirs, fixed times fire when it has reached or passed them, if it had not before.
    fn fires_in(&self, zone: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let shown = |time: DateTime<Utc>| time.with_timezone(&zone).naive_local();
        let (mut time, mut latest) = (from, shown(from));
        let mut fires = Vec::new();
        while time < until {
            time += MINUTE;
            let now = shown(time);
            let is_due = if self.is_every_hour() {
                self.has(now)
            } else {
                let passed = std::iter::successors(Some(latest + MINUTE), |minute| Some(*minute + MINUTE));
                passed.take_while(|minute| *minute <= now).any(|minute| self.has(minute))
            };
            fires.extend(is_due.then_some(time));
            latest = latest.max(now);
        }
        fires
    }
}

/// Days on which clocks were changed: by an hour, half of one, two, three, at midnight, and by a whole day.
const CHANGES: [(&str, &str); 14] = [
    (BERLIN, "2026-03-29T00:00:00Z"),
    (BERLIN, "2026-10-25T00:00:00Z"),
    (NEW_YORK, "2026-03-08T00:00:00Z"),
    (NEW_YORK, "2026-11-01T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T12:00:00Z"),
    ("Antarctica/Troll", "2026-03-29T00:00:00Z"),
    ("Antarctica/Troll", "2026-10-25T00:00:00Z"),
    ("Antarctica/Casey", "2018-03-10T12:00:00Z"),
    ("America/Sao_Paulo", "2018-02-18T00:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T00:00:00Z"),
    ("Africa/Cairo", "2026-10-29T12:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Asia/Kolkata", "2026-03-29T00:00:00Z"),
];

proptest! {
    #[test]
    fn in_utc_it_fires_when_a_clock_stepped_by_minutes_does(
        crontab in crontab(),
        // Until nine years before the last.
        seconds in 0..3_800_000_000_i64,
        nanoseconds in select(vec![0, 1, 500_000_000, 999_999_999]),
    ) {
        let after = DateTime::from_timestamp(seconds, nanoseconds).unwrap();
        let horizon = after + TimeDelta::days(9 * 366);
        let next = schedule(&crontab.text(), "UTC").next_after(after);
        prop_assert!(next.is_none_or(|next| next > after));
        prop_assert_eq!(next.filter(|next| *next <= horizon), crontab.next_in_utc(after, horizon), "{}", crontab.text());
    }

    #[test]
    fn where_clocks_are_changed_it_fires_when_one_that_is_watched_does(
        crontab in crontab_of_every_day(),
        (zone, day) in select(CHANGES.to_vec()),
        minutes in 0..24 * 60_i64,
    ) {
        let start = day.parse::<DateTime<Utc>>().unwrap() - TimeDelta::hours(12) + TimeDelta::minutes(minutes);
        let end = start + TimeDelta::days(2);
        // A day earlier, as it matters what the clock has shown before.
        let mut expected = crontab.fires_in(zone.parse().unwrap(), start - TimeDelta::days(1), end);
        expected.retain(|fire| *fire > start);
        let fires: Vec<_> =
            fires_after(&crontab.text(), zone, start).take_while(|fire| *fire <= end).collect();
        prop_assert_eq!(fires, expected, "{} in {}", crontab.text(), zone);
    }
}
