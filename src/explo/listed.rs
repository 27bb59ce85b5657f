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

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::Unusable;
use crate::model::{Customer, json};

/// A record of more bytes than this is not read: what it unpacks to could be ten times as large.
const LARGEST: usize = 1 << 20;

/// Reads the text of one record.
pub(super) fn read(record: &str) -> Result<Customer<'_>, Unusable> {
    if record.len() > LARGEST {
        return Err(Unusable::Shape);
    }
    serde_json::from_str(record).map(|Listed(customer)| customer).map_err(|_| Unusable::Shape)
}

struct Listed<'a>(Customer<'a>);

/// The `computed_…` twins are among the others: they contain what is inherited.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Token,
    #[serde(alias = "providedId")]
    ProvidedId,
    Name,
    Emails,
    #[serde(alias = "groupTags")]
    GroupTags,
    Properties,
    #[serde(alias = "parentSchemaDatasourceMapping")]
    ParentSchemaDatasourceMapping,
    #[serde(alias = "isDemoGroup")]
    IsDemoGroup,
    #[serde(alias = "hierarchyLevel")]
    HierarchyLevel,
    #[serde(alias = "accessGroup")]
    AccessGroup,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Listed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Record)
    }
}

struct Record;

impl<'de> Visitor<'de> for Record {
    type Value = Listed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a customer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listed<'de>, A::Error> {
        let empty = || Cow::Borrowed("{}");
        let mut customer = Customer { properties: empty(), mapping: empty(), ..Customer::default() };
        while let Some(key) = map.next_key()? {
            match key {
                Key::Token => keep(&mut customer.token, text(&mut map)?),
                Key::ProvidedId => keep(&mut customer.provided_id, text(&mut map)?.map(Some)),
                Key::Name => keep(&mut customer.name, text(&mut map)?),
                Key::Emails => keep(&mut customer.emails, texts(&mut map, |Text(text)| text)?),
                Key::GroupTags => keep(&mut customer.group_tags, texts(&mut map, |Named(text)| text)?),
                Key::Properties => keep(&mut customer.properties, object(&mut map)?),
                Key::ParentSchemaDatasourceMapping => keep(&mut customer.mapping, object(&mut map)?),
                Key::IsDemoGroup => keep(&mut customer.is_demo_group, truth(&mut map)?),
                Key::HierarchyLevel => keep(&mut customer.hierarchy_level, name(&mut map)?),
                Key::AccessGroup => keep(&mut customer.access_group, name(&mut map)?.map(Some)),
                Key::Other => drop(map.next_value::<serde::de::IgnoredAny>()?),
            }
        }
        Ok(Listed(customer))
    }
}

fn keep<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_value::<Option<Text<'de>>>()?.map(|Text(text)| text).filter(|text| !text.is_empty()))
}

fn name<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_value::<Option<Named<'de>>>()?.map(|Named(text)| text).filter(|text| !text.is_empty()))
}

fn texts<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    map: &mut A,
    text: impl Fn(T) -> Cow<'de, str>,
) -> Result<Option<Vec<Cow<'de, str>>>, A::Error> {
    let list = map.next_value::<Option<Vec<Option<T>>>>()?.unwrap_or_default();
    let list: Vec<_> = list.into_iter().flatten().map(text).collect();
    Ok((!list.is_empty()).then_some(list))
}

fn object<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    let object = map.next_value::<Option<&'de RawValue>>()?.map(RawValue::get);
    if object.is_some_and(|object| !json::is_object(object)) {
        return Err(A::Error::custom("not an object"));
    }
    Ok(object.filter(|object| json::members(object).next().is_some()).map(Cow::Borrowed))
}

fn truth<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<bool>, A::Error> {
    let value = map.next_value::<Option<&'de RawValue>>()?;
    value.map(|value| flag(value).ok_or_else(|| A::Error::custom("not a flag"))).transpose()
}

/// A flag that may be a number.
pub(super) fn flag(value: &RawValue) -> Option<bool> {
    match value.get() {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// A string, borrowed from the answer where it has no escapes, or a whole number.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// The same, or an object with a `name`.
#[derive(Debug)]
pub(super) struct Named<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Characters { or_name: false }).map(Self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Characters { or_name: true }).map(Self)
    }
}

struct Characters {
    or_name: bool,
}

impl<'de> Visitor<'de> for Characters {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut name = None;
        while let Some(key) = map.next_key()? {
            match key {
                Key::Name if self.or_name => name = map.next_value::<Option<Text<'de>>>()?,
                _ => drop(map.next_value::<serde::de::IgnoredAny>()?),
            }
        }
        name.map(|Text(name)| name).ok_or_else(|| A::Error::custom("an object without a name"))
    }
}
