//! Converts the keys of objects to one style, at every depth.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{choice::KeyStyle, customer::Members};

type Elements = Vec<Box<RawValue>>;

/// Below this depth keys stay as they are.
const DEEPEST: usize = 64;

/// The object with its keys, and those of nested objects, in this style; if two keys become one, the last wins.
pub(super) fn restyled(members: &Members, style: KeyStyle) -> Members {
    object(members, style, 0)
}

fn object(members: &Members, style: KeyStyle, depth: usize) -> Members {
    members.iter().map(|(key, member)| (styled(key, style), value(member, style, depth))).collect()
}

fn value(raw: &RawValue, style: KeyStyle, depth: usize) -> Box<RawValue> {
    let text = raw.get();
    let changed = match text.as_bytes().first() {
        Some(b'{') if depth < DEEPEST => {
            let members: Option<Members> = serde_json::from_str(text).ok();
            members.and_then(|members| packed(&object(&members, style, depth + 1)))
        }
        Some(b'[') if depth < DEEPEST => {
            let elements: Option<Elements> = serde_json::from_str(text).ok();
            elements.and_then(|elements| {
                packed(&elements.iter().map(|element| value(element, style, depth + 1)).collect::<Elements>())
            })
        }
        _ => None,
    };
    changed.unwrap_or_else(|| raw.to_owned())
}

fn packed(value: &impl Serialize) -> Option<Box<RawValue>> {
    to_raw_value(value).ok()
}

fn styled(key: &str, style: KeyStyle) -> String {
    let mut text = String::with_capacity(key.len() + 4);
    match style {
        KeyStyle::Snake => {
            for c in key.chars() {
                if c.is_uppercase() && !text.is_empty() && !text.ends_with('_') {
                    text.push('_');
                }
                text.extend(c.to_lowercase());
            }
        }
        KeyStyle::Camel => {
            let mut after_underscore = false;
            for c in key.chars() {
                if c == '_' && !text.is_empty() {
                    after_underscore = true;
                } else if std::mem::take(&mut after_underscore) {
                    text.extend(c.to_uppercase());
                } else {
                    text.push(c);
                }
            }
        }
    }
    text
}

/// The text of a JSON string; `None` for another value.
pub(super) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    raw.get().starts_with('"').then(|| serde_json::from_str(raw.get()).unwrap_or_default())
}
