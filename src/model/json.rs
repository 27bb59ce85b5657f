//! JSON text: takes it apart and puts it together.
//!
//! Unless a function says otherwise, it expects text that [`checked`] has accepted, and walks it in place without
//! building a tree.

use std::{borrow::Cow, collections::BTreeMap, iter, mem};

pub use super::scan::{JsonError, MAX_DEPTH, unquoted};
use super::scan::{Scan, special};

/// The text without surrounding whitespace, if it is JSON with at most [`MAX_DEPTH`] levels.
pub fn checked(text: &str) -> Result<&str, JsonError> {
    let text = text.trim_matches([' ', '\n', '\r', '\t']);
    let mut scan = Scan::new(text);
    scan.value(MAX_DEPTH)?;
    let has_escapes = scan.has_escapes();
    scan.end()?;
    if has_escapes && !has_whole_pairs(text) { Err(JsonError::Malformed) } else { Ok(text) }
}

/// Whether no escape is half a surrogate pair; the text must be valid otherwise.
#[must_use]
pub fn has_whole_pairs(mut text: &str) -> bool {
    let unit = |escape: &str| u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok();
    while let Some(at) = text.find('\\') {
        let escape = &text[at..];
        let length = match unit(escape) {
            None => 2,
            Some(0xD800..0xDC00) if matches!(unit(&escape[6..]), Some(0xDC00..0xE000)) => 12,
            Some(0xD800..0xE000) => return false,
            Some(_) => 6,
        };
        text = &escape[length..];
    }
    true
}

/// Whether arrays and objects are nested in at most this many levels; the text need not be JSON.
#[must_use]
pub fn is_no_deeper(text: &str, levels: usize) -> bool {
    // Each level needs two brackets.
    text.len() <= 2 * levels || Scan::new(text).value(levels) != Err(JsonError::TooDeep)
}

/// Whether the text is a JSON object.
#[must_use]
pub fn is_object(text: &str) -> bool {
    text.starts_with('{')
}

/// Whether an object or array is empty.
#[must_use]
pub fn is_empty(group: &str) -> bool {
    group.get(1..).is_none_or(|inside| inside.trim_start_matches([' ', '\n', '\r', '\t']).starts_with(['}', ']']))
}

/// The members of an object in the order of the text: the key, and the text of the value.
pub fn members(object: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let mut scan = Scan::new(object);
    let mut is_first = true;
    let mut is_inside = matches!(scan.enter(b'{'), Ok(true));
    iter::from_fn(move || {
        let key = if is_inside { scan.quoted_key(mem::take(&mut is_first)).ok()? } else { None };
        is_inside = key.is_some();
        Some((string(key?), scan.value(usize::MAX).ok()?))
    })
}

/// The elements of an array, as text.
pub fn elements(array: &str) -> impl Iterator<Item = &str> {
    let mut scan = Scan::new(array);
    let mut is_first = true;
    let mut is_inside = matches!(scan.enter(b'['), Ok(true));
    iter::from_fn(move || {
        is_inside = is_inside && scan.has_element(mem::take(&mut is_first)).unwrap_or_default();
        if is_inside { scan.value(usize::MAX).ok() } else { None }
    })
}

/// The characters of a JSON string that is given with its quotes.
#[must_use]
pub fn string(quoted: &str) -> Cow<'_, str> {
    unquoted(quoted).unwrap_or_default()
}

/// A string as JSON text.
#[must_use]
pub fn quote(text: &str) -> String {
    if special(text.as_bytes(), 0) < text.len() {
        return serde_json::Value::from(text).to_string();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.extend(["\"", text, "\""]);
    quoted
}

/// An object of values that are JSON text, with sorted keys; the last of equal keys counts.
#[must_use]
pub fn object<K: AsRef<str>>(members: impl Iterator<Item = (K, String)>) -> String {
    let sorted: BTreeMap<String, String> = members.map(|(key, value)| (quote(key.as_ref()), value)).collect();
    let members: Vec<_> = sorted.into_iter().map(|(key, value)| key + ":" + &value).collect();
    format!("{{{}}}", members.join(","))
}

/// An array of values that are JSON text, in the order given.
#[must_use]
pub fn array(elements: impl Iterator<Item = String>) -> String {
    format!("[{}]", elements.collect::<Vec<_>>().join(","))
}

/// Whether two keys are equal except for their style: `filterValue`, `filter_value`, `Filter-Value`.
#[must_use]
pub fn is_same_key(a: &str, b: &str) -> bool {
    plain_key(a).eq(plain_key(b))
}

/// The characters of a key without its style.
pub(crate) fn plain_key(key: &str) -> impl Iterator<Item = char> {
    key.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_limited_and_brackets_in_strings_do_not_count() {
        assert_eq!(checked(&"[".repeat(100_000)), Err(JsonError::TooDeep));
        assert_eq!(checked(&format!("\"{}\"", "[{".repeat(500))), Ok(format!("\"{}\"", "[{".repeat(500)).as_str()));
        assert_eq!(checked("{"), Err(JsonError::Malformed));
        assert_eq!(checked(r#"{"a":"\ud800"}"#), Err(JsonError::Malformed), "half a surrogate pair");
        assert!(checked(r#"{"a":"\ud83d\ude00"}"#).is_ok());
        for halves in [r#""\ude00""#, r#""\ud83d\n""#, r#""\ud83d\ud83d\ude00""#, r#""\\\ud83dx""#, r#""\ud83d\u00e9""#]
        {
            assert_eq!(checked(halves), Err(JsonError::Malformed), "{halves}");
        }
        for whole in [r#"["\n\\ud83d",1e400]"#, r#"["\ud83d\ude00\u00e9\"",1e400]"#] {
            assert_eq!(checked(whole), Ok(whole), "whatever the number");
        }
    }
}
