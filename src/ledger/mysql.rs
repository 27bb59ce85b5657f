//! What is specific to a ledger in MySQL or MariaDB. An id is stored as bytes, since every collation makes some ids
//! equal; an index takes at most 3,072 of them.

use std::borrow::Cow;

use sqlx::{AssertSqlSafe, Connection as _, Executor, MySql, Row, SqlSafeStr, mysql::MySqlQueryResult, raw_sql};

use super::{
    Table,
    dialect::{COUNTS, Columns, Connection, Dialect, NO_KEY, READ_ONLY, Statement, TIMES},
};
use crate::database::{Server, causes::code, mysql::number, words};

pub(super) struct MySqlDialect;

impl Dialect for MySqlDialect {
    type Db = MySql;

    const QUOTE: char = '`';

    const COLUMNS: Columns = [
        ("instance", "varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL"),
        ("provided_id", "varbinary(2048) NOT NULL"),
        ("token", "text"),
        ("parent_provided_id", "varbinary(2048)"),
        ("wanted", "varchar(64)"),
        ("seen", "varchar(64)"),
        ("unsettled", "text"),
        ("last_error", "text"),
        ("failures", "integer NOT NULL DEFAULT 0"),
        ("runs_to_wait", "integer NOT NULL DEFAULT 0"),
        ("next_try", "datetime"),
        ("parents_checked_at", "datetime"),
        ("row_gone_since", "datetime"),
        ("customer_gone_since", "datetime"),
        ("offboarded", "mediumtext"),
        ("listed_at", "datetime"),
        ("synced_at", "datetime(6)"),
        ("PRIMARY KEY", "(instance, provided_id)"),
    ];

    const TABLE_END: &'static str = " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

    const ON_CONFLICT: &'static str = " ON DUPLICATE KEY UPDATE ";

    const WRITING: &'static str = "";

    // MariaDB has no other syntax for it.
    const LOCKED: &'static str = " LOCK IN SHARE MODE";

    fn inserted(column: &str) -> String {
        format!("VALUES({column})")
    }

    fn held(column: &str) -> String {
        column.to_owned()
    }

    fn time(seconds: u64) -> String {
        format!("DATE_ADD('1970-01-01', INTERVAL {seconds} SECOND)")
    }

    const NOW: &'static str = "UTC_TIMESTAMP(6)";

    const NOW_AS_TEXT: &'static str = "CAST(UTC_TIMESTAMP(6) AS CHAR)";

    const NOW_IN_SECONDS: &'static str = "CAST(TIMESTAMPDIFF(SECOND, '1970-01-01', UTC_TIMESTAMP()) AS CHAR)";

    fn text(column: &str) -> String {
        match column {
            time if TIMES.contains(&time) => format!("CAST(TIMESTAMPDIFF(SECOND, '1970-01-01', {time}) AS CHAR)"),
            count if COUNTS.contains(&count) => format!("CAST({count} AS CHAR)"),
            column => column.to_owned(),
        }
    }

    /// Prepares the statement without executing it, which checks the rights; for added columns, reads the grants
    /// instead.
    async fn objection(
        connection: &mut Connection<Self>,
        _: &Server,
        table: &Table,
        statement: &Statement,
    ) -> sqlx::Result<Option<String>> {
        let (Statement::Create(sql) | Statement::Insert(sql)) = statement else {
            let own = raw_sql("SELECT DATABASE()")
                .fetch_one(&mut *connection)
                .await?
                .try_get_unchecked::<Option<String>, _>(0)?;
            let database = table.schema().map(str::to_owned).or(own).unwrap_or_default();
            let grants = raw_sql("SHOW GRANTS").fetch_all(connection).await?;
            let grants =
                grants.iter().map(|grant| grant.try_get_unchecked(0)).collect::<sqlx::Result<Vec<String>>>()?;
            return Ok((!grants.iter().any(|grant| may_alter(grant, &database))).then(|| "it lacks ALTER".to_owned()));
        };
        let prepared = connection.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await.map(drop);
        match prepared {
            Err(error) if Self::is_denied(&error) => Ok(Some(words::of(&error))),
            Err(error) => Err(error),
            Ok(()) => {
                connection.clear_cached_statements().await?;
                // Only an executed write shows whether the server takes any; one that affects no row, or has no table,
                // is enough.
                let of_no_row = format!("UPDATE {} SET token = token WHERE 1 = 0", table.quoted(Self::QUOTE));
                match raw_sql(AssertSqlSafe(of_no_row)).execute(connection).await {
                    Err(error) if takes_no_writes(&error) => Ok(Some(READ_ONLY.to_owned())),
                    Err(error) if matches!(statement, Statement::Insert(_)) => Err(error),
                    Ok(_) | Err(_) => Ok(None),
                }
            }
        }
    }

