//! What is particular to SQLite: values have types, columns only wishes.

use std::borrow::Cow;

use sqlx::{
    Arguments, AssertSqlSafe, ConnectOptions, Row, Sqlite, SqliteConnection, TypeInfo, ValueRef, raw_sql,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteRow, SqliteStatement, SqliteTypeInfo},
};
use url::Url;

use super::{
    cell::{Cell, Kind},
    dialect::{Bound, Dialect, parameters},
    server::Server,
    session::Transact,
};

pub(super) struct SqliteDialect;

/// Rows that the driver's thread reads ahead, however large they are.
const ROWS_AHEAD: usize = 8;

impl Dialect for SqliteDialect {
    type Db = Sqlite;

    const SNAPSHOT: &str = "";

    async fn connect(server: &Server) -> sqlx::Result<SqliteConnection> {
        SqliteConnectOptions::new()
            .filename(server.database_file()?)
            .read_only(true)
            .create_if_missing(false)
            // Who waits for a lock tells so before the wait itself is given up.
            .busy_timeout(server.timeout.mul_f32(0.75))
            .disable_statement_logging()
            .row_buffer_size(ROWS_AHEAD)
            .connect()
            .await
    }

    const PLACEHOLDER: &str = "?";

    async fn bind(
        _: &mut SqliteConnection,
        statement: &SqliteStatement,
        _: &str,
        provided_id: &str,
    ) -> sqlx::Result<Option<Bound<SqliteArguments>>> {
        let mut arguments = SqliteArguments::default();
        for _ in 0..parameters(statement) {
            arguments.add(provided_id.to_owned()).map_err(sqlx::Error::Encode)?;
        }
        Ok(Some(Bound::Arguments(arguments)))
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
            "REAL" => Cell::Number(Cow::Owned(real(row.try_get_unchecked(position)?))),
            _ => match std::str::from_utf8(row.try_get_unchecked::<&[u8], _>(position)?) {
                Ok(text) => Cell::Text(Cow::Borrowed(text)),
                Err(_) => Cell::Binary,
            },
        })
    }
}

impl Transact for SqliteConnection {
    /// No server goes on with what is given up.
    async fn start(&mut self, _: &Server, mode: &str) -> sqlx::Result<Option<String>> {
        raw_sql(AssertSqlSafe(format!("BEGIN {mode}"))).execute(self).await.map(|_| None)
    }
}

/// The shortest digits that give this number again; a whole number is told apart from an `INTEGER` as SQLite does, `1.0`.
fn real(value: f64) -> String {
    format!("{value:?}")
}

/// The file that a `sqlite:` URL names, relative (`sqlite:tenants.db`, `sqlite://tenants.db`) or absolute (`sqlite:///var/…`).
pub(super) fn path(url: &Url) -> String {
    let encoded = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
    percent_encoding::percent_decode_str(&encoded).decode_utf8_lossy().into_owned()
}
