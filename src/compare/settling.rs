//! Names what a server probably did to a value that it acknowledged and then showed differently, and predicts which
//! updates would have no effect.
//!
//! | rule | prediction: if another value is sent, Explo shows |
//! |---|---|
//! | added | what it shows now, and the value |
//! | inherited | the value, and what it added to other customers below the same parent |
//! | re-cased | the value in lower case, or with its keys in the style that Explo shows |
//! | trimmed | the value without whitespace at the ends of its texts |
//! | cut | the value with its texts cut to the length at which others were cut |
//! | changed | no prediction |
//!
//! An update is not sent if the prediction for its value is what Explo shows already, because it would change nothing.
//! If an answer shows another value than the rule predicted, the rule is not used for the rest of the run.

use std::{
    cmp::max,
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Bound,
};

use super::{Difference, predict, style::is_alike};
use crate::model::{Field, json};

/// This many updates that show the same rule for a field are needed for a prediction.
const STRIKES: usize = 3;

/// The likely rule behind a write that did not settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The former value is still there in addition to the one sent.
    Added,
    /// A parent's tags are there in addition to those sent.
    Inherited,
    /// Only upper and lower case, or the style of keys, differs.
    Recased,
    /// Whitespace at the ends is missing.
    Trimmed,
    /// The end is missing.
    Cut,
    /// None of these.
    Changed,
}

/// A field that was written and acknowledged, and still differs from what was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// What Explo shows, and what is wanted.
    pub difference: Difference,
    /// The probable reason.
    pub rule: Rule,
    /// How that is known.
    pub known: Known,
}

/// How it is known that a difference does not settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// This run wrote it, or looked the customer up.
    Now,
    /// An earlier run wrote it.
    Before,
    /// It came back after it was acknowledged, and the listing shows the same of others that came back; a later run
    /// looks the customer up.
    Presumably,
    /// It was not sent: three updates of this run predict the result.
    Predicted,
    /// It was not sent: updates of an earlier run predict the result.
    PredictedBefore,
}

/// What the updates of this run showed so far, by field, rule and, for inherited tags, parent.
#[derive(Debug, Default)]
pub struct Strikes {
    met: BTreeMap<(Field, Rule, Option<String>), Vec<Difference>>,
    /// Rules that an answer disproved.
    refuted: BTreeSet<(Field, Rule)>,
    /// The longest text in any answer, in characters.
    longest: BTreeMap<Field, usize>,
}

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

    /// Whether Explo has addresses or tags beyond the wanted ones: these give access, so every run reports them.
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

impl Known {
    /// Whether this run found it out.
    #[must_use]
    pub fn is_news(self) -> bool {
        matches!(self, Self::Now | Self::Predicted)
    }
}

impl Strikes {
    /// Counts an answer to an update of a customer below this parent: the differences before, and those that remain.
    pub fn count(&mut self, parent: Option<&str>, before: &[Difference], unsettled: &[Unsettled]) {
        for difference in before {
            let left = unsettled.iter().find(|one| one.difference.field == difference.field);
            self.refute(difference, left.map_or(&difference.wanted, |left| &left.difference.current));
        }
        for Unsettled { difference, rule, .. } in unsettled {
            let parent = parent.filter(|_| *rule == Rule::Inherited).map(str::to_owned);
            let met = self.met.entry((difference.field, *rule, parent)).or_default();
            if met.len() < STRIKES {
                met.push(difference.clone());
            }
        }
    }

    fn refute(&mut self, Difference { field, current, wanted }: &Difference, shown: &str) {
        let predictions = [
            (Rule::Added, predict::union(current, wanted)),
            (Rule::Recased, predict::lower_case(wanted)),
            (Rule::Trimmed, predict::trimmed(wanted)),
        ];
        for (rule, predicted) in predictions {
            let is_restyled = rule == Rule::Recased && *field == Field::Properties && is_alike(shown, wanted);
            if predicted != *wanted && predicted != shown && !is_restyled {
                self.refuted.insert((*field, rule));
            }
        }
        let known = self.longest.entry(*field).or_default();
        *known = max(*known, longest(shown));
    }

    /// The rule by which sending this would change nothing, if enough updates showed it and no answer disproved it.
    #[must_use]
    pub fn rule(&self, parent: Option<&str>, difference: &Difference) -> Option<Rule> {
        let rules = self.met.range((difference.field, Rule::Added, None)..);
        let of_field = rules.take_while(|((field, ..), _)| *field == difference.field);
        let is_of = |known: Option<&str>| known.is_none_or(|known| Some(known) == parent);
        let is_refuted = |field: Field, rule: Rule, met: &[Difference]| match rule {
            Rule::Cut => self.longest.get(&field).copied() > cut_at(met),
            _ => self.refuted.contains(&(field, rule)),
        };
        let mut struck = of_field.filter(|((field, rule, known), met)| {
            met.len() == STRIKES && is_of(known.as_deref()) && !is_refuted(*field, *rule, met)
        });
        struck.find(|((_, rule, _), met)| rule.predicts(met, difference)).map(|((_, rule, _), _)| *rule)
    }
}

