//! Measures a tenant's values before they are sent: if a customer becomes too large to be read in a listing, its tenant
//! can no longer be compared.
//!
//! | value | limit |
//! |---|---|
//! | the record as Explo may list it: properties and mapping twice, non-ASCII characters escaped | [`LARGEST_RECORD`] |
//! | nesting of properties | [`MAX_DEPTH`](json::MAX_DEPTH) |
//! | a parent's id in the URL of a call | [`LONGEST_IN_ADDRESS`] |
//!
//! The first two limits are also those of reading.

use std::borrow::Cow;

use crate::model::{Customer, Field, LARGEST_RECORD, Object, Tenant, json, shown};

/// Bytes of an escaped id in the URL of a call: no client sends a URL of more than 65,534 bytes.
const LONGEST_IN_ADDRESS: usize = 63 << 10;

/// Bytes of a record besides the values that are sent: its keys, token and group.
const BESIDE: usize = 4096;

/// At most this many bytes are listed for one byte sent: escaped, and twice.
const MOST: usize = 2 * 6;

/// Checks that what a tenant wants can be read again; the error says why it can't be sent. For an update that also
/// sends values that the tenant does not manage, give the current customer.
pub fn measure(tenant: &Tenant<'_>, current: Option<&Customer<'_>>) -> Result<(), String> {
    if let Some(parent) = tenant.parent_provided_id.as_deref() {
        let length = in_address(parent);
        if length > LONGEST_IN_ADDRESS {
            return Err(format!(
                "parent_provided_id has {length} bytes in the address of a call, and no more than {LONGEST_IN_ADDRESS} \
                 can be sent"
            ));
        }
    }
    if let Some(key) = too_deep(tenant) {
        return Err(format!(
            "properties.{} is nested in more than {} levels, and with the object around it no more than {} are read",
            shown(key),
            json::MAX_DEPTH - 1,
            json::MAX_DEPTH
        ));
    }
    let lengths = lengths(tenant, current, |text| MOST * text.len() + 2, |object| MOST * object.len());
    if BESIDE + lengths.iter().map(|(_, length)| length).sum::<usize>() <= LARGEST_RECORD {
        return Ok(());
    }
    let lengths = self::lengths(tenant, current, text_length, |object| 2 * object_length(object));
    let length = BESIDE + lengths.iter().map(|(_, length)| length).sum::<usize>();
    match lengths.into_iter().max_by_key(|(_, length)| *length) {
        Some((name, longest)) if length > LARGEST_RECORD => Err(format!(
            "{name} is too large: it takes {longest} of the {length} bytes of the record that Explo would list, and no more \
             than {LARGEST_RECORD} are read"
        )),
        _ => Ok(()),
    }
}

/// Bytes of an id in the query of a URL.
fn in_address(id: &str) -> usize {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"*-._ ".contains(&byte);
    id.bytes().map(|byte| if is_plain(byte) { 1 } else { 3 }).sum()
}

/// The key of a property that is nested too deeply; whole properties were checked when they were read.
fn too_deep<'t>(tenant: &'t Tenant<'_>) -> Option<&'t str> {
    let Some(Object::Keys(keys)) = &tenant.properties else { return None };
    let is_deep = |json: &Option<Cow<'_, str>>| {
        json.as_deref().is_some_and(|json| !json::is_no_deeper(json, json::MAX_DEPTH - 1))
    };
    keys.iter().find(|(_, json)| is_deep(json)).map(|(key, _)| &**key)
}

/// The length of each value, by name: the value to be sent, otherwise the current one.
fn lengths(
    tenant: &Tenant<'_>,
    current: Option<&Customer<'_>>,
    text: impl Fn(&str) -> usize,
    object: impl Fn(&str) -> usize,
) -> [(&'static str, usize); 7] {
    let one = |sent: Option<&str>, current: Option<&str>| sent.or(current).map_or(0, &text);
    let list = |sent: &Option<Vec<Cow<'_, str>>>, current: Option<&Vec<Cow<'_, str>>>| {
        sent.as_ref().or(current).into_iter().flatten().map(|element| text(element) + 1).sum()
    };
    let members = |sent: &Option<Object<'_>>, current: Option<&str>| match sent {
        None => current.map_or(0, &object),
        Some(Object::Whole(sent)) => object(sent),
        // Each counts as a member of an object.
        Some(Object::Keys(keys)) => {
            let kept = keys.iter().filter_map(|(key, json)| Some((key, json.as_deref()?)));
            kept.map(|(key, json)| 2 * (text(key) + 2) + object(json)).sum()
        }
    };
    [
        ("provided_id", text(&tenant.provided_id)),
        (Field::Name.name(), one(tenant.name.as_deref(), current.map(|customer| &*customer.name))),
        (Field::Emails.name(), list(&tenant.emails, current.map(|customer| &customer.emails))),
        (Field::GroupTags.name(), list(&tenant.group_tags, current.map(|customer| &customer.group_tags))),
        (Field::Properties.name(), members(&tenant.properties, current.map(|customer| &*customer.properties))),
        (Field::Mapping.name(), members(&tenant.mapping, current.map(|customer| &*customer.mapping))),
        (
            Field::HierarchyLevelName.name(),
            one(tenant.hierarchy_level_name.as_deref(), current.map(|customer| &*customer.hierarchy_level)),
        ),
    ]
}

