//! Rows as PostgreSQL's `COPY … TO STDOUT` sends them in text form: one per message, tabs between values, `\N` for
//! NULL, and a backslash before each character that could be mistaken for these.

use std::{borrow::Cow, mem, ops::Range};

use memchr::{memchr, memchr_iter};

use super::cell::{Cell, Kind};

/// The values of a row of these kinds.
pub(super) fn cells<'r>(row: &'r [u8], kinds: &'r [Kind]) -> impl Iterator<Item = Cell<'r>> {
    let row = row.strip_suffix(b"\n").unwrap_or(row);
    // Validating the whole row at once is faster; only if that fails, each value is validated.
    let text = simdutf8::basic::from_utf8(row).ok().filter(|_| memchr(b'\\', row).is_none());
    kinds.iter().zip(places(row)).map(move |(kind, place)| match text {
        Some(text) => Cell::of(*kind, Cow::Borrowed(&text[place])),
        None => escaped(&row[place]).map_or(Cell::Null, |value| of_bytes(*kind, value)),
    })
}

/// The ranges of a row's values, in the order of the columns.
fn places(row: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    memchr_iter(b'\t', row).chain([row.len()]).map(move |end| mem::replace(&mut start, end + 1)..end)
}

fn of_bytes(kind: Kind, value: Cow<'_, [u8]>) -> Cell<'_> {
    let text = match value {
        Cow::Borrowed(value) => str::from_utf8(value).map(Cow::Borrowed).ok(),
        Cow::Owned(value) => String::from_utf8(value).map(Cow::Owned).ok(),
    };
    text.map_or(Cell::Binary, |text| Cell::of(kind, text))
}

/// A value without its escapes; `None` for NULL.
fn escaped(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    if value == b"\\N" {
        return None;
    }
    let Some(first) = memchr(b'\\', value) else { return Some(Cow::Borrowed(value)) };
    let (plain, rest) = value.split_at(first);
    let (mut characters, mut rest) = (plain.to_vec(), rest.iter().copied());
    while let Some(byte) = rest.next() {
        characters.extend(if byte == b'\\' { rest.next().map(character) } else { Some(byte) });
    }
    Some(Cow::Owned(characters))
}

/// The character that a letter behind a backslash stands for.
fn character(letter: u8) -> u8 {
    match letter {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        itself => itself,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_exactly() {
        let read = |row: &'static str| cells(row.as_bytes(), &[Kind::Text; 3]).collect::<Vec<_>>();
        let text = |text: &str| Cell::Text(text.to_owned().into());
        assert_eq!(read("a\tb c\t\n"), [text("a"), text("b c"), text("")]);
        assert_eq!(read("\\N\t\\\\N\tN\n"), [Cell::Null, text("\\N"), text("N")]);
        assert_eq!(read("a\\tb\\n\\r\\b\\f\\v\\\\\\\\\té\n"), [text("a\tb\n\r\u{8}\u{c}\u{b}\\\\"), text("é")]);
        assert_eq!(read("\n"), [text("")]);
        let latin = cells(b"caf\xe9\tcafe\n", &[Kind::Text; 2]).collect::<Vec<_>>();
        assert_eq!(latin, [Cell::Binary, text("cafe")]);
    }
}
