//! One value of a row, with the type that the database gives it, as far as the conversion needs it.

use std::borrow::Cow;

use memchr::{memchr, memchr3};

/// A value in the database's own spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'r> {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer, float or numeric with all its digits; also `NaN` and infinities.
    Number(Cow<'r, str>),
    /// Text, or any other type in its text form.
    Text(Cow<'r, str>),
    /// The text of a JSON value.
    Json(Cow<'r, str>),
    /// JSON that the database itself printed: well-formed, at any depth.
    SoundJson(Cow<'r, str>),
    /// A PostgreSQL array in its literal form: `{a,"b c",NULL}`.
    Array(Cow<'r, str>),
    /// Bytes that are not UTF-8.
    Binary,
}

/// Stands in a text for bytes that are not UTF-8. No valid text has this sequence of noncharacters.
pub(super) const NOT_UTF8: &str = "\u{fffe}\u{ffff}\u{fffe}";

/// The kind of values that a column's type announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Booleans.
    Bool,
    /// Numbers.
    Number,
    /// Bits, read as a number.
    Bits,
    /// JSON as a client wrote it.
    Json,
    /// JSON as the database prints it.
    SoundJson,
    /// Array literals.
    Array,
    /// Anything else.
    Text,
}

impl<'r> Cell<'r> {
    /// The cell for a text that a database prints.
    pub(super) fn of(kind: Kind, text: Cow<'r, str>) -> Self {
        match kind {
            Kind::Bool => Self::Bool(text == "t"),
            Kind::Number | Kind::Bits => Self::Number(text),
            Kind::Json => Self::Json(text),
            Kind::SoundJson => Self::SoundJson(text),
            Kind::Array => Self::Array(text),
            Kind::Text => Self::Text(text),
        }
    }

    /// The same value; `Binary` if it has [the mark](NOT_UTF8).
    pub(super) fn unmarked(self) -> Self {
        match &self {
            Self::Text(text) | Self::Json(text) | Self::SoundJson(text) if text.contains(NOT_UTF8) => Self::Binary,
            _ => self,
        }
    }

    /// The length of the text in bytes.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Binary => 0,
            Self::Number(text) | Self::Text(text) | Self::Json(text) | Self::SoundJson(text) | Self::Array(text) => {
                text.len()
            }
        }
    }

    /// The kind of value, for a message; never the value.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Json(_) | Self::SoundJson(_) => "JSON",
            Self::Array(_) => "an array",
            Self::Binary => "bytes that are not UTF-8 text",
        }
    }

    /// The value as the database prints it; `None` for NULL and for bytes.
    pub(super) fn into_printed(self) -> Option<Cow<'r, str>> {
        match self {
            Self::Null | Self::Binary => None,
            Self::Bool(value) => Some(Cow::Borrowed(if value { "t" } else { "f" })),
            Self::Number(text) | Self::Text(text) | Self::Json(text) | Self::SoundJson(text) | Self::Array(text) => {
                Some(text)
            }
        }
    }
}

/// The elements of a one-dimensional array literal; `None` for more dimensions. NULL elements are left out.
pub(super) fn array_elements(literal: &str) -> Option<Vec<Cow<'_, str>>> {
    // An array whose first index is not 1 begins with its bounds: [0:1]={a,b}
    let begin = if literal.starts_with('{') { 0 } else { literal.find('{')? };
    let inside = literal[begin + 1..].strip_suffix('}')?;
    let mut elements = Vec::new();
    if memchr3(b'"', b'\\', b'{', inside.as_bytes()).is_none() {
        let (mut rest, mut is_over) = (inside, inside.is_empty());
        while !is_over {
            let end = memchr(b',', rest.as_bytes());
            is_over = end.is_none();
            let element = &rest[..end.unwrap_or(rest.len())];
            rest = rest.get(element.len() + 1..).unwrap_or_default();
            if !element.eq_ignore_ascii_case("null") {
                elements.push(Cow::Borrowed(element));
            }
        }
        return Some(elements);
    }
    let mut characters = inside.chars().peekable();
    while characters.peek().is_some() {
        let (mut element, mut quoted, mut bare) = (String::new(), false, true);
        while let Some(c) = characters.next() {
            match c {
                '"' => (quoted, bare) = (!quoted, false),
                '\\' => {
                    bare = false;
                    element.extend(characters.next());
                }
                '{' if !quoted => return None,
                ',' if !quoted => break,
                _ => element.push(c),
            }
        }
        if !(bare && element.eq_ignore_ascii_case("null")) {
            elements.push(Cow::Owned(element));
        }
    }
    Some(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_literals_are_read_exactly() {
        let read = |literal| array_elements(literal).unwrap();
        assert_eq!(read("{}"), Vec::<String>::new());
        assert_eq!(read("{a,NULL,b c}"), ["a", "b c"]);
        assert_eq!(read(r#"{a,"b, c","d\"e\\f",NULL,"NULL",""}"#), ["a", "b, c", "d\"e\\f", "NULL", ""]);
        assert_eq!(read("[0:1]={a,b}"), ["a", "b"]);
        assert_eq!(array_elements("{{a},{b}}"), None);
    }
}
