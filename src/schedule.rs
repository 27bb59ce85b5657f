//! The next instant of a cron expression in a time zone. Pure: the time is an argument.
//!
//! Five fields are crontab's: minute, hour, day of the month, month, weekday (0 and 7 are Sunday), or a nickname such
//! as
//! `@daily`. If neither the day of the month nor the weekday begins with `*`, a day that matches either is enough; else
//! it must match both. With six fields seconds come first. Programs disagree on the other fields of that form, so
//! ambiguous values are errors: weekdays by number, and a day of the month together with a weekday.
//!
//! Times are the wall clock's in the zone. When the zone's offset changes (daylight saving time):
//!
//! | hour field | a time that is skipped | a time that comes twice |
//! |---|---|---|
//! | every hour: has `*` or `/`, or names all hours | does not fire | fires both times |
//! | fixed hours | fires once, at the first instant after the gap | fires the first time |
//!
//! The crate `cron` gets wall-clock times as if they were UTC, because it can lose an hour at a change of offset. It
//! supports the years 1970 to 2100.

use std::iter::successors;

use chrono::{DateTime, Datelike, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};
use cron::TimeUnitSpec;

/// The last year in which a schedule fires.
const LAST_YEAR: i32 = 2100;

/// Name and allowed values of each of the six fields.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12 or JAN to DEC"),
    ("weekday", "0 to 7 or SUN to SAT"),
];

const WEEKDAY: usize = 5;

/// In crontab's numbers: Sunday is 0, and 7 as well.
const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// When to run.
#[derive(Debug, Clone)]
pub struct Schedule {
    times: WallClock,
    zone: Tz,
}

/// Times of the wall clock.
#[derive(Debug, Clone)]
struct WallClock {
    /// One expression, or two: a time of either matches.
    expressions: Vec<cron::Schedule>,
    /// The first column of the table above.
    every_hour: bool,
}

/// Why a schedule is not valid, by the configuration key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// `schedule.cron`.
    #[error("{expression:?} can't be used: {reason}")]
    Cron {
        /// As it was given.
        expression: String,
        /// The field, and its allowed values.
        reason: String,
    },
    /// `schedule.timezone`.
    #[error("{name:?} is not a time zone: {hint}write an IANA name such as \"Europe/Berlin\" or \"UTC\"")]
    Timezone {
        /// As it was given.
        name: String,
        /// A similar name, or empty.
        hint: String,
    },
}

impl Schedule {
    /// Parses `cron` (5 fields as in crontab, or 6 with seconds first) and an IANA zone name; gives all mistakes at
    /// once.
    pub fn parse(cron: &str, timezone: &str) -> Result<Self, Vec<ScheduleError>> {
        let wrong = |reason| ScheduleError::Cron { expression: cron.to_owned(), reason };
        match (wall_clock(cron), timezone.parse()) {
            (Ok(times), Ok(zone)) => Ok(Self { times, zone }),
            (times, zone) => {
                let reasons = times.err().unwrap_or_default();
                let zone = zone.err().map(|_| ScheduleError::Timezone { name: timezone.into(), hint: near(timezone) });
                Err(reasons.into_iter().map(wrong).chain(zone).collect())
            }
        }
    }

    /// The first instant after `after` at which it fires; none if it never does (`0 0 31 2 *`).
    #[must_use]
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if after.year() > LAST_YEAR {
            return None;
        }
        let after = after.max(DateTime::UNIX_EPOCH).with_timezone(&self.zone);
        let local = after.naive_local();
        // If `after` is a time that comes twice, all times that come twice are candidates again.
        let fold = match self.zone.from_local_datetime(&local) {
            MappedLocalTime::Ambiguous(first, second) => second - first,
            MappedLocalTime::Single(_) | MappedLocalTime::None => TimeDelta::zero(),
        };
        let mut again = None;
        for time in self.times.after(local - fold) {
            let fires = match self.zone.from_local_datetime(&time) {
                MappedLocalTime::Single(instant) => Some(instant),
                MappedLocalTime::Ambiguous(first, second) => {
                    again = again.or(Some(second).filter(|second| self.times.every_hour && *second > after));
                    Some(first)
                }
                MappedLocalTime::None if self.times.every_hour => None,
                MappedLocalTime::None => GapInfo::new(&time, &self.zone).and_then(|gap| gap.end),
            };
            // Instants are in the order of the times, except times that come a second time.
            if let Some(fires) = fires.filter(|fires| *fires > after) {
                return Some(again.map_or(fires, |again| again.min(fires)).to_utc());
            }
        }
        again.map(|again| again.to_utc())
    }
}

impl WallClock {
    /// All times after this one, in order.
    fn after(&self, time: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> {
        let next = |time: &NaiveDateTime| {
            let nexts = self.expressions.iter().filter_map(|expression| expression.after(&time.and_utc()).next());
            nexts.min().map(|next| next.naive_utc())
        };
        successors(next(&time), next)
    }
}

/// The two forms of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Crontab,
    WithSeconds,
}

