//! The expression that a column's value is made from.
//!
//! | written | is |
//! |---|---|
//! | `/owner/id` | the value at the pointer |
//! | `DE-{/id}` | the text with the values at the pointers in it; nothing if a pointer finds nothing |
//! | `{/type=partner}Partner` | the same, if the value at `/type` is `partner`; else nothing |
//! | anything else | itself |

use std::borrow::Cow;

use super::pointer::{Pointer, Record, characters};
use crate::source::cell::Cell;

/// One expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Pointer(Pointer),
    Template(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Value(Pointer),
    Is(Pointer, String),
}

impl Expression {
    /// Parses an expression; `None` if a pointer in it is not valid or a brace is not closed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            return Pointer::parse(text).map(Self::Pointer);
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{/") {
            let (inside, after) = after.split_once('}')?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match inside.split_once('=') {
                Some((pointer, value)) => Part::Is(Pointer::parse(&format!("/{pointer}"))?, value.to_owned()),
                None => Part::Value(Pointer::parse(&format!("/{inside}"))?),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Some(Self::Template(parts))
    }

    /// The value for a record; `None` if there is none.
    pub(super) fn of<'j>(&self, record: &Record<'j>) -> Option<Cell<'j>> {
        match self {
            Self::Pointer(pointer) => Some(cell(pointer.within(record)?)).filter(|cell| *cell != Cell::Null),
            Self::Template(parts) => {
                let texts: Option<String> = parts.iter().map(|part| part.of(record)).collect();
                texts.map(|text| Cell::Text(Cow::Owned(text)))
            }
        }
    }

    /// The pointers in the expression.
    pub(super) fn pointers(&self) -> Vec<&Pointer> {
        match self {
            Self::Pointer(pointer) => vec![pointer],
            Self::Template(parts) => parts.iter().filter_map(Part::pointer).collect(),
        }
    }
}

impl Part {
    fn of(&self, record: &Record<'_>) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Value(pointer) => characters(pointer.within(record)?).filter(|text| !text.is_empty()),
            Self::Is(pointer, value) => (characters(pointer.within(record)?)? == *value).then(String::new),
        }
    }

    fn pointer(&self) -> Option<&Pointer> {
        match self {
            Self::Text(_) => None,
            Self::Value(pointer) | Self::Is(pointer, _) => Some(pointer),
        }
    }
}

fn cell(value: &str) -> Cell<'_> {
    let borrowed = Cow::Borrowed(value);
    match value.as_bytes().first() {
        None | Some(b'n') => Cell::Null,
        Some(b't') => Cell::Bool(true),
        Some(b'f') => Cell::Bool(false),
        Some(b'"') => Cell::Text(crate::model::json::string(value)),
        Some(b'{' | b'[') => Cell::Json(borrowed),
        Some(_) => Cell::Number(borrowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str =
        r#"{"id":17,"type":"partner","externalId":"","name":"A \"B\"","tags":["x"],"owner":null,"on":true}"#;

    #[test]
    fn an_expression_keeps_the_type_of_a_pointers_value_and_a_template_is_text() {
        for (text, expected) in [
            ("/id", Some(Cell::Number("17".into()))),
            ("/name", Some(Cell::Text("A \"B\"".into()))),
            ("/tags", Some(Cell::Json(r#"["x"]"#.into()))),
            ("/on", Some(Cell::Bool(true))),
            ("/owner", None),
            ("/owner/id", None),
            ("DE-{/id}/{/type}", Some(Cell::Text("DE-17/partner".into()))),
            ("{/externalId}", None),
            ("x{/tags}", None),
            ("{/type=partner}Partner", Some(Cell::Text("Partner".into()))),
            ("{/type=customer}Customer", None),
            ("a constant, {with} braces", Some(Cell::Text("a constant, {with} braces".into()))),
        ] {
            assert_eq!(Expression::parse(text).unwrap().of(&Record::new(RECORD, 1)), expected, "{text}");
        }
        for bad in ["{/id", "/a~2", "{/a~2}", "{/a~2=x}"] {
            assert_eq!(Expression::parse(bad), None, "{bad}");
        }
    }
}
