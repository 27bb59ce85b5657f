//! A row of a query becomes a tenant, or is invalid with the reason.
//!
//! | column | accepts | NULL means |
//! |---|---|---|
//! | provided_id | anything printable, not empty | invalid |
//! | name, level | text | left alone |
//! | parent_provided_id, previous_provided_id | text | left alone, as is an empty one |
//! | emails, group_tags | array, JSON array, text split at commas | empty |
//! | properties, mapping | JSON object | properties: empty; mapping: left alone |
//! | properties.KEY | number, boolean, JSON; anything else is text | the key goes |
//! | mapping.KEY | text | left alone |
//! | is_demo_group | boolean, 0/1, t/f, true/false | false |
//! | offboard | the same, or a time | the tenant stays |

use std::{borrow::Cow, collections::HashSet, fmt::Display};

use super::{
    cell::{Cell, array_elements},
    columns::{Column, Columns},
    time::time,
};
use crate::{
    compare::as_text,
    database::Timezone,
    model::{Field, Invalid, Object, Row, Scan, Tenant, json, shown},
};

/// Up to this many elements are compared pair by pair.
const FEW: usize = 8;

/// The most bytes of a row's values together. Of a larger row only the ids are kept, and the next row is read.
const LARGEST: usize = 16 << 20;

/// Turns the cells of one row, in the order of the columns, into a tenant. `place` names a row without an id.
pub fn row<'r>(columns: &'r Columns, cells: impl Iterator<Item = Cell<'r>>, place: impl Display) -> Row<'r> {
    let mut tenant = Tenant::default();
    let (mut reasons, mut length) = (Vec::new(), 0);
    for ((name, column, leaves_null), cell) in columns.with_nulls().zip(cells) {
        length += cell.length();
        let is_id = matches!(column, Column::ProvidedId | Column::PreviousProvidedId);
        if length > LARGEST && (!is_id || cell.length() > LARGEST) {
            continue;
        }
        let cell = if is_null(column, &cell) { Cell::Null } else { cell };
        let is_left_alone = leaves_null && matches!(cell, Cell::Null);
        if !is_left_alone && let Err(reason) = set(&mut tenant, (column, &columns.timezone), cell) {
            reasons.push(format!("{} {reason}", shown(name)));
        }
    }
    if length > LARGEST {
        reasons.push(format!("the row has {length} bytes; the limit is {LARGEST} (16 MiB)"));
    }
    if reasons.is_empty() {
        return Ok(tenant);
    }
    let provided_id = Some(tenant.provided_id.into_owned()).filter(|id| !id.is_empty());
    let place = if provided_id.is_none() { place.to_string() } else { String::new() };
    let previous_provided_id = tenant.previous_provided_id.map(Cow::into_owned);
    Err(Invalid { provided_id, previous_provided_id, reason: reasons.join("; "), place })
}

/// Whether JSON's null means NULL: for a list or an object it does; a key of the properties can have null as its value.
fn is_null(column: &Column, cell: &Cell<'_>) -> bool {
    match (column, cell) {
        (Column::Field(Field::Emails | Field::GroupTags), Cell::Json(text) | Cell::SoundJson(text))
        | (
            Column::Field(Field::Properties | Field::Mapping),
            Cell::Json(text) | Cell::SoundJson(text) | Cell::Text(text),
        ) => text.ends_with(['l', ' ', '\t', '\r', '\n']) && text.trim() == "null",
        _ => false,
    }
}

fn set<'r>(tenant: &mut Tenant<'r>, (column, timezone): (&'r Column, &Timezone), cell: Cell<'r>) -> Result<(), String> {
    match column {
        Column::ProvidedId => {
            let kind = cell.kind();
            match cell.into_printed() {
                Some(id) if id.is_empty() => return Err("is empty".to_owned()),
                Some(id) => tenant.provided_id = id,
                None => return Err(format!("is {kind}")),
            }
        }
        Column::PreviousProvidedId => tenant.previous_provided_id = text(cell)?.filter(|id| !id.is_empty()),
        Column::Offboard => tenant.offboard = leaving(&cell, timezone)?,
        Column::Field(Field::Name) => tenant.name = text(cell)?,
        Column::Field(Field::Emails) => tenant.emails = Some(list(cell)?),
        Column::Field(Field::GroupTags) => tenant.group_tags = Some(list(cell)?),
        Column::Field(Field::Properties) => {
            tenant.properties = Some(Object::Whole(object(cell)?.unwrap_or(Cow::Borrowed("{}"))));
        }
        Column::Field(Field::Mapping) => tenant.mapping = object(cell)?.map(mapping).transpose()?,
        Column::Field(Field::IsDemoGroup) => tenant.is_demo_group = Some(flag(&cell)?),
        Column::Field(Field::HierarchyLevelName) => tenant.hierarchy_level_name = text(cell)?,
        Column::Field(Field::ParentProvidedId) => {
            tenant.parent_provided_id = text(cell)?.filter(|id| !id.is_empty());
        }
        Column::Property(key) => add_key(&mut tenant.properties, key, value(cell)?),
        Column::Mapped(key) => {
            if let Some(text) = text(cell)? {
                add_key(&mut tenant.mapping, key, Some(json::quote(&text).into()));
            }
        }
    }
    Ok(())
}

