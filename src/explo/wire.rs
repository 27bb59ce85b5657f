//! The shapes of requests and answers, in both spellings that the documents use.
//!
//! | our field | sent as | listed as |
//! |---|---|---|
//! | mapping | `mapping` | `parent_schema_datasource_mapping` |
//! | hierarchy level | `hierarchy_level_name` | `hierarchy_level` |
//! | the others | their own name | their own name |
//!
//! The `computed_…` twins contain what is inherited and are never read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{Customer, Object, Tenant, json};

/// Why an answer can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Not JSON, or cut: worth another try.
    Unreadable(&'static str),
    /// JSON that says no.
    Refusal,
    /// JSON that is not what was documented; it may hold anything, so it is not quoted.
    Shape,
}

/// One page of the listing.
#[derive(Debug, Deserialize)]
pub struct Page<'a> {
    /// How many customers there are on all pages, where the server says so.
    #[serde(default, alias = "count", alias = "totalCount")]
    pub total_count: Option<u64>,
    #[serde(borrow)]
    results: Results<'a>,
}

#[derive(Debug, Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    customers: Vec<ListedCustomer<'a>>,
}

/// The answer to `create_customer`, `update_customer` and `get_customer`.
#[derive(Debug, Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    success: Option<&'a RawValue>,
    #[serde(default, alias = "newCustomer")]
    new_customer: Option<bool>,
    #[serde(borrow, default)]
    customer: Option<ListedCustomer<'a>>,
}

#[derive(Debug, Deserialize)]
struct ListedCustomer<'a> {
    #[serde(borrow, default)]
    token: Option<Text<'a>>,
    #[serde(borrow, default, alias = "providedId")]
    provided_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    emails: Option<Vec<Text<'a>>>,
    #[serde(borrow, default, alias = "groupTags")]
    group_tags: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    properties: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "parentSchemaDatasourceMapping")]
    parent_schema_datasource_mapping: Option<&'a RawValue>,
    #[serde(default, alias = "isDemoGroup")]
    is_demo_group: Option<bool>,
    #[serde(borrow, default, alias = "hierarchyLevel")]
    hierarchy_level: Option<Text<'a>>,
    #[serde(borrow, default, alias = "accessGroup")]
    access_group: Option<Text<'a>>,
}

/// A string that borrows from the answer where it has no escapes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Page<'a> {
    /// Reads a page.
    pub fn read(body: &'a [u8]) -> Result<Self, Unusable> {
        read(body)
    }

    /// The customers on this page.
    pub fn customers(self) -> Result<Vec<Customer<'a>>, Unusable> {
        self.results.customers.into_iter().map(ListedCustomer::read).collect()
    }
}

/// Reads the answer about one customer, and whether it says that the customer is new.
pub fn read_answer(body: &[u8]) -> Result<(bool, Customer<'_>), Unusable> {
    let answer: Answer<'_> = read(body)?;
    let succeeded = answer.success.is_some_and(|success| matches!(success.get(), "1" | "true"));
    match answer.customer {
        Some(customer) if succeeded => Ok((answer.new_customer.unwrap_or(false), customer.read()?)),
        _ => Err(Unusable::Refusal),
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Unusable> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Unusable::Unreadable("is empty"));
    }
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Unusable::Shape,
        serde_json::error::Category::Eof => Unusable::Unreadable("is cut short"),
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => Unusable::Unreadable("is not JSON"),
    })
}

impl<'a> ListedCustomer<'a> {
    fn read(self) -> Result<Customer<'a>, Unusable> {
        let text = |text: Option<Text<'a>>| text.map(|Text(text)| text).unwrap_or_default();
        let list = |list: Option<Vec<Text<'a>>>| list.unwrap_or_default().into_iter().map(|Text(text)| text).collect();
        let object = |object: Option<&'a RawValue>| match object.map(RawValue::get) {
            Some(text) if json::depth(text) > json::MAX_DEPTH => Err(Unusable::Shape),
            Some(text) if json::is_object(text) => Ok(Cow::Borrowed(text)),
            _ => Ok(Cow::Borrowed("{}")),
        };
        Ok(Customer {
            token: text(self.token),
            provided_id: self.provided_id.map(|Text(text)| text).filter(|id| !id.is_empty()),
            name: text(self.name),
            emails: list(self.emails),
            group_tags: list(self.group_tags),
            properties: object(self.properties)?,
            mapping: object(self.parent_schema_datasource_mapping)?,
            is_demo_group: self.is_demo_group.unwrap_or(false),
            hierarchy_level: text(self.hierarchy_level),
            access_group: self.access_group.map(|Text(text)| text),
        })
    }
}

/// The body of a create or update: the fields that the tenant has, and no `null`.
#[derive(Debug, Serialize)]
pub struct Body<'a> {
    provided_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emails: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_tags: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_demo_group: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hierarchy_level_name: Option<&'a str>,
}

impl<'a> From<&'a Tenant> for Body<'a> {
    fn from(tenant: &'a Tenant) -> Self {
        Self {
            provided_id: &tenant.provided_id,
            name: tenant.name.as_deref(),
            emails: tenant.emails.as_deref(),
            group_tags: tenant.group_tags.as_deref(),
            properties: tenant.properties.as_ref().and_then(whole),
            mapping: tenant.mapping.as_ref().and_then(whole),
            is_demo_group: tenant.is_demo_group,
            hierarchy_level_name: tenant.hierarchy_level_name.as_deref(),
        }
    }
}

/// Only whole objects are sent: single keys were completed with the others' before.
fn whole(object: &Object) -> Option<&RawValue> {
    match object {
        Object::Whole(text) => serde_json::from_str(text).ok(),
        Object::Keys(_) => None,
    }
}
