//! Walks a JSON text once: checks each value and finds its end, without building anything.

mod skip;

use std::borrow::Cow;

/// Arrays and objects that are nested deeper are refused.
pub const MAX_DEPTH: usize = 64;

/// Why a text can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("is not valid JSON")]
    Malformed,
    /// Nested too deeply.
    #[error("is JSON nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// A position in a text.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    text: &'a str,
    at: usize,
    has_escapes: bool,
}

impl<'a> Scan<'a> {
    /// The start of a text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, has_escapes: false }
    }

    /// The number of bytes before the position.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The text between `position` and here.
    #[must_use]
    pub fn since(&self, position: usize) -> &'a str {
        &self.text[position..self.at]
    }

    /// Passes this text if it comes next.
    #[inline]
    pub fn follow(&mut self, text: &str) -> bool {
        let is_it = self.text.as_bytes()[self.at..].starts_with(text.as_bytes());
        self.at += if is_it { text.len() } else { 0 };
        is_it
    }

    /// Passes a string without escapes and returns its characters; for anything else returns `None` and stays.
    #[inline]
    pub fn plain(&mut self) -> Option<&'a str> {
        self.skip_space();
        let (bytes, start) = (self.text.as_bytes(), self.at + 1);
        if self.peek() != Some(b'"') {
            return None;
        }
        let end = special(bytes, start);
        if bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        Some(&self.text[start..end])
    }

    /// The text of the next value, whose arrays and objects are nested in at most this many levels.
    #[inline]
    pub fn value(&mut self, levels: usize) -> Result<&'a str, JsonError> {
        self.skip_space();
        let start = self.at;
        match self.byte()? {
            b'"' => self.skip_string()?,
            b'{' => self.skip_members(levels)?,
            b'[' => self.skip_elements(levels)?,
            b't' => self.skip_word("true")?,
            b'f' => self.skip_word("false")?,
            b'n' => self.skip_word("null")?,
            _ => self.skip_number()?,
        }
        Ok(self.since(start))
    }

    /// Enters the next array or object, if this bracket opens it.
    pub fn enter(&mut self, bracket: u8) -> Result<bool, JsonError> {
        self.skip_space();
        let is_it = self.byte()? == bracket;
        self.at += usize::from(is_it);
        Ok(is_it)
    }

    /// Inside an object: the next key; `None` at the object's end, which is passed.
    pub fn key(&mut self, is_first: bool) -> Result<Option<Cow<'a, str>>, JsonError> {
        if !self.goes_on(is_first, b'}')? {
            return Ok(None);
        }
        let key = match self.plain() {
            Some(plain) => Cow::Borrowed(plain),
            None => self.escaped()?,
        };
        self.skip_colon()?;
        Ok(Some(key))
    }

    /// The same, with quotes; accepts half a surrogate pair in the key.
    pub fn quoted_key(&mut self, is_first: bool) -> Result<Option<&'a str>, JsonError> {
        if !self.goes_on(is_first, b'}')? {
            return Ok(None);
        }
        let start = self.at;
        self.skip_string()?;
        let key = self.since(start);
        self.skip_colon()?;
        Ok(Some(key))
    }

    /// The characters of the next string.
    #[cold]
    fn escaped(&mut self) -> Result<Cow<'a, str>, JsonError> {
        let start = self.at;
        self.skip_string()?;
        unquoted(self.since(start))
    }

    /// Inside an array: whether an element follows; if not, the array's end is passed.
    pub fn has_element(&mut self, is_first: bool) -> Result<bool, JsonError> {
        self.goes_on(is_first, b']')
    }

    /// The next byte that is not whitespace.
    pub fn ahead(&mut self) -> Option<u8> {
        self.skip_space();
        self.peek()
    }

    /// Whether a string with an escape was passed.
    #[must_use]
    pub fn has_escapes(&self) -> bool {
        self.has_escapes
    }

    /// Checks that nothing follows.
    pub fn end(mut self) -> Result<(), JsonError> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(JsonError::Malformed) }
    }

    #[inline]
    fn goes_on(&mut self, is_first: bool, close: u8) -> Result<bool, JsonError> {
        self.skip_space();
        match self.byte()? {
            byte if byte == close => {
                self.at += 1;
                return Ok(false);
            }
            b',' if !is_first => self.at += 1,
            _ if is_first => {}
            _ => return Err(JsonError::Malformed),
        }
        self.skip_space();
        Ok(true)
    }

    #[inline]
    fn skip_colon(&mut self) -> Result<(), JsonError> {
        self.skip_space();
        if self.byte()? != b':' {
            return Err(JsonError::Malformed);
        }
        self.at += 1;
        Ok(())
    }

    fn skip_members(&mut self, levels: usize) -> Result<(), JsonError> {
        let levels = levels.checked_sub(1).ok_or(JsonError::TooDeep)?;
        self.at += 1;
        let mut is_first = true;
        while self.goes_on(is_first, b'}')? {
            self.skip_string()?;
            self.skip_colon()?;
            self.value(levels)?;
            is_first = false;
        }
        Ok(())
    }

    fn skip_elements(&mut self, levels: usize) -> Result<(), JsonError> {
        let levels = levels.checked_sub(1).ok_or(JsonError::TooDeep)?;
        self.at += 1;
        let mut is_first = true;
        while self.goes_on(is_first, b']')? {
            self.value(levels)?;
            is_first = false;
        }
        Ok(())
    }

    #[inline]
    fn skip_string(&mut self) -> Result<(), JsonError> {
        let bytes = self.text.as_bytes();
        if self.byte()? != b'"' {
            return Err(JsonError::Malformed);
        }
        let end = special(bytes, self.at + 1);
        if bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(());
        }
        self.skip_escaped(end)
    }

    /// Passes the rest of a string that has a special character at `at`.
    #[cold]
    fn skip_escaped(&mut self, mut at: usize) -> Result<(), JsonError> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.has_escapes = true;
                    at += escape(&bytes[at + 1..])?;
                }
                _ => return Err(JsonError::Malformed),
            }
            at = special(bytes, at);
        }
        self.at = at + 1;
        Ok(())
    }

    fn skip_number(&mut self) -> Result<(), JsonError> {
        self.at += usize::from(self.byte()? == b'-');
        match self.byte()? {
            b'0' => self.at += 1,
            _ => self.skip_digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.skip_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.skip_digits()?;
        }
        Ok(())
    }

    fn skip_digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(JsonError::Malformed) }
    }

    fn skip_word(&mut self, word: &str) -> Result<(), JsonError> {
        if self.follow(word) { Ok(()) } else { Err(JsonError::Malformed) }
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn byte(&self) -> Result<u8, JsonError> {
        self.peek().ok_or(JsonError::Malformed)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// The length of an escape in bytes, including its backslash; `after` is the text after the backslash.
#[cold]
fn escape(after: &[u8]) -> Result<usize, JsonError> {
    match after {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(2),
        [b'u', digits @ ..] if digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_hexdigit) => Ok(6),
        _ => Err(JsonError::Malformed),
    }
}

/// The characters of a JSON string that is given with its quotes; an error if it has half a surrogate pair.
pub fn unquoted(quoted: &str) -> Result<Cow<'_, str>, JsonError> {
    let end = special(quoted.as_bytes(), 1);
    match quoted.get(1..end) {
        Some(plain) if end + 1 == quoted.len() => Ok(Cow::Borrowed(plain)),
        _ => serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| JsonError::Malformed),
    }
}

