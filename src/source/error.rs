//! Errors of a source, by what the user can do about them.

use crate::{
    database::{CONNECTING, QueryFault},
    http::{Failure, Incomplete, PageError},
};

pub(super) const PREPARING: &str = "preparing the query";

pub(super) const READING: &str = "sending rows";

/// What a timeout waited for, and the way out. The last resort is a pooler without a free connection: nothing else
/// takes long.
const WAYS_OUT: [(&str, &str); 3] = [
    (
        CONNECTING,
        "check host and port in source.url, that a server of that kind listens there, and the firewalls in between",
    ),
    (
        PREPARING,
        "another session may hold a lock on what the query reads, as a migration does: end it, or raise source.timeout",
    ),
    (READING, "raise source.timeout if the query needs longer, or end the session that holds a lock on what it reads"),
];
const POOLED: &str = "a run takes up to three connections at once, and one more for a ledger: behind a pooler make its pool \
                      that large; otherwise see what the server waits for";

/// Why a source gave no tenants.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection.
    #[error("can't connect to {place}: {cause}")]
    Connect {
        /// Host and database.
        place: String,
        /// The driver's words, and the way out.
        cause: String,
    },
    /// The database does not know the zone.
    #[error(
        "{place} does not know the time zone {timezone}: set source.timezone to an offset such as \"+01:00\", or load the \
         names of zones into the server (MySQL, MariaDB: mysql_tzinfo_to_sql)"
    )]
    Timezone {
        /// Host and database.
        place: String,
        /// `source.timezone`.
        timezone: String,
    },
    /// The database refuses the query, or broke it off.
    #[error("the query failed in {place}: {cause}")]
    Query {
        /// `source.query`, `source.query_one` or `source.query_changed`.
        key: &'static str,
        /// Host and database.
        place: String,
        /// The database's words, and the way out.
        cause: String,
        /// The cause of the failure.
        fault: QueryFault,
    },
    /// The database was silent for too long.
    #[error("{place} was silent for {seconds} s while {doing}: {}", way_out(.doing))]
    Timeout {
        /// Host and database.
        place: String,
        /// The limit.
        seconds: u64,
        /// What was waited for.
        doing: &'static str,
    },
    /// The database answered without an error, but lost a part of the result.
    #[error("{place} lost a part of what {key} selects: {what}. Nothing was planned; {way_out}")]
    Lost {
        /// `source.query`, `source.query_one` or `source.query_changed`.
        key: &'static str,
        /// Host and database.
        place: String,
        /// What happened to it; never the value.
        what: &'static str,
        /// What to do so that it arrives.
        way_out: &'static str,
    },
    /// The query holds more than one statement.
    #[error("{key} holds more than one statement; it must be a single SELECT")]
    SeveralStatements {
        /// `source.query`, `source.query_one` or `source.query_changed`.
        key: &'static str,
    },
    /// The columns are not those that a tenant has.
    #[error("the query's columns can't be used: {}", .0.join("; "))]
    Columns(Vec<String>),
    /// The query for one id does not fit the whole query.
    #[error("source.query_one can't be used: {}", .0.join("; "))]
    QueryOne(Vec<String>),
    /// The query for tenants that changed does not fit the whole query.
    #[error("source.query_changed can't be used: {}", .0.join("; "))]
    QueryChanged(Vec<String>),
    /// The API refuses the token, or the token's rights. APIs, and even pages of one API, differ in which of the two
    /// statuses they use for which.
    #[error(
        "{place} refuses the token ({status}: {excerpt}): check that source.token_file holds a valid one, and that it may \
         read the list"
    )]
    Denied {
        /// The list.
        place: String,
        /// 401 or 403.
        status: u16,
        /// The answer's explanation, masked.
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
        /// The answer's explanation, masked.
        excerpt: String,
    },
    /// Every attempt to call the API failed.
    #[error("{place} can't be read: {failure}{}", if .failure.is_too_large() { "; lower source.page_size" } else { "" })]
    Unavailable {
        /// The list.
        place: String,
        /// The failure of the last attempt.
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
    /// Nothing shows that the pages are all of them, so there is no plan.
    #[error("the records do not add up: {}", incomplete(.0))]
    Incomplete(Incomplete),
    /// Some pointers find nothing in any record.
    #[error("in {records} records there is no value at {}: check source.columns and source.record_id", .pointers.join(", "))]
    Pointers {
        /// Records seen.
        records: usize,
        /// Each pointer with its column.
        pointers: Vec<String>,
    },
}

fn way_out(doing: &str) -> &'static str {
    WAYS_OUT.iter().find(|(known, _)| *known == doing).map_or(POOLED, |(_, way_out)| way_out)
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
        Incomplete::Untold { distinct } => format!(
            "{distinct} distinct ones, and no page has a total at source.total. Nothing was planned. Point it at the total, or \
             set it to \"\""
        ),
        Incomplete::Falling { passes, total, later } => format!(
            "the total falls from {total} to {later} while they are read, in each of {passes} passes. Nothing was planned. If \
             what source.total points at counts the page alone, set it to \"\""
        ),
        Incomplete::Endless { distinct } => format!(
            "after {distinct} distinct ones the API repeats a page. Nothing was planned. See source.paging and \
             source.page_parameter"
        ),
    }
}

impl Error {
    /// Whether the configuration is at fault.
    #[must_use]
    pub fn is_about_config(&self) -> bool {
        matches!(
            self,
            Self::Columns(_)
                | Self::QueryOne(_)
                | Self::QueryChanged(_)
                | Self::SeveralStatements { .. }
                | Self::Pointers { .. }
                | Self::Timezone { .. }
        )
    }

    /// Whether the query or the configuration is at fault, not the connection.
    #[must_use]
    pub fn is_about_query(&self) -> bool {
        self.is_about_config() || matches!(self, Self::Query { fault: QueryFault::Query, .. })
    }

    /// Whether a retry a moment later may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Query { fault: QueryFault::TryAgain, .. })
    }
}
