//! The shapes of requests and answers, in both spellings that the documents use.
//!
//! | our field | sent as | listed as |
//! |---|---|---|
//! | mapping | `mapping` | `parent_schema_datasource_mapping` |
//! | hierarchy level | `hierarchy_level_name` | `hierarchy_level` |
//! | the others | their own name | their own name |
//!
//! What a customer's record may look like is in `listed.rs`, a page of them in `page.rs`.

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{error::Category, value::RawValue};

use super::{
    Unusable,
    listed::{self, named, raw_flag},
};
use crate::model::{Customer, Object, Tenant, json};

/// The endpoints that list customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingVersion {
    /// All customers in one answer; deprecated.
    V1,
    /// Page by page.
    V2,
}

/// The answer to `create_customer`, `update_customer` and `get_customer`.
#[derive(Debug, Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    success: Option<&'a RawValue>,
    #[serde(borrow)]
    new_customer: Option<&'a RawValue>,
    #[serde(borrow, rename = "newCustomer")]
    camel_new_customer: Option<&'a RawValue>,
    #[serde(borrow)]
    customer: Option<&'a RawValue>,
}

/// Reads the answer about one customer, and whether it says that the customer is new.
pub fn read_answer(body: &[u8]) -> Result<(bool, Customer<'_>), Unusable> {
    let answer: Answer<'_> = read(body, 2)?;
    let customer = answer.customer.filter(|customer| customer.get() != "null").ok_or(Unusable::Refusal)?;
    if answer.success.and_then(raw_flag) != Some(true) {
        return Err(Unusable::Shape);
    }
    let is_new = answer.new_customer.or(answer.camel_new_customer);
    let is_new = is_new.map_or(Some(false), raw_flag).ok_or(Unusable::Shape)?;
    Ok((is_new, listed::read(customer.get())?))
}

/// The answer to `group_tags`.
#[derive(Debug, Deserialize)]
struct TagList<'a> {
    #[serde(borrow)]
    success: Option<&'a RawValue>,
    #[serde(borrow)]
    group_tags: Option<Vec<Option<&'a RawValue>>>,
    #[serde(borrow, rename = "groupTags")]
    camel_group_tags: Option<Vec<Option<&'a RawValue>>>,
}

/// An answer of which only the success counts.
#[derive(Debug, Deserialize)]
struct Success<'a> {
    #[serde(borrow)]
    success: Option<&'a RawValue>,
}

/// Reads the names of all tags.
pub fn read_tags(body: &[u8]) -> Result<BTreeSet<String>, Unusable> {
    let answer: TagList<'_> = read(body, 3)?;
    if answer.success.is_some_and(|success| raw_flag(success) != Some(true)) {
        return Err(Unusable::Refusal);
    }
    let tags = answer.group_tags.or(answer.camel_group_tags).ok_or(Unusable::Shape)?;
    let names = tags.into_iter().flatten().filter_map(|tag| named(tag.get()).transpose());
    names.map(|name| Ok(name?.into_owned())).collect()
}

/// Reads whether something was done.
pub fn read_success(body: &[u8]) -> Result<(), Unusable> {
    let answer: Success<'_> = read(body, 2)?;
    if answer.success.and_then(raw_flag) == Some(true) { Ok(()) } else { Err(Unusable::Refusal) }
}

/// Reads an envelope in which so many levels stand above a customer's values.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8], above: usize) -> Result<T, Unusable> {
    let text = text(body)?;
    // Before the parser, whose memory grows with the depth of what it skips.
    if !json::is_no_deeper(text, above + json::MAX_DEPTH) {
        return Err(Unusable::Shape);
    }
    serde_json::from_str(text).map_err(|error| unusable(&error))
}

/// The text of an answer.
pub(super) fn text(body: &[u8]) -> Result<&str, Unusable> {
    let text = simdutf8::basic::from_utf8(body).map_err(|_| Unusable::Unreadable("is not JSON"))?;
    if text.trim_start().is_empty() { Err(Unusable::Unreadable("is empty")) } else { Ok(text) }
}

/// What an error of the parser says of an answer.
pub(super) fn unusable(error: &serde_json::Error) -> Unusable {
    match error.classify() {
        Category::Data => Unusable::Shape,
        Category::Eof => Unusable::Unreadable("is cut short"),
        Category::Syntax | Category::Io => Unusable::Unreadable("is not JSON"),
    }
}

/// The body of a create or update: the fields that the tenant has, and no `null`.
#[derive(Debug, Serialize)]
pub struct Body<'a> {
    provided_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emails: Option<&'a [Cow<'a, str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_tags: Option<&'a [Cow<'a, str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_demo_group: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hierarchy_level_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_provided_id: Option<&'a str>,
}

impl<'a> From<&'a Tenant<'_>> for Body<'a> {
    fn from(tenant: &'a Tenant<'_>) -> Self {
        Self {
            provided_id: &tenant.provided_id,
            name: tenant.name.as_deref(),
            emails: tenant.emails.as_deref(),
            group_tags: tenant.group_tags.as_deref(),
            properties: tenant.properties.as_ref().and_then(whole),
            mapping: tenant.mapping.as_ref().and_then(whole),
            is_demo_group: tenant.is_demo_group,
            hierarchy_level_name: tenant.hierarchy_level_name.as_deref(),
            parent_provided_id: tenant.parent_provided_id.as_deref(),
        }
    }
}

/// The body of a rename.
#[derive(Debug, Serialize)]
pub struct RenameBody<'a> {
    /// The id that the customer has.
    pub provided_id: &'a str,
    /// The id that it gets.
    pub new_provided_id: &'a str,
}

/// The body that makes a tag.
#[derive(Debug, Serialize)]
pub struct TagBody<'a> {
    /// What it is called.
    pub name: &'a str,
}

/// Only whole objects are sent: single keys were completed with the others' before.
fn whole<'o>(object: &'o Object<'_>) -> Option<&'o RawValue> {
    match object {
        Object::Whole(text) => serde_json::from_str(text).ok(),
        Object::Keys(_) => None,
    }
}
