//! Naming what a server probably did to a value that it acknowledged and then showed differently.

use std::{collections::BTreeSet, fmt};

use super::Difference;
use crate::model::{Field, json};

/// The likely rule behind a write that did not settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// What was there before is still there beside what was sent.
    Added,
    /// Only upper and lower case, or the style of keys, differ.
    Recased,
    /// Space at the ends is gone.
    Trimmed,
    /// The end is missing.
    Cut,
    /// None of these.
    Changed,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added, not replaced",
            Self::Recased => "re-cased",
            Self::Trimmed => "trimmed",
            Self::Cut => "cut",
            Self::Changed => "changed by Explo",
        })
    }
}

/// Guesses the rule from a difference that an answer still shows.
#[must_use]
pub fn likely_rule(difference: &Difference) -> Rule {
    let Difference { field, old: seen, new: wanted } = difference;
    let folded = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    match field {
        _ if folded(seen) == folded(wanted) => Rule::Recased,
        Field::Emails | Field::GroupTags | Field::Properties | Field::Mapping
            if parts(seen).is_superset(&parts(wanted)) =>
        {
            Rule::Added
        }
        Field::Name | Field::HierarchyLevelName => {
            let (seen, wanted) = (json::string(seen), json::string(wanted));
            match () {
                () if wanted.trim() == seen => Rule::Trimmed,
                () if wanted.starts_with(&*seen) => Rule::Cut,
                () => Rule::Changed,
            }
        }
        Field::Emails | Field::GroupTags | Field::Properties | Field::Mapping | Field::IsDemoGroup => Rule::Changed,
    }
}

/// The elements of an array or the members of an object.
fn parts(text: &str) -> BTreeSet<String> {
    if json::is_object(text) {
        json::members(text).map(|(key, value)| format!("{key}:{value}")).collect()
    } else {
        json::elements(text).map(str::to_owned).collect()
    }
}
