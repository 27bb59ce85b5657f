//! The shapes of requests and answers, in both spellings that the documents use.
//!
//! | our field | sent as | listed as |
//! |---|---|---|
//! | mapping | `mapping` | `parent_schema_datasource_mapping` |
//! | hierarchy level | `hierarchy_level_name` | `hierarchy_level` |
//! | the others | their own name | their own name |
//!
//! What a customer's record may look like is in `listed.rs`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Unusable,
    listed::{self, Named, Text, flag},
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

/// One page of the listing: its envelope is read, its customers are not yet.
#[derive(Debug)]
pub struct Page<'a> {
    /// How many customers there are on all pages, where the server says so.
    pub total: Option<u64>,
    customers: &'a str,
}

/// Both versions. A key may come in two spellings at once, so that none is an alias of another.
#[derive(Debug, Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    success: Option<&'a RawValue>,
    #[serde(borrow)]
    total_count: Option<Text<'a>>,
    #[serde(borrow, rename = "totalCount")]
    camel_total_count: Option<Text<'a>>,
    #[serde(borrow)]
    count: Option<Text<'a>>,
    #[serde(borrow)]
    results: Option<Results<'a>>,
    #[serde(borrow)]
    customers: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    customers: Option<&'a RawValue>,
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

impl Envelope<'_> {
    fn shows_customers(&self) -> bool {
        let of_v2 = self.results.as_ref().and_then(|results| results.customers);
        [self.customers, of_v2].into_iter().flatten().any(|customers| !matches!(customers.get(), "[]" | "null"))
    }
}

impl<'a> Page<'a> {
    /// Reads the envelope; the rest is well-formed from then on.
    pub fn read(body: &'a [u8], version: ListingVersion) -> Result<Self, Unusable> {
        let above = match version {
            ListingVersion::V1 => 3,
            ListingVersion::V2 => 4,
        };
        let page: Envelope<'_> = read(body, above)?;
        let succeeded = page.success.map(|success| flag(success) == Some(true));
        let customers = match (version, succeeded) {
            // What shows customers is not quoted as a reason.
            (_, Some(false)) | (ListingVersion::V1, None) if !page.shows_customers() => return Err(Unusable::Refusal),
            (_, Some(false)) | (ListingVersion::V1, None) => None,
            (ListingVersion::V1, Some(true)) => page.customers,
            (ListingVersion::V2, _) => page.results.and_then(|results| results.customers),
        };
        let customers = customers.map(RawValue::get).filter(|text| text.starts_with('[')).ok_or(Unusable::Shape)?;
        let total = page.total_count.or(page.camel_total_count).or(page.count);
        Ok(Self { total: total.and_then(|Text(total)| total.parse().ok()), customers })
    }

    /// Shows the customers on this page one by one, and counts them.
    pub fn each(&self, mut show: impl FnMut(&Customer<'_>)) -> Result<usize, Unusable> {
        let mut count = 0;
        for record in json::elements(self.customers) {
            show(&listed::read(record)?);
            count += 1;
        }
        Ok(count)
    }
}

/// Reads the answer about one customer, and whether it says that the customer is new.
pub fn read_answer(body: &[u8]) -> Result<(bool, Customer<'_>), Unusable> {
    let answer: Answer<'_> = read(body, 2)?;
    let customer = answer.customer.filter(|customer| customer.get() != "null").ok_or(Unusable::Refusal)?;
    if answer.success.and_then(flag) != Some(true) {
        return Err(Unusable::Shape);
    }
    let is_new = answer.new_customer.or(answer.camel_new_customer);
    let is_new = is_new.map_or(Some(false), flag).ok_or(Unusable::Shape)?;
    Ok((is_new, listed::read(customer.get())?))
}

/// The answer to `group_tags`.
#[derive(Debug, Deserialize)]
struct TagList<'a> {
    #[serde(borrow)]
    success: Option<&'a RawValue>,
    #[serde(borrow)]
    group_tags: Option<Vec<Option<Named<'a>>>>,
    #[serde(borrow, rename = "groupTags")]
    camel_group_tags: Option<Vec<Option<Named<'a>>>>,
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
    if answer.success.is_some_and(|success| flag(success) != Some(true)) {
        return Err(Unusable::Refusal);
    }
    let tags = answer.group_tags.or(answer.camel_group_tags).ok_or(Unusable::Shape)?;
    Ok(tags.into_iter().flatten().map(|Named(name)| name.into_owned()).collect())
}

/// Reads whether something was done.
pub fn read_success(body: &[u8]) -> Result<(), Unusable> {
    let answer: Success<'_> = read(body, 2)?;
    if answer.success.and_then(flag) == Some(true) { Ok(()) } else { Err(Unusable::Refusal) }
}

/// Reads an envelope in which so many levels stand above a customer's values.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8], above: usize) -> Result<T, Unusable> {
    let text = str::from_utf8(body).map_err(|_| Unusable::Unreadable("is not JSON"))?;
    if text.trim().is_empty() {
        return Err(Unusable::Unreadable("is empty"));
    }
    // Before the parser, whose memory grows with the depth of what it skips.
    if json::depth(text) > above + json::MAX_DEPTH {
        return Err(Unusable::Shape);
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Unusable::Shape,
        serde_json::error::Category::Eof => Unusable::Unreadable("is cut short"),
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => Unusable::Unreadable("is not JSON"),
    })
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
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_provided_id: Option<&'a str>,
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
fn whole(object: &Object) -> Option<&RawValue> {
    match object {
        Object::Whole(text) => serde_json::from_str(text).ok(),
        Object::Keys(_) => None,
    }
}
