//! JSON pointers (RFC 6901), which walk the text of a value in place: what they don't point at is never read.

use std::fmt;

use crate::model::json;

/// Where a value stands: `/owner/id`, `/emails/0`; empty: the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Reads a pointer; `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        let is_escaped = |step: &str| step.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        let steps = text.strip_prefix('/')?.split('/');
        steps
            .map(|step| is_escaped(step).then(|| step.replace("~1", "/").replace("~0", "~")))
            .collect::<Option<_>>()
            .map(Self)
    }

    /// The text of the value, in JSON that was checked. Of a repeated key the last counts.
    pub(super) fn of<'j>(&self, value: &'j str) -> Option<&'j str> {
        self.0.iter().try_fold(value, |value, step| match value.as_bytes().first()? {
            b'{' => json::members(value).filter(|(key, _)| key == step).last().map(|(_, member)| member),
            b'[' => json::elements(value).nth(step.parse().ok()?),
            _ => None,
        })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

/// The characters of a value; none where it is null, an array or an object.
pub(super) fn characters(value: &str) -> Option<String> {
    match value.as_bytes().first()? {
        b'"' => Some(json::string(value).into_owned()),
        b'n' | b'{' | b'[' => None,
        _ => Some(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_finds_what_the_standard_says_and_is_written_as_it_was_read() {
        let record = r#"{"foo":["bar","baz"],"":0,"a/b":1,"m~n":{"~1":8},"twice":1,"twice":2}"#;
        for (text, expected) in [
            ("", Some(record)),
            ("/foo", Some(r#"["bar","baz"]"#)),
            ("/foo/1", Some(r#""baz""#)),
            ("/", Some("0")),
            ("/a~1b", Some("1")),
            ("/m~0n/~01", Some("8")),
            ("/twice", Some("2")),
            ("/foo/2", None),
            ("/foo/bar", None),
            ("/a~1b/c", None),
        ] {
            let pointer = Pointer::parse(text).unwrap();
            assert_eq!((pointer.of(record), pointer.to_string().as_str()), (expected, text));
        }
        for bad in ["foo", "/a~", "/a~2b"] {
            assert_eq!(Pointer::parse(bad), None, "{bad}");
        }
    }
}
