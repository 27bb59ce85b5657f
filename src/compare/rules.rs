//! Rules of comparison beyond what the columns say.

use serde::{Deserialize, Serialize};

/// Rules of comparison beyond what the columns say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// For e-mail addresses.
    pub emails: EmailRule,
    /// For the keys of properties; detected in each run.
    #[serde(default)]
    pub keys: KeyStyle,
    /// For tags that don't exist.
    #[serde(default)]
    pub tags: TagRule,
}

impl Rules {
    /// The same rules with another key style.
    #[must_use]
    pub fn with(self, keys: KeyStyle) -> Self {
        Self { keys, ..self }
    }
}

/// Whether the style of a listed property key counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStyle {
    /// It counts: `filter_value` is not `filterValue`.
    #[default]
    AsListed,
    /// It does not count, because the listing has one style for all keys; the wanted style is used.
    AsWanted,
}

/// What happens to tenants with a tag that does not exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagRule {
    /// They are invalid.
    #[default]
    Invalid,
    /// The tag is created first.
    Create,
}

/// What happens to an address that only Explo has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailRule {
    /// It is a difference and is removed.
    #[default]
    Replace,
    /// It is no difference and stays.
    Add,
}
