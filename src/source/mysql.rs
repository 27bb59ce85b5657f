//! What is specific to MySQL and MariaDB.

use std::{borrow::Cow, time::Duration};

use sqlx::{
    AssertSqlSafe, Column, Executor, MySql, MySqlConnection, Row, ValueRef,
    mysql::{MySqlArguments, MySqlRow, MySqlStatement, MySqlTypeInfo},
    raw_sql,
};

use super::{
    cell::{Cell, Kind},
    dialect::{Bound, Dialect, Loss, Value, is_one_of, parameters},
    identifiers, warnings,
};
use crate::database::Timezone;

pub(super) struct MySqlDialect;

impl Dialect for MySqlDialect {
    type Db = MySql;

    const SNAPSHOT: &str = "WITH CONSISTENT SNAPSHOT, READ ONLY";

    const PLACEHOLDER: &str = "?";

    /// A statement that SQL prepares gives its result in text form, and takes variables, so that no text has to be
    /// quoted.
    async fn bind(
        connection: &mut MySqlConnection,
        statement: &MySqlStatement,
        query: &str,
        value: Value<'_>,
    ) -> sqlx::Result<Option<Bound<MySqlArguments>>> {
        let set = sqlx::query("SET @explo_sync_value = ?, @explo_sync_query = ?").bind(value.text()).bind(query);
        set.persistent(false).execute(&mut *connection).await?;
        raw_sql("PREPARE explo_sync_bound FROM @explo_sync_query").execute(connection).await?;
        let variables = vec!["@explo_sync_value"; parameters(statement)].join(", ");
        Ok(Some(Bound::Text(format!("EXECUTE explo_sync_bound USING {variables}"))))
    }

    /// A `datetime(6)` in the session's zone.
    async fn clock(connection: &mut MySqlConnection, _: &Timezone, overlap: Duration) -> sqlx::Result<String> {
        let clock = format!("SELECT CAST(NOW(6) - INTERVAL {} MICROSECOND AS CHAR)", overlap.as_micros());
        connection.fetch_one(raw_sql(AssertSqlSafe(clock))).await?.try_get_unchecked(0)
    }

    async fn cut_names(_: &mut MySqlConnection, query: &str, columns: &[&str]) -> sqlx::Result<Vec<String>> {
        Ok(identifiers::cut_by_mysql(query, columns))
    }

    async fn loss(connection: &mut MySqlConnection) -> sqlx::Result<Option<Loss>> {
        warnings::loss(connection).await
    }

    fn kind(type_info: &MySqlTypeInfo) -> Kind {
        let numbers =
            ["BOOLEAN", "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "YEAR"];
        match () {
            () if is_one_of(type_info, &["BIT"]) => Kind::Bits,
            () if is_one_of(type_info, &["JSON"]) => Kind::Json,
            () if is_one_of(type_info, &numbers) => Kind::Number,
            () => Kind::Text,
        }
    }

    fn cell(row: &MySqlRow, position: usize, kind: Kind) -> sqlx::Result<Cell<'_>> {
        if row.try_get_raw(position)?.is_null() {
            return Ok(Cell::Null);
        }
        let bytes: &[u8] = row.try_get_unchecked(position)?;
        if kind == Kind::Bits && (is_stored(row, position) || !bytes.iter().all(u8::is_ascii_digit)) {
            let value = bytes.iter().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
            return Ok(Cell::Number(Cow::Owned(value.to_string())));
        }
        // The type's name does not tell text from bytes: a JSON column is called BLOB, a binary collation VARBINARY.
        let Ok(text) = std::str::from_utf8(bytes) else { return Ok(Cell::Binary) };
        Ok(Cell::of(kind, Cow::Borrowed(text)))
    }
}

/// Whether a value comes straight from a table, which the schema of its origin says. MariaDB sends such a `BIT` as
/// bits. A computed value (`MAX`, `COALESCE`, a subquery) has the same type and comes as digits, unless it went through
/// a temporary table.
fn is_stored(row: &MySqlRow, position: usize) -> bool {
    row.column(position).origin().table_column().is_some_and(|column| column.table.contains('.'))
}
