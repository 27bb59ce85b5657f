//! What can go wrong with a source, by what the user can do about it.

use crate::{
    http::{Failure, Incomplete, PageError},
    model::{cut, printable},
};

/// Characters of a driver's or database's words that are told.
const LONGEST: usize = 1000;

/// A source that gave no tenants.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("can't connect to {place}: {cause}; check source.url (or DATABASE_URL) and its password")]
    Connect {
        /// Host and database.
        place: String,
        /// The driver's words.
        cause: String,
    },
    /// The database refuses the query, or broke off.
    #[error("the query failed in {place}: {cause}; check {key}")]
    Query {
        /// `source.query` or `source.query_one`.
        key: &'static str,
        /// Host and database.
        place: String,
        /// The database's words.
        cause: String,
    },
    /// Nothing came for too long.
    #[error("{place} was silent for {seconds} s while {doing}: raise source.timeout if the query needs longer")]
    Timeout {
        /// Host and database.
        place: String,
        /// The limit.
        seconds: u64,
        /// What was waited for.
        doing: &'static str,
    },
    /// The database answered, and kept back a part of what was asked.
    #[error("{place} lost a part of what {key} selects: {what}. Nothing was planned; {way_out}")]
    Lost {
        /// `source.query` or `source.query_one`.
        key: &'static str,
        /// Host and database.
        place: String,
        /// What happened to it; never the value.
        what: &'static str,
        /// How it is kept.
        way_out: &'static str,
    },
    /// The query holds more than one statement.
    #[error("{key} holds more than one statement; it must be a single SELECT")]
    SeveralStatements {
        /// `source.query` or `source.query_one`.
        key: &'static str,
    },
    /// The columns are not those that a tenant has.
    #[error("the query's columns can't be used: {}", .0.join("; "))]
    Columns(Vec<String>),
    /// The query for one id is not the other one for one id.
    #[error("source.query_one can't be used: {}", .0.join("; "))]
    QueryOne(Vec<String>),
    /// The API refuses the token, or what is asked with it: which of the two statuses means which differs from one API,
    /// even from one of its pages, to another.
    #[error(
        "{place} refuses the token ({status}: {excerpt}): check that source.token_file holds a valid one, and that it may \
         read the list"
    )]
    Denied {
        /// The list.
        place: String,
        /// 401 or 403.
        status: u16,
        /// What the answer explains, masked.
        excerpt: String,
    },
    /// The API refuses the request.
    #[error(
        "{place} refuses the request ({status}: {excerpt}): check source.url, source.parameters and the keys about pages"
    )]
    Refused {
        /// The list.
        place: String,
        /// The HTTP status.
        status: u16,
        /// What the answer explains, masked.
        excerpt: String,
    },
    /// The API could not be asked, or failed, as often as is allowed.
    #[error("{place} can't be read: {failure}{}", if .failure.is_too_large() { "; lower source.page_size" } else { "" })]
    Unavailable {
        /// The list.
        place: String,
        /// What became of the last call.
        failure: Failure,
    },
    /// A page without records.
    #[error("{place} answered JSON without a list at source.records = \"{records}\"")]
    Shape {
        /// The list.
        place: String,
        /// Where the records should be.
        records: String,
    },
    /// The pages can't be shown to be all, so nothing may be planned on them.
    #[error("the records do not add up: {}", incomplete(.0))]
    Incomplete(Incomplete),
    /// Pointers that find nothing in any record.
    #[error("in {records} records nothing is found by {}: check source.columns and source.record_id", .pointers.join(", "))]
    Pointers {
        /// Records seen.
        records: usize,
        /// Each with its column.
        pointers: Vec<String>,
    },
}

impl PageError for Error {
    fn is_too_large(&self) -> bool {
        matches!(self, Self::Unavailable { failure, .. } if failure.is_too_large())
    }
}

impl From<Incomplete> for Error {
    fn from(incomplete: Incomplete) -> Self {
        Self::Incomplete(incomplete)
    }
}

fn incomplete(why: &Incomplete) -> String {
    match why {
        Incomplete::Short { distinct, passes, total } => format!(
            "{distinct} distinct ones in {passes} passes, but the total says {total}. Nothing was planned. If what \
             source.total points at counts something else, set it to \"\""
        ),
        Incomplete::Endless { distinct } => format!(
            "after {distinct} distinct ones the last page comes again and again. Nothing was planned. See source.paging and source.page_parameter"
        ),
    }
}

impl Error {
    /// Whether the configuration is at fault.
    #[must_use]
    pub fn is_about_config(&self) -> bool {
        matches!(self, Self::Columns(_) | Self::QueryOne(_) | Self::SeveralStatements { .. } | Self::Pointers { .. })
    }
}

/// The words of a driver or database on one line. An error about data quotes the data: it is masked.
pub(crate) fn cause(error: &sqlx::Error) -> String {
    let text = match error {
        sqlx::Error::Database(error) => {
            let about_data = error.code().is_some_and(|code| code.starts_with("22"));
            let message = if about_data { mask_quoted(error.message()) } else { error.message().to_owned() };
            error.code().map_or(message.clone(), |code| format!("{message} (code {code})"))
        }
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => format!("TLS: {error}"),
        other => other.to_string(),
    };
    cut(printable(&text.split_whitespace().collect::<Vec<_>>().join(" ")), LONGEST)
}

/// From the first quote to the last: the data may hold quotes itself.
fn mask_quoted(message: &str) -> String {
    match (message.find(['"', '\'']), message.rfind(['"', '\''])) {
        (Some(first), Some(last)) if first < last => format!("{}***{}", &message[..=first], &message[last..]),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_in_a_message_is_masked() {
        let message = "invalid input syntax for type integer: \"ann@x.example\"";
        let quoting = "invalid input syntax for type integer: \"O'Brien Ltd\"";
        assert_eq!(mask_quoted(quoting), "invalid input syntax for type integer: \"***\"");
        assert_eq!(mask_quoted(message), "invalid input syntax for type integer: \"***\"");
        assert_eq!(mask_quoted("Truncated incorrect INTEGER value: 'ann'"), "Truncated incorrect INTEGER value: '***'");
    }
}
