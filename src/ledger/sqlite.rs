//! What is specific to a ledger in a SQLite file.

use std::{fs::OpenOptions, path::Path};

use sqlx::{AssertSqlSafe, Sqlite, error::DatabaseError, raw_sql, sqlite::SqliteQueryResult};

use super::{
    Table,
    dialect::{Columns, Connection, Dialect, NO_KEY, Statement, TIMES, claim, columns},
};
use crate::database::{Server, causes::code};

pub(super) struct SqliteDialect;

impl Dialect for SqliteDialect {
    type Db = Sqlite;

    const COLUMNS: Columns = columns("text");

    const WRITING: &'static str = "IMMEDIATE";

    // An IMMEDIATE transaction is the only writer.
    const LOCKED: &'static str = "";

    fn time(seconds: u64) -> String {
        format!("strftime('%Y-%m-%dT%H:%M:%SZ', {seconds}, 'unixepoch')")
    }

    const NOW: &'static str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

    const NOW_IN_SECONDS: &'static str = "CAST(strftime('%s', 'now') AS text)";

    fn text(column: &str) -> String {
        match column {
            time if TIMES.contains(&time) => format!("CAST(strftime('%s', {time}) AS text)"),
            column => format!("CAST({column} AS text)"),
        }
    }

    async fn objection(
        _: &mut Connection<Self>,
        server: &Server,
        _: &Table,
        _: &Statement,
    ) -> sqlx::Result<Option<String>> {
        Ok(refusal(&server.file()))
    }

    async fn misfit(connection: &mut Connection<Self>, table: &Table) -> sqlx::Result<Option<String>> {
        let has_no_key = |error: &dyn DatabaseError| error.message().starts_with("ON CONFLICT clause does not match");
        match raw_sql(AssertSqlSafe(claim::<Self>(table))).execute(connection).await {
            Err(error) if error.as_database_error().is_some_and(has_no_key) => Ok(Some(NO_KEY.to_owned())),
            explained => explained.map(|_| None),
        }
    }

    fn is_missing(error: &sqlx::Error) -> bool {
        error.as_database_error().is_some_and(|error| error.message().starts_with("no such table"))
    }

    fn lacks_schema(error: &sqlx::Error) -> bool {
        error.as_database_error().is_some_and(|error| error.message().starts_with("unknown database"))
    }

    /// All codes of read-only, and a file that can't be opened.
    fn is_denied(error: &sqlx::Error) -> bool {
        number(error).is_some_and(|number| [3, 8, 14, 23].contains(&number))
    }

    /// TOOBIG, CONSTRAINT and MISMATCH.
    fn is_refusal(error: &sqlx::Error) -> bool {
        number(error).is_some_and(|number| [18, 19, 20].contains(&number))
    }

    /// BUSY and LOCKED.
    fn is_for_others(error: &sqlx::Error) -> bool {
        number(error).is_some_and(|number| [5, 6].contains(&number))
    }

    fn written(done: &SqliteQueryResult) -> u64 {
        done.rows_affected()
    }

    /// `CONSTRAINT_TRIGGER`: a trigger raised it.
    fn may_quote(error: &sqlx::Error) -> bool {
        code(error).as_deref() == Some("1811")
    }
}

/// The primary code of an error.
fn number(error: &sqlx::Error) -> Option<u32> {
    code(error)?.parse::<u32>().ok().map(|code| code & 0xff)
}

/// Why the file can't be written; checked without writing. SQLite also needs to make a journal in the directory.
pub(super) fn refusal(file: &Path) -> Option<String> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_closed = directory.metadata().map(|metadata| metadata.permissions().readonly());
    match (is_closed, OpenOptions::new().write(true).open(file)) {
        (Err(error), _) => Some(format!("{}: {error}", directory.display())),
        (Ok(true), _) => Some(format!("{}: read-only", directory.display())),
        (Ok(false), Err(error)) if file.exists() => Some(error.to_string()),
        (Ok(false), _) => None,
    }
}
