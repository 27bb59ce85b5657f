//! Names of columns that a server cut when it read the query. PostgreSQL keeps 63 bytes of a name and tells the rest in a notice at
//! most, MariaDB 255 and tells nothing; a character that does not fit is dropped whole. So the query is read for a longer name
//! that begins like the column's.
//!
//! A column of a view, a table or a function that the query does not name has the name that the database has for it,
//! whatever was once meant. A name without quotes is none of a tenant's column that is so long: such have a dot.

use std::{collections::BTreeSet, ops::Bound};

/// No name that PostgreSQL cut is shorter, for a character has four bytes at the most.
const POSTGRES: usize = 60;

/// Nor one that MariaDB cut.
const MYSQL: usize = 252;

/// The names of columns that are but the beginning of one in a query of PostgreSQL.
pub(super) fn cut_by_postgres<'n>(query: &str, names: &[&'n str]) -> Vec<&'n str> {
    cut(names, POSTGRES, || postgres(query))
}

/// The same of MySQL and MariaDB.
pub(super) fn cut_by_mysql<'n>(query: &str, names: &[&'n str]) -> Vec<&'n str> {
    cut(names, MYSQL, || mysql(query))
}

fn cut<'n>(names: &[&'n str], shortest: usize, quoted: impl FnOnce() -> Vec<String>) -> Vec<&'n str> {
    if names.iter().all(|name| name.len() < shortest) {
        return Vec::new();
    }
    let quoted: BTreeSet<_> = quoted().into_iter().collect();
    let columns: BTreeSet<_> = names.iter().collect();
    let is_cut = |name: &&str| {
        let others = quoted.range::<str, _>((Bound::Included(*name), Bound::Unbounded)).map(String::as_str);
        let mut longer = others.take_while(|other| other.starts_with(*name)).filter(|other| !columns.contains(other));
        name.len() >= shortest && !quoted.contains(*name) && longer.next().is_some()
    };
    names.iter().copied().filter(is_cut).collect()
}

/// The identifiers between quotes: not those in texts and comments.
fn postgres(query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '"' => {
                let (name, after) = until_quote(&rest[1..], '"', false);
                found.push(name);
                after
            }
            '\'' => until_quote(&rest[1..], '\'', false).1,
            '-' if rest.starts_with("--") => after_line(rest),
            '/' if rest.starts_with("/*") => after_comment(rest),
            '$' => after_dollars(rest),
            _ if is_word(first) => {
                let (word, after) = rest.split_at(rest.find(|c| !is_word(c) && c != '$').unwrap_or(rest.len()));
                match word.to_ascii_lowercase().as_str() {
                    "e" if after.starts_with('\'') => until_quote(&after[1..], '\'', true).1,
                    "u" if after.starts_with("&\"") => {
                        let (name, after) = until_quote(&after[2..], '"', false);
                        found.push(unescaped(&name, escape_character(after)));
                        after
                    }
                    _ => after,
                }
            }
            _ => &rest[first.len_utf8()..],
        };
    }
    found
}

/// What stands between quotes of any kind: the name of a column may be written as a text. Not what is in comments.
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

/// What stands before a quote and what after it. Two quotes are one, and where a backslash hides, the one behind it.
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

/// Behind a comment, which may have others in it.
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

/// Behind a text between `$$` or `$tag$`, or else behind the one character, as in `$1`.
fn after_dollars(text: &str) -> &str {
    let tag = text[1..].split_once('$').map(|(tag, _)| tag);
    let is_tag = |tag: &&str| tag.chars().all(is_word) && !tag.starts_with(|c: char| c.is_ascii_digit());
    let Some(tag) = tag.filter(is_tag) else { return &text[1..] };
    let (delimiter, inside) = text.split_at(tag.len() + 2);
    inside.split_once(delimiter).map_or("", |(_, after)| after)
}

