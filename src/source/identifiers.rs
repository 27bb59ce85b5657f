//! Names that a server cuts when it reads a query. PostgreSQL keeps 63 bytes of a name and says so only in a notice;
//! MariaDB keeps 255, MySQL 256, and neither says so. All drop a character that does not fit as a whole. So this file
//! looks for longer names in the query: those of its columns, and in PostgreSQL any name if the query makes JSON of
//! rows, whose keys are names.
//!
//! A name that the query does not contain, such as a column of a view, a table or a function, counts as it is in the
//! database, even if it was cut there.

use std::{collections::BTreeSet, ops::Bound};

/// The least bytes of a name that PostgreSQL has cut: a character has at most four bytes.
pub(super) const POSTGRES: usize = 60;

/// The same for MariaDB and MySQL.
const MYSQL: usize = 252;

/// Of the names that PostgreSQL cut (`kept`, each the beginning of a longer name in the query) those that name a
/// column, or may be a key of JSON.
pub(super) fn lost(kept: Vec<String>, named: &BTreeSet<String>, columns: &[&str]) -> Vec<String> {
    let columns: BTreeSet<_> = columns.iter().copied().collect();
    let makes_keys = named.iter().any(|word| word.contains("json") || word == "hstore");
    let is_lost = |kept: &String| if columns.contains(&**kept) { !named.contains(kept) } else { makes_keys };
    kept.into_iter().filter(is_lost).collect()
}

/// The columns whose names are only the beginning of a name in a query of MySQL or MariaDB.
pub(super) fn cut_by_mysql(query: &str, columns: &[&str]) -> Vec<String> {
    if columns.iter().all(|name| name.len() < MYSQL) {
        return Vec::new();
    }
    let quoted: BTreeSet<_> = mysql(query).into_iter().collect();
    let known: BTreeSet<_> = columns.iter().copied().collect();
    let is_cut = |name: &&&str| {
        let others = quoted.range::<str, _>((Bound::Included(**name), Bound::Unbounded)).map(String::as_str);
        let mut longer = others.take_while(|other| other.starts_with(**name)).filter(|other| !known.contains(other));
        name.len() >= MYSQL && !quoted.contains(**name) && longer.next().is_some()
    };
    columns.iter().filter(is_cut).map(ToString::to_string).collect()
}

/// The identifiers and other words of a query, without those in texts and comments.
pub(super) fn postgres(query: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '"' => {
                let (name, after) = until_quote(&rest[1..], '"', false);
                found.insert(name);
                after
            }
            '\'' => until_quote(&rest[1..], '\'', false).1,
            '-' if rest.starts_with("--") => after_line(rest),
            '/' if rest.starts_with("/*") => after_comment(rest),
            '$' => after_dollars(rest),
            _ if is_word(first) => {
                let (word, after) = rest.split_at(rest.find(|c| !is_word(c) && c != '$').unwrap_or(rest.len()));
                let word = word.to_ascii_lowercase();
                match word.as_str() {
                    "e" if after.starts_with('\'') => until_quote(&after[1..], '\'', true).1,
                    "u" if after.starts_with("&\"") => {
                        let (name, after) = until_quote(&after[2..], '"', false);
                        found.insert(unescaped(&name, escape_character(after)));
                        after
                    }
                    _ => {
                        found.insert(word);
                        after
                    }
                }
            }
            _ => &rest[first.len_utf8()..],
        };
    }
    found
}

/// The texts between quotes of any kind, since MySQL lets a text name a column. Without those in comments.
fn mysql(query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '`' | '"' | '\'' => {
                let (name, after) = until_quote(&rest[1..], first, first != '`');
                found.push(name);
                after
            }
            '#' => after_line(rest),
            '-' if rest.starts_with("-- ") || rest.starts_with("--\n") => after_line(rest),
            '/' if rest.starts_with("/*") && !rest.starts_with("/*!") => {
                rest[2..].split_once("*/").map_or("", |(_, after)| after)
            }
            _ => &rest[first.len_utf8()..],
        };
    }
    found
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric() || !c.is_ascii()
}

/// Splits at the closing quote: the text before it and the rest. Two quotes are one; if `hides`, a backslash escapes a
/// quote.
fn until_quote(text: &str, quote: char, hides: bool) -> (String, &str) {
    let (mut inside, mut characters) = (String::new(), text.char_indices().peekable());
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' if hides => inside.extend(characters.next().map(|(_, hidden)| hidden)),
            _ if c != quote => inside.push(c),
            _ if characters.next_if(|(_, next)| *next == quote).is_some() => inside.push(quote),
            _ => return (inside, &text[at + 1..]),
        }
    }
    (inside, "")
}

fn after_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, after)| after)
}

/// The rest after a comment, which may contain comments.
fn after_comment(text: &str) -> &str {
    let (mut open, mut at) = (0, 0);
    while let Some(two) = text.as_bytes().get(at..at + 2) {
        match two {
            b"/*" => (open, at) = (open + 1, at + 2),
            b"*/" => (open, at) = (open - 1, at + 2),
            _ => at += 1,
        }
        if open == 0 {
            return &text[at..];
        }
    }
    ""
}

