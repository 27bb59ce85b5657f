//! `source.timezone`: the zone in which a database prints times, and by which it tells their date.

use chrono::{NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

/// A zone's name, or an offset from UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timezone(String);

impl Timezone {
    /// Parses `UTC`, `Europe/Berlin` or `+05:30`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.parse::<Tz>().is_ok() || is_offset(text)).then(|| Self(text.to_owned()))
    }

    /// As it is configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The seconds since 1970 at this local time: of a time that comes twice, the later one; of one that is skipped, an
    /// hour on.
    pub(crate) fn timestamp(&self, local: NaiveDateTime) -> Option<i64> {
        if let Ok(zone) = self.0.parse::<Tz>() {
            let at = |local: NaiveDateTime| zone.from_local_datetime(&local).latest();
            return Some(at(local).or_else(|| at(local + TimeDelta::hours(1)))?.timestamp());
        }
        let (hours, minutes) = self.0.get(1..)?.split_once(':')?;
        let east = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
        Some(local.and_utc().timestamp() - if self.0.starts_with('-') { -east } else { east })
    }

    /// For PostgreSQL, which counts the hours of an offset to the west, as POSIX does, and prints the name in angle
    /// brackets.
    pub(crate) fn postgres(&self) -> String {
        match self.0.split_at_checked(1) {
            Some(("+", time)) => format!("<+{time}>-{time}"),
            Some(("-", time)) => format!("<-{time}>+{time}"),
            _ => self.0.clone(),
        }
    }

    /// For MySQL, which knows names only if its time zone tables are loaded.
    pub(super) fn mysql(&self) -> &str {
        if self.0 == "UTC" { "+00:00" } else { &self.0 }
    }
}

impl Default for Timezone {
    fn default() -> Self {
        Self("UTC".to_owned())
    }
}

/// A sign, two digits of hours and two of minutes.
fn is_offset(text: &str) -> bool {
    let parse = || {
        let (hours, minutes) = text.strip_prefix(['+', '-'])?.split_once(':')?;
        let number = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten();
        Some(number(hours)? <= 14 && number(minutes)? < 60)
    };
    parse().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_a_name_or_an_offset() {
        let postgres = |text| Timezone::parse(text).map(|zone| zone.postgres());
        assert_eq!(postgres("UTC").as_deref(), Some("UTC"));
        assert_eq!(postgres("Europe/Berlin").as_deref(), Some("Europe/Berlin"));
        assert_eq!(postgres("+05:30").as_deref(), Some("<+05:30>-05:30"));
        assert_eq!(postgres("-03:00").as_deref(), Some("<-03:00>+03:00"));
        for bad in ["", "Berlin", "+5", "+05:60", "+15:00", "05:30", "+-5:30", "UTC'; drop table t"] {
            assert_eq!(Timezone::parse(bad), None, "{bad}");
        }
        assert_eq!(Timezone::default().mysql(), "+00:00");
    }
}
