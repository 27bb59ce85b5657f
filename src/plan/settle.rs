//! Naming what a server probably did to a value that it acknowledged and then showed differently, and when to stop sending it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::Difference;
use crate::model::{Field, json};

/// So many updates that show the same rule for a field end the sending of that field.
const STRIKES: usize = 3;

/// The likely rule behind a write that did not settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// What was there before is still there beside what was sent.
    Added,
    /// Tags that come from a parent are there beside what was sent.
    Inherited,
    /// Only upper and lower case, or the style of keys, differ.
    Recased,
    /// Space at the ends is gone.
    Trimmed,
    /// The end is missing.
    Cut,
    /// None of these.
    Changed,
}

/// A field that was written and acknowledged, and yet is not what was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// What Explo shows, and what is wanted.
    pub difference: Difference,
    /// Why, probably.
    pub rule: Rule,
    /// How that is known.
    pub known: Known,
}

/// How it is known that a difference does not settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It was found out in this run.
    Now,
    /// An earlier run found it out.
    Before,
    /// It came back after it was acknowledged, and others that did were the listing's alone: looked at in a later run.
    Presumably,
}

/// What the updates of one run showed so far: after three of a kind, a field is not sent any more where it would go the same
/// way.
#[derive(Debug, Default)]
pub struct Strikes(BTreeMap<(Field, Rule), Vec<Unsettled>>);

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added, not replaced",
            Self::Inherited => "inherited",
            Self::Recased => "re-cased",
            Self::Trimmed => "trimmed",
            Self::Cut => "cut",
            Self::Changed => "changed by Explo",
        })
    }
}

impl Unsettled {
    /// A difference that an answer still shows.
    #[must_use]
    pub fn new(difference: Difference) -> Self {
        Self { rule: likely_rule(&difference), difference, known: Known::Now }
    }

    /// Whether Explo holds addresses or tags beyond the wanted ones: they give access, so they are told in every run.
    #[must_use]
    pub fn holds_more(&self) -> bool {
        match self.difference.field {
            Field::Emails | Field::GroupTags => has_more(&self.difference),
            Field::Name
            | Field::Properties
            | Field::Mapping
            | Field::IsDemoGroup
            | Field::HierarchyLevelName
            | Field::ParentProvidedId => false,
        }
    }
}

impl Strikes {
    /// Takes what an answer still showed.
    pub fn count(&mut self, unsettled: &[Unsettled]) {
        for one in unsettled {
            let met = self.0.entry((one.difference.field, one.rule)).or_default();
            if met.len() < STRIKES {
                met.push(one.clone());
            }
        }
    }

    /// The rule that a difference would run into, if enough updates showed it.
    #[must_use]
    pub fn rule(&self, difference: &Difference) -> Option<Rule> {
        let struck = self.0.iter().filter(|((field, _), met)| *field == difference.field && met.len() == STRIKES);
        let mut met = struck.flat_map(|(_, met)| met);
        met.find(|met| met.would_meet(difference)).map(|met| met.rule)
    }
}

impl Unsettled {
    /// Whether the server that did this would do it to another value too. Where it adds, only what must go is lost; where it
    /// trims or cuts, only what is so long or has such space.
    fn would_meet(&self, other: &Difference) -> bool {
        match self.rule {
            Rule::Added | Rule::Inherited => has_more(other),
            Rule::Recased => likely_rule(other) == Rule::Recased,
            Rule::Trimmed => texts(&other.new).iter().any(|text| text.trim() != text),
            Rule::Cut => longest(&other.new) > longest(&self.difference.old),
            Rule::Changed => true,
        }
    }
}

/// Guesses the rule from a difference that an answer still shows.
#[must_use]
pub fn likely_rule(difference: &Difference) -> Rule {
    let Difference { field, old: seen, new: wanted } = difference;
    let (shown, sent) = (parts(seen, str::to_owned), parts(wanted, str::to_owned));
    let in_seen = |form: fn(&str) -> String| parts(wanted, form).is_subset(&parts(seen, form));
    // What shows nothing at all was not cut.
    let begins = |part: &String| shown.iter().any(|known| !known.is_empty() && part.starts_with(known.as_str()));
    match field {
        Field::Properties if json::is_alike(seen, wanted) => Rule::Recased,
        _ if seen.to_lowercase() == wanted.to_lowercase() => Rule::Recased,
        Field::GroupTags if shown.is_superset(&sent) => Rule::Inherited,
        Field::Emails | Field::Properties | Field::Mapping if shown.is_superset(&sent) => Rule::Added,
        Field::IsDemoGroup | Field::ParentProvidedId => Rule::Changed,
        _ if in_seen(|text| text.trim().to_owned()) => Rule::Trimmed,
        _ if !shown.is_empty() && sent.iter().all(begins) => Rule::Cut,
        _ => Rule::Changed,
    }
}

