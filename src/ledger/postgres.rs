//! What is specific to a ledger in PostgreSQL.

use sqlx::{
    AssertSqlSafe, Postgres, Row,
    postgres::{PgDatabaseError, PgQueryResult},
    raw_sql,
};

use super::{
    Table,
    dialect::{Columns, Connection, Dialect, NO_KEY, READ_ONLY, Statement, TIMES, claim, columns},
};
use crate::database::{Server, causes::code};

pub(super) struct PostgresDialect;

impl Dialect for PostgresDialect {
    type Db = Postgres;

    const COLUMNS: Columns = columns("timestamptz");

    // A transaction that waited for another's row then sees it, and may write, whatever the role's defaults are.
    const WRITING: &'static str = "ISOLATION LEVEL READ COMMITTED READ WRITE";

    const LOCKED: &'static str = " FOR SHARE";

    fn time(seconds: u64) -> String {
        format!("to_timestamp({seconds})")
    }

    const NOW: &'static str = "CURRENT_TIMESTAMP";

    const NOW_AS_TEXT: &'static str = "CAST(CURRENT_TIMESTAMP AS text)";

    const NOW_IN_SECONDS: &'static str = "CAST(CAST(extract(epoch FROM CURRENT_TIMESTAMP) AS bigint) AS text)";

    fn text(column: &str) -> String {
        match column {
            time if TIMES.contains(&time) => format!("CAST(CAST(extract(epoch FROM {time}) AS bigint) AS text)"),
            column => format!("CAST({column} AS text)"),
        }
    }

    async fn objection(
        connection: &mut Connection<Self>,
        _: &Server,
        table: &Table,
        statement: &Statement,
    ) -> sqlx::Result<Option<String>> {
        let wrong = |what: &str, when: &str| format!("WHEN NOT coalesce({when}, false) THEN '{what}'");
        let may = match statement {
            Statement::Create(_) => {
                let schema = table.schema().map_or("current_schema()".to_owned(), |schema| format!("'{schema}'"));
                wrong("it may not create tables in the schema", &format!("has_schema_privilege({schema}, 'CREATE')"))
            }
            Statement::Add => {
                let owner = format!("(SELECT relowner FROM pg_class WHERE oid = '{}'::regclass)", table.quoted('"'));
                wrong("it is not the owner of the table", &format!("pg_has_role({owner}, 'USAGE')"))
            }
            Statement::Insert(_) => {
                let lacks = |right: &str| {
                    let has = format!("has_table_privilege('{}', '{right}')", table.quoted('"'));
                    wrong(&format!("it lacks {right}"), &has)
                };
                ["SELECT", "INSERT", "UPDATE"].map(lacks).join(" ")
            }
        };
        let is_open = wrong(READ_ONLY, "NOT pg_is_in_recovery()");
        let sql = format!("SELECT CASE {may} {is_open} END");
        let row = raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?;
        row.try_get_unchecked(0)
    }

    async fn misfit(connection: &mut Connection<Self>, table: &Table) -> sqlx::Result<Option<String>> {
        match raw_sql(AssertSqlSafe(claim::<Self>(table))).execute(connection).await {
            Err(error) if code(&error).as_deref() == Some("42P10") => Ok(Some(NO_KEY.to_owned())),
            explained => explained.map(|_| None),
        }
    }

    fn is_missing(error: &sqlx::Error) -> bool {
        code(error).as_deref() == Some("42P01")
    }

    fn lacks_schema(error: &sqlx::Error) -> bool {
        code(error).as_deref() == Some("3F000")
    }

    fn is_denied(error: &sqlx::Error) -> bool {
        code(error).is_some_and(|code| code == "42501" || code == "25006")
    }

    /// Errors about data, constraints and sizes, and any error that PL/pgSQL raises.
    fn is_refusal(error: &sqlx::Error) -> bool {
        told(error).is_some_and(|error| {
            let is_it = ["22", "23", "54", "P0"].iter().any(|class| error.code().starts_with(class));
            is_it || error.file() == Some("pl_exec.c")
        })
    }

    /// A deadlock, a serialization failure, or a lock timeout.
    fn is_for_others(error: &sqlx::Error) -> bool {
        code(error).is_some_and(|code| ["40P01", "40001", "55P03"].contains(&&*code))
    }

    fn written(done: &PgQueryResult) -> u64 {
        done.rows_affected()
    }

    /// Errors about data and constraints, and any error raised inside a function, whatever its code.
    fn may_quote(error: &sqlx::Error) -> bool {
        told(error).is_some_and(|error| {
            let is_theirs = ["22", "23", "P0"].iter().any(|class| error.code().starts_with(class));
            is_theirs || error.r#where().is_some()
        })
    }

    fn constraint(error: &sqlx::Error) -> Option<&str> {
        told(error).filter(|error| error.r#where().is_none())?.constraint()
    }
}

fn told(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}
