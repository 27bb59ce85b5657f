//! How the server changes texts and numbers before it stores them.

use serde_json::value::RawValue;
use unicode_normalization::UnicodeNormalization;

use super::{
    Behaviour, StoredCustomer,
    choice::{AddressCase, Markup, Numbers, Spaces, UnicodeForm},
    scalars::rewritten,
};

/// From this value on a number is printed with an exponent, as browsers do.
const LARGE: f64 = 1e21;

/// Below this value too.
const SMALL: f64 = 1e-6;

impl StoredCustomer {
    /// The customer as the server would store it after a write through the API.
    #[must_use]
    pub fn as_kept(self, behaviour: &Behaviour) -> Self {
        let properties = self
            .properties
            .map(|members| members.into_iter().map(|(key, value)| (key, property(value, behaviour))).collect());
        Self {
            name: text(&self.name, behaviour),
            emails: self.emails.iter().map(|email| address(email, behaviour)).collect(),
            group_tags: self.group_tags.iter().map(|tag| text(tag, behaviour)).collect(),
            properties,
            ..self
        }
    }
}

/// A text as the server stores it.
pub(super) fn text(given: &str, behaviour: &Behaviour) -> String {
    let mut kept = match behaviour.spaces {
        Spaces::Kept => given.to_owned(),
        Spaces::Trimmed => given.trim().to_owned(),
        Spaces::Collapsed => given.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    if behaviour.unicode == UnicodeForm::Nfc {
        kept = kept.nfc().collect();
    }
    if behaviour.markup == Markup::Escaped {
        kept = kept.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    }
    match behaviour.cut_at {
        Some(length) => kept.chars().take(length).collect(),
        None => kept,
    }
}

/// An e-mail address as the server stores it.
pub(super) fn address(given: &str, behaviour: &Behaviour) -> String {
    match behaviour.address_case {
        AddressCase::Kept => text(given, behaviour),
        AddressCase::Lower => text(&given.to_lowercase(), behaviour),
    }
}

/// The value of a property as the server stores it, nested values too.
pub(super) fn property(value: Box<RawValue>, behaviour: &Behaviour) -> Box<RawValue> {
    let number = |number: &str| match behaviour.numbers {
        Numbers::Kept => number.to_owned(),
        Numbers::Doubles => double(number),
    };
    rewritten(value, |given| text(given, behaviour), number)
}

/// A number, read as a double and printed with the fewest digits that give the same double.
fn double(number: &str) -> String {
    let double: f64 = number.parse().unwrap_or_default();
    match double.abs() {
        0.0 => "0".to_owned(),
        f64::INFINITY => "null".to_owned(),
        SMALL..LARGE => format!("{double}"),
        _ => format!("{double:e}"),
    }
}
