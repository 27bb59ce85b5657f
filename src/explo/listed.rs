//! A customer as Explo shows it, read liberally where the meaning is clear. Of a record in which something else stands, or
//! which is too large, the id and the token are read, and it is gone past; only what is no JSON spoils all around it.
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
use crate::model::{Customer, Gap, LARGEST_RECORD, Layout, Partial, Record, Scan, json};

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

/// Reads the record that comes next.
pub(super) fn record<'a>(scan: &mut Scan<'a>) -> Result<Record<'a>, json::JsonError> {
    let mut customer = Customer::default();
    let partial = next(scan, &mut Layouts::default(), &mut customer)?;
    Ok(partial.map_or(Record::Whole(customer), |(partial, _)| Record::Partial(partial)))
}

/// Reads the record that comes next, in place of what `customer` was; where it can't be read whole, tells what can be, and
/// the record's text.
pub(super) fn next<'a>(
    scan: &mut Scan<'a>,
    layouts: &mut Layouts,
    customer: &mut Customer<'a>,
) -> Result<Option<(Partial<'a>, &'a str)>, json::JsonError> {
    let start = *scan;
    match whole(scan, layouts, customer) {
        Ok(()) => Ok(None),
        Err(Flaw(gap)) => {
            *scan = start;
            partial(scan, gap).map(Some)
        }
    }
}

/// Why a record can't be read whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flaw(Gap);

const UNREADABLE: Flaw = Flaw(Gap::Unreadable);

fn whole<'a>(scan: &mut Scan<'a>, layouts: &mut Layouts, customer: &mut Customer<'a>) -> Result<(), Flaw> {
    let start = scan.position();
    if !scan.enter(b'{')? {
        return Err(UNREADABLE);
    }
    clear(customer);
    let mut place = 0;
    while let Some(key) = layouts.record.key(scan, place, Key::named)? {
        set(customer, key, scan, layouts)?;
        place += 1;
        if scan.position() - start > LARGEST_RECORD {
            return Err(Flaw(Gap::TooLarge));
        }
    }
    Ok(())
}

/// Goes past a record and reads its token and id, as far as that can be done.
#[cold]
fn partial<'a>(scan: &mut Scan<'a>, gap: Gap) -> Result<(Partial<'a>, &'a str), json::JsonError> {
    let start = scan.position();
    let mut partial = Partial { token: Cow::Borrowed(""), provided_id: None, gap };
    if !scan.enter(b'{')? {
        let record = scan.skip()?;
        return Ok((Partial { gap: Gap::Unreadable, ..partial }, record));
    }
    let mut is_first = true;
    while let Some(key) = scan.quoted_key(is_first)? {
        is_first = false;
        let (key, value) = (Key::named(&json::string(key)), scan.skip()?);
        let read = || if value.len() > LARGEST_RECORD { Err(UNREADABLE) } else { text(value) };
        match key {
            Key::Token => keep(&mut partial.token, filled(read().unwrap_or_default())),
            Key::ProvidedId => match read() {
                Ok(id) => keep(&mut partial.provided_id, filled(id).map(Some)),
                Err(Flaw(_)) => partial.gap = Gap::Unreadable,
            },
            _ => {}
        }
    }
    Ok((partial, scan.since(start)))
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

fn set<'a>(customer: &mut Customer<'a>, key: Key, scan: &mut Scan<'a>, layouts: &mut Layouts) -> Result<(), Flaw> {
    match key {
        Key::Token => keep(&mut customer.token, filled(next_text(scan, text)?)),
        Key::ProvidedId => keep(&mut customer.provided_id, filled(next_text(scan, text)?).map(Some)),
        Key::Name => keep(&mut customer.name, filled(next_text(scan, text)?)),
        Key::Emails => next_list(scan, text, &mut customer.emails)?,
        Key::GroupTags => next_list(scan, named, &mut customer.group_tags)?,
        Key::Properties => keep(&mut customer.properties, next_object(scan, &mut layouts.properties)?),
        Key::Mapping => keep(&mut customer.mapping, next_object(scan, &mut layouts.mapping)?),
        Key::IsDemoGroup => keep(&mut customer.is_demo_group, truth(scan.value(json::MAX_DEPTH)?)?),
        Key::HierarchyLevel => keep(&mut customer.hierarchy_level, filled(next_text(scan, named)?)),
        Key::AccessGroup => keep(&mut customer.access_group, filled(next_text(scan, named)?).map(Some)),
        Key::ComputedProperties => skip_twin(scan, &customer.properties)?,
        Key::ComputedMapping => skip_twin(scan, &customer.mapping)?,
        Key::Other => pass(scan)?,
    }
    Ok(())
}

