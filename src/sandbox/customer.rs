//! A customer as the sandbox keeps it: the fields of the listing and the parent, values to the digit as they were sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Odd;

/// An object whose values keep their text.
pub(super) type Members = BTreeMap<String, Box<RawValue>>;

/// The data visibility group of the team token.
pub(super) const ACCESS_GROUP: &str = "Production";

/// One customer. A file of customers has the names of the listing; what is missing there has its default.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredCustomer {
    /// Given at creation; a file may leave it out.
    pub token: String,
    /// The display name.
    pub name: String,
    /// The id that the user chose; somebody may have made a customer without one.
    pub provided_id: Option<String>,
    /// Whether it is a demo.
    pub is_demo_group: bool,
    /// In the order given.
    pub emails: Vec<String>,
    /// In the order given.
    pub group_tags: Vec<String>,
    /// The customer's own.
    pub properties: Option<Members>,
    /// The data visibility group.
    pub access_group: Option<String>,
    /// The customer's own.
    pub parent_schema_datasource_mapping: Option<Members>,
    /// The level's name.
    pub hierarchy_level: Option<String>,
    /// The parent's `provided_id`: a file may have it, a listing never shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_provided_id: Option<String>,
    /// How answers show one of its fields until that is written; a file can't say it.
    #[serde(skip)]
    pub odd: Option<Odd>,
}