impl Rule {
    /// Whether a server that did this to `others` would still show the current value if the wanted one were sent.
    #[must_use]
    pub fn predicts(self, others: &[Difference], difference: &Difference) -> bool {
        let Difference { current, wanted, field } = difference;
        match self {
            Self::Added => predict::union(current, wanted) == *current,
            Self::Inherited => beside(difference)
                .is_some_and(|inherited| others.iter().all(|other| beside(other).as_ref() == Some(&inherited))),
            Self::Recased => {
                predict::lower_case(wanted) == *current || *field == Field::Properties && is_alike(current, wanted)
            }
            Self::Trimmed => predict::trimmed(wanted) == *current,
            Self::Cut => cut_at(others).is_some_and(|end| predict::cut_to(wanted, end) == *current),
            Self::Changed => false,
        }
    }
}

/// The length at which the longest of these was cut.
fn cut_at(others: &[Difference]) -> Option<usize> {
    others.iter().map(|other| longest(&other.current)).max()
}

/// The elements shown in addition to the wanted ones; `None` if a wanted one is missing.
fn beside(Difference { current, wanted, .. }: &Difference) -> Option<BTreeSet<String>> {
    let (current, wanted) = (parts(current, str::to_owned), parts(wanted, str::to_owned));
    wanted.is_subset(&current).then(|| current.difference(&wanted).cloned().collect())
}

/// Guesses the rule from a difference that an answer still shows.
#[must_use]
pub fn likely_rule(difference: &Difference) -> Rule {
    let Difference { field, current, wanted } = difference;
    let (shown, sent) = (parts(current, str::to_owned), parts(wanted, str::to_owned));
    let in_current = |form: fn(&str) -> String| parts(wanted, form).is_subset(&parts(current, form));
    match field {
        Field::Properties if is_alike(current, wanted) => Rule::Recased,
        _ if predict::lower_case(current) == predict::lower_case(wanted) => Rule::Recased,
        Field::GroupTags if shown.is_superset(&sent) => Rule::Inherited,
        Field::Emails | Field::Properties | Field::Mapping if shown.is_superset(&sent) => Rule::Added,
        Field::IsDemoGroup | Field::ParentProvidedId => Rule::Changed,
        _ if in_current(|text| text.trim().to_owned()) => Rule::Trimmed,
        _ if !shown.is_empty() && sent.iter().all(|part| has_beginning(&shown, part)) => Rule::Cut,
        _ => Rule::Changed,
    }
}