/// Whether Explo has elements or keys beyond the wanted ones: something has to go.
fn has_more(Difference { old, new, .. }: &Difference) -> bool {
    let names = |canonical: &str| -> BTreeSet<String> {
        if json::is_object(canonical) {
            json::members(canonical).map(|(key, _)| key.into_owned()).collect()
        } else {
            parts(canonical, str::to_owned)
        }
    };
    !names(old).is_subset(&names(new))
}

/// A text, the elements of an array, or the members of an object: strings in a form, behind their keys.
fn parts(canonical: &str, form: impl Fn(&str) -> String) -> BTreeSet<String> {
    let leaf = |value: &str| if value.starts_with('"') { form(&json::string(value)) } else { value.to_owned() };
    match canonical.as_bytes().first() {
        Some(b'{') => json::members(canonical).map(|(key, value)| format!("{key}\0{}", leaf(value))).collect(),
        Some(b'[') => json::elements(canonical).map(leaf).collect(),
        _ => BTreeSet::from([leaf(canonical)]),
    }
}

/// The strings of a value, without keys.
fn texts(canonical: &str) -> Vec<String> {
    match canonical.as_bytes().first() {
        Some(b'{') => json::members(canonical).flat_map(|(_, value)| texts(value)).collect(),
        Some(b'[') => json::elements(canonical).flat_map(texts).collect(),
        Some(b'"') => vec![json::string(canonical).into_owned()],
        _ => Vec::new(),
    }
}

fn longest(canonical: &str) -> usize {
    texts(canonical).iter().map(|text| text.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(field: Field, old: &str, new: &str) -> Difference {
        Difference { field, old: old.to_owned(), new: new.to_owned() }
    }

    #[test]
    fn the_likely_rule_is_told_by_both_sides() {
        let told = |field, seen: &str, wanted: &str| likely_rule(&difference(field, seen, wanted));
        assert_eq!(told(Field::Name, r#""Ann""#, r#"" Ann""#), Rule::Trimmed);
        assert_eq!(told(Field::Name, r#""Ann""#, r#""ANN""#), Rule::Recased);
        assert_eq!(told(Field::Name, r#""Ann""#, r#""Annabel""#), Rule::Cut);
        assert_eq!(told(Field::Name, r#""Bob""#, r#""Ann""#), Rule::Changed);
        assert_eq!(told(Field::HierarchyLevelName, r#""""#, r#""Customer""#), Rule::Changed);
        assert_eq!(told(Field::Emails, r#"["a@x","b@x"]"#, r#"["b@x"]"#), Rule::Added);
        assert_eq!(told(Field::Emails, r#"["b@x"]"#, r#"[" b@x"]"#), Rule::Trimmed);
        assert_eq!(told(Field::GroupTags, r#"["a","b"]"#, r#"["b"]"#), Rule::Inherited);
        assert_eq!(told(Field::Properties, r#"{"filter_value":1}"#, r#"{"filterValue":1}"#), Rule::Recased);
        assert_eq!(told(Field::Properties, r#"{"a":1,"b":2}"#, r#"{"a":1}"#), Rule::Added);
        assert_eq!(told(Field::Properties, r#"{"a":"long"}"#, r#"{"a":"longer"}"#), Rule::Cut);
        assert_eq!(told(Field::IsDemoGroup, "true", "false"), Rule::Changed);
    }

    #[test]
    fn after_three_strikes_a_field_is_spared_where_it_would_go_the_same_way() {
        let added = difference(Field::Emails, r#"["a@x","b@x"]"#, r#"["b@x"]"#);
        let trimmed = difference(Field::Name, r#""Ann""#, r#"" Ann""#);
        let mut strikes = Strikes::default();
        for _ in 0..3 {
            assert_eq!((strikes.rule(&added), strikes.rule(&trimmed)), (None, None));
            strikes.count(&[Unsettled::new(added.clone()), Unsettled::new(trimmed.clone())]);
        }
        assert_eq!(strikes.rule(&difference(Field::Emails, r#"["old@x"]"#, r#"["new@x"]"#)), Some(Rule::Added));
        assert_eq!(strikes.rule(&difference(Field::Emails, "[]", r#"["new@x"]"#)), None, "nothing has to go");
        let merged = difference(Field::Properties, r#"{"a":1}"#, r#"{"b":1}"#);
        (0..3).for_each(|_| strikes.count(&[Unsettled { rule: Rule::Added, ..Unsettled::new(merged.clone()) }]));
        assert_eq!(strikes.rule(&difference(Field::Properties, r#"{"a":1}"#, r#"{"a":2}"#)), None, "no key has to go");
        assert_eq!(strikes.rule(&difference(Field::Name, r#""Bob""#, r#""Bob ""#)), Some(Rule::Trimmed));
        assert_eq!(strikes.rule(&difference(Field::Name, r#""Bob""#, r#""Rob""#)), None, "no space to lose");
    }
}
