//! A customer's record in an answer, read tolerantly if the meaning is clear. If a value is unexpected, or the record
//! is too large, only the id and the token are read, and the rest is skipped. Text that is not JSON makes the whole
//! answer unusable.
//!
//! | value | accepted |
//! |---|---|
//! | text | a string or a whole number; for a tag, a level or a group also an object with a `name` |
//! | list | texts, without counting `null`; `null` is an empty list |
//! | object | `null` is an empty object |
//! | flag | `true`, `false`, `1`, `0`; `null` is false |
//!
//! Each key may have either spelling, or both at once: then the last value that is not empty counts.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::Unusable;
use crate::model::{Customer, Gap, LARGEST_RECORD, Layout, Partial, Record, Scan, json};

/// The keys of the previous record and of its objects: most records have the same.
#[derive(Default)]
pub(super) struct Layouts {
    record: Layout<Key>,
    properties: Layout<()>,
    mapping: Layout<()>,
}

/// The meaning of a key.
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
    /// Including inherited values. If nothing is inherited, mostly the same text as the own values, which was checked
    /// already.
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

/// Reads the next record.
pub(super) fn record<'a>(scan: &mut Scan<'a>) -> Result<Record<'a>, json::JsonError> {
    let mut customer = Customer::default();
    let partial = next(scan, &mut Layouts::default(), &mut customer)?;
    Ok(partial.map_or(Record::Whole(customer), |(partial, _)| Record::Partial(partial)))
}

/// Reads the next record into `customer`. If it can't be read completely, returns the part that can, and the text of
/// the record.
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

/// Why a record can't be read completely.
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

/// Skips a record, and reads its token and id if possible.
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

/// Empties the customer, but keeps the memory of its lists.
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

/// Skips a value that may be exactly the same object.
fn skip_twin(scan: &mut Scan<'_>, own: &str) -> Result<(), json::JsonError> {
    if scan.follow(own) { Ok(()) } else { pass(scan) }
}

/// Skips a value, which is rarely deep.
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

/// Turns a value into its characters.
type Text<'a> = fn(&'a str) -> Result<Option<Cow<'a, str>>, Flaw>;

#[inline]
fn next_text<'a>(scan: &mut Scan<'a>, text: Text<'a>) -> Result<Option<Cow<'a, str>>, Flaw> {
    match scan.plain() {
        Some(plain) => Ok(Some(Cow::Borrowed(plain))),
        None => match scan.value(json::MAX_DEPTH)? {
            // Refused before it is copied.
            value if value.len() > LARGEST_RECORD => Err(Flaw(Gap::TooLarge)),
            value => text(value),
        },
    }
}

/// Reads a list; an empty one does not replace an earlier one.
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
    // No later check would find it.
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

/// A string, borrowed from the answer if it has no escapes, or a whole number; `None` for `null`.
pub(super) fn text(value: &str) -> Result<Option<Cow<'_, str>>, Flaw> {
    let is_whole = || value != "-0" && (value.parse::<u64>().is_ok() || value.parse::<i64>().is_ok());
    match value.as_bytes().first() {
        Some(b'"') => Ok(Some(json::unquoted(value)?)),
        Some(b'n') => Ok(None),
        Some(b'-' | b'0'..=b'9') if is_whole() => Ok(Some(Cow::Borrowed(value))),
        _ => Err(UNREADABLE),
    }
}

/// The same, or the `name` of an object.
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

/// The same for a value that serde keeps as raw text.
pub(super) fn raw_flag(value: &RawValue) -> Option<bool> {
    flag(value.get())
}

/// Text that is not JSON is found when the record is skipped.
impl From<json::JsonError> for Flaw {
    fn from(_: json::JsonError) -> Self {
        UNREADABLE
    }
}

/// For a value outside of the records.
impl From<Flaw> for Unusable {
    fn from(_: Flaw) -> Self {
        Self::Shape
    }
}

/// Text that is not JSON is found when the whole answer is checked.
impl From<json::JsonError> for Unusable {
    fn from(_: json::JsonError) -> Self {
        Self::Shape
    }
}
