//! Odd customers, which a strict client can't read: answers show one field with an odd value until a write sets it.

use std::str::FromStr;

use clap::ValueEnum;
use serde_json::value::RawValue;

/// Characters of a name that is too long: 1.2 MB.
const LONG_NAME: usize = 1_200_000;

/// Depth of nested objects.
const DEPTH: usize = 70;

/// Characters of a property that is too large: with `computed_properties` its record has 1.5 MB.
const LARGE_PROPERTY: usize = 750_000;

/// What is odd about a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Odd {
    /// `properties` and `computed_properties` are `[]`.
    PropertiesList,
    /// `emails` is `""`.
    EmailsText,
    /// The name is half a surrogate pair, `"\ud800"`.
    HalfSurrogate,
    /// A name of 1.2 MB.
    LongName,
    /// Properties nested 70 levels deep.
    DeepProperties,
    /// Properties that make a record of 1.5 MB.
    LargeProperties,
}

/// A field that can be odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OddField {
    Name,
    Emails,
    Properties,
}

/// An odd customer: `ID=KIND`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddCustomer {
    /// Its `provided_id`.
    pub provided_id: String,
    /// What is odd about it.
    pub odd: Odd,
}

/// A text is not `ID=KIND`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no odd customer: write ID=KIND with one of {kinds}", kinds = kinds())]
pub struct OddError(String);

impl Odd {
    pub(super) fn field(self) -> OddField {
        match self {
            Self::HalfSurrogate | Self::LongName => OddField::Name,
            Self::EmailsText => OddField::Emails,
            Self::PropertiesList | Self::DeepProperties | Self::LargeProperties => OddField::Properties,
        }
    }

    /// The field's value as answers show it.
    pub(super) fn json(self) -> Box<RawValue> {
        let json = match self {
            Self::PropertiesList => "[]".to_owned(),
            Self::EmailsText => r#""""#.to_owned(),
            Self::HalfSurrogate => r#""\ud800""#.to_owned(),
            Self::LongName => format!("\"{}\"", "n".repeat(LONG_NAME)),
            Self::DeepProperties => format!("{}1{}", r#"{"a":"#.repeat(DEPTH), "}".repeat(DEPTH)),
            Self::LargeProperties => format!(r#"{{"large":"{}"}}"#, "p".repeat(LARGE_PROPERTY)),
        };
        RawValue::from_string(json).unwrap_or_default()
    }
}

impl FromStr for OddCustomer {
    type Err = OddError;

    fn from_str(text: &str) -> Result<Self, OddError> {
        let (id, kind) = text.rsplit_once('=').ok_or_else(|| OddError(text.to_owned()))?;
        let odd = Odd::from_str(kind, false).map_err(|_| OddError(text.to_owned()))?;
        Ok(Self { provided_id: id.to_owned(), odd })
    }
}

fn kinds() -> String {
    let kinds = Odd::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    kinds.map(|kind| kind.get_name().to_owned()).collect::<Vec<_>>().join(", ")
}