/// Bytes of a text as a JSON string in ASCII.
fn text_length(text: &str) -> usize {
    2 + text.chars().map(|c| if matches!(c, '"' | '\\') { 2 } else { character_length(c) }).sum::<usize>()
}

/// Bytes of JSON in ASCII, without whitespace.
fn object_length(object: &str) -> usize {
    let (mut is_text, mut is_escaped) = (false, false);
    let length = |c: char| {
        let is_space = !is_text && matches!(c, ' ' | '\n' | '\r' | '\t');
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_text = !is_text,
            _ => {}
        }
        if is_space { 0 } else { character_length(c) }
    };
    object.chars().map(length).sum()
}

fn character_length(c: char) -> usize {
    match c {
        ' '..='~' => 1,
        '\u{10000}'.. => 12,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// JSON as a server writes it that sends only ASCII.
    fn in_ascii(json: &str) -> String {
        let json = serde_json::from_str::<Value>(json).unwrap().to_string();
        json.chars().fold(String::new(), |mut ascii, c| {
            match c {
                ' '..='~' => ascii.push(c),
                c => ascii.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
            }
            ascii
        })
    }

    fn named(name: String) -> Tenant<'static> {
        Tenant { provided_id: "a".into(), name: Some(name.into()), ..Tenant::default() }
    }

    fn with_properties(properties: String) -> Tenant<'static> {
        Tenant { provided_id: "a".into(), properties: Some(Object::Whole(properties.into())), ..Tenant::default() }
    }

    fn nested(levels: usize) -> String {
        "[".repeat(levels) + &"]".repeat(levels)
    }

    proptest! {
        #[test]
        fn no_text_is_longer_in_ascii_than_it_is_measured(text in "\\PC*|[\\x00-\\x7f]*|[é\u{1f600}\"\\\\]*") {
            prop_assert!(in_ascii(&json::quote(&text)).len() <= text_length(&text), "{:?}", text);
            let object = format!("{{ {} :\n[ {}, 7 ] }}", json::quote(&text), json::quote(&text));
            prop_assert!(in_ascii(&object).len() <= object_length(&object), "{:?}", object);
        }
    }

    #[test]
    fn a_record_is_as_large_as_it_may_be_listed() {
        assert_eq!(measure(&named("n".repeat(1_040_000)), None), Ok(()));
        let error = measure(&named("n".repeat(1_200_000)), None).unwrap_err();
        for part in ["name is too large", "1200002 of the 1204", "no more than 1048576 are read"] {
            assert!(error.contains(part), "{part} in {error}");
        }
        for letter in ["é", "\u{1}", "\u{1f600}"] {
            let most = 1_040_000 / if letter.len() == 4 { 12 } else { 6 };
            assert_eq!(measure(&named(letter.repeat(most)), None), Ok(()), "{letter:?}");
            assert!(measure(&named(letter.repeat(most + 1000)), None).is_err(), "{letter:?}");
        }
        let properties = |length: usize| with_properties(format!(r#"{{"a":"{}"}}"#, "x".repeat(length)));
        assert_eq!(measure(&properties(500_000), None), Ok(()));
        assert!(measure(&properties(530_000), None).unwrap_err().starts_with("properties is too large"));
    }

    #[test]
    fn what_is_carried_counts() {
        let customer = Customer { name: "n".repeat(600_000).into(), ..Customer::default() };
        let sent = with_properties(format!(r#"{{"a":"{}"}}"#, "x".repeat(300_000)));
        assert_eq!(measure(&sent, None), Ok(()));
        assert!(measure(&sent, Some(&customer)).is_err());
    }

    #[test]
    fn a_property_is_as_deep_as_is_read() {
        let one = |levels| Tenant {
            properties: Some(Object::Keys(vec![("deep".into(), Some(nested(levels).into()))])),
            ..named("Ann".to_owned())
        };
        assert_eq!(measure(&one(63), None), Ok(()));
        let error = measure(&one(64), None).unwrap_err();
        assert!(error.contains("properties.deep is nested in more than 63 levels"), "{error}");
    }

    #[test]
    fn a_parents_id_fits_into_an_address() {
        let below = |id: String| Tenant { parent_provided_id: Some(id.into()), ..named("Ann".to_owned()) };
        assert_eq!(measure(&below("x".repeat(LONGEST_IN_ADDRESS)), None), Ok(()));
        let error = measure(&below("x".repeat(70_000)), None).unwrap_err();
        assert!(error.contains("parent_provided_id has 70000 bytes") && error.contains("64512"), "{error}");
        assert!(measure(&below("é".repeat(LONGEST_IN_ADDRESS / 6 + 1)), None).is_err());
    }
}
