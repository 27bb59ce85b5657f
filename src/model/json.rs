//! JSON text in the normal form that fingerprint, comparison and display share: keys sorted, numbers by value with all
//! their digits, strings with the fewest escapes.
//!
//! Every function here takes text that [`checked`] has accepted and walks it in place, without building a tree.

use std::{
    borrow::Cow,
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet, HashMap},
};

pub use super::scan::{JsonError, MAX_DEPTH, unquoted};
use super::scan::{Scan, special};

/// The text without surrounding space, if it is JSON of a bearable depth.
pub fn checked(text: &str) -> Result<&str, JsonError> {
    let text = text.trim_matches([' ', '\n', '\r', '\t']);
    let mut scan = Scan::new(text);
    scan.value(MAX_DEPTH)?;
    let has_escapes = scan.has_escapes();
    scan.end()?;
    if has_escapes && !has_whole_pairs(text) { Err(JsonError::Malformed) } else { Ok(text) }
}

/// Whether no escape is half a surrogate pair, in a text that is sound but for that.
#[must_use]
pub fn has_whole_pairs(mut text: &str) -> bool {
    let unit = |escape: &str| u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok();
    while let Some(at) = text.find('\\') {
        let escape = &text[at..];
        let length = match unit(escape) {
            None => 2,
            Some(0xD800..0xDC00) if matches!(unit(&escape[6..]), Some(0xDC00..0xE000)) => 12,
            Some(0xD800..0xE000) => return false,
            Some(_) => 6,
        };
        text = &escape[length..];
    }
    true
}

/// Whether arrays and objects are nested in at most so many levels.
#[must_use]
pub fn is_no_deeper(text: &str, levels: usize) -> bool {
    // Each level takes two brackets, and there are seldom so many.
    let brackets = || text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    text.len() <= 2 * levels || brackets() <= levels || depth(text) <= levels
}

/// How deep arrays and objects are nested in a text.
fn depth(text: &str) -> usize {
    let (mut now, mut most, mut at) = (0_usize, 0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at) - 1,
            b'{' | b'[' => {
                now += 1;
                most = most.max(now);
            }
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    most
}

/// Whether the text is a JSON object.
#[must_use]
pub fn is_object(text: &str) -> bool {
    text.starts_with('{')
}

/// Whether an object or array has nothing in it.
#[must_use]
pub fn is_empty(group: &str) -> bool {
    group.get(1..).is_none_or(|inside| inside.trim_start_matches([' ', '\n', '\r', '\t']).starts_with(['}', ']']))
}

/// The members of an object in the order of the text: key, text of the value.
pub fn members(object: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let mut parts = Parts::inside(object);
    std::iter::from_fn(move || Some((string(parts.next()?), parts.next()?)))
}

/// The elements of an array: the text of each.
pub fn elements(array: &str) -> impl Iterator<Item = &str> {
    Parts::inside(array)
}

/// The characters of a JSON string, given with its quotes.
#[must_use]
pub fn string(quoted: &str) -> Cow<'_, str> {
    unquoted(quoted).unwrap_or_default()
}

/// A string as JSON text.
#[must_use]
pub fn quote(text: &str) -> String {
    if special(text.as_bytes(), 0) < text.len() {
        return serde_json::Value::from(text).to_string();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.extend(["\"", text, "\""]);
    quoted
}

/// The normal form of any value.
#[must_use]
pub fn canonical(text: &str) -> String {
    match text.as_bytes().first() {
        Some(b'{') => object(members(text).map(|(key, value)| (key, canonical(value)))),
        Some(b'[') => array(elements(text).map(canonical)),
        Some(b'"') => quote(&string(text)),
        Some(b'-' | b'0'..=b'9') => Decimal::of(text).to_string(),
        _ => text.to_owned(),
    }
}

/// The characters of a mapping's value: `213` and `"213"` are the same.
#[must_use]
pub fn as_text(value: &str) -> Cow<'_, str> {
    if value.starts_with('"') { string(value) } else { Cow::Owned(canonical(value)) }
}

/// An object of canonical values, its keys sorted; of a repeated key the last counts.
#[must_use]
pub fn object<K: AsRef<str>>(members: impl Iterator<Item = (K, String)>) -> String {
    let sorted: BTreeMap<String, String> = members.map(|(key, value)| (quote(key.as_ref()), value)).collect();
    let mut text =
        String::with_capacity(2 + sorted.iter().map(|(key, value)| key.len() + value.len() + 2).sum::<usize>());
    for (key, value) in sorted {
        let before = if text.is_empty() { "{" } else { "," };
        text.extend([before, &key, ":", &value]);
    }
    text.push_str(if text.is_empty() { "{}" } else { "}" });
    text
}