/// What `U&"…"` uses in place of the backslash, if that is said behind it.
fn escape_character(after: &str) -> char {
    let word = after.trim_start();
    let said = word.get(..7).filter(|word| word.eq_ignore_ascii_case("uescape"));
    let character = said.and_then(|_| word[7..].trim_start().strip_prefix('\'')?.chars().next());
    character.unwrap_or('\\')
}

/// The characters of `U&"…"`: four digits behind an escape, six behind one with a plus.
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
            select a$b$, "one", 'no "two"' , E'it\'s "no"', e'\\' as "th""ree", $1, $$ "no" $$, $t$ "no $$" $t$,
            x'00' as "four", U&"f\0069v\+000065" , u&"s!0069x" UESCAPE '!', "se
ven" -- "no"
            /* "no" /* 'no */ "no" */ from "é""" , é$x$ "eight$x$", 'a''"no"', "" "#;
        let expected = ["one", "th\"ree", "four", "five", "six", "se\nven", "é\"", "eight$x$", ""];
        assert_eq!(postgres(query), expected);
        for unfinished in ["\"a", "'a", "/* a", "$$ a", "e'a\\", "-- a", "U&\"\\00", "$", "u", "e", "/", "-"] {
            assert!(postgres(unfinished).len() <= 1 && mysql(unfinished).len() <= 1, "{unfinished}");
        }
        assert_eq!(postgres(r#"U&"a\\b\zz\00e9""#), ["a\\b\\zz\u{e9}"]);
    }

    #[test]
    fn every_text_between_quotes_is_a_name_of_mysql_or_may_be_one() {
        let query = r#"select `o``ne`, "t\\w""o", 'th\'r''ee', /* `no` */ /*! `four` */ 5--'five' -- `no`
            # 'no' \" /*
            , `s\`, 'ix'"#;
        assert_eq!(mysql(query), ["o`ne", "t\\w\"o", "th'r'ee", "four", "five", "s\\", "ix"]);
        let (whole, longer) = ("k".repeat(255), "k".repeat(256));
        for quote in ['`', '"', '\''] {
            assert_eq!(cut_by_mysql(&format!("select 1 as {quote}{longer}{quote}"), &[&whole]), [&whole]);
            assert_eq!(cut_by_mysql(&format!("select 1 as {quote}{whole}{quote}"), &[&whole]), [""; 0]);
        }
    }

    #[test]
    fn a_name_that_is_the_beginning_of_one_in_the_query_was_cut() {
        let key = |bytes: usize| format!("properties.{}", "k".repeat(bytes - "properties.".len()));
        let (whole, longer) = (key(63), key(70));
        let cut = |query: &str, names: &[&str]| {
            cut_by_postgres(query, names).iter().map(|name| name.len()).collect::<Vec<_>>()
        };
        assert_eq!(cut(&format!("select 1 as \"{longer}\""), &[&whole]), [63]);
        assert_eq!(cut(&format!("select * from (select 1 as \"{longer}\") t"), &["provided_id", &whole]), [63]);
        assert_eq!(cut(&format!("select 1 as \"{whole}\""), &[&whole]), [0; 0]);
        assert_eq!(cut("select * from v", &[&whole]), [0; 0], "it is what the view's column is called");
        assert_eq!(
            cut(&format!("select \"{whole}\" from (select 1 as \"{longer}\") t"), &[&whole]),
            [0; 0],
            "asked for so"
        );
        assert_eq!(cut(&format!("select *, 1 as \"{whole}\" from v"), &[&key(61), &whole]), [0; 0], "both are whole");
        assert_eq!(cut(&format!("select 1 /* \"{longer}\" */, '\"{longer}\"', * from v"), &[&whole]), [0; 0]);
        // A character is not cut in two.
        let wide = format!("properties.{}", "€".repeat(30));
        let kept = wide.char_indices().map(|(at, _)| at).take_while(|at| *at <= 63).last().unwrap();
        assert_eq!(cut(&format!("select 1 as \"{wide}\""), &[&wide[..kept]]), [62]);
    }
}
