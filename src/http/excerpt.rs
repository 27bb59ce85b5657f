//! Quoting an answer in an error: cut short, without anything that must not be told.

use std::borrow::Cow;

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
    let (values, id) = sent.map_or((Vec::new(), ""), |tenant| (values(tenant), &*tenant.provided_id));
    let mut text = without_tokens(&text.replace(token, "***"));
    for value in values.iter().filter(|value| value.len() > 1 && *value != id) {
        let escaped = json::quote(value);
        text = text.replace(&escaped[1..escaped.len() - 1], "***").replace(value, "***");
    }
    let masked: String = text
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

/// The values that a request carried, longest first, so that none hides in another's mask.
fn values(tenant: &Tenant<'_>) -> Vec<String> {
    let lists = [&tenant.emails, &tenant.group_tags].into_iter().flatten().flatten().cloned().map(Cow::into_owned);
    let objects = [&tenant.properties, &tenant.mapping].into_iter().flatten();
    let members = objects.flat_map(|object| match object {
        Object::Whole(text) => leaves(text),
        Object::Keys(keys) => keys.iter().filter_map(|(_, value)| value.as_deref()).flat_map(leaves).collect(),
    });
    let texts = [&tenant.name, &tenant.hierarchy_level_name].into_iter().flatten().cloned().map(Cow::into_owned);
    let mut values: Vec<String> = lists.chain(members).chain(texts).collect();
    values.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
    values
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
    fn an_excerpt_is_short() {
        assert_eq!(excerpt(&b"x ".repeat(10_000), None, "short").chars().count(), LONGEST + 1);
        assert_eq!(excerpt(b" \n", None, "short"), "(an empty answer)");
    }
}
