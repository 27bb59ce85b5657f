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
use crate::model::{Customer, Layout, Scan, json};

/// A record of more bytes than this is not read: what it unpacks to could be ten times as large.
const LARGEST: usize = 1 << 20;

/// Reads the text of one record.
pub(super) fn read(record: &str) -> Result<Customer<'_>, Unusable> {
    let mut customer = Customer::default();
    next(&mut Scan::new(record), &mut Layouts::default(), &mut customer)?;
    Ok(customer)
}

/// The keys of the record before, and of its objects: most records have the same.
#[derive(Default)]
pub(super) struct Layouts {
    record: Layout<Key>,
    properties: Layout<()>,
    mapping: Layout<()>,
}

/// What the value under a key is.
#[derive(Clone, Copy)]
enum Key {
    Token,
    ProvidedId,
    Name,
    Emails,
    GroupTags,
    Properties,
    Mapping,
    IsDemoGroup,
    HierarchyLevel,
    AccessGroup,
    /// With what is inherited; without, mostly the same text as the own ones, which need not be checked twice.
    ComputedProperties,
    ComputedMapping,
    Other,
}

impl Key {
    fn named(name: &str) -> Self {
        match name {
            "token" => Self::Token,
            "provided_id" | "providedId" => Self::ProvidedId,
            "name" => Self::Name,
            "emails" => Self::Emails,
            "group_tags" | "groupTags" => Self::GroupTags,
            "properties" => Self::Properties,
            "parent_schema_datasource_mapping" | "parentSchemaDatasourceMapping" => Self::Mapping,
            "is_demo_group" | "isDemoGroup" => Self::IsDemoGroup,
            "hierarchy_level" | "hierarchyLevel" => Self::HierarchyLevel,
            "access_group" | "accessGroup" => Self::AccessGroup,
            "computed_properties" | "computedProperties" => Self::ComputedProperties,
            "computed_parent_schema_datasource_mapping" | "computedParentSchemaDatasourceMapping" => {
                Self::ComputedMapping
            }
            _ => Self::Other,
        }
    }
}

/// Reads the record that comes next, in place of what `customer` was.
pub(super) fn next<'a>(
    scan: &mut Scan<'a>,
    layouts: &mut Layouts,
    customer: &mut Customer<'a>,
) -> Result<(), Unusable> {
    let start = scan.position();
    if !scan.enter(b'{')? {
        return Err(Unusable::Shape);
    }
    clear(customer);
    let mut place = 0;
    while let Some(key) = layouts.record.key(scan, place, Key::named)? {
        set(customer, key, scan, layouts)?;
        place += 1;
        if scan.position() - start > LARGEST {
            return Err(Unusable::Shape);
        }
    }
    Ok(())
}

/// Keeps the memory of the lists.
fn clear(customer: &mut Customer<'_>) {
    let mut lists = (std::mem::take(&mut customer.emails), std::mem::take(&mut customer.group_tags));
    lists.0.clear();
    lists.1.clear();
    let empty = || Cow::Borrowed("{}");
    *customer =
        Customer { emails: lists.0, group_tags: lists.1, properties: empty(), mapping: empty(), ..Customer::default() };
}

fn set<'a>(customer: &mut Customer<'a>, key: Key, scan: &mut Scan<'a>, layouts: &mut Layouts) -> Result<(), Unusable> {
    match key {
        Key::Token => keep(&mut customer.token, filled(next_text(scan, text)?)),
        Key::ProvidedId => keep(&mut customer.provided_id, filled(next_text(scan, text)?).map(Some)),
        Key::Name => keep(&mut customer.name, filled(next_text(scan, text)?)),
        Key::Emails => next_list(scan, text, &mut customer.emails)?,
        Key::GroupTags => next_list(scan, named, &mut customer.group_tags)?,
        Key::Properties => {
            keep(&mut customer.properties, object(scan.object(json::MAX_DEPTH, &mut layouts.properties)?)?);
        }
        Key::Mapping => keep(&mut customer.mapping, object(scan.object(json::MAX_DEPTH, &mut layouts.mapping)?)?),
        Key::IsDemoGroup => keep(&mut customer.is_demo_group, truth(scan.value(json::MAX_DEPTH)?)?),
        Key::HierarchyLevel => keep(&mut customer.hierarchy_level, filled(next_text(scan, named)?)),
        Key::AccessGroup => keep(&mut customer.access_group, filled(next_text(scan, named)?).map(Some)),
        Key::ComputedProperties => skip_twin(scan, &customer.properties)?,
        Key::ComputedMapping => skip_twin(scan, &customer.mapping)?,
        Key::Other => drop(scan.value(json::MAX_DEPTH)?),
    }
    Ok(())
}

/// Goes past a value that may be just the same object.
fn skip_twin(scan: &mut Scan<'_>, own: &str) -> Result<(), Unusable> {
    if !scan.follow(own) {
        scan.value(json::MAX_DEPTH)?;
    }
    Ok(())
}

/// The way from a value to its characters.
type Text<'a> = fn(&'a str) -> Result<Option<Cow<'a, str>>, Unusable>;

#[inline]
fn next_text<'a>(scan: &mut Scan<'a>, text: Text<'a>) -> Result<Option<Cow<'a, str>>, Unusable> {
    match scan.plain() {
        Some(plain) => Ok(Some(Cow::Borrowed(plain))),
        None => text(scan.value(json::MAX_DEPTH)?),
    }
}

/// Reads a list, unless it is empty.
fn next_list<'a>(scan: &mut Scan<'a>, text: Text<'a>, list: &mut Vec<Cow<'a, str>>) -> Result<(), Unusable> {
    let (start, mut is_first) = (scan.position(), true);
    if !scan.enter(b'[')? {
        return if scan.value(0)? == "null" { Ok(()) } else { Err(Unusable::Shape) };
    }
    let before = list.len();
    while scan.has_element(is_first)? {
        list.extend(next_text(scan, text)?);
        is_first = false;
        if scan.position() - start > LARGEST {
            return Err(Unusable::Shape);
        }
    }
    if list.len() > before {
        list.drain(..before);
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
