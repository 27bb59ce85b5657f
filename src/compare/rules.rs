//! How fields are compared, beyond what the columns say.

use serde::{Deserialize, Serialize};

/// How fields are compared, beyond what the columns say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// For the addresses.
    pub emails: EmailRule,
    /// For the keys of properties; found out in each run.
    #[serde(default)]
    pub keys: KeyStyle,
    /// For tags that don't exist.
    #[serde(default)]
    pub tags: TagRule,
}

impl Rules {
    /// The same with another view of keys.
    #[must_use]
    pub fn with(self, keys: KeyStyle) -> Self {
        Self { keys, ..self }
    }
}

/// What the style of a listed property key says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStyle {
    /// It is the key's own: `filter_value` is not `filterValue`.
    #[default]
    AsListed,
    /// Nothing, for the listing has one style for all: the wanted style is taken.
    AsWanted,
}

/// What a tag that does not exist does to the tenants that have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagRule {
    /// They are invalid.
    #[default]
    Invalid,
    /// Nothing: it is made first.
    Create,
}

/// What an address that only Explo has is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailRule {
    /// A difference: it goes.
    #[default]
    Replace,
    /// None of our business: it stays.
    Add,
}