/// The position of the first quote, backslash or control character from `at` on; the end if there is none.
#[inline]
pub(super) fn special(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    // Eight bytes at a time. A false mark can only follow a true one, and the first mark counts.
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*eight);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let marks = quote | backslash | below(word, 0x20);
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    bytes.get(at..).and_then(|rest| rest.iter().position(is_special)).map_or(bytes.len(), |n| at + n)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    fn scanned(text: &str) -> Result<(), JsonError> {
        let mut scan = Scan::new(text);
        scan.value(64)?;
        scan.end()
    }

    proptest! {
        #[test]
        fn a_text_is_json_for_the_scan_if_it_is_for_the_parser(
            parts in prop::collection::vec(prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u00e9", "\\n", "\\x", "a", "é\u{1f600}", "\u{1f}", " ", "\n", "\"key\":", "\"some longer text\"",
                "0", "-", "1", ".5", "e", "E+7", "true", "fals", "null", "{}", "[]", "{\"a\":1}", "[1,\"b\"]",
            ]), 0..12),
        ) {
            let text = parts.concat();
            prop_assert_eq!(scanned(&text).is_ok(), serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{}", text);
        }

        #[test]
        fn special_characters_are_found_at_any_place(text in "[a-z\"\\\\\n\u{80}-\u{ff}]{0,40}", from in 0_usize..40) {
            let bytes = text.as_bytes();
            let found = (from..bytes.len()).find(|at| matches!(bytes[*at], b'"' | b'\\' | 0..0x20));
            prop_assert_eq!(special(bytes, from.min(bytes.len())), found.unwrap_or(bytes.len()));
        }
    }
}
