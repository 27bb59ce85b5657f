//! What a database says of a failure, without what it may quote: a row has a token in it, and messages end up in logs.

use super::dialect::{Dialect, is_dropped};
use crate::{
    model::{cut, printable},
    source::causes::words,
};

/// Characters that are told.
const LONGEST: usize = 500;

/// Words of this many characters, digits among them, may be a token.
const OPAQUE: usize = 16;

const QUOTES: [char; 10] = ['"', '\'', '«', '»', '„', '“', '”', '‘', '’', '`'];

const BRACKETS: [char; 6] = ['(', ')', '[', ']', '{', '}'];

/// The words of the driver or the database on one line. Of a trigger's words, and of those about values, none are told.
pub(super) fn cause<D: Dialect>(error: &sqlx::Error) -> String {
    if is_dropped(error) {
        return "the database reports no error and stores nothing: a trigger or a rule of the table drops it"
            .to_owned();
    }
    let Some(database) = error.as_database_error() else { return words(error) };
    let code = database.code().map_or(String::new(), |code| format!(" (code {code})"));
    if !D::may_quote(error) {
        return cut(printable(&masked(database.message())), LONGEST) + &code;
    }
    let constraint = D::constraint(error).map_or(String::new(), |name| format!(" by constraint {}", printable(name)));
    format!("it refuses a row{constraint}, and what it says of it is not told here, for it may quote its values{code}")
}

/// On one line, without what stands between quotes or brackets, from the first to the last: values may hold some themselves.
fn masked(message: &str) -> String {
    let message = between(&between(message, &QUOTES), &BRACKETS);
    let words = message.split_whitespace().map(|word| if is_opaque(word) { "***" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn between(message: &str, marks: &[char]) -> String {
    match (message.find(marks), message.rfind(marks)) {
        (Some(first), Some(last)) if first < last => {
            let begin = message[first..].chars().next().map_or(first, |mark| first + mark.len_utf8());
            format!("{}***{}", &message[..begin], &message[last..])
        }
        _ => message.to_owned(),
    }
}

fn is_opaque(word: &str) -> bool {
    word.len() >= OPAQUE && word.contains(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_message_that_stays_what_can_be_no_value() {
        for (message, told) in [
            ("Lock wait timeout exceeded;\n try again", "Lock wait timeout exceeded; try again"),
            ("XPATH syntax error: '~it's a token'", "XPATH syntax error: '***'"),
            ("row (default,t-1,(x)) is bad", "row (***) is bad"),
            ("no 'abcdefghij1234567 word' here", "no '***' here"),
            ("refused «t» for 6f1b2c3d4e5f6a7b8c9d", "refused «***» for ***"),
            ("Disk full (/tmp); errno: 28 \"No space\"", "Disk full (***); errno: 28 \"***\""),
            ("one \" alone", "one \" alone"),
        ] {
            assert_eq!(masked(message), told);
        }
    }
}