/// An array of canonical values, in the order given.
#[must_use]
pub fn array(elements: impl Iterator<Item = String>) -> String {
    format!("[{}]", elements.collect::<Vec<_>>().join(","))
}

/// Whether two keys are the same but for their style: `filterValue`, `filter_value`, `Filter-Value`.
#[must_use]
pub fn is_same_key(a: &str, b: &str) -> bool {
    plain_key(a).eq(plain_key(b))
}

/// The characters of a key without its style.
pub(super) fn plain_key(key: &str) -> impl Iterator<Item = char> {
    key.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase)
}

/// Whether two canonical values are the same but for the style of keys.
#[must_use]
pub fn is_alike(a: &str, b: &str) -> bool {
    restyled(a, b).is_some_and(|restyled| restyled == b)
}

/// A canonical value with its keys in the style of another, as far as that one has them; `None` where they have it already.
#[must_use]
pub fn restyled(value: &str, style: &str) -> Option<String> {
    let inner = |value: &str, style: Option<&&str>| {
        style.and_then(|style| restyled(value, style)).unwrap_or_else(|| value.to_owned())
    };
    let text = match (value.as_bytes().first()?, style.as_bytes().first()?) {
        (b'[', b'[') => {
            let styles: Vec<_> = elements(style).collect();
            array(elements(value).enumerate().map(|(at, value)| inner(value, styles.get(at))))
        }
        (b'{', b'{') => {
            let keys: BTreeMap<_, _> = members(style).collect();
            let own: BTreeSet<_> = members(value).map(|(key, _)| key).collect();
            let plain = |key: &str| plain_key(key).collect::<String>();
            // Of several that are alike the first counts; one that the value has too is another key.
            let alike = LazyCell::new(|| {
                let others = keys.keys().rev().filter(|known| !own.contains(*known));
                others.map(|known| (plain(known), known)).collect::<HashMap<_, _>>()
            });
            let name = |key: Cow<'_, str>| {
                let other = if keys.contains_key(&key) { None } else { alike.get(&plain(&key)) };
                other.map_or(&key, |known| *known).to_string()
            };
            let named = members(value).map(|(key, member)| (name(key), member));
            object(named.map(|(key, member)| {
                let style = keys.get(key.as_str());
                (key, inner(member, style))
            }))
        }
        _ => return None,
    };
    (text != value).then_some(text)
}

/// The value of a JSON number: ±0.DIGITS · 10^point, without leading or trailing zeros; zero has no digits.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Decimal<'a> {
    /// Below zero.
    pub negative: bool,
    /// The significant digits.
    pub digits: Cow<'a, str>,
    /// Where the decimal point stands, counted from before the first digit.
    pub point: i64,
}

impl<'a> Decimal<'a> {
    /// Reads a JSON number.
    #[must_use]
    pub fn of(number: &'a str) -> Self {
        let (negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
        if number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0') {
            let point = i64::try_from(number.len()).unwrap_or(i64::MAX);
            return Self { negative, digits: Cow::Borrowed(number.trim_end_matches('0')), point };
        }
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = if fraction.is_empty() { Cow::Borrowed(whole) } else { Cow::Owned(format!("{whole}{fraction}")) };
        let leading = digits.len() - digits.trim_start_matches('0').len();
        let digits = match digits {
            Cow::Borrowed(digits) => Cow::Borrowed(digits.trim_matches('0')),
            Cow::Owned(digits) => Cow::Owned(digits.trim_matches('0').to_owned()),
        };
        if digits.is_empty() {
            return Self { negative: false, digits, point: 0 };
        }
        let beyond = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
        let shift = exponent.trim_start_matches('+').parse().unwrap_or(beyond);
        let before = i64::try_from(whole.len()).unwrap_or(i64::MAX) - i64::try_from(leading).unwrap_or(i64::MAX);
        Self { negative, digits, point: before.saturating_add(shift) }
    }
}

impl std::fmt::Display for Decimal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, digits) = (if self.negative { "-" } else { "" }, &*self.digits);
        match usize::try_from(self.point) {
            _ if digits.is_empty() => f.write_str("0"),
            Ok(point) if point >= digits.len() && point <= 40 => write!(f, "{sign}{digits:0<point$}"),
            Ok(point @ 1..) if point < digits.len() => write!(f, "{sign}{}.{}", &digits[..point], &digits[point..]),
            _ if (-6..=0).contains(&self.point) => {
                (self.point..0).try_fold(write!(f, "{sign}0.")?, |(), _| f.write_str("0"))?;
                f.write_str(digits)
            }
            _ => {
                let (first, rest) = digits.split_at(1);
                let dot = if rest.is_empty() { "" } else { "." };
                write!(f, "{sign}{first}{dot}{rest}e{}", self.point - 1)
            }
        }
    }
}

