//! A customer as the sandbox keeps it: the fields of the listing, values to the digit as they were sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use serde_json::value::RawValue;

/// An object whose values keep their text.
pub(super) type Members = BTreeMap<String, Box<RawValue>>;

/// One customer. A file of customers has the names of the listing; what is missing there has its default.
#[derive(Debug, Clone, Default, Deserialize)]
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
}

impl Serialize for StoredCustomer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let empty = Members::new();
        let mut customer = serializer.serialize_struct("customer", 12)?;
        customer.serialize_field("token", &self.token)?;
        customer.serialize_field("name", &self.name)?;
        customer.serialize_field("provided_id", &self.provided_id)?;
        customer.serialize_field("is_demo_group", &self.is_demo_group)?;
        customer.serialize_field("emails", &self.emails)?;
        customer.serialize_field("group_tags", &self.group_tags)?;
        customer.serialize_field("properties", &self.properties)?;
        customer.serialize_field("computed_properties", self.properties.as_ref().unwrap_or(&empty))?;
        customer.serialize_field("access_group", &self.access_group)?;
        let mapping = &self.parent_schema_datasource_mapping;
        customer.serialize_field("parent_schema_datasource_mapping", mapping)?;
        let computed = mapping.as_ref().unwrap_or(&empty);
        customer.serialize_field("computed_parent_schema_datasource_mapping", computed)?;
        customer.serialize_field("hierarchy_level", &self.hierarchy_level)?;
        customer.end()
    }
}
