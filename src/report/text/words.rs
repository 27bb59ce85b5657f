//! Numbers and differences in words.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    compare::Difference,
    model::{Field, json, shown},
};

/// A number with its noun, such as `1 call` or `2,505 calls`.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// 1,234,567.
#[must_use]
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let comma = |(n, digit): (usize, char)| {
        let is_due = n > 0 && (digits.len() - n).is_multiple_of(3);
        [is_due.then_some(','), Some(digit)].into_iter().flatten()
    };
    digits.chars().enumerate().flat_map(comma).collect()
}

/// A time, rounded up.
pub(in crate::report) fn time(seconds: u64) -> String {
    match seconds {
        0..=90 => format!("about {seconds} s"),
        91..=5400 => format!("about {} min", seconds.div_ceil(60)),
        _ => format!("about {}.{} h", seconds / 3600, seconds % 3600 / 360),
    }
}

/// For how long something has been so, rounded down.
pub(super) fn age(seconds: u64) -> String {
    let count = |number: u64, noun| counted(usize::try_from(number).unwrap_or(usize::MAX), noun);
    match seconds {
        0..60 => "less than a minute".to_owned(),
        60..7200 => count(seconds / 60, "minute"),
        7200..172_800 => count(seconds / 3600, "hour"),
        _ => count(seconds / 86_400, "day"),
    }
}

/// One field: what goes and what comes.
pub(super) fn difference_in_words(Difference { field, current, wanted }: &Difference) -> String {
    let parts: Vec<String> = match field {
        Field::Emails | Field::GroupTags => {
            let (current, wanted): (BTreeSet<_>, BTreeSet<_>) =
                (json::elements(current).collect(), json::elements(wanted).collect());
            let gone = current.difference(&wanted).map(|element| format!("−{}", shown(element)));
            gone.chain(wanted.difference(&current).map(|element| format!("+{}", shown(element)))).collect()
        }
        Field::Properties | Field::Mapping => {
            let side = |value: Option<&str>| value.map_or_else(|| "nothing".to_owned(), shown);
            let moved = moved(current, wanted).into_iter();
            moved
                .map(|(key, current, wanted)| format!("{}: {} → {}", shown(&key), side(current), side(wanted)))
                .collect()
        }
        Field::Name | Field::IsDemoGroup | Field::HierarchyLevelName | Field::ParentProvidedId => {
            vec![format!("{} → {}", shown(current), shown(wanted))]
        }
    };
    format!("{}  {}", field.name(), parts.join(", "))
}

/// The members of two objects that differ: key, current value, wanted value.
pub(in crate::report) fn moved<'v>(
    current: &'v str,
    wanted: &'v str,
) -> Vec<(Cow<'v, str>, Option<&'v str>, Option<&'v str>)> {
    let mut moved: BTreeMap<_, _> = json::members(current).map(|(key, value)| (key, (Some(value), None))).collect();
    for (key, value) in json::members(wanted) {
        moved.entry(key).or_insert((None, None)).1 = Some(value);
    }
    let moved = moved.into_iter().map(|(key, (current, wanted))| (key, current, wanted));
    moved.filter(|(_, current, wanted)| current != wanted).collect()
}

/// The field, with the keys or elements that differ but without values.
pub(super) fn place_in_words(Difference { field, current, wanted }: &Difference) -> String {
    let keys = match field {
        Field::Properties | Field::Mapping => moved(current, wanted).into_iter().map(|(key, ..)| shown(&key)).collect(),
        Field::Name
        | Field::Emails
        | Field::GroupTags
        | Field::IsDemoGroup
        | Field::HierarchyLevelName
        | Field::ParentProvidedId => Vec::new(),
    };
    if keys.is_empty() { field.name().to_owned() } else { format!("{}  {}", field.name(), keys.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_many_keys_is_told_key_by_key() {
        const MANY: usize = 100_000;
        let object = |prefix: &str| json::object((0..MANY).map(|n| (format!("{prefix}{n}"), n.to_string())));
        let told =
            difference_in_words(&Difference { field: Field::Properties, current: object("a"), wanted: object("b") });
        assert_eq!(told.matches(" → nothing").count(), MANY);
        assert!(
            told.starts_with("properties  a0: 0 → nothing, a1: 1 → nothing, a10: 10 → nothing, "),
            "{}",
            &told[..80]
        );
        assert!(told.ends_with(", b99999: nothing → 99999"));
        let current = r#"{"a":1,"b":2,"c":3}"#.to_owned();
        let told = difference_in_words(&Difference {
            field: Field::Mapping,
            current,
            wanted: r#"{"b":2,"c":"3","d":4}"#.to_owned(),
        });
        assert_eq!(told, r#"mapping  a: 1 → nothing, c: 3 → "3", d: nothing → 4"#);
    }
}