/// The texts between the separators of an array or object, keys and values alike.
struct Parts<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parts<'a> {
    fn inside(text: &'a str) -> Self {
        Self { text, at: 1 }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let mut start = self.at;
        while matches!(bytes.get(start)?, b' ' | b'\n' | b'\r' | b'\t' | b',' | b':') {
            start += 1;
        }
        self.at = match bytes[start] {
            b'}' | b']' => return None,
            b'"' => end_of_string(bytes, start),
            b'{' | b'[' => end_of_group(bytes, start),
            _ => bytes[start..].iter().position(|b| b",]} \n\r\t".contains(b)).map_or(bytes.len(), |n| start + n),
        };
        Some(&self.text[start..self.at])
    }
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        at = special(bytes, at);
        match bytes.get(at) {
            None => return bytes.len(),
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

fn end_of_group(bytes: &[u8], start: usize) -> usize {
    let (mut open, mut at) = (0_usize, start);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = end_of_string(bytes, at);
                continue;
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' => open -= 1,
            _ => {}
        }
        at += 1;
        if open == 0 {
            return at;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_by_value_and_keep_every_digit() {
        let same = |a, b| assert_eq!(canonical(a), canonical(b), "{a} and {b}");
        same("1", "1.000");
        same("100", "1e2");
        same("-0", "0.0");
        same("1.5e-3", "0.0015");
        same("12345678901234567890.1234567890", "12345678901234567890.123456789");
        assert_eq!(canonical("0.1000000000000000055"), "0.1000000000000000055");
        assert_eq!(canonical("1E+400"), "1e400");
        assert_eq!(canonical("-12.50"), "-12.5");
        assert_ne!(canonical("9007199254740993"), canonical("9007199254740992"));
    }

    #[test]
    fn objects_are_equal_whatever_the_order_of_their_keys() {
        let text = r#" {"b" : [1, {"y":null,"x":"\u0041"}], "a":true } "#;
        assert_eq!(canonical(checked(text).unwrap()), r#"{"a":true,"b":[1,{"x":"A","y":null}]}"#);
    }

    #[test]
    fn keys_take_the_style_of_another_object_and_an_exact_one_keeps_its_own() {
        let restyled = |value: &str, style| restyled(value, style).unwrap_or_else(|| value.to_owned());
        assert_eq!(restyled(r#"{"filter_value":1,"x":2}"#, r#"{"filterValue":3}"#), r#"{"filterValue":1,"x":2}"#);
        assert_eq!(restyled(r#"{"a":{"b_c":1}}"#, r#"{"a":{"bC":1}}"#), r#"{"a":{"bC":1}}"#);
        assert_eq!(restyled(r#"{"a_b":1}"#, r#"{"aB":2,"a_b":3}"#), r#"{"a_b":1}"#);
        assert_eq!(restyled(r#"{"aB":1,"a_b":2}"#, r#"{"aB":3}"#), r#"{"aB":1,"a_b":2}"#, "two keys stay two");
        assert!(is_alike(r#"{"a_b":1}"#, r#"{"aB":1}"#) && !is_alike(r#"{"a_b":1}"#, r#"{"aB":2}"#));
    }

    #[test]
    fn depth_is_limited_and_brackets_in_strings_do_not_count() {
        assert_eq!(checked(&"[".repeat(100_000)), Err(JsonError::TooDeep));
        assert_eq!(checked(&format!("\"{}\"", "[{".repeat(500))), Ok(format!("\"{}\"", "[{".repeat(500)).as_str()));
        assert_eq!(checked("{"), Err(JsonError::Malformed));
        assert_eq!(checked(r#"{"a":"\ud800"}"#), Err(JsonError::Malformed), "half a surrogate pair");
        assert!(checked(r#"{"a":"\ud83d\ude00"}"#).is_ok());
        for halves in [r#""\ude00""#, r#""\ud83d\n""#, r#""\ud83d\ud83d\ude00""#, r#""\\\ud83dx""#, r#""\ud83d\u00e9""#]
        {
            assert_eq!(checked(halves), Err(JsonError::Malformed), "{halves}");
        }
        for whole in [r#"["\n\\ud83d",1e400]"#, r#"["\ud83d\ude00\u00e9\"",1e400]"#] {
            assert_eq!(checked(whole), Ok(whole), "whatever the number");
        }
    }
}
