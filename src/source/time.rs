//! A time as a database or an API prints it.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use crate::database::Timezone;

/// The time in seconds since 1970, 0 for one before that; a time without an offset is one of the time zone.
///
/// | printed by | as |
/// |---|---|
/// | PostgreSQL | `2026-02-28 14:00:00.5+00`, `2026-02-28 14:00:00`, `2026-02-28` |
/// | MySQL | `2026-02-28 14:00:00.500000`, `2026-02-28` |
/// | SQLite, APIs | any of these, `2026-02-28T14:00:00Z` |
pub(super) fn time(text: &str, timezone: &Timezone) -> Option<u64> {
    let text = text.replacen(' ', "T", 1);
    let of_zone = || {
        let date = || Some(NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN));
        let local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok().or_else(date)?;
        timezone.timestamp(local)
    };
    let seconds = match DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%#z") {
        Ok(time) => time.timestamp(),
        Err(_) => of_zone()?,
    };
    Some(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_printed() {
        let of = |text, zone| time(text, &Timezone::parse(zone).unwrap());
        let ten = Some(1_772_272_800);
        for text in [
            "2026-02-28 10:00:00+00",
            "2026-02-28 11:00:00.25+01:00",
            "2026-02-28T10:00:00Z",
            "2026-02-28 05:00:00-0500",
        ] {
            assert_eq!(of(text, "Europe/Berlin"), ten, "{text}");
        }
        for (text, zone) in [
            ("2026-02-28 10:00:00", "UTC"),
            ("2026-02-28T11:00:00.000", "Europe/Berlin"),
            ("2026-02-28 15:30:00", "+05:30"),
        ] {
            assert_eq!(of(text, zone), ten, "{text}");
        }
        assert_eq!(of("2026-02-28", "-10:00"), ten);
        // An hour that is skipped, and one that comes twice: the later one.
        assert_eq!(of("2026-03-29 02:30:00", "Europe/Berlin"), of("2026-03-29 01:30:00+00", "UTC"));
        assert_eq!(of("2026-10-25 02:30:00", "Europe/Berlin"), of("2026-10-25 01:30:00+00", "UTC"));
        assert_eq!(of("1969-01-01", "UTC"), Some(0));
        for bad in ["", "soon", "10:00", "2026-02-30", "28.02.2026", "0000-00-00 00:00:00", "2026-02-28 10:00:00 BC"] {
            assert_eq!(of(bad, "UTC"), None, "{bad}");
        }
    }
}
