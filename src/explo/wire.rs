//! The shapes of requests and answers, in both spellings that the reference uses.
//!
//! | our field | sent as | listed as |
//! |---|---|---|
//! | mapping | `mapping` | `parent_schema_datasource_mapping` |
//! | hierarchy level | `hierarchy_level_name` | `hierarchy_level` |
//! | the others | their own name | their own name |
//!
//! A customer's record is read in `listed.rs`, a page of records in `page.rs`.

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{error::Category, value::RawValue};

use super::{
    Unusable,
    listed::{self, flag, named, raw_flag},
};
use crate::model::{Object, Record, Scan, Tenant, json};

/// The endpoints that list customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingVersion {
    /// All customers in one answer; deprecated.
    V1,
    /// Page by page.
    V2,
}

/// The values of an answer about one customer.
#[derive(Default)]
struct Told<'a> {
    success: Option<&'a str>,
    /// By the spelling of the key: `new_customer`, `newCustomer`.
    is_new: [Option<&'a str>; 2],
    customer: Option<Record<'a>>,
}

/// Limits of repairing an answer that is not UTF-8: its size in bytes, and the invalid places in it.
const LARGEST_MENDED: usize = 8 << 20;
const MOST_BROKEN: usize = 1000;

/// The reason for bytes that are not text.
pub(super) const NOT_UTF8: &str = "is not UTF-8";

/// The levels of an answer above a customer's values.
const ABOVE: usize = 2;

/// Reads the answer about one customer, and whether it says that the customer is new.
pub fn read_answer(body: &[u8]) -> Result<(bool, Record<'_>), Unusable> {
    let text = text(body)?;
    let mut scan = Scan::new(text);
    let told = told(&mut scan).and_then(|told| Ok(scan.end().map(|()| told)?));
    let Told { success, is_new, customer } = told.map_err(|_| why_unusable(text, ABOVE))?;
    let customer = customer.ok_or(Unusable::Refusal)?;
    if success.and_then(flag) != Some(true) {
        return Err(Unusable::Shape);
    }
    let is_new = is_new.into_iter().flatten().next();
    Ok((is_new.map_or(Some(false), flag).ok_or(Unusable::Shape)?, customer))
}

fn told<'a>(scan: &mut Scan<'a>) -> Result<Told<'a>, Unusable> {
    if !scan.enter(b'{')? {
        return Err(Unusable::Shape);
    }
    let (mut told, mut seen, mut is_first) = (Told::default(), [false; 4], true);
    while let Some(key) = scan.key(is_first)? {
        is_first = false;
        let known = ["success", "new_customer", "newCustomer", "customer"].iter().position(|known| *known == key);
        if known.is_some_and(|known| std::mem::replace(&mut seen[known], true)) {
            return Err(Unusable::Shape);
        }
        if known == Some(3) && scan.ahead() != Some(b'n') {
            told.customer = Some(listed::record(scan)?);
            continue;
        }
        let value = Some(scan.value(ABOVE + json::MAX_DEPTH - 1)?).filter(|value| *value != "null");
        match known {
            Some(0) => told.success = value,
            Some(1) => told.is_new[0] = value,
            Some(2) => told.is_new[1] = value,
            _ => {}
        }
    }
    Ok(told)
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

/// An answer of which only the success flag counts.
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

/// Reads whether a write succeeded.
pub fn read_success(body: &[u8]) -> Result<(), Unusable> {
    let answer: Success<'_> = read(body, 2)?;
    if answer.success.and_then(raw_flag) == Some(true) { Ok(()) } else { Err(Unusable::Refusal) }
}

/// Reads an envelope with this many levels above a customer's values.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8], above: usize) -> Result<T, Unusable> {
    let text = text(body)?;
    // Checked before parsing, because the parser's memory grows with the depth of what it skips.
    if !json::is_no_deeper(text, above + json::MAX_DEPTH) {
        return Err(Unusable::Shape);
    }
    serde_json::from_str(text).map_err(|error| unusable(&error))
}

/// Whether an answer has a key that Explo's answers have, and a proxy's have not.
pub(super) fn is_own(body: &[u8]) -> bool {
    let text = text(body).ok().and_then(|text| json::checked(text).ok());
    text.filter(|text| json::is_object(text))
        .is_some_and(|text| json::members(text).any(|(key, _)| matches!(&*key, "success" | "detail")))
}

/// The text of an answer in which a few strings are not UTF-8. Invalid bytes become half a surrogate pair, so that only
/// this record can't be read; two halves, because a single one could form a pair with its neighbour. `None` if it needs
/// much memory.
#[cold]
pub(super) fn mended(body: &[u8]) -> Option<String> {
    if body.len() > LARGEST_MENDED {
        return None;
    }
    let (mut text, mut broken) = (String::with_capacity(body.len()), 0);
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        if chunk.invalid().is_empty() {
            continue;
        }
        broken += 1;
        // After a backslash it would mean something else.
        if broken > MOST_BROKEN || chunk.valid().ends_with('\\') {
            return None;
        }
        text.push_str(r"\udfff\udfff");
    }
    Some(text)
}

/// The text of an answer.
pub(super) fn text(body: &[u8]) -> Result<&str, Unusable> {
    let text = simdutf8::basic::from_utf8(body).map_err(|_| Unusable::Unreadable(NOT_UTF8))?;
    if text.trim_start().is_empty() { Err(Unusable::Unreadable("is empty")) } else { Ok(text) }
}

/// Why an answer can't be read; a fault of the whole answer takes precedence over the first one found.
pub(super) fn why_unusable(text: &str, levels_above: usize) -> Unusable {
    // Checked before parsing, because the parser's memory grows with the depth of what it skips.
    if !json::is_no_deeper(text, levels_above + json::MAX_DEPTH) {
        return Unusable::Shape;
    }
    serde_json::from_str::<IgnoredAny>(text).map_or_else(|error| unusable(&error), |_| Unusable::Shape)
}

/// The meaning of a parser error.
fn unusable(error: &serde_json::Error) -> Unusable {
    match error.classify() {
        Category::Data => Unusable::Shape,
        Category::Eof => Unusable::Unreadable("is cut short"),
        Category::Syntax | Category::Io => Unusable::Unreadable("is not JSON"),
    }
}

/// The body of a create or update: the fields that the tenant has, without `null`.
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
    /// The customer's current id.
    pub provided_id: &'a str,
    /// Its new id.
    pub new_provided_id: &'a str,
}

/// The body of a deletion.
#[derive(Serialize)]
pub struct DeleteBody<'a> {
    /// The customer's token.
    pub current_token: &'a str,
}

/// The body that creates a tag.
#[derive(Debug, Serialize)]
pub struct TagBody<'a> {
    /// The tag's name.
    pub name: &'a str,
}

/// Only whole objects are sent: the unmanaged keys were added to single keys before.
fn whole<'o>(object: &'o Object<'_>) -> Option<&'o RawValue> {
    match object {
        Object::Whole(text) => serde_json::from_str(text).ok(),
        Object::Keys(_) => None,
    }
}
