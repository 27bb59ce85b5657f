//! The JSON Schema of the configuration, derived from the embedded default: keys, types, defaults and comments.

use serde_json::{Map, Value, json};

use super::DEFAULT;

/// The schema, for editors that complete and check TOML.
#[must_use]
pub fn schema() -> Value {
    let (mut top, mut section, mut comment) = (Map::new(), None::<String>, Vec::new());
    for line in DEFAULT.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            top.insert(name.to_owned(), object(&Map::new()));
            section = Some(name.to_owned());
        } else if let Some((key, value)) = line.split_once(" = ") {
            let described = describe(value, &comment.join(" "));
            let properties = match &section {
                None => &mut top,
                Some(section) => match &mut top[section]["properties"] {
                    Value::Object(properties) => properties,
                    _ => unreachable!("a section always has properties"),
                },
            };
            properties.insert(key.to_owned(), described);
        }
        if !line.starts_with('#') {
            comment.clear();
        }
    }
    let mut schema = object(&top);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("explo-sync");
    schema
}

fn object(properties: &Map<String, Value>) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

/// Describes one key. Every default is written so that its TOML is also JSON.
fn describe(default: &str, comment: &str) -> Value {
    let default: Value = serde_json::from_str(default).unwrap_or_default();
    let mut described = match &default {
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(_) => json!({"type": "integer", "minimum": 0}),
        Value::Array(_) => json!({"type": "array", "items": {"type": "string"}}),
        Value::Object(_) => {
            let texts = json!([{"type": "string"}, {"type": "array", "items": {"type": "string"}}]);
            json!({"type": "object", "additionalProperties": {"anyOf": texts}})
        }
        Value::String(_) | Value::Null => json!({"type": "string"}),
    };
    described["default"] = default;
    if !comment.is_empty() {
        described["description"] = json!(comment);
    }
    described
}