fn wall_clock(cron: &str) -> Result<WallClock, Vec<String>> {
    let (dialect, [second, minute, hour, day, month, weekday]) = split(cron).map_err(|mistake| vec![mistake])?;
    let fields = [second, minute, hour, day, month].into_iter().enumerate();
    let mut mistakes: Vec<_> = fields.filter_map(|(at, field)| check(at, field).err()).collect();
    let weekdays = weekdays(dialect, weekday).map_err(|mistake| mistakes.push(mistake)).unwrap_or_default();
    if mistakes.is_empty() && dialect == Dialect::WithSeconds && day != "*" && weekday != "*" {
        mistakes.push(format!(
            "with 6 fields a day of the month ({day:?}) and a weekday ({weekday:?}) can mean either or both: \
             make one of them *, or use 5 fields, where either is enough"
        ));
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let either = dialect == Dialect::Crontab && !day.starts_with('*') && !weekday.starts_with('*');
    let days = if either { vec![(day, "*"), ("*", &*weekdays)] } else { vec![(day, &*weekdays)] };
    let expressions = days.into_iter().map(|(day, weekdays)| {
        let fields = format!("{second} {minute} {hour} {day} {month} {weekdays} *");
        fields.parse::<cron::Schedule>().map_err(|error| vec![error.to_string()])
    });
    let expressions = expressions.collect::<Result<Vec<_>, _>>()?;
    let all_hours = expressions.iter().all(|expression| expression.hours().is_all());
    Ok(WallClock { expressions, every_hour: all_hours || hour.contains(['*', '/']) })
}

/// The six fields of either form.
fn split(cron: &str) -> Result<(Dialect, [&str; 6]), String> {
    let known = NICKNAMES.iter().find(|(name, _)| *name == cron.trim());
    let fields: Vec<_> = known.map_or(cron, |(_, fields)| fields).split_whitespace().collect();
    match fields[..] {
        [minute, hour, day, month, weekday] => Ok((Dialect::Crontab, ["0", minute, hour, day, month, weekday])),
        [second, minute, hour, day, month, weekday] => {
            Ok((Dialect::WithSeconds, [second, minute, hour, day, month, weekday]))
        }
        [name, ..] if name.starts_with('@') => {
            let names = NICKNAMES.map(|(name, _)| name).join(", ");
            Err(format!("the nicknames are {names}; schedule.run_on_start runs once at the start"))
        }
        _ => Err(format!("it has {} fields, not 5 as in crontab or 6 with seconds first", fields.len())),
    }
}

/// Checks one field alone. The crate gets all seven, the year included, because it reads `**` as two fields.
fn check(at: usize, field: &str) -> Result<(), String> {
    let mut fields = ["*"; 7];
    fields[at] = field;
    let parsed = fields.join(" ").parse::<cron::Schedule>();
    if parsed.is_err() || field.contains('?') { Err(must_be(at, field)) } else { Ok(()) }
}

fn must_be(at: usize, field: &str) -> String {
    let (name, values) = FIELDS[at];
    format!(
        "the {name} {field:?} must be *, or {values}, with commas for lists, - for ranges upwards and / for steps; \
         L, W, # and ? are not supported"
    )
}

/// Translates a weekday field to the crate's numbers, where 1 is Sunday.
fn weekdays(dialect: Dialect, field: &str) -> Result<String, String> {
    let has_number =
        |item: &str| item.split('/').next().is_some_and(|days| days.contains(|c: char| c.is_ascii_digit()));
    if dialect == Dialect::WithSeconds && field.split(',').any(has_number) {
        let why = "must be by name, SUN to SAT: 1 is Monday in crontab, but Sunday in Quartz";
        return Err(format!("with 6 fields the weekday {field:?} {why}"));
    }
    let days: Option<Vec<_>> = field.split(',').map(weekday_item).collect();
    let days = days.ok_or_else(|| must_be(WEEKDAY, field))?.concat();
    Ok(days.into_iter().map(|day| (day % 7 + 1).to_string()).collect::<Vec<_>>().join(","))
}

/// The weekdays of one item of a list, in crontab's numbers.
fn weekday_item(item: &str) -> Option<Vec<usize>> {
    let number = |text: &str| text.parse().ok().filter(|_| !text.starts_with('+'));
    let weekday = |text: &str| {
        let name = text.to_lowercase();
        let named = WEEKDAYS.iter().position(|known| *known == name || known[..3] == name);
        named.or_else(|| number(text)).filter(|day| *day <= 7)
    };
    let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (weekday(first)?, weekday(last)?),
        None if range == "*" => (0, 7),
        None if step.is_some() => (weekday(range)?, 7),
        None => (weekday(range)?, weekday(range)?),
    };
    // A range may end with Sunday.
    let last = if last == 0 && first > 0 { 7 } else { last };
    let step = step.map_or(Some(1), number).filter(|step| (1..=7).contains(step) && first <= last)?;
    Some((first..=last).step_by(step).collect())
}

/// Longer names get no hint; the longest zone name has less than half of this.
const LONGEST_NAME: usize = 64;

/// The hint for a zone name: the nearest zone, compared with and without its continent.
fn near(name: &str) -> String {
    if name.len() > LONGEST_NAME {
        return String::new();
    }
    let name = name.to_lowercase();
    let distance = |zone: &str| {
        let zone = zone.to_lowercase();
        let city = zone.rsplit('/').next().unwrap_or(&zone);
        strsim::damerau_levenshtein(city, &name).min(strsim::damerau_levenshtein(&zone, &name))
    };
    let nearest = TZ_VARIANTS.iter().map(|zone| zone.name()).min_by_key(|zone| (distance(zone), zone.len()));
    let nearest = nearest.filter(|zone| distance(zone) <= name.len() / 5);
    nearest.map_or_else(String::new, |zone| format!("did you mean {zone:?}? Else "))
}
