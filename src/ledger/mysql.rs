//! What is particular to a ledger in MySQL or MariaDB. An id is kept as its bytes, for every collation would take two ids for
//! one; an index takes 3,072 of them at the most.

use sqlx::{AssertSqlSafe, Connection as _, Executor, MySql, SqlSafeStr, mysql::MySqlDatabaseError};

use super::{
    Table,
    dialect::{Access, Connection, Dialect, Statement},
};
use crate::source::Server;

pub(super) struct MySqlDialect;

impl Dialect for MySqlDialect {
    type Db = MySql;

    const QUOTE: char = '`';

    const COLUMNS: [(&'static str, &'static str); 14] = [
        ("instance", "varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL"),
        ("provided_id", "varbinary(2048) NOT NULL"),
        ("token", "text"),
        ("parent_provided_id", "varbinary(2048)"),
        ("wanted", "varchar(16)"),
        ("seen", "varchar(16)"),
        ("unsettled", "text"),
        ("last_error", "text"),
        ("failures", "integer NOT NULL DEFAULT 0"),
        ("runs_to_wait", "integer NOT NULL DEFAULT 0"),
        ("next_try", "datetime"),
        ("parents_checked_at", "datetime"),
        ("synced_at", "datetime"),
        ("PRIMARY KEY", "(instance, provided_id)"),
    ];

    const TABLE_END: &'static str = " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

    const ON_CONFLICT: &'static str = " ON DUPLICATE KEY UPDATE ";

    const BEGIN_WRITING: &'static str = "BEGIN";

    fn inserted(column: &str) -> String {
        format!("VALUES({column})")
    }

    fn held(column: &str) -> String {
        column.to_owned()
    }

    const TIME: (&'static str, &'static str) = ("DATE_ADD('1970-01-01', INTERVAL ", " SECOND)");

    const NOW: &'static str = "UTC_TIMESTAMP()";

    fn text(column: &str) -> String {
        match column {
            "next_try" | "parents_checked_at" => {
                format!("CAST(TIMESTAMPDIFF(SECOND, '1970-01-01', {column}) AS CHAR)")
            }
            "failures" | "runs_to_wait" => format!("CAST({column} AS CHAR)"),
            column => column.to_owned(),
        }
    }

    async fn connect(server: &Server, _: Access) -> sqlx::Result<Option<Connection<Self>>> {
        server.mysql().await.map(Some)
    }

    /// A statement that is prepared is judged, and not carried out.
    async fn objection(
        connection: &mut Connection<Self>,
        _: &Server,
        _: &Table,
        statement: &Statement,
    ) -> sqlx::Result<Option<String>> {
        let (Statement::Create(sql) | Statement::Insert(sql)) = statement;
        let prepared = connection.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await.map(drop);
        match prepared {
            Err(error) if Self::is_denied(&error) => Ok(Some(crate::source::cause(&error))),
            Err(error) => Err(error),
            Ok(()) => connection.clear_cached_statements().await.map(|()| None),
        }
    }

    fn is_missing(error: &sqlx::Error) -> bool {
        number(error) == Some(1146)
    }

    /// A right on the table, on a column, on the database, or a server that is read-only.
    fn is_denied(error: &sqlx::Error) -> bool {
        number(error).is_some_and(|number| [1142, 1143, 1044, 1290, 1836].contains(&number))
    }

    fn is_about_data(error: &sqlx::Error) -> bool {
        number(error).is_some_and(|number| ABOUT_DATA.contains(&number))
    }
}

/// The numbers of errors about a value: not NULL, twice, too long, out of range, of another character set, against a
/// constraint. By class they can't be told: HY000 is a table that is full, too.
const ABOUT_DATA: [u16; 13] = [1048, 1062, 1118, 1264, 1265, 1292, 1300, 1366, 1406, 1452, 1526, 3819, 4025];

fn number(error: &sqlx::Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}
