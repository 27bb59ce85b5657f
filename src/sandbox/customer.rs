//! A customer as the sandbox keeps it: the listing's fields and the parent, numbers digit by digit as they were sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Odd;

/// An object whose values keep their text.
pub(super) type Members = BTreeMap<String, Box<RawValue>>;

/// The data visibility group of the team token.
pub(super) const ACCESS_GROUP: &str = "Production";

/// One customer. A file of customers uses the listing's names; a missing field gets its default.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredCustomer {
    /// Assigned at creation; a file may omit it.
    pub token: String,
    /// The display name.
    pub name: String,
    /// The id that the client chose; a customer made in Explo's UI may have none.
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
    /// The parent's `provided_id`; a file may set it, a listing never shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_provided_id: Option<String>,
    /// An odd value that answers show for one field until a write sets it; a file can't set it.
    #[serde(skip)]
    pub odd: Option<Odd>,
}
