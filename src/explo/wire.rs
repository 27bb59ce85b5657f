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

/// What an answer about one customer says.
#[derive(Default)]
struct Told<'a> {
    success: Option<&'a str>,
    /// By the spelling of the key: `new_customer`, `newCustomer`.
    is_new: [Option<&'a str>; 2],
    customer: Option<Record<'a>>,
}

/// Bytes of an answer that are put right where they are no text, and places in it.
const LARGEST_MENDED: usize = 8 << 20;
const MOST_BROKEN: usize = 1000;

/// What is wrong with bytes that are no text.
pub(super) const NOT_UTF8: &str = "is not UTF-8";

/// Levels of an answer above a customer's values.
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

/// Whether an answer has a key that those of Explo have, and those of what stands before it have not.
pub(super) fn is_own(body: &[u8]) -> bool {
    let text = text(body).ok().and_then(|text| json::checked(text).ok());
    text.filter(|text| json::is_object(text))
        .is_some_and(|text| json::members(text).any(|(key, _)| matches!(&*key, "success" | "detail")))
}

/// The text of an answer in which a few strings are not UTF-8: half a surrogate pair for what is not, so that this record alone
/// can't be read. Two halves, for one might find its other half beside it. `None` where it would take much memory.
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
        // Behind a backslash it would be something else.
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

/// Of an answer that can't be read; what is wrong with the whole of it counts more than what was found first.
pub(super) fn why_unusable(text: &str, levels_above: usize) -> Unusable {
    // Before the parser, whose memory grows with the depth of what it skips.
    if !json::is_no_deeper(text, levels_above + json::MAX_DEPTH) {
        return Unusable::Shape;
    }
    serde_json::from_str::<IgnoredAny>(text).map_or_else(|error| unusable(&error), |_| Unusable::Shape)
}

/// What an error of the parser says of an answer.
fn unusable(error: &serde_json::Error) -> Unusable {
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
