//! A customer as Explo shows it, read liberally where the meaning is clear; anything else is [`Unusable::Shape`].
//!
//! | what | accepted |
//! |---|---|
//! | text | a string or a whole number; of a tag, a level or a group also an object with a `name` |
//! | list | texts, `null` among them does not count; `null` is empty |
//! | object | `null` is empty |
//! | flag | `true`, `false`, `1`, `0`; `null` is false |
//!
//! Every key may come in both spellings, even at once: then the last that is not empty counts.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::Unusable;
use crate::model::{Customer, Scan, json};

/// A record of more bytes than this is not read: what it unpacks to could be ten times as large.
const LARGEST: usize = 1 << 20;

/// Reads the text of one record.
pub(super) fn read(record: &str) -> Result<Customer<'_>, Unusable> {
    next(&mut Scan::new(record))
}

/// Reads the record that comes next.
pub(super) fn next<'a>(scan: &mut Scan<'a>) -> Result<Customer<'a>, Unusable> {
    let start = scan.position();
    if !scan.enter(b'{')? {
        return Err(Unusable::Shape);
    }
    let empty = || Cow::Borrowed("{}");
    let mut customer = Customer { properties: empty(), mapping: empty(), ..Customer::default() };
    let mut is_first = true;
    while let Some(key) = scan.key(is_first)? {
        set(&mut customer, &key, scan.value(json::MAX_DEPTH)?)?;
        is_first = false;
    }
    if scan.position() - start > LARGEST { Err(Unusable::Shape) } else { Ok(customer) }
}

/// The `computed_…` twins are among the others: they contain what is inherited.
fn set<'a>(customer: &mut Customer<'a>, key: &str, value: &'a str) -> Result<(), Unusable> {
    match key {
        "token" => keep(&mut customer.token, filled(text(value)?)),
        "provided_id" | "providedId" => keep(&mut customer.provided_id, filled(text(value)?).map(Some)),
        "name" => keep(&mut customer.name, filled(text(value)?)),
        "emails" => keep(&mut customer.emails, texts(value, text)?),
        "group_tags" | "groupTags" => keep(&mut customer.group_tags, texts(value, named)?),
        "properties" => keep(&mut customer.properties, object(value)?),
        "parent_schema_datasource_mapping" | "parentSchemaDatasourceMapping" => {
            keep(&mut customer.mapping, object(value)?);
        }
        "is_demo_group" | "isDemoGroup" => keep(&mut customer.is_demo_group, truth(value)?),
        "hierarchy_level" | "hierarchyLevel" => keep(&mut customer.hierarchy_level, filled(named(value)?)),
        "access_group" | "accessGroup" => keep(&mut customer.access_group, filled(named(value)?).map(Some)),
        _ => {}
    }
    Ok(())
}

fn keep<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn filled(text: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    text.filter(|text| !text.is_empty())
}

/// A string, borrowed from the answer where it has no escapes, or a whole number; nothing for `null`.
pub(super) fn text(value: &str) -> Result<Option<Cow<'_, str>>, Unusable> {
    let is_whole = || value != "-0" && (value.parse::<u64>().is_ok() || value.parse::<i64>().is_ok());
    match value.as_bytes().first() {
        Some(b'"') => Ok(Some(json::unquoted(value)?)),
        Some(b'n') => Ok(None),
        Some(b'-' | b'0'..=b'9') if is_whole() => Ok(Some(Cow::Borrowed(value))),
        _ => Err(Unusable::Shape),
    }
}

/// The same, or an object with a `name`.
pub(super) fn named(value: &str) -> Result<Option<Cow<'_, str>>, Unusable> {
    if !json::is_object(value) {
        return text(value);
    }
    let mut name = None;
    for (_, member) in json::members(value).filter(|(key, _)| key == "name") {
        name = text(member)?;
    }
    name.map(Some).ok_or(Unusable::Shape)
}

fn texts<'a>(
    value: &'a str,
    text: fn(&'a str) -> Result<Option<Cow<'a, str>>, Unusable>,
) -> Result<Option<Vec<Cow<'a, str>>>, Unusable> {
    if value.len() > LARGEST || !value.starts_with(['[', 'n']) {
        return Err(Unusable::Shape);
    }
    let is_null = value.starts_with('n');
    let elements = json::elements(value).take_while(|_| !is_null);
    let list: Vec<_> = elements.filter_map(|element| text(element).transpose()).collect::<Result<_, _>>()?;
    Ok((!list.is_empty()).then_some(list))
}

fn object(value: &str) -> Result<Option<Cow<'_, str>>, Unusable> {
    match value.as_bytes().first() {
        Some(b'{') => Ok((!json::is_empty(value)).then_some(Cow::Borrowed(value))),
        Some(b'n') => Ok(None),
        _ => Err(Unusable::Shape),
    }
}

fn truth(value: &str) -> Result<Option<bool>, Unusable> {
    if value == "null" { Ok(None) } else { flag(value).map(Some).ok_or(Unusable::Shape) }
}

/// A flag that may be a number.
pub(super) fn flag(value: &str) -> Option<bool> {
    match value {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// Where the parser's own types hold a value's text.
pub(super) fn raw_flag(value: &RawValue) -> Option<bool> {
    flag(value.get())
}

/// What is no JSON is found out about the whole answer.
impl From<json::JsonError> for Unusable {
    fn from(_: json::JsonError) -> Self {
        Self::Shape
    }
}