/// Goes past a value that may be just the same object.
fn skip_twin(scan: &mut Scan<'_>, own: &str) -> Result<(), json::JsonError> {
    if scan.follow(own) { Ok(()) } else { pass(scan) }
}

/// Goes past a value, which is seldom deep.
fn pass(scan: &mut Scan<'_>) -> Result<(), json::JsonError> {
    let start = *scan;
    match scan.value(json::MAX_DEPTH) {
        Err(json::JsonError::TooDeep) => {
            *scan = start;
            scan.skip().map(drop)
        }
        passed => passed.map(drop),
    }
}

/// The way from a value to its characters.
type Text<'a> = fn(&'a str) -> Result<Option<Cow<'a, str>>, Flaw>;

#[inline]
fn next_text<'a>(scan: &mut Scan<'a>, text: Text<'a>) -> Result<Option<Cow<'a, str>>, Flaw> {
    match scan.plain() {
        Some(plain) => Ok(Some(Cow::Borrowed(plain))),
        None => match scan.value(json::MAX_DEPTH)? {
            // Before memory is taken for it.
            value if value.len() > LARGEST_RECORD => Err(Flaw(Gap::TooLarge)),
            value => text(value),
        },
    }
}

/// Reads a list, unless it is empty.
fn next_list<'a>(scan: &mut Scan<'a>, text: Text<'a>, list: &mut Vec<Cow<'a, str>>) -> Result<(), Flaw> {
    let (start, mut is_first) = (scan.position(), true);
    if !scan.enter(b'[')? {
        return if scan.value(0)? == "null" { Ok(()) } else { Err(UNREADABLE) };
    }
    let before = list.len();
    while scan.has_element(is_first)? {
        list.extend(next_text(scan, text)?);
        is_first = false;
        if scan.position() - start > LARGEST_RECORD {
            return Err(Flaw(Gap::TooLarge));
        }
    }
    if list.len() > before {
        list.drain(..before);
    }
    Ok(())
}

fn next_object<'a>(scan: &mut Scan<'a>, layout: &mut Layout<()>) -> Result<Option<Cow<'a, str>>, Flaw> {
    let value = layout.value(scan, json::MAX_DEPTH)?;
    // Nobody would notice it later.
    if scan.has_escapes() && !json::has_whole_pairs(value) { Err(UNREADABLE) } else { object(value) }
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
pub(super) fn text(value: &str) -> Result<Option<Cow<'_, str>>, Flaw> {
    let is_whole = || value != "-0" && (value.parse::<u64>().is_ok() || value.parse::<i64>().is_ok());
    match value.as_bytes().first() {
        Some(b'"') => Ok(Some(json::unquoted(value)?)),
        Some(b'n') => Ok(None),
        Some(b'-' | b'0'..=b'9') if is_whole() => Ok(Some(Cow::Borrowed(value))),
        _ => Err(UNREADABLE),
    }
}

/// The same, or an object with a `name`.
pub(super) fn named(value: &str) -> Result<Option<Cow<'_, str>>, Flaw> {
    if !json::is_object(value) {
        return text(value);
    }
    let mut name = None;
    for (_, member) in json::members(value).filter(|(key, _)| key == "name") {
        name = text(member)?;
    }
    name.map(Some).ok_or(UNREADABLE)
}

fn object(value: &str) -> Result<Option<Cow<'_, str>>, Flaw> {
    match value.as_bytes().first() {
        Some(b'{') => Ok((!json::is_empty(value)).then_some(Cow::Borrowed(value))),
        Some(b'n') => Ok(None),
        _ => Err(UNREADABLE),
    }
}

fn truth(value: &str) -> Result<Option<bool>, Flaw> {
    if value == "null" { Ok(None) } else { flag(value).map(Some).ok_or(UNREADABLE) }
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

/// What is no JSON is found out where the record is gone past.
impl From<json::JsonError> for Flaw {
    fn from(_: json::JsonError) -> Self {
        UNREADABLE
    }
}

/// In the envelope.
impl From<Flaw> for Unusable {
    fn from(_: Flaw) -> Self {
        Self::Shape
    }
}

/// What is no JSON is found out about the whole answer.
impl From<json::JsonError> for Unusable {
    fn from(_: json::JsonError) -> Self {
        Self::Shape
    }
}
