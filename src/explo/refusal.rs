//! What a refusal says, and whether it means that no customer has the id: whether an id that can't exist gets the same
//! answer.
//!
//! Two refusals are alike if they have the same status and, once one id is replaced by the other, the same words in any
//! case. Digits, times and request ids are ignored, because they differ from answer to answer.

use std::{collections::BTreeSet, fmt, fmt::Write};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::sync::OnceCell;

use super::{Error, endpoint::Endpoint};
use crate::model::json;

/// Words of at least this many letters may be hexadecimal numbers.
const HEX_LETTERS: usize = 6;

/// Words of a date.
const OF_A_DATE: &str = "mon tue wed thu fri sat sun monday tuesday wednesday thursday friday saturday sunday jan feb mar apr may \
                         jun jul aug sep sept oct nov dec january february march april june july august september october \
                         november december am pm";

/// An answer that refuses to show a customer.
#[derive(Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// An excerpt of the answer, masked.
    pub excerpt: String,
    asked: String,
    /// The beginning of the answer.
    said: String,
}

/// What this server answers for an id that no customer has.
#[derive(Debug)]
pub(super) struct Nobody {
    pub(super) provided_id: String,
    /// `None`: it shows a customer nevertheless.
    pub(super) refusal: OnceCell<Option<Refusal>>,
}

impl Nobody {
    pub(super) fn new(seed: u64) -> Self {
        let random: u128 = SmallRng::seed_from_u64(!seed).random();
        Self { provided_id: format!("explo-sync-asks-for-nobody-{random:032x}"), refusal: OnceCell::new() }
    }
}

impl Refusal {
    /// Bytes of an answer that are kept for comparing.
    pub(super) const KEPT: usize = 64 << 10;

    pub(super) fn new(status: u16, excerpt: String, asked: &str, said: &[u8]) -> Self {
        Self { status, excerpt, asked: asked.to_owned(), said: kept(&String::from_utf8_lossy(said)) }
    }

    /// Whether it says the same of its id as `nobodys` says of an id that no customer has.
    pub(super) fn is_like(&self, nobodys: &Self) -> bool {
        if self.status != nobodys.status {
            return false;
        }
        let (said, of_nobody) = (words(&self.said.to_lowercase()), nobodys.said.to_lowercase());
        if !of_nobody.contains(&nobodys.asked) {
            return words(&of_nobody) == said;
        }
        let echoed = |id: &String| words(&kept(&of_nobody.replace(&nobodys.asked, id))) == said;
        echoes(&self.asked.to_lowercase()).iter().any(echoed)
    }
}

/// The error for a caller that needs the customer.
impl From<Refusal> for Error {
    fn from(Refusal { status, excerpt, .. }: Refusal) -> Self {
        let endpoint = Endpoint::GetCustomer;
        if status == 403 { Self::Forbidden { endpoint, excerpt } } else { Self::Rejected { endpoint, status, excerpt } }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}: {}", Endpoint::GetCustomer, self.status, self.excerpt)
    }
}

/// Without the answer, which may contain anything.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, excerpt, .. } = self;
        f.debug_struct("Refusal").field("status", status).field("excerpt", excerpt).finish_non_exhaustive()
    }
}

fn kept(said: &str) -> String {
    said[..said.floor_char_boundary(Refusal::KEPT)].to_owned()
}

/// The forms in which an answer may quote the id that it was asked for; all in lower case.
fn echoes(id: &str) -> BTreeSet<String> {
    let escaped = [id, id.trim()].into_iter().flat_map(|id| {
        let (quoted, html) = (json::quote(id), html(id));
        let quoted = &quoted[1..quoted.len() - 1];
        let percent = utf8_percent_encode(id, NON_ALPHANUMERIC).to_string().to_lowercase();
        [quoted.to_owned(), ascii(quoted), ascii(&html), html, percent, id.to_owned()]
    });
    escaped.collect()
}

/// With escapes for all characters that are not ASCII, as in JSON.
fn ascii(text: &str) -> String {
    text.chars().fold(String::new(), |mut ascii, c| {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
        ascii
    })
}