fn text(cell: Cell<'_>) -> Result<Option<Cow<'_, str>>, String> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Binary => Err(format!("is {}: text is needed", cell.kind())),
        Cell::Bool(_) | Cell::Number(_) | Cell::Text(_) | Cell::Json(_) | Cell::SoundJson(_) | Cell::Array(_) => {
            Ok(cell.into_printed())
        }
    }
}

/// Drops empty elements and repetitions, which mean nothing in a set of addresses or tags.
fn list(cell: Cell<'_>) -> Result<Vec<Cow<'_, str>>, String> {
    let mut list = match cell {
        Cell::Null => Vec::new(),
        Cell::Array(literal) => parts(literal, |literal| {
            array_elements(literal).ok_or_else(|| "has more than one dimension: a flat array is needed".to_owned())
        })?,
        Cell::Json(text) | Cell::SoundJson(text) => parts(text, json_list)?,
        Cell::Text(text) if text.trim_start().starts_with('[') => parts(text, json_list)?,
        Cell::Text(text) => parts(text, |text| Ok(text.split(',').map(|part| Cow::Borrowed(part.trim())).collect()))?,
        Cell::Number(_) | Cell::Bool(_) | Cell::Binary => {
            return Err(format!("is {}: an array, a JSON array or text split at commas is needed", cell.kind()));
        }
    };
    if list.iter().any(|element| element.is_empty()) {
        list.retain(|element| !element.is_empty());
    }
    Ok(distinct(list))
}

/// The parts of a text, borrowed from its source.
fn parts(
    text: Cow<'_, str>,
    split: impl Fn(&str) -> Result<Vec<Cow<'_, str>>, String>,
) -> Result<Vec<Cow<'_, str>>, String> {
    match text {
        Cow::Borrowed(text) => split(text),
        Cow::Owned(text) => Ok(split(&text)?.into_iter().map(|part| Cow::Owned(part.into_owned())).collect()),
    }
}

fn distinct(list: Vec<Cow<'_, str>>) -> Vec<Cow<'_, str>> {
    // Most lists are short, and for those a scan is faster than a hash set.
    let is_distinct =
        |list: &[Cow<'_, str>]| list.iter().enumerate().all(|(at, element)| !list[..at].contains(element));
    if list.len() <= FEW && is_distinct(&list) {
        return list;
    }
    let mut seen = HashSet::with_capacity(list.len());
    list.into_iter().filter(|element| seen.insert(element.clone())).collect()
}

fn json_list(text: &str) -> Result<Vec<Cow<'_, str>>, String> {
    let text = json::checked(text).map_err(|error| error.to_string())?;
    if !text.starts_with('[') {
        return Err("is JSON, but not an array".to_owned());
    }
    json::elements(text).map(element).collect()
}

fn element(element: &str) -> Result<Cow<'_, str>, String> {
    match element.as_bytes().first() {
        Some(b'"') => Ok(json::string(element)),
        Some(b'n') => Ok(Cow::Borrowed("")),
        Some(b'-' | b'0'..=b'9') => Ok(Cow::Borrowed(element)),
        _ => Err("is a JSON array with an element that is not a string".to_owned()),
    }
}

