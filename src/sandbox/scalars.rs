//! Maps the strings and numbers of a JSON value, at every depth.

use serde_json::value::{RawValue, to_raw_value};

/// Applies these functions to all strings and numbers; keys stay. An unchanged value keeps its exact text, and so does
/// a string that is not valid.
pub(super) fn rewritten(
    value: Box<RawValue>,
    string: impl Fn(&str) -> String,
    number: impl Fn(&str) -> String,
) -> Box<RawValue> {
    let mut text = String::with_capacity(value.get().len());
    let mut rest = value.get();
    while let Some(first) = rest.bytes().next() {
        let (token, after) = rest.split_at(length(first, rest));
        match first {
            b'"' if !after.trim_start().starts_with(':') => text.push_str(&replaced(token, &string)),
            b'-' | b'0'..=b'9' => text.push_str(&number(token)),
            _ => text.push_str(token),
        }
        rest = after;
    }
    if text == value.get() { value } else { RawValue::from_string(text).unwrap_or(value) }
}

/// The length of the string, of the number, or of what comes before the next of them.
fn length(first: u8, rest: &str) -> usize {
    let is_in_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
    let end = match first {
        b'"' => {
            let mut is_escaped = false;
            let end = rest.bytes().skip(1).position(|byte| {
                let ends = byte == b'"' && !is_escaped;
                is_escaped = byte == b'\\' && !is_escaped;
                ends
            });
            end.map(|end| end + 2)
        }
        b'-' | b'0'..=b'9' => rest.find(|c| !is_in_number(c)),
        _ => rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()),
    };
    end.unwrap_or(rest.len())
}

/// The string with its quotes.
fn replaced(token: &str, string: impl Fn(&str) -> String) -> String {
    let replaced = || {
        let given: String = serde_json::from_str(token).ok()?;
        let kept = Some(string(&given)).filter(|kept| *kept != given)?;
        to_raw_value(&kept).ok()
    };
    replaced().map_or_else(|| token.to_owned(), |kept| kept.get().to_owned())
}