    async fn misfit(connection: &mut Connection<Self>, table: &Table) -> sqlx::Result<Option<String>> {
        let schema = table.schema().map_or("DATABASE()".to_owned(), |schema| format!("'{schema}'"));
        let ours = format!("table_schema = {schema} AND table_name = '{}'", table.name());
        // With another collation, ids that differ only in case are equal.
        let collation = format!(
            "SELECT CONCAT('its provided_id does not tell capitals from small letters (', collation_name, ')') \
             FROM information_schema.columns \
             WHERE {ours} AND column_name = 'provided_id' AND RIGHT(collation_name, 3) = '_ci'"
        );
        let key = format!(
            "SELECT index_name FROM information_schema.statistics WHERE {ours} AND non_unique = 0 GROUP BY index_name \
             HAVING COUNT(*) = 2 AND SUM(column_name IN ('instance', 'provided_id') AND sub_part IS NULL) = 2"
        );
        let sql = format!("SELECT COALESCE(({collation}), CASE WHEN NOT EXISTS ({key}) THEN '{NO_KEY}' END)");
        raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?.try_get_unchecked(0)
    }

    fn is_missing(error: &sqlx::Error) -> bool {
        number(error) == Some(1146)
    }

    fn lacks_schema(error: &sqlx::Error) -> bool {
        number(error) == Some(1049)
    }

    /// The role lacks a right on the table, a column or the database, or the server is read-only.
    fn is_denied(error: &sqlx::Error) -> bool {
        number(error).is_some_and(|number| [1142, 1143, 1044].contains(&number)) || takes_no_writes(error)
    }

    /// Errors about values and constraints, and those that a trigger signals, unless it uses a number of the server's
    /// own.
    fn is_refusal(error: &sqlx::Error) -> bool {
        let is_theirs = |code: Cow<'_, str>| ["22", "23", "45"].iter().any(|class| code.starts_with(class));
        let is_it = |number| number == SIGNALLED || ABOUT_DATA.contains(&number);
        number(error).is_some_and(is_it) || code(error).is_some_and(is_theirs)
    }

    fn may_quote(error: &sqlx::Error) -> bool {
        Self::is_refusal(error)
    }

    /// A lock timeout, a deadlock, and MariaDB's error for a row that another session changed.
    fn is_for_others(error: &sqlx::Error) -> bool {
        number(error).is_some_and(|number| [1205, 1213, 1020].contains(&number))
    }

    /// A changed row counts twice, an unchanged one once, as sqlx asks the server to.
    fn written(done: &MySqlQueryResult) -> u64 {
        done.rows_affected()
    }
}

/// The numbers of errors about a value: NULL, duplicate, too long, out of range, of another character set, against a
/// constraint. Their class does not tell: HY000 is a full table, too.
const ABOUT_DATA: [u16; 13] = [1048, 1062, 1118, 1264, 1265, 1292, 1300, 1366, 1406, 1452, 1526, 3819, 4025];

/// The number of an error that a trigger signals without a number of its own.
const SIGNALLED: u16 = 1644;

/// Whether a grant may include the right to add columns in this database: a granted role may include any.
fn may_alter(grant: &str, database: &str) -> bool {
    let Some((rights, object)) = grant.split_once(" ON ") else { return true };
    let mut rights = rights.trim_start_matches("GRANT ").split(", ");
    let pattern = object.split("`.").next().unwrap_or(object).trim_start_matches('`').replace(r"\_", "_");
    let is_here = match pattern.split_once('%') {
        _ if object.starts_with("*.*") => true,
        Some((beginning, _)) => database.starts_with(beginning),
        None => pattern == database,
    };
    is_here && rights.any(|right| ["ALTER", "ALL PRIVILEGES"].contains(&right))
}

fn takes_no_writes(error: &sqlx::Error) -> bool {
    number(error).is_some_and(|number| [1290, 1836].contains(&number))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("GRANT USAGE ON *.* TO `r`@`%`", false)]
    #[case("GRANT ALL PRIVILEGES ON *.* TO `r`@`%`", true)]
    #[case("GRANT SELECT, INSERT, UPDATE ON `app`.`explo_customers` TO `r`@`%`", false)]
    #[case("GRANT SELECT, ALTER ON `app`.`explo_customers` TO `r`@`%`", true)]
    #[case("GRANT ALTER ROUTINE ON `app`.* TO `r`@`%`", false)]
    #[case::of_everybody("GRANT SELECT, INDEX, ALTER, TRIGGER ON `test`.* TO PUBLIC", false)]
    #[case::of_everybody(r"GRANT SELECT, INDEX, ALTER, TRIGGER ON `test\_%`.* TO PUBLIC", false)]
    #[case::of_a_pattern("GRANT ALTER ON `a%`.* TO `r`@`%`", true)]
    #[case::role("GRANT `owner`@`%` TO `r`@`%`", true)]
    fn a_right_counts_where_it_is_granted(#[case] grant: &str, #[case] counts: bool) {
        assert_eq!(may_alter(grant, "app"), counts);
    }
}