/// The rest after a text between `$$` or `$tag$`, or after a single `$`, as in `$1`.
fn after_dollars(text: &str) -> &str {
    let tag = text[1..].split_once('$').map(|(tag, _)| tag);
    let is_tag = |tag: &&str| tag.chars().all(is_word) && !tag.starts_with(|c: char| c.is_ascii_digit());
    let Some(tag) = tag.filter(is_tag) else { return &text[1..] };
    let (delimiter, inside) = text.split_at(tag.len() + 2);
    inside.split_once(delimiter).map_or("", |(_, after)| after)
}

/// The escape character of `U&"…"`: the backslash, unless `UESCAPE` names another.
fn escape_character(after: &str) -> char {
    let word = after.trim_start();
    let said = word.get(..7).filter(|word| word.eq_ignore_ascii_case("uescape"));
    let character = said.and_then(|_| word[7..].trim_start().strip_prefix('\'')?.chars().next());
    character.unwrap_or('\\')
}

/// Decodes `U&"…"`: four digits after an escape, six after an escape with a plus.
fn unescaped(name: &str, escape: char) -> String {
    let (mut characters, mut rest) = (String::new(), name);
    while let Some((before, after)) = rest.split_once(escape) {
        characters.push_str(before);
        let digits = if after.starts_with('+') { after.get(1..7) } else { after.get(..4) };
        let character = digits.and_then(|digits| char::from_u32(u32::from_str_radix(digits, 16).ok()?));
        characters.push(character.unwrap_or(escape));
        let length = match digits {
            Some(digits) if character.is_some() => digits.len() + usize::from(after.starts_with('+')),
            _ => after.chars().next().filter(|c| *c == escape).map_or(0, char::len_utf8),
        };
        rest = &after[length..];
    }
    characters + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_told_from_texts_and_comments() {
        let query = r#"
            Select a$b$, "One", 'no "two"' , E'it\'s "no"', e'\\' as "th""ree", $1, $$ "no" $$, $t$ "no $$" $t$,
            x'00' as "four", U&"f\0069v\+000065" , u&"s!0069x" UESCAPE '!', "se
ven" -- "no"
            /* "no" /* 'no */ "no" */ from "é""" , é$X$ "eight$x$", 'a''"no"', "" "#;
        let words = ["select", "a$b$", "as", "1", "x", "uescape", "from", "é$x$"];
        let names = ["One", "th\"ree", "four", "five", "six", "se\nven", "é\"", "eight$x$", ""];
        let expected: BTreeSet<_> = words.into_iter().chain(names).map(str::to_owned).collect();
        assert_eq!(postgres(query), expected);
        for unfinished in ["\"a", "'a", "/* a", "$$ a", "e'a\\", "-- a", "U&\"\\00", "$", "u", "e", "/", "-"] {
            assert!(postgres(unfinished).len() <= 1 && mysql(unfinished).len() <= 1, "{unfinished}");
        }
        assert!(postgres(r#"U&"a\\b\zz\00e9""#).contains("a\\b\\zz\u{e9}"));
    }

    #[test]
    fn every_text_between_quotes_is_a_name_of_mysql_or_may_be_one() {
        let query = r#"select `o``ne`, "t\\w""o", 'th\'r''ee', /* `no` */ /*! `four` */ 5--'five' -- `no`
            # 'no' \" /*
            , `s\`, 'ix'"#;
        assert_eq!(mysql(query), ["o`ne", "t\\w\"o", "th'r'ee", "four", "five", "s\\", "ix"]);
        let (whole, longer) = ("k".repeat(255), "k".repeat(256));
        for quote in ['`', '"', '\''] {
            assert_eq!(cut_by_mysql(&format!("select 1 as {quote}{longer}{quote}"), &[&whole]), [&*whole]);
            assert_eq!(cut_by_mysql(&format!("select 1 as {quote}{whole}{quote}"), &[&whole]), [""; 0]);
        }
    }

    #[test]
    fn a_name_is_lost_where_it_is_no_other_one() {
        let lost = |query: &str, columns: &[&str]| lost(vec!["kept".to_owned()], &postgres(query), columns);
        assert_eq!(lost(r#"select 1 as "kept and more""#, &["kept"]), ["kept"]);
        assert_eq!(lost(r#"select "kept" from (select 1 as "kept and more") t"#, &["kept"]), [""; 0], "asked for so");
        assert_eq!(lost(r#"select name from "kept and more""#, &["name"]), [""; 0], "it is found all the same");
        assert_eq!(lost(r#"select to_jsonb(t) as p from (select 1 as "kept and more") t"#, &["p"]), ["kept"]);
        assert_eq!(lost(r#"select 1 as "kept and more", to_jsonb(t) from t"#, &["kept", "to_jsonb"]), ["kept"]);
    }
}
