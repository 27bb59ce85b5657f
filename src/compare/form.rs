//! The normal form of values: an object's keys are sorted, and the last of equal keys counts; numbers are compared by
//! value, with all their digits; strings have the fewest escapes; a list of addresses or tags is a set.
//!
//! One walk puts a value into a [`Form`]: into [`Text`], for comparing and display, or into a fingerprint. Therefore
//! equal fingerprints mean an empty difference. The opposite fails only if an element or a key occurs twice: a
//! fingerprint counts both. JSON must be accepted by [`json::checked`] before.

use std::{borrow::Cow, collections::BTreeSet, fmt::Debug, iter, mem};

use super::number::normal;
use crate::model::{Layout, Object, Scan, Scope, json};

/// A form that values are put into.
pub trait Form: Copy + Debug {
    /// A value in this form.
    type Value;
    /// The key of an object's member.
    type Key: Clone + Debug;

    /// A string of these characters.
    fn text(self, characters: &str) -> Self::Value;

    /// A number in its normal form, `true`, `false` or `null`.
    fn word(self, word: &str) -> Self::Value;

    /// Yes or no.
    fn flag(self, flag: bool) -> Self::Value {
        self.word(if flag { "true" } else { "false" })
    }

    /// Strings in any order; a text has each once.
    fn set<'e>(self, elements: impl Iterator<Item = &'e str>) -> Self::Value;

    /// Values in their order.
    fn array(self, elements: impl Iterator<Item = Self::Value>) -> Self::Value;

    /// A key of these characters.
    fn key(self, name: &str) -> Self::Key;

    /// Members in any order; a text has the last of equal keys.
    fn object(self, members: impl Iterator<Item = (Self::Key, Self::Value)>) -> Self::Value;

    /// Whether a key counts if `managed` are the managed keys.
    fn counts(self, key: &str, managed: &Scope) -> bool {
        managed.covers(key)
    }
}

/// JSON text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text;

impl Form for Text {
    type Value = String;
    type Key = String;

    fn text(self, characters: &str) -> String {
        json::quote(characters)
    }

    fn word(self, word: &str) -> String {
        word.to_owned()
    }

    fn set<'e>(self, elements: impl Iterator<Item = &'e str>) -> String {
        self.array(elements.collect::<BTreeSet<_>>().into_iter().map(json::quote))
    }

    fn array(self, elements: impl Iterator<Item = String>) -> String {
        json::array(elements)
    }

    fn key(self, name: &str) -> String {
        name.to_owned()
    }

    fn object(self, members: impl Iterator<Item = (String, String)>) -> String {
        json::object(members)
    }
}

/// Puts the value of an object's member into a form: [`any`] or [`mapped`].
pub(super) type Put<F> = fn(F, &mut Scan<'_>) -> <F as Form>::Value;

/// The keys of the objects read before, in a form; `None` for a key that is not managed.
pub(super) type Keys<F> = Layout<Option<<F as Form>::Key>>;

/// The next value, of any type.
pub(super) fn any<F: Form>(form: F, scan: &mut Scan<'_>) -> F::Value {
    if let Some(plain) = scan.plain() {
        return form.text(plain);
    }
    match scan.ahead() {
        Some(b'{') => members(form, scan, &mut Keys::<F>::default(), |_| true, any),
        Some(b'[') => elements(form, scan),
        ahead => {
            let value = scan.value(json::MAX_DEPTH).unwrap_or_default();
            match ahead {
                Some(b'"') => form.text(&json::string(value)),
                Some(b'-' | b'0'..=b'9') => form.word(&normal(value)),
                _ => form.word(value),
            }
        }
    }
}

/// A value of a mapping, as a string: `213` means `"213"`.
pub(super) fn mapped<F: Form>(form: F, scan: &mut Scan<'_>) -> F::Value {
    match scan.plain() {
        Some(plain) => form.text(plain),
        None => form.text(&as_text(scan.value(json::MAX_DEPTH).unwrap_or_default())),
    }
}

/// A mapping's value as text.
#[must_use]
pub fn as_text(value: &str) -> Cow<'_, str> {
    if value.starts_with('"') { json::string(value) } else { Cow::Owned(canonical(value)) }
}

/// The normal form of any JSON value.
#[must_use]
pub fn canonical(json: &str) -> String {
    any(Text, &mut Scan::new(json))
}

/// What is wanted of an object.
pub(super) fn wanted<F: Form>(form: F, object: &Object<'_>, keys: &mut Keys<F>, put: Put<F>) -> F::Value {
    match object {
        Object::Whole(object) => members(form, &mut Scan::new(object), keys, |_| true, put),
        Object::Keys(members) => form.object(
            members.iter().filter_map(|(key, json)| Some((form.key(key), put(form, &mut Scan::new(json.as_deref()?))))),
        ),
    }
}

/// The managed part of a customer's object.
pub(super) fn current<F: Form>(form: F, object: &str, scope: &Scope, keys: &mut Keys<F>, put: Put<F>) -> F::Value {
    let mut scan = Scan::new(object);
    match scope {
        Scope::Whole => members(form, &mut scan, keys, |_| true, put),
        Scope::None | Scope::Keys(_) => {
            members(form, &mut scan, &mut Keys::<F>::default(), |key| form.counts(key, scope), put)
        }
    }
}

fn members<F: Form>(
    form: F,
    scan: &mut Scan<'_>,
    keys: &mut Keys<F>,
    is_managed: impl Fn(&str) -> bool,
    put: Put<F>,
) -> F::Value {
    if !matches!(scan.enter(b'{'), Ok(true)) {
        return form.object(iter::empty());
    }
    let mut places = 0..;
    form.object(iter::from_fn(|| {
        loop {
            let key = keys.key(scan, places.next()?, |key| is_managed(key).then(|| form.key(key))).ok()??;
            if let Some(key) = key {
                return Some((key, put(form, scan)));
            }
            scan.value(json::MAX_DEPTH).ok()?;
        }
    }))
}

fn elements<F: Form>(form: F, scan: &mut Scan<'_>) -> F::Value {
    let (mut is_first, is_array) = (true, matches!(scan.enter(b'['), Ok(true)));
    form.array(iter::from_fn(|| {
        let has_element = is_array && scan.has_element(mem::take(&mut is_first)).unwrap_or_default();
        has_element.then(|| any(form, scan))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_by_value_and_keep_every_digit() {
        let same = |a, b| assert_eq!(canonical(a), canonical(b), "{a} and {b}");
        same("1", "1.000");
        same("100", "1e2");
        same("-0", "0.0");
        same("1.5e-3", "0.0015");
        same("12345678901234567890.1234567890", "12345678901234567890.123456789");
        assert_eq!(canonical("0.1000000000000000055"), "0.1000000000000000055");
        assert_eq!(canonical("1E+400"), "1e400");
        assert_eq!(canonical("-12.50"), "-12.5");
        assert_ne!(canonical("9007199254740993"), canonical("9007199254740992"));
    }

    #[test]
    fn objects_are_equal_whatever_the_order_of_their_keys() {
        let text = r#" {"b" : [1, {"y":null,"x":"\u0041"}], "a":true } "#;
        assert_eq!(canonical(json::checked(text).unwrap()), r#"{"a":true,"b":[1,{"x":"A","y":null}]}"#);
    }
}