fn html(text: &str) -> String {
    [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#x27;")]
        .into_iter()
        .fold(text.to_owned(), |html, (plain, escaped)| html.replace(plain, escaped))
}

/// The words of an answer in lower case, with `#` for those that differ from answer to answer.
fn words(said: &str) -> String {
    let is_inside = |c: char| c.is_alphanumeric() || "-_.:+/=".contains(c);
    let mut words = String::with_capacity(said.len());
    let mut rest = said.trim();
    while let Some(first) = rest.chars().next() {
        let end = if is_inside(first) {
            rest.find(|c| !is_inside(c)).unwrap_or(rest.len())
        } else if first.is_whitespace() {
            words.push(' ');
            rest = rest.trim_start();
            continue;
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(end);
        words.push_str(if differs(word) { "#" } else { word });
        rest = after;
    }
    words
}

/// Whether a word, in lower case, may differ in the next answer.
fn differs(word: &str) -> bool {
    let plain = word.trim_matches(|c: char| !c.is_alphanumeric());
    let is_hex = plain.len() >= HEX_LETTERS && plain.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    word.contains(|c: char| c.is_numeric()) || is_hex || OF_A_DATE.split_whitespace().any(|known| known == plain)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NOBODY: &str = "explo-sync-nobody-0123456789abcdef";

    fn is_absence(id: &str, said: &str, of_nobody: &str) -> bool {
        let of_nobody = of_nobody.replace("ID", NOBODY);
        let nobodys = Refusal::new(404, String::new(), NOBODY, of_nobody.as_bytes());
        Refusal::new(404, String::new(), id, said.as_bytes()).is_like(&nobodys)
    }

    #[rstest]
    #[case::the_same("a", r#"{"error":"not found"}"#, r#"{"error":"not found"}"#, true)]
    #[case::other_words("a", r#"{"error":"locked"}"#, r#"{"error":"not found"}"#, false)]
    #[case::an_id_that_is_a_word_of_it("not", "not is not known", "ID is not known", true)]
    #[case::an_id_that_is_a_letter_of_it("e", "no customer e", "no customer ID", true)]
    #[case::another_id("a", "no customer b", "no customer ID", false)]
    #[case::escaped("é\"", r#"{"error":"no \u00e9\""}"#, r#"{"error":"no ID"}"#, true)]
    #[case::in_html("a&b", "<p>no a&amp;b</p>", "<p>no ID</p>", true)]
    #[case::in_upper_case("acme", "NO CUSTOMER ACME", "NO CUSTOMER EXPLO-SYNC-NOBODY-0123456789ABCDEF", true)]
    #[case::trimmed_and_folded(" Acme Corp", "no customer acme corp!", "no customer ID!", true)]
    #[case::requests_and_times("a",
        r#"{"error":"gone","request_id":"7f3e9a2c-11aa-4b5c-9d1e-000000000001","at":"2026-11-29T14:16:00Z","on":"Sun, 29 Nov 2026"}"#,
        r#"{"error":"gone","request_id":"abcdefab-cdef-abcd-efab-cdefabcdefab","at":"2026-12-01T09:01:59Z","on":"Tue, 01 Dec 2026"}"#, true)]
    #[case::other_space("a", "no  such\ncustomer ", "no such customer", true)]
    #[test]
    fn a_refusal_is_absence_where_it_says_of_the_id_what_is_said_of_nobodys(
        #[case] id: &str,
        #[case] said: &str,
        #[case] of_nobody: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(is_absence(id, said, of_nobody), expected, "{said}");
    }

    #[test]
    fn a_long_id_is_no_obstacle() {
        let long = "x y\"".repeat(40_000);
        assert!(is_absence(&long, &format!("no customer {long} here"), "no customer ID here"));
        assert!(!is_absence(&long, &format!("locked customer {long} here"), "no customer ID here"));
    }

    #[test]
    fn another_status_is_no_absence() {
        let [one, other] = [404, 403].map(|status| Refusal::new(status, String::new(), "a", b"no"));
        assert!(one.is_like(&one.clone()) && !one.is_like(&other));
    }
}
