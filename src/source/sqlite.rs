//! What is specific to SQLite: values have types, columns only affinities.

use std::{borrow::Cow, time::Duration};

use sqlx::{
    Arguments, AssertSqlSafe, Executor, Row, Sqlite, SqliteConnection, TypeInfo, ValueRef, raw_sql,
    sqlite::{SqliteArguments, SqliteRow, SqliteStatement, SqliteTypeInfo},
};

use super::{
    cell::{Cell, Kind},
    dialect::{Bound, Dialect, Value, parameters},
};
use crate::database::Timezone;

pub(super) struct SqliteDialect;

impl Dialect for SqliteDialect {
    type Db = Sqlite;

    const SNAPSHOT: &str = "";

    const PLACEHOLDER: &str = "?";

    /// The path may name another file a moment later.
    const STAYS_OPEN: bool = false;

    async fn bind(
        _: &mut SqliteConnection,
        statement: &SqliteStatement,
        _: &str,
        value: Value<'_>,
    ) -> sqlx::Result<Option<Bound<SqliteArguments>>> {
        let mut arguments = SqliteArguments::default();
        for _ in 0..parameters(statement) {
            arguments.add(value.text().to_owned()).map_err(sqlx::Error::Encode)?;
        }
        Ok(Some(Bound::Arguments(arguments)))
    }

    /// `YYYY-MM-DD HH:MM:SS.SSS` in UTC.
    async fn clock(connection: &mut SqliteConnection, _: &Timezone, overlap: Duration) -> sqlx::Result<String> {
        let (seconds, millis) = (overlap.as_secs(), overlap.subsec_millis());
        let clock = format!("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now', '-{seconds}.{millis:03} seconds')");
        connection.fetch_one(raw_sql(AssertSqlSafe(clock))).await?.try_get_unchecked(0)
    }

    fn kind(_: &SqliteTypeInfo) -> Kind {
        Kind::Text
    }

    fn cell(row: &SqliteRow, position: usize, _: Kind) -> sqlx::Result<Cell<'_>> {
        let value = row.try_get_raw(position)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        Ok(match value.type_info().name() {
            "INTEGER" => Cell::Number(Cow::Owned(row.try_get_unchecked::<i64, _>(position)?.to_string())),
            // The shortest digits that give this number again. A whole number keeps its `.0`, as SQLite prints it,
            // unlike an `INTEGER`.
            "REAL" => Cell::Number(Cow::Owned(format!("{:?}", row.try_get_unchecked::<f64, _>(position)?))),
            _ => match std::str::from_utf8(row.try_get_unchecked::<&[u8], _>(position)?) {
                Ok(text) => Cell::Text(Cow::Borrowed(text)),
                Err(_) => Cell::Binary,
            },
        })
    }
}
