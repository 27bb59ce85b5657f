//! What differs between the databases that a ledger can be in.

use sqlx::{Database, database::HasStatementCache};

use super::Table;
use crate::database::{Server, Transact};

pub(super) type Connection<D> = <<D as Dialect>::Db as Database>::Connection;

/// Names and types.
pub(super) type Columns = [(&'static str, &'static str); 18];

/// In the place of columns that every ledger has, with the key behind them.
pub(super) const KEY: [&str; 3] = ["instance", "provided_id", "PRIMARY KEY"];

/// What stands against any entry of anybody.
pub(super) const READ_ONLY: &str = "the server is read-only";

/// The columns that hold a time.
pub(super) const TIMES: [&str; 6] =
    ["next_try", "parents_checked_at", "row_gone_since", "customer_gone_since", "listed_at", "synced_at"];

/// The columns that count.
pub(super) const COUNTS: [&str; 2] = ["failures", "runs_to_wait"];

/// What differs: the defaults are those of PostgreSQL and SQLite.
pub(super) trait Dialect {
    type Db: Database<Connection: Transact> + HasStatementCache;

    /// Around a name.
    const QUOTE: char = '"';

    /// The columns and their types: the key first.
    const COLUMNS: Columns;

    /// After the columns.
    const TABLE_END: &'static str = "";

    /// What stands between the rows and the columns that a row that is there takes over.
    const ON_CONFLICT: &'static str = " ON CONFLICT (instance, provided_id) DO UPDATE SET ";

    /// The mode of a transaction that will write.
    const WRITING: &'static str;

    /// Behind a query: keeps others from changing its rows until the transaction ends.
    const LOCKED: &'static str;

    /// The value that was to be inserted.
    fn inserted(column: &str) -> String {
        format!("excluded.{column}")
    }

    /// The value that is there.
    fn held(column: &str) -> String {
        format!("held.{column}")
    }

    /// The time that is so many seconds after the beginning of 1970.
    fn time(seconds: u64) -> String;

    const NOW: &'static str;

    /// An expression as text; a time as its seconds since 1970.
    fn text(column: &str) -> String;

    /// Whether entries could be written, asked without writing: what the database says against it.
    async fn objection(
        connection: &mut Connection<Self>,
        server: &Server,
        table: &Table,
        statement: &Statement,
    ) -> sqlx::Result<Option<String>>;

    /// What of a table is not as it must be: else a row could become two, or two rows one.
    async fn misfit(connection: &mut Connection<Self>, table: &Table) -> sqlx::Result<Option<String>>;

    /// Whether an error says that there is no such table.
    fn is_missing(error: &sqlx::Error) -> bool;

    /// Whether an error says that there is no such schema, or in MySQL no such database.
    fn lacks_schema(error: &sqlx::Error) -> bool;

    /// Whether an error says that the role may not.
    fn is_denied(error: &sqlx::Error) -> bool;

    /// Whether a row was refused for what it holds: a value that is too long or of another character set, a constraint, or
    /// what a trigger raises.
    fn is_refusal(error: &sqlx::Error) -> bool;

    /// Whether another session stood in the way: it will not for long.
    fn is_for_others(error: &sqlx::Error) -> bool;

    /// The rows that a statement wrote, at least, one that stays as it is among them.
    fn written(done: &<Self::Db as Database>::QueryResult) -> u64;

    /// Whether the words of an error are those of a trigger, or may quote what a row holds.
    fn may_quote(error: &sqlx::Error) -> bool;

    /// The name of the constraint that refuses a row, where the database itself names it.
    fn constraint(_: &sqlx::Error) -> Option<&str> {
        None
    }
}

/// The columns where a text needs no length, with the type of a time.
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

/// The statement that will be made.
#[derive(Debug)]
pub(super) enum Statement {
    Create(String),
    /// Columns that the table lacks.
    Add,
    Insert(String),
}

/// That a row of a customer may become two.
pub(super) const NO_KEY: &str = "it has no unique key of (instance, provided_id) and nothing else";

/// A statement that a database without such a key refuses; to be explained, not carried out.
pub(super) fn claim<D: Dialect>(table: &Table) -> String {
    let table = table.quoted(D::QUOTE);
    format!(
        "EXPLAIN INSERT INTO {table} (instance, provided_id) VALUES ('', '') ON CONFLICT (instance, provided_id) DO NOTHING"
    )
}

/// The error of a row that the database took, and did not store.
pub(super) const DROPPED: sqlx::Error = sqlx::Error::RowNotFound;

/// Whether an error is [that](DROPPED) one; no query here demands a row.
pub(super) fn is_dropped(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::RowNotFound)
}
