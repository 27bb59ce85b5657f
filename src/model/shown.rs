//! Foreign text in a message: it can't move the cursor, hide, or be endless.

use std::borrow::Cow;

/// At most this many characters of a value, an id or a name are shown.
const WIDEST: usize = 80;

/// A value, an id or a name, shortened and safe to show.
#[must_use]
pub fn shown(text: &str) -> String {
    cut(printable(text), WIDEST)
}

/// Longer ids are shortened, in bytes.
const LONGEST_ID: usize = 2048;

/// An id for a program or a log: unchanged, or its beginning and its length.
#[must_use]
pub fn told_id(id: &str) -> Cow<'_, str> {
    if id.len() <= LONGEST_ID { Cow::Borrowed(id) } else { Cow::Owned(format!("{} ({} bytes)", shown(id), id.len())) }
}

/// At most this many characters.
#[must_use]
pub fn cut(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Text that can't move the cursor, reverse the line, or hide: such characters are shown as escapes.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Control characters, line and paragraph ends, and characters that Unicode ignores by default (direction marks,
/// zero-width spaces, fillers, tags), except the selectors of emoji variants.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}')
        || matches!(c, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}')
        || matches!(c, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_or_moves_is_escaped_and_the_rest_is_as_it_was() {
        let hidden = [
            ('\0'..='\u{1f}', "controls"),
            ('\u{7f}'..='\u{9f}', "further controls"),
            ('\u{ad}'..='\u{ad}', "the soft hyphen"),
            ('\u{34f}'..='\u{34f}', "the grapheme joiner"),
            ('\u{61c}'..='\u{61c}', "the Arabic mark of direction"),
            ('\u{115f}'..='\u{1160}', "Hangul fillers"),
            ('\u{17b4}'..='\u{17b5}', "inherent vowels of Khmer"),
            ('\u{180b}'..='\u{180f}', "selectors of Mongolian"),
            ('\u{200b}'..='\u{200f}', "spaces without width, joiners, marks of direction"),
            ('\u{2028}'..='\u{202e}', "ends of lines and paragraphs, embeddings and overrides"),
            ('\u{2060}'..='\u{206f}', "invisible operators, isolates"),
            ('\u{3164}'..='\u{3164}', "the Hangul filler"),
            ('\u{feff}'..='\u{feff}', "the mark of byte order"),
            ('\u{ffa0}'..='\u{ffa0}', "the filler of half width"),
            ('\u{fff0}'..='\u{fffb}', "annotations"),
            ('\u{1bca0}'..='\u{1bca3}', "controls of shorthand"),
            ('\u{1d173}'..='\u{1d17a}', "controls of notation"),
            ('\u{e0000}'..='\u{e0fff}', "tags and further selectors"),
        ];
        for (range, what) in hidden {
            for c in range {
                assert_eq!(printable(&format!("a{c}b")), format!("a\\u{{{:x}}}b", u32::from(c)), "{what}");
            }
        }
        for shown in [
            "Ann's \"A\" & Söhne – 株式会社",
            "עברית",
            "العربية",
            "e\u{301}",
            "👍\u{fe0f}",
            "\u{a0}\u{3000}",
            "%s {} \\",
        ] {
            assert_eq!(printable(shown), shown);
        }
    }

    #[test]
    fn what_is_shown_is_cut() {
        assert_eq!(shown(&"é".repeat(WIDEST)), "é".repeat(WIDEST));
        assert_eq!(shown(&"\n".repeat(WIDEST)).chars().count(), WIDEST + 1);
    }
}
