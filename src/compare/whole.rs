//! A fingerprint of all that a record shows of a customer, to tell whether it has changed. The style of keys does not count,
//! because a listing may have one of its own.

use super::{
    fields,
    fingerprint::{Fingerprints, fold},
    form::Form,
};
use crate::model::{Customer, Object, Tenant, json};

/// A [`Fingerprints`] in which the style of keys does not count.
#[derive(Debug, Clone, Copy)]
struct Plain(Fingerprints);

/// The fingerprint of all values that a customer's record shows; the same in every run.
#[must_use]
pub fn whole_fingerprint(customer: &Customer<'_>) -> u64 {
    let whole = || Some(Object::Whole("{}".into()));
    let managed = Tenant { properties: whole(), mapping: whole(), ..Tenant::default() }.managed();
    let mut keys = fields::Layouts::default();
    fold(0, |field| Some(fields::current(Plain(Fingerprints::LASTING), customer, field, &managed, &mut keys)))
}

impl Form for Plain {
    type Value = u64;
    type Key = u64;

    fn text(self, characters: &str) -> u64 {
        self.0.text(characters)
    }

    fn word(self, word: &str) -> u64 {
        self.0.word(word)
    }

    fn set<'e>(self, elements: impl Iterator<Item = &'e str>) -> u64 {
        self.0.set(elements)
    }

    fn array(self, elements: impl Iterator<Item = u64>) -> u64 {
        self.0.array(elements)
    }

    fn key(self, name: &str) -> u64 {
        self.0.key(&json::plain_key(name).collect::<String>())
    }

    fn object(self, members: impl Iterator<Item = (u64, u64)>) -> u64 {
        self.0.object(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_counts_and_the_style_of_keys_does_not() {
        let customer = |properties: &'static str| Customer { properties: properties.into(), ..Customer::default() };
        let whole = |properties| whole_fingerprint(&customer(properties));
        assert_eq!(whole(r#"{"max_seats":1,"b":{}}"#), whole(r#"{"b":{},"maxSeats":1.0}"#));
        assert_ne!(whole(r#"{"max_seats":1}"#), whole(r#"{"max_seats":2}"#));
        let plain = whole("{}");
        let others = [
            Customer { name: "n".into(), ..customer("{}") },
            Customer { emails: vec!["a@x".into()], ..customer("{}") },
            Customer { group_tags: vec!["a@x".into()], ..customer("{}") },
            Customer { mapping: r#"{"1":"2"}"#.into(), ..customer("{}") },
            Customer { is_demo_group: true, ..customer("{}") },
            Customer { hierarchy_level: "n".into(), ..customer("{}") },
        ];
        let mut all: Vec<_> = others.iter().map(whole_fingerprint).chain([plain]).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 7);
        assert_eq!(
            whole_fingerprint(&Customer { token: "t".into(), ..customer("{}") }),
            plain,
            "it has a hash of its own"
        );
    }
}
