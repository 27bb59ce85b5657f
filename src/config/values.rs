//! Values that several sections or commands share.

use std::time::Duration;

use reqwest::Url;

use super::draft::Draft;
use crate::ledger::Table;

/// The longest time that a key can have.
pub(super) const DAY: Duration = Duration::from_hours(24);

pub(super) fn name(draft: &mut Draft) -> Option<String> {
    draft.text("name", "a name of 1 to 64 letters, digits, dots, dashes or underscores", |name| {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        ((1..=64).contains(&name.len()) && name.chars().all(plain)).then(|| name.to_owned())
    })
}

pub(super) fn table(draft: &mut Draft) -> Option<Table> {
    let form = "the name of a table of letters, digits and underscores, with or without a schema and a dot before it";
    draft.text("ledger.table", form, Table::parse)
}

/// The address of an API.
pub(super) fn address(draft: &mut Draft, key: &str) -> Option<Url> {
    let form = "an address that begins with https:// (or http://), without user, password or query";
    draft.text(key, form, |url| {
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
        let is_bare = url.username().is_empty() && url.password().is_none() && url.query().or(url.fragment()).is_none();
        is_bare.then_some(url)
    })
}

/// A time of at most a day, but not 0.
pub(super) fn duration(draft: &mut Draft, key: &str) -> Option<Duration> {
    between(draft, key, "a time such as \"500ms\", \"30s\" or \"4m\", at most a day", Duration::from_nanos(1), DAY)
}

/// A time of at most a day; may be 0.
pub(super) fn pause(draft: &mut Draft, key: &str) -> Option<Duration> {
    between(draft, key, "a time such as \"0s\", \"30s\" or \"4m\", at most a day", Duration::ZERO, DAY)
}

/// A time from `least` to `most`; `form` says so.
pub(super) fn between(draft: &mut Draft, key: &str, form: &str, least: Duration, most: Duration) -> Option<Duration> {
    draft.text(key, form, |text| humantime::parse_duration(text).ok().filter(|time| (least..=most).contains(time)))
}
