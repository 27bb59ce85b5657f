//! The part of a driver's or database's message that may go into logs, on one line. A row contains names, addresses and
//! tokens, so every word that may be a row's value is left out.
//!
//! | the message is from | shown |
//! |---|---|
//! | the driver, and the database before it reads a row | all: it is about the query, the schema or the connection |
//! | the database while it reads or writes rows | words that can't be a value, and words of the user's query |
//! | MySQL while it reads rows, since a function can imitate any number | known beginnings of the server's messages |
//! | a function or a trigger | only its code |

use sqlx::{error::DatabaseError, mysql::MySqlDatabaseError, postgres::PgDatabaseError};

use crate::model::{cut, printable};

/// The most characters of a message that are shown.
const LONGEST: usize = 1000;

const MASK: &str = "***";

const QUOTES: [char; 10] = ['"', '\'', '«', '»', '„', '“', '”', '‘', '’', '`'];

const BRACKETS: [char; 6] = ['(', ')', '[', ']', '{', '}'];

/// Entries of PostgreSQL's context that do not come from a function.
const PLACES: [&str; 2] = ["JSON data, line ", "parallel worker"];

/// Replaces a message that is left out.
const UNTOLD: &str = "its message may quote a row and is not shown here; run the query by hand to see it";

/// The beginnings of the messages of MySQL and MariaDB while they read a query's rows.
const MYSQL: [&str; 16] = [
    "Subquery returns more than 1 row",
    "Query execution was interrupted",
    "Lock wait timeout exceeded",
    "Deadlock found when trying to get lock",
    "Connection was killed",
    "Server shutdown in progress",
    "Cannot execute statement in a READ ONLY transaction",
    "BIGINT value is out of range",
    "BIGINT UNSIGNED value is out of range",
    "DECIMAL value is out of range",
    "DOUBLE value is out of range",
    "Invalid JSON text",
    "Illegal mix of collations",
    "Out of memory",
    "Out of sort memory",
    "Recursive query aborted",
];

/// The numbers that a function or trigger of MySQL signals, unless it names another.
const SIGNALLED: [u16; 3] = [1642, 1643, 1644];

/// The message of a driver, or of a database before it reads a row.
pub(crate) fn of(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) if is_raised(&**error) => coded(UNTOLD, &**error),
        sqlx::Error::Database(error) => coded(error.message(), &**error),
        // After this, TLS adds a link to its manual.
        sqlx::Error::Io(error) => line(error.to_string().split(": https://").next().unwrap_or_default()),
        sqlx::Error::Tls(error) => line(&format!("TLS: {error}")),
        sqlx::Error::Configuration(error) if error.to_string().contains("RSA auth backend") => {
            "the server asks for the password over TLS (caching_sha2_password or sha256_password)".to_owned()
        }
        sqlx::Error::Configuration(error) => line(&error.to_string()),
        other => line(&other.to_string()),
    }
}

/// The message of a driver, or of a database that reads a query's rows.
pub(crate) fn among_rows(error: &sqlx::Error, query: &str) -> String {
    let Some(database) = error.as_database_error() else { return of(error) };
    let told = if is_raised(database) {
        UNTOLD.to_owned()
    } else if database.try_downcast_ref::<MySqlDatabaseError>().is_some() {
        let known = MYSQL.iter().find(|known| database.message().starts_with(*known));
        (*known.unwrap_or(&UNTOLD)).to_owned()
    } else {
        // A message about data has no name from the query in it.
        let is_about_data = database.code().is_some_and(|code| code.starts_with("22"));
        masked(database.message(), if is_about_data { "" } else { query })
    };
    coded(&told, database)
}

/// Whether a function or a trigger may have raised the error: PostgreSQL's context names it, unless it lists only
/// [these](PLACES).
fn is_raised(error: &dyn DatabaseError) -> bool {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        let is_own = |place: &str| PLACES.iter().any(|known| place.starts_with(known));
        return error.code().starts_with("P0") || error.r#where().is_some_and(|places| !places.lines().all(is_own));
    }
    error.try_downcast_ref::<MySqlDatabaseError>().is_some_and(|error| {
        SIGNALLED.contains(&error.number()) || error.code().is_some_and(|class| class.starts_with("45"))
    })
}

/// What reports errors in PostgreSQL's source for the statements of functions that raise one: of PL/pgSQL, and of PL/Python.
const RAISING: [&str; 2] = ["exec_stmt_raise", "PLy_output"];