/// Whether one of these is the beginning of a text; the empty one does not count. The beginnings of a text sort before
/// it, the longest last.
fn has_beginning(shown: &BTreeSet<String>, text: &str) -> bool {
    let mut end = text;
    while let Some(known) = shown.range::<str, _>((Bound::Unbounded, Bound::Included(end))).next_back() {
        if end.starts_with(known) {
            return !known.is_empty();
        }
        let alike =
            end.chars().zip(known.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum::<usize>();
        end = &end[..alike];
    }
    false
}

/// Whether Explo has elements or keys beyond the wanted ones, which must be removed.
fn has_more(Difference { current, wanted, .. }: &Difference) -> bool {
    let names = |canonical: &str| -> BTreeSet<String> {
        if json::is_object(canonical) {
            json::members(canonical).map(|(key, _)| key.into_owned()).collect()
        } else {
            parts(canonical, str::to_owned)
        }
    };
    !names(current).is_subset(&names(wanted))
}

/// A text, the elements of an array, or the members of an object: strings in a form, with their key as prefix.
fn parts(canonical: &str, form: impl Fn(&str) -> String) -> BTreeSet<String> {
    let leaf = |value: &str| if value.starts_with('"') { form(&json::string(value)) } else { value.to_owned() };
    match canonical.as_bytes().first() {
        Some(b'{') => json::members(canonical).map(|(key, value)| format!("{key}\0{}", leaf(value))).collect(),
        Some(b'[') => json::elements(canonical).map(leaf).collect(),
        _ => BTreeSet::from([leaf(canonical)]),
    }
}

/// All strings of a value, except keys.
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

    fn difference(field: Field, current: &str, wanted: &str) -> Difference {
        Difference { field, current: current.to_owned(), wanted: wanted.to_owned() }
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
    fn after_three_strikes_a_value_is_spared_where_the_prediction_is_what_is_shown() {
        let strike = |field, current: &str, wanted: &str| [Unsettled::new(difference(field, current, wanted))];
        let mut strikes = Strikes::default();
        let leaver = difference(Field::Emails, r#"["a@x","leaver@x"]"#, r#"["a@x"]"#);
        for _ in 0..3 {
            assert_eq!(strikes.rule(None, &leaver), None);
            strikes.count(None, &[], &strike(Field::Emails, r#"["a@x","b@x"]"#, r#"["b@x"]"#));
            strikes.count(None, &[], &strike(Field::Name, r#""Ann""#, r#"" Ann""#));
            let double = strike(Field::Properties, r#"{"a":0.3333333333333333}"#, r#"{"a":0.33333333333333331}"#);
            strikes.count(None, &[], &double);
        }
        let rule = |field, current: &str, wanted: &str| strikes.rule(None, &difference(field, current, wanted));
        assert_eq!(strikes.rule(None, &leaver), Some(Rule::Added));
        assert_eq!(rule(Field::Emails, r#"["old@x"]"#, r#"["new@x"]"#), None, "the new address would come");
        assert_eq!(rule(Field::Name, r#""Bob""#, r#""Bob ""#), Some(Rule::Trimmed));
        assert_eq!(rule(Field::Name, r#""Rob""#, r#""Bob ""#), None, "the name would change");
        assert_eq!(
            rule(Field::Properties, r#"{"a":0.2}"#, r#"{"a":0.20000000000000001}"#),
            None,
            "nobody understands it"
        );
    }

    #[test]
    fn letters_of_some_addresses_say_nothing_of_those_that_must_go() {
        let mut strikes = Strikes::default();
        let lowered = difference(Field::Emails, r#"["adam1@x","zoe1@x"]"#, r#"["Zoe1@X","adam1@x"]"#);
        assert_eq!(likely_rule(&lowered), Rule::Recased);
        (0..3).for_each(|_| strikes.count(None, &[], &[Unsettled::new(lowered.clone())]));
        assert_eq!(strikes.rule(None, &lowered), Some(Rule::Recased));
        let leaver = difference(Field::Emails, r#"["a@x","leaver@x"]"#, r#"["a@x"]"#);
        assert_eq!(strikes.rule(None, &leaver), None);
    }

    #[test]
    fn a_beginning_is_found_behind_others() {
        let shown = BTreeSet::from(["", "ab", "abc", "abcz", "äx", "b"].map(str::to_owned));
        let has = |text| has_beginning(&shown, text);
        assert!(["ab", "abd", "abcy", "äxy", "bz"].iter().all(|text| has(text)));
        assert!(!["", "a", "äy", "c", "ac"].iter().any(|text| has(text)));
    }

    #[test]
    fn an_answer_that_shows_otherwise_ends_the_sparing() {
        let wanted = r#"["a@x"]"#;
        let before = |current: &str| [difference(Field::Emails, current, wanted)];
        let root = Unsettled::new(difference(Field::Emails, r#"["a@x","root@x"]"#, wanted));
        let leaver = &before(r#"["a@x","leaver@x","root@x"]"#);
        let struck = || {
            let mut strikes = Strikes::default();
            let held = before(r#"["a@x","root@x"]"#);
            (0..3).for_each(|_| strikes.count(None, &held, std::slice::from_ref(&root)));
            assert_eq!(strikes.rule(None, &leaver[0]), Some(Rule::Added));
            strikes
        };
        for left in [std::slice::from_ref(&root), &[]] {
            let mut strikes = struck();
            strikes.count(None, leaver, left);
            assert_eq!(strikes.rule(None, &leaver[0]), None, "the leaver went, so leavers do go");
        }
        let mut strikes = Strikes::default();
        let long = difference(Field::Name, r#""0123456789""#, r#""0123456789abc""#);
        (0..3).for_each(|_| strikes.count(None, &[], &[Unsettled::new(long.clone())]));
        assert_eq!(strikes.rule(None, &long), Some(Rule::Cut));
        strikes.count(None, &[difference(Field::Name, r#""Old""#, r#""Longer than that""#)], &[]);
        assert_eq!(strikes.rule(None, &long), None, "a longer one stayed whole");
    }

    #[test]
    fn what_is_inherited_is_predicted_below_the_same_parent_alone() {
        let mut strikes = Strikes::default();
        let red = difference(Field::GroupTags, r#"["own","red"]"#, r#"["own"]"#);
        (0..3).for_each(|_| strikes.count(Some("p"), &[], &[Unsettled::new(red.clone())]));
        let rule =
            |parent, current: &str, wanted: &str| strikes.rule(parent, &difference(Field::GroupTags, current, wanted));
        assert_eq!(rule(Some("p"), r#"["red","x"]"#, r#"["x"]"#), Some(Rule::Inherited));
        assert_eq!(rule(Some("p"), r#"["blue","red","x"]"#, r#"["x"]"#), None, "blue would go");
        assert_eq!(rule(Some("q"), r#"["red","x"]"#, r#"["x"]"#), None);
        assert_eq!(rule(None, r#"["red","x"]"#, r#"["x"]"#), None);
    }
}
