//! One value of a row, as far as converting it needs to know what the database calls it.

use std::borrow::Cow;

/// A value with the database's own spelling of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'r> {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer, float or numeric with all its digits; also `NaN` and infinities.
    Number(Cow<'r, str>),
    /// Anything else that is text.
    Text(Cow<'r, str>),
    /// The text of a JSON value.
    Json(Cow<'r, str>),
    /// A PostgreSQL array in its literal form: `{a,"b c",NULL}`.
    Array(Cow<'r, str>),
    /// Bytes that are no text.
    Binary,
}

/// What the values of a column are, as far as its type tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Booleans.
    Bool,
    /// Numbers.
    Number,
    /// Bits: a number.
    Bits,
    /// JSON.
    Json,
    /// Array literals.
    Array,
    /// Anything else.
    Text,
}

impl Cell<'_> {
    /// What this is, for a message; never the value.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Json(_) => "JSON",
            Self::Array(_) => "an array",
            Self::Binary => "bytes that are not UTF-8 text",
        }
    }

    /// The value as the database prints it.
    pub(super) fn printed(&self) -> Option<&str> {
        match self {
            Self::Null | Self::Binary => None,
            Self::Bool(value) => Some(if *value { "t" } else { "f" }),
            Self::Number(text) | Self::Text(text) | Self::Json(text) | Self::Array(text) => Some(text),
        }
    }
}

/// The elements of a one-dimensional array literal; `None` for more dimensions. NULL elements are left out.
pub(super) fn array_elements(literal: &str) -> Option<Vec<String>> {
    // An array whose first index is not 1 begins with its bounds: [0:1]={a,b}
    let inside = literal[literal.find('{')?..].strip_prefix('{')?.strip_suffix('}')?;
    if !inside.bytes().any(|byte| matches!(byte, b'"' | b'\\' | b'{')) {
        let elements = inside.split(',').filter(|element| !inside.is_empty() && !element.eq_ignore_ascii_case("null"));
        return Some(elements.map(str::to_owned).collect());
    }
    let mut elements = Vec::new();
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
            elements.push(element);
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
