//! JSON pointers (RFC 6901) that walk a value's text in place and read nothing else of it. If there are many pointers,
//! each object and array on their paths is parsed once for all of them.

use std::{borrow::Cow, cell::RefCell, collections::HashMap, fmt};

use crate::model::json;

/// Up to this many pointers walk a value one by one.
const FEW: usize = 16;

/// The place of a value: `/owner/id`, `/emails/0`; empty: the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Parses a pointer; `None` if it is not valid.
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

    /// The text of the value in checked JSON. If a key occurs twice, the last one counts.
    pub(super) fn of<'j>(&self, value: &'j str) -> Option<&'j str> {
        self.0.iter().try_fold(value, |value, step| match value.as_bytes().first()? {
            b'{' => json::members(value).filter(|(key, _)| key == step).last().map(|(_, member)| member),
            b'[' => json::elements(value).nth(step.parse().ok()?),
            _ => None,
        })
    }

    /// The same in a record that other pointers share.
    pub(super) fn within<'j>(&self, record: &Record<'j>) -> Option<&'j str> {
        match &record.parts {
            None => self.of(record.text),
            Some(parts) => {
                let mut parts = parts.borrow_mut();
                self.0.iter().try_fold(record.text, |value, step| {
                    parts.entry(value.as_ptr().addr()).or_insert_with(|| Parts::of(value)).get(step)
                })
            }
        }
    }
}

/// Checked JSON that pointers lead into.
#[derive(Debug)]
pub(super) struct Record<'j> {
    text: &'j str,
    /// The values that are parsed already, by their address; `None` if there are few pointers.
    parts: Option<RefCell<HashMap<usize, Parts<'j>>>>,
}

/// The children of a value.
#[derive(Debug)]
enum Parts<'j> {
    Members(HashMap<Cow<'j, str>, &'j str>),
    Elements(Vec<&'j str>),
    Nothing,
}

impl<'j> Record<'j> {
    /// A record for this number of pointers.
    pub(super) fn new(text: &'j str, pointers: usize) -> Self {
        Self { text, parts: (pointers > FEW).then(RefCell::default) }
    }
}

impl<'j> Parts<'j> {
    fn of(value: &'j str) -> Self {
        match value.as_bytes().first() {
            Some(b'{') => Self::Members(json::members(value).collect()),
            Some(b'[') => Self::Elements(json::elements(value).collect()),
            _ => Self::Nothing,
        }
    }

    fn get(&self, step: &str) -> Option<&'j str> {
        match self {
            Self::Members(members) => members.get(step).copied(),
            Self::Elements(elements) => elements.get(step.parse::<usize>().ok()?).copied(),
            Self::Nothing => None,
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

/// The text of a value; `None` for null, an array or an object.
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
            for pointers in [1, 100] {
                assert_eq!(pointer.within(&Record::new(record, pointers)), expected, "{text}");
            }
        }
        for bad in ["foo", "/a~", "/a~2b"] {
            assert_eq!(Pointer::parse(bad), None, "{bad}");
        }
    }
}
