//! What differs between the databases that a ledger can be in.

use sqlx::{Database, database::HasStatementCache};

use super::Table;
use crate::database::{Server, Transact};

pub(super) type Connection<D> = <<D as Dialect>::Db as Database>::Connection;

/// Names and types of the columns.
pub(super) type Columns = [(&'static str, &'static str); 18];

/// The columns that every ledger has, then the key, which stands among the columns.
pub(super) const KEY: [&str; 3] = ["instance", "provided_id", "PRIMARY KEY"];

/// The objection of a server that takes no writes from any role.
pub(super) const READ_ONLY: &str = "the server is read-only";

/// The columns that hold a time.
pub(super) const TIMES: [&str; 6] =
    ["next_try", "parents_checked_at", "row_gone_since", "customer_gone_since", "listed_at", "synced_at"];

/// The columns that count.
pub(super) const COUNTS: [&str; 2] = ["failures", "runs_to_wait"];

/// The differences between databases; the defaults are those of PostgreSQL and SQLite.
pub(super) trait Dialect {
    type Db: Database<Connection: Transact> + HasStatementCache;

    /// The quote around a name.
    const QUOTE: char = '"';

    /// The columns and their types: the key first.
    const COLUMNS: Columns;

    /// The end of the statement, after the columns.
    const TABLE_END: &'static str = "";

    /// Between the inserted rows and the columns that replace those of an existing row.
    const ON_CONFLICT: &'static str = " ON CONFLICT (instance, provided_id) DO UPDATE SET ";

    /// The mode of a transaction that writes.
    const WRITING: &'static str;

    /// Appended to a query: locks its rows against changes until the transaction ends.
    const LOCKED: &'static str;

    /// The value that the statement inserts.
    fn inserted(column: &str) -> String {
        format!("excluded.{column}")
    }

    /// The value of the existing row.
    fn held(column: &str) -> String {
        format!("held.{column}")
    }

    /// The time at this number of seconds since 1970.
    fn time(seconds: u64) -> String;

    const NOW: &'static str;

    /// The same as text, which can be compared with a time in the table.
    const NOW_AS_TEXT: &'static str = Self::NOW;

    /// The same in seconds since 1970, as text.
    const NOW_IN_SECONDS: &'static str;

    /// An expression as text; a time as its seconds since 1970.
    fn text(column: &str) -> String;

    /// Why entries can't be written, as the database says; `None` if they can. Checked without writing.
    async fn objection(
        connection: &mut Connection<Self>,
        server: &Server,
        table: &Table,
        statement: &Statement,
    ) -> sqlx::Result<Option<String>>;

    /// What is wrong with a table, so that one row could become two, or two rows one.
    async fn misfit(connection: &mut Connection<Self>, table: &Table) -> sqlx::Result<Option<String>>;

    /// Whether an error says that there is no such table.
    fn is_missing(error: &sqlx::Error) -> bool;

    /// Whether an error says that there is no such schema, or in MySQL no such database.
    fn lacks_schema(error: &sqlx::Error) -> bool;

    /// Whether an error says that the role lacks a right.
    fn is_denied(error: &sqlx::Error) -> bool;

    /// Whether the database refused a row for its values: one is too long or of another character set, breaks a
    /// constraint, or a trigger refused it.
    fn is_refusal(error: &sqlx::Error) -> bool;

    /// Whether another session was in the way, so that a retry may succeed.
    fn is_for_others(error: &sqlx::Error) -> bool;

    /// A lower bound of the rows that a statement wrote, unchanged rows included.
    fn written(done: &<Self::Db as Database>::QueryResult) -> u64;

    /// Whether the text of an error comes from a trigger, or may quote a row's values.
    fn may_quote(error: &sqlx::Error) -> bool;

    /// The name of the constraint that refused a row, if the database gives it.
    fn constraint(_: &sqlx::Error) -> Option<&str> {
        None
    }
}

/// The columns for databases whose text type needs no length; `time` is the type of a time.
pub(super) const fn columns(time: &'static str) -> Columns {
    [
        ("instance", "text NOT NULL"),
        ("provided_id", "text NOT NULL"),
        ("token", "text"),
        ("parent_provided_id", "text"),
        ("wanted", "text"),
        ("seen", "text"),
        ("unsettled", "text"),
        ("last_error", "text"),
        ("failures", "integer NOT NULL DEFAULT 0"),
        ("runs_to_wait", "integer NOT NULL DEFAULT 0"),
        ("next_try", time),
        ("parents_checked_at", time),
        ("row_gone_since", time),
        ("customer_gone_since", time),
        ("offboarded", "text"),
        ("listed_at", time),
        ("synced_at", time),
        ("PRIMARY KEY", "(instance, provided_id)"),
    ]
}

/// A statement whose success is in question.
#[derive(Debug)]
pub(super) enum Statement {
    Create(String),
    /// Adds the columns that the table lacks.
    Add,
    Insert(String),
}

/// The objection to a table in which one customer could have two rows.
pub(super) const NO_KEY: &str = "it has no unique key of (instance, provided_id) and nothing else";

/// An upsert to be explained, not executed: a database refuses it if the table lacks the key.
pub(super) fn claim<D: Dialect>(table: &Table) -> String {
    let table = table.quoted(D::QUOTE);
    format!(
        "EXPLAIN INSERT INTO {table} (instance, provided_id) VALUES ('', '') ON CONFLICT (instance, provided_id) DO NOTHING"
    )
}

/// The error if the database accepted a row but did not store it.
pub(super) const DROPPED: sqlx::Error = sqlx::Error::RowNotFound;

/// Whether it is [that](DROPPED) error; no query here needs a row, so it has no other cause.
pub(super) fn is_dropped(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::RowNotFound)
}