/// Whether a statement of a function raised the error, and chose its code. MySQL does not tell, where the code is not that
/// of a [signal](SIGNALLED).
pub(super) fn is_raised_by_statement(error: &dyn DatabaseError) -> bool {
    let routine = error.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::routine);
    routine.is_some_and(|routine| RAISING.contains(&routine))
}

fn coded(words: &str, error: &dyn DatabaseError) -> String {
    let number = error.try_downcast_ref::<MySqlDatabaseError>().map(|error| format!(", number {}", error.number()));
    let code = error.code().map(|code| format!(" (code {code}{})", number.unwrap_or_default()));
    line(words) + &code.unwrap_or_default()
}

fn line(text: &str) -> String {
    cut(printable(&text.split_whitespace().collect::<Vec<_>>().join(" ")), LONGEST)
}

/// The words of a message about rows that can't be a row's value, on one line. A value is between quotes or brackets,
/// which may be nested, follows a colon, or has a digit; words in `own` come from the user's query.
pub(crate) fn masked(message: &str, own: &str) -> String {
    let message = line(message);
    let message = between(&between(&message, &QUOTES, own), &BRACKETS, own);
    let (message, rest) = message.split_once(": ").map_or((&*message, None), |(before, rest)| (before, Some(rest)));
    let is_told = |word: &str| !word.contains(|c: char| c.is_ascii_digit()) || has(own, word.trim_matches(QUOTES));
    let words: Vec<_> = message.split(' ').map(|word| if is_told(word) { word } else { MASK }).collect();
    let rest = rest.map(|rest| {
        let bare = rest.trim_matches(QUOTES);
        if bare == MASK || has(own, bare) { format!(": {rest}") } else { format!(": {MASK}") }
    });
    words.join(" ") + &rest.unwrap_or_default()
}

/// Masks the text from the first of these marks to the last, unless it occurs in `own`.
fn between(message: &str, marks: &[char], own: &str) -> String {
    let (Some(first), Some(last)) = (message.find(marks), message.rfind(marks)) else { return message.to_owned() };
    let begin = message[first..].chars().next().map_or(first, |mark| first + mark.len_utf8());
    match message.get(begin..last) {
        Some(inner) if !has(own, inner) => format!("{}{MASK}{}", &message[..begin], &message[last..]),
        _ => message.to_owned(),
    }
}

/// Whether a text contains these words as whole words, in any case.
fn has(own: &str, words: &str) -> bool {
    let (own, words) = (own.to_lowercase(), words.to_lowercase());
    let is_within_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    words.is_empty()
        || own.match_indices(&words).any(|(at, _)| {
            let (before, after) = (&own[..at], &own[at + words.len()..]);
            !is_within_word(before.chars().next_back()) && !is_within_word(after.chars().next())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_message_that_stays_what_can_be_no_value() {
        let query = "select id::integer, \"The Plan\" from billing.tenants where kind = 'v2'";
        for (message, told) in [
            (
                "invalid input syntax for type integer: \"ann@x.example\"",
                "invalid input syntax for type integer: \"***\"",
            ),
            (
                "invalid input syntax for type integer: \"O'Brien Ltd\"",
                "invalid input syntax for type integer: \"***\"",
            ),
            ("no column \"the plan\" here", "no column \"the plan\" here"),
            ("relation \"billing.tenants\" does not exist", "relation \"billing.tenants\" does not exist"),
            ("relation \"tenant\" does not exist", "relation \"***\" does not exist"),
            ("no id: v2", "no id: v2"),
            ("unknown tokenizer: Acme", "unknown tokenizer: ***"),
            ("unknown: \"Acme\" or \"Beta\" at 7", "unknown: ***"),
            ("value \"a: b\" is bad", "value \"***\" is bad"),
            ("date field value out of range", "date field value out of range"),
            ("large object 4711 is no v2", "large object *** is no v2"),
            ("labels must be TEXT in f()", "labels must be TEXT in f()"),
            ("Lock wait timeout exceeded;\n try again", "Lock wait timeout exceeded; try again"),
            ("XPATH syntax error: '~it's a token'", "XPATH syntax error: '***'"),
            ("row (default,t-1,(x)) is bad", "row (***) is bad"),
            ("no 'abcdefghij1234567 word' here", "no '***' here"),
            ("refused «t» for 6f1b2c3d4e5f6a7b8c9d", "refused «***» for ***"),
            ("Disk full (/tmp); errno: 28 \"No space\"", "Disk full (***); errno: ***"),
            ("one \" alone", "one \" alone"),
        ] {
            assert_eq!(masked(message, query), told);
        }
    }
}
