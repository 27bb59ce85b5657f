//! Predicts what a server with a certain habit stores: from the wanted value and, if it merges, the current one.
//!
//! Values and results are in the form of comparison, as in a [`Difference`](super::Difference), so that a result can be
//! compared with what Explo shows. A habit applies to every string of a value at any depth, but not to keys. A list of
//! addresses or tags stays a set; an array within properties keeps its order.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::form::{Form, Text};
use crate::model::json;

/// All letters in lower case.
#[must_use]
pub fn lower_case(new: &str) -> String {
    of_strings(new, &|text| text.to_lowercase())
}

/// Without whitespace at the ends.
#[must_use]
pub fn trimmed(new: &str) -> String {
    of_strings(new, &|text| text.trim().to_owned())
}

/// At most the first `characters` characters.
#[must_use]
pub fn cut_to(new: &str, characters: usize) -> String {
    of_strings(new, &|text| text.chars().take(characters).collect())
}

/// The current and the wanted value merged: the elements of both, or the members of both, where a wanted member
/// replaces the current one. For other types, the wanted value.
#[must_use]
pub fn union(old: &str, new: &str) -> String {
    match (old.as_bytes().first(), new.as_bytes().first()) {
        (Some(b'['), Some(b'[')) => set(json::elements(old).chain(json::elements(new)).map(str::to_owned)),
        (Some(b'{'), Some(b'{')) => {
            let members: BTreeMap<_, _> = json::members(old).chain(json::members(new)).collect();
            json::object(members.into_iter().map(|(key, value)| (key, value.to_owned())))
        }
        _ => new.to_owned(),
    }
}

fn of_strings(value: &str, habit: &dyn Fn(&str) -> String) -> String {
    let of_string = |leaf: &str| {
        if leaf.starts_with('"') { json::quote(&habit(&json::string(leaf))) } else { leaf.to_owned() }
    };
    mapped(value, &of_string)
}

/// The value with each leaf (anything but a list or an object) replaced.
fn mapped(value: &str, leaf: &dyn Fn(&str) -> String) -> String {
    if value.starts_with('[') { set(json::elements(value).map(leaf)) } else { mapped_within(value, leaf) }
}

fn mapped_within(value: &str, leaf: &dyn Fn(&str) -> String) -> String {
    match value.as_bytes().first() {
        Some(b'{') => json::object(json::members(value).map(|(key, value)| (key, mapped_within(value, leaf)))),
        Some(b'[') => json::array(json::elements(value).map(|value| mapped_within(value, leaf))),
        _ => leaf(value),
    }
}

/// A list of strings in the form of comparison.
fn set(elements: impl Iterator<Item = String>) -> String {
    let quoted: BTreeSet<_> = elements.collect();
    let texts: Vec<Cow<'_, str>> = quoted.iter().map(|quoted| json::string(quoted)).collect();
    Text.set(texts.iter().map(|text| &**text))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::compare::canonical;

    #[test]
    fn every_string_of_a_value_is_reached_and_no_key() {
        let properties = r#"{"A":"B","C":{"D":["F","E",1,null,true]}}"#;
        assert_eq!(lower_case(properties), r#"{"A":"b","C":{"D":["f","e",1,null,true]}}"#);
        assert_eq!(lower_case(r#""ÀNN""#), r#""ànn""#);
        assert_eq!(lower_case("true"), "true");
        assert_eq!(trimmed(r#"{" a ":" b\t"}"#), r#"{" a ":"b"}"#);
    }

    #[test]
    fn a_list_stays_a_set() {
        assert_eq!(lower_case(r#"["Zoe@x","adam@x"]"#), r#"["adam@x","zoe@x"]"#);
        assert_eq!(lower_case(r#"["A@x","a@x"]"#), r#"["a@x"]"#);
        assert_eq!(trimmed(r#"[" z","a"]"#), r#"["a","z"]"#);
        assert_eq!(cut_to(r#"["ab1","ab2","c"]"#, 2), r#"["ab","c"]"#);
        assert_eq!(lower_case("[]"), "[]");
    }

    #[test]
    fn strings_become_what_a_server_of_that_habit_holds() {
        assert_eq!(trimmed(r#""\u0001 a  b ""#), r#""\u0001 a  b""#);
        assert_eq!(cut_to(r#""aé€😀b""#, 4), r#""aé€😀""#);
        assert_eq!(cut_to(r#""ab""#, 2), r#""ab""#);
    }

    #[test]
    fn a_union_has_both_sides_and_the_wanted_members_count() {
        assert_eq!(union(r#"["b@x","old@x"]"#, r#"["b@x","new@x"]"#), r#"["b@x","new@x","old@x"]"#);
        assert_eq!(union("[]", r#"["a"]"#), r#"["a"]"#);
        assert_eq!(union(r#"{"a":1,"b":{"c":1}}"#, r#"{"b":{"d":2},"e":3}"#), r#"{"a":1,"b":{"d":2},"e":3}"#);
        assert_eq!(union(r#""old""#, r#""new""#), r#""new""#);
    }

    /// A value in the form of comparison: a text, a set, or an object.
    fn value() -> impl Strategy<Value = String> {
        let text = || {
            let odd = vec![
                "",
                " ",
                "A",
                "a",
                " a  B\u{a0}\t",
                "e\u{301}",
                "\u{e9}",
                "&",
                "&amp;",
                "<",
                "\"",
                "\\",
                "\u{1}",
                "İ",
                "ς",
            ];
            prop_oneof![select(odd).prop_map(str::to_owned), ".{0,8}"]
        };
        let leaf = prop_oneof![
            text().prop_map(|text| json::quote(&text)),
            select(vec!["1.0", "0.1000000000000000055", "1e400", "-3", "null", "true"]).prop_map(str::to_owned),
            vec(text(), 0..4).prop_map(|list| json::array(list.iter().map(|text| json::quote(text)))),
        ];
        let members = vec((text(), leaf), 0..4).prop_map(|members| canonical(&json::object(members.into_iter())));
        prop_oneof![
            text().prop_map(|text| json::quote(&text)),
            vec(text(), 0..5).prop_map(|list| Text.set(list.iter().map(String::as_str))),
            members,
        ]
    }

    proptest! {
        #[test]
        fn what_is_predicted_is_in_the_comparison_form_and_stays(old in value(), new in value(), n in 0_usize..5) {
            let habits: [&dyn Fn(&str) -> String; 4] =
                [&|new| trimmed(new), &|new| cut_to(new, n), &|new| union(&old, new), &|new| union(new, new)];
            for (at, habit) in habits.iter().enumerate() {
                let once = habit(&new);
                prop_assert_eq!(&habit(&once), &once, "{}", at);
                prop_assert_eq!(canonical(&once), once.clone(), "{}", at);
            }
            prop_assert_eq!(canonical(&lower_case(&new)), lower_case(&new));
            prop_assert_eq!(union(&new, &new), new);
        }
    }
}
