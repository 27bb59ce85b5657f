//! Quoting an answer in an error: cut short, without anything that must not be told.

use std::{borrow::Cow, collections::BTreeSet, ops::Bound};

use crate::model::{Object, Tenant, json};

/// Characters quoted at the most.
const LONGEST: usize = 200;

/// Words of this many characters with a digit among them may be tokens.
const TOKEN_LENGTH: usize = 16;

/// The beginning of an answer, on one line; e-mail addresses, tokens (the one that is ours above all) and the values that were sent are masked.
#[must_use]
pub fn excerpt(body: &[u8], sent: Option<&Tenant<'_>>, token: &str) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(8 * LONGEST)]);
    if text.trim().is_empty() {
        return "(an empty answer)".to_owned();
    }
    let (values, id) = sent.map_or((BTreeSet::new(), ""), |tenant| (values(tenant), &*tenant.provided_id));
    let masked: String = without_values(&without_tokens(&text.replace(token, "***")), &values)
        .split_inclusive(|c: char| c.is_whitespace() || c.is_control() || "\"'<>(){}[],;:=/?&+|\\".contains(c))
        .map(|part| {
            let word = part.trim_end_matches(|c: char| !c.is_alphanumeric());
            if is_secret(word) && word != id { part.replace(word, "***") } else { part.to_owned() }
        })
        .map(|part| part.replace(|c: char| c.is_control(), " "))
        .collect();
    let cut: String = masked.chars().take(LONGEST).collect();
    if cut.len() < masked.len() || body.len() > 8 * LONGEST { format!("{cut}…") } else { cut }
}

/// Whatever stands under a key that ends in "token", in JSON.
fn without_tokens(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some(at) = rest.to_ascii_lowercase().find("token\"") {
        let (before, after) = rest.split_at(at + "token\"".len());
        kept.push_str(before);
        let value = after.trim_start_matches([' ', ':']);
        rest = match value.strip_prefix('"') {
            Some(value) => {
                kept.push_str(": \"***");
                value.find('"').map_or("", |end| &value[end..])
            }
            None => after,
        };
    }
    kept + rest
}

fn is_secret(word: &str) -> bool {
    let opaque = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && word.contains(|c: char| c.is_ascii_digit());
    word.contains('@') || (word.len() >= TOKEN_LENGTH && opaque)
}

/// The text without any part that is one of these values.
fn without_values(text: &str, values: &BTreeSet<Vec<u8>>) -> String {
    let (mut kept, mut end, mut is_inside) = (String::new(), 0, false);
    for (at, c) in text.char_indices() {
        let length = longest(values, &text.as_bytes()[at..]);
        end = end.max(length.map_or(0, |length| at + length));
        let was_inside = std::mem::replace(&mut is_inside, at < end);
        match (was_inside, is_inside) {
            (_, false) => kept.push(c),
            (false, true) => kept.push_str("***"),
            (true, true) => {}
        }
    }
    kept
}

/// The length of the longest value with which a text begins.
fn longest(values: &BTreeSet<Vec<u8>>, text: &[u8]) -> Option<usize> {
    let mut bound = text;
    loop {
        // Whatever the text begins with is not beyond it, and what stands between the two begins with that as well.
        let value = values.range::<[u8], _>((Bound::Unbounded, Bound::Included(bound))).next_back()?;
        let common = value.iter().zip(text).take_while(|(a, b)| *a == *b).count();
        if common == value.len() {
            return Some(common);
        }
        bound = &text[..common];
    }
}

