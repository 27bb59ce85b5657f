//! Keys in another style: `filterValue`, `filter_value` and `Filter-Value` may be the same key, written in the wanted
//! style or in the listing's. Values are canonical.

use std::{
    borrow::Cow,
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::form::canonical;
use crate::model::{
    Object,
    json::{array, elements, members, object, plain_key},
};

/// Whether two canonical values are the same except for the style of keys.
#[must_use]
pub(super) fn is_alike(a: &str, b: &str) -> bool {
    restyled(a, b).is_some_and(|restyled| restyled == b)
}

/// Listed properties with their keys in the wanted style; `None` if they have it already.
pub(super) fn in_style(listed: &str, wanted: &Object<'_>) -> Option<String> {
    let style = match wanted {
        Object::Whole(object) => canonical(object),
        Object::Keys(keys) => {
            let or_null = |json: &Option<Cow<'_, str>>| json.as_deref().map_or_else(|| "null".to_owned(), canonical);
            object(keys.iter().map(|(key, json)| (key, or_null(json))))
        }
    };
    restyled(&canonical(listed), &style)
}

/// A canonical value with its keys in the style of another value, if that one has them; `None` if nothing changes.
#[must_use]
pub(super) fn restyled(value: &str, style: &str) -> Option<String> {
    let inner = |value: &str, style: Option<&&str>| {
        style.and_then(|style| restyled(value, style)).unwrap_or_else(|| value.to_owned())
    };
    let text = match (value.as_bytes().first()?, style.as_bytes().first()?) {
        (b'[', b'[') => {
            let styles: Vec<_> = elements(style).collect();
            array(elements(value).enumerate().map(|(at, value)| inner(value, styles.get(at))))
        }
        (b'{', b'{') => {
            let keys: BTreeMap<_, _> = members(style).collect();
            let own: BTreeSet<_> = members(value).map(|(key, _)| key).collect();
            let plain = |key: &str| plain_key(key).collect::<String>();
            // The first of several similar keys counts; a key that the value has as well is a different key.
            let alike = LazyCell::new(|| {
                let others = keys.keys().rev().filter(|known| !own.contains(*known));
                others.map(|known| (plain(known), known)).collect::<HashMap<_, _>>()
            });
            let name = |key: Cow<'_, str>| {
                let other = if keys.contains_key(&key) { None } else { alike.get(&plain(&key)) };
                other.map_or(&key, |known| *known).to_string()
            };
            let named = members(value).map(|(key, member)| (name(key), member));
            object(named.map(|(key, member)| {
                let style = keys.get(key.as_str());
                (key, inner(member, style))
            }))
        }
        _ => return None,
    };
    (text != value).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_take_the_style_of_another_object_and_an_exact_one_keeps_its_own() {
        let restyled = |value: &str, style| restyled(value, style).unwrap_or_else(|| value.to_owned());
        assert_eq!(restyled(r#"{"filter_value":1,"x":2}"#, r#"{"filterValue":3}"#), r#"{"filterValue":1,"x":2}"#);
        assert_eq!(restyled(r#"{"a":{"b_c":1}}"#, r#"{"a":{"bC":1}}"#), r#"{"a":{"bC":1}}"#);
        assert_eq!(restyled(r#"{"a_b":1}"#, r#"{"aB":2,"a_b":3}"#), r#"{"a_b":1}"#);
        assert_eq!(restyled(r#"{"aB":1,"a_b":2}"#, r#"{"aB":3}"#), r#"{"aB":1,"a_b":2}"#, "two keys stay two");
        assert!(is_alike(r#"{"a_b":1}"#, r#"{"aB":1}"#) && !is_alike(r#"{"a_b":1}"#, r#"{"aB":2}"#));
    }
}