fn object(cell: Cell<'_>) -> Result<Option<Cow<'_, str>>, String> {
    let json = match cell {
        Cell::Null => return Ok(None),
        Cell::SoundJson(text) => sound_json(text)?,
        Cell::Json(text) | Cell::Text(text) => json(text)?,
        Cell::Bool(_) | Cell::Number(_) | Cell::Array(_) | Cell::Binary => {
            return Err(format!("is {}: a JSON object is needed", cell.kind()));
        }
    };
    if json::is_object(&json) { Ok(Some(json)) } else { Err("is JSON, but not an object".to_owned()) }
}

/// JSON that the database printed, if it is not nested too deep.
fn sound_json(text: Cow<'_, str>) -> Result<Cow<'_, str>, String> {
    if json::is_no_deeper(&text, json::MAX_DEPTH) { Ok(text) } else { Err(json::JsonError::TooDeep.to_string()) }
}

/// Checks that a text is JSON, and trims it.
fn json(text: Cow<'_, str>) -> Result<Cow<'_, str>, String> {
    match text {
        Cow::Borrowed(text) => json::checked(text).map(Cow::Borrowed),
        Cow::Owned(text) => json::checked(&text).map(|text| Cow::Owned(text.to_owned())),
    }
    .map_err(|error| error.to_string())
}

/// Explo names data sources by strings; a number means the string of its digits.
fn mapping(object: Cow<'_, str>) -> Result<Object<'_>, String> {
    if has_texts_alone(&object) {
        return Ok(Object::Whole(object));
    }
    let members = json::members(&object).map(|(key, value)| match value.as_bytes().first() {
        Some(b'"' | b'-' | b'0'..=b'9') => Ok((key, json::quote(&as_text(value)))),
        _ => Err(format!("has a value for '{}' that is neither a string nor a number", shown(&key))),
    });
    Ok(Object::Whole(json::object(members.collect::<Result<Vec<_>, _>>()?.into_iter()).into()))
}

/// Whether there are few members, all strings without escapes, and no key twice: such an object needs no conversion.
fn has_texts_alone(object: &str) -> bool {
    let (mut keys, mut scan) = ([""; FEW], Scan::new(object));
    let Ok(true) = scan.enter(b'{') else { return false };
    for at in 0.. {
        match scan.key(at == 0) {
            Ok(None) => return true,
            Ok(Some(Cow::Borrowed(key))) if at < FEW && !keys[..at].contains(&key) => keys[at] = key,
            _ => return false,
        }
        if scan.plain().is_none() {
            return false;
        }
    }
    true
}

fn value(cell: Cell<'_>) -> Result<Option<Cow<'_, str>>, String> {
    Ok(Some(match cell {
        Cell::Null => return Ok(None),
        Cell::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
        Cell::Number(text) => number(&text)?.into(),
        Cell::SoundJson(text) => sound_json(text)?,
        Cell::Json(text) => json(text)?,
        Cell::Text(text) | Cell::Array(text) => json::quote(&text).into(),
        Cell::Binary => return Err(format!("is {}: cast it to text", cell.kind())),
    }))
}

/// JSON numbers are finite and have no leading zeros, which MySQL's `ZEROFILL` prints.
fn number(text: &str) -> Result<String, String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let stripped = digits.trim_start_matches('0');
    let zero = if stripped.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "0" };
    let number = json::checked(&format!("{sign}{zero}{stripped}")).map(str::to_owned);
    number.map_err(|_| "is not a finite number, and JSON has no others".to_owned())
}

fn flag(cell: &Cell<'_>) -> Result<bool, String> {
    let word = match cell {
        Cell::Null => return Ok(false),
        Cell::Bool(value) => return Ok(*value),
        Cell::Number(text) | Cell::Text(text) | Cell::Json(text) | Cell::SoundJson(text) => {
            text.trim().to_ascii_lowercase()
        }
        Cell::Array(_) | Cell::Binary => String::new(),
    };
    match word.as_str() {
        "1" | "t" | "true" => Ok(true),
        "0" | "f" | "false" => Ok(false),
        _ => Err(format!("is {} that is none of true, false, t, f, 1, 0", cell.kind())),
    }
}

/// When the tenant leaves, in seconds since 1970; `None`: it stays.
fn leaving(cell: &Cell<'_>, timezone: &Timezone) -> Result<Option<u64>, String> {
    match (flag(cell), cell) {
        (Ok(leaves), _) => Ok(leaves.then_some(0)),
        (Err(_), Cell::Text(text)) if text.trim() == "infinity" => Ok(None),
        (Err(_), Cell::Text(text)) => match time(text.trim(), timezone) {
            Some(time) => Ok(Some(time)),
            None => {
                Err("is text that is none of true, false, t, f, 1, 0, and no time (2026-02-28 14:00:00)".to_owned())
            }
        },
        (Err(reason), _) => Err(reason),
    }
}

fn add_key<'r>(object: &mut Option<Object<'r>>, key: &'r str, value: Option<Cow<'r, str>>) {
    let member = (Cow::Borrowed(key), value);
    match object {
        Some(Object::Keys(keys)) => keys.push(member),
        Some(Object::Whole(_)) | None => *object = Some(Object::Keys(vec![member])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_and_lose_what_json_forbids() {
        let good = [
            ("00042", "42"),
            ("-007.50", "-7.50"),
            ("0", "0"),
            ("0.10", "0.10"),
            (".5", "0.5"),
            ("1e+20", "1e+20"),
            ("000", "0"),
            ("72.50 ", "72.50"),
        ];
        for (printed, expected) in good {
            assert_eq!(number(printed).as_deref(), Ok(expected));
        }
        for bad in ["NaN", "Infinity", "-inf"] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }
}