/// The values that a request carried, as they are and as JSON has them; one character tells nothing, and the id is no secret.
fn values(tenant: &Tenant<'_>) -> BTreeSet<Vec<u8>> {
    let lists = [&tenant.emails, &tenant.group_tags].into_iter().flatten().flatten().cloned().map(Cow::into_owned);
    let objects = [&tenant.properties, &tenant.mapping].into_iter().flatten();
    let members = objects.flat_map(|object| match object {
        Object::Whole(text) => leaves(text),
        Object::Keys(keys) => keys.iter().filter_map(|(_, value)| value.as_deref()).flat_map(leaves).collect(),
    });
    let texts = [&tenant.name, &tenant.hierarchy_level_name].into_iter().flatten().cloned().map(Cow::into_owned);
    let values = lists.chain(members).chain(texts).filter(|value| value.len() > 1 && *value != tenant.provided_id);
    let escaped = |value: String| {
        let quoted = json::quote(&value);
        [quoted.as_bytes()[1..quoted.len() - 1].to_vec(), value.into_bytes()]
    };
    values.flat_map(escaped).collect()
}

/// The scalar values inside a JSON value, however deep.
fn leaves(value: &str) -> Vec<String> {
    match value.as_bytes().first() {
        Some(b'{') => json::members(value).flat_map(|(_, member)| leaves(member)).collect(),
        Some(b'[') => json::elements(value).flat_map(leaves).collect(),
        _ => vec![json::as_text(value).into_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_tells_the_reason_and_keeps_the_secrets() {
        let tenant = Tenant {
            provided_id: "acme-2024-production-eu".into(),
            name: Some("Acme \"Rockets\" Ltd".into()),
            properties: Some(Object::Whole(r#"{"plan":{"kinds":["enterprise"]}}"#.into())),
            ..Tenant::default()
        };
        let body =
            br#"{"detail":"Acme \"Rockets\" Ltd (acme-2024-production-eu, enterprise) clashes with boss@other.example, says short",
            "customer":{"token":"7f3e9a2c-11aa-4b5c-9d1e-000000000001"}}"#;
        let quoted = excerpt(body, Some(&tenant), "short");
        assert!(quoted.contains("clashes with") && quoted.contains("acme-2024-production-eu"), "{quoted}");
        for secret in ["Rockets", "enterprise", "boss@", "7f3e9a2c", "short"] {
            assert!(!quoted.contains(secret), "{secret} in {quoted}");
        }
        assert!(!quoted.contains('\n'));
    }

    #[test]
    fn a_token_is_masked_whatever_it_looks_like() {
        let body = br#"{"reason": "odd", "token": "lettersonly", "authToken":"x/y", "url": "https://e.example/embed/0123456789abcdef?a=1"}"#;
        let quoted = excerpt(body, None, "short");
        assert!(quoted.contains("odd") && quoted.contains("embed"), "{quoted}");
        for secret in ["lettersonly", "x/y", "0123456789abcdef"] {
            assert!(!quoted.contains(secret), "{secret} in {quoted}");
        }
    }

    #[test]
    fn a_value_is_masked_wherever_others_overlap_it() {
        let tenant = Tenant {
            provided_id: "id".into(),
            emails: Some(["bcdef", "abc", "**", "*", "é\u{301}x", "xy"].map(Cow::Borrowed).to_vec()),
            group_tags: Some((0..100_000).map(|n| Cow::Owned(format!("tag{n}"))).collect()),
            properties: Some(Object::Whole(format!("{{{}}}", vec![r#""a":"**""#; 100_000].join(",")).into())),
            ..Tenant::default()
        };
        let quoted = |body: &str| excerpt(body.as_bytes(), Some(&tenant), "short");
        assert_eq!(quoted("see abcdef, id abcd ab"), "see ***, id ***d ab");
        assert_eq!(quoted("tag99 tag99999 tag1000000 tag-1 * ****"), "*** *** ***00 tag-1 * ***");
        assert_eq!(quoted("é\u{301}xy\u{e9}x"), "***\u{e9}x");
        assert_eq!(quoted("short"), "***");
    }

    #[test]
    fn an_excerpt_is_short() {
        assert_eq!(excerpt(&b"x ".repeat(10_000), None, "short").chars().count(), LONGEST + 1);
        assert_eq!(excerpt(b" \n", None, "short"), "(an empty answer)");
    }
}
