//! What is particular to MySQL and MariaDB.

use std::borrow::Cow;

use secrecy::ExposeSecret;
use sqlx::{
    Column, ConnectOptions, MySql, MySqlConnection, Row, ValueRef,
    mysql::{MySqlArguments, MySqlConnectOptions, MySqlRow, MySqlSslMode, MySqlStatement, MySqlTypeInfo},
};

use super::{
    cell::{Cell, Kind},
    dialect::{Bound, Dialect, Loss, is_loopback, is_one_of, parameters, tls_mode},
    identifiers,
    server::Server,
    warnings,
};

pub(super) struct MySqlDialect;

impl Dialect for MySqlDialect {
    type Db = MySql;

    /// Nothing is to be cut that the server could send, and no warning of it forgotten. No list is longer than the largest packet
    /// that can be allowed, 1 GiB.
    const SNAPSHOT: &[&str] = &[
        "SET SESSION group_concat_max_len = 1073741824, max_error_count = 65535, sql_select_limit = 18446744073709551615",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ];

    async fn connect(server: &Server) -> sqlx::Result<MySqlConnection> {
        connect(server).await
    }

    const PLACEHOLDER: &str = "?";

    /// What is prepared by SQL comes in text form, and variables are bound in place of a text that would have to be quoted.
    async fn bind(
        connection: &mut MySqlConnection,
        statement: &MySqlStatement,
        query: &str,
        provided_id: &str,
    ) -> sqlx::Result<Option<Bound<MySqlArguments>>> {
        let set = sqlx::query("SET @explo_sync_id = ?, @explo_sync_query = ?").bind(provided_id).bind(query);
        set.persistent(false).execute(&mut *connection).await?;
        sqlx::raw_sql("PREPARE explo_sync_one FROM @explo_sync_query").execute(connection).await?;
        let variables = vec!["@explo_sync_id"; parameters(statement)].join(", ");
        Ok(Some(Bound::Text(format!("EXECUTE explo_sync_one USING {variables}"))))
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
        // The type's name does not tell text from bytes: JSON is called a BLOB, a binary collation VARBINARY.
        let Ok(text) = std::str::from_utf8(bytes) else { return Ok(Cell::Binary) };
        Ok(Cell::of(kind, Cow::Borrowed(text)))
    }
}

/// Connects, with TLS verified unless the host is this machine.
pub(super) async fn connect(server: &Server) -> sqlx::Result<MySqlConnection> {
    let mut options = MySqlConnectOptions::from_url(&server.url)?
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        // In any other character set the server puts a question mark in place of what that one lacks.
        .charset("utf8mb4")
        .disable_statement_logging();
    options = match tls_mode(&server.url).as_deref() {
        Some("disabled" | "verify_ca" | "verify_identity") => options,
        _ if is_loopback(options.get_host()) || options.get_socket().is_some() => options,
        _ => options.ssl_mode(MySqlSslMode::VerifyIdentity),
    };
    if let (Some(password), None) = (&server.password, server.url.password()) {
        options = options.password(password.expose_secret());
    }
    if let Some(pem) = &server.ca_file {
        options = options.ssl_ca_from_pem(pem.clone());
    }
    options.connect().await
}

/// Whether a value is a table's own, told by the schema of its origin. MariaDB sends such a `BIT` as bits; what it computes
/// (`MAX`, `COALESCE`, a subquery) has the same type and comes as digits, unless it went through a temporary table.
fn is_stored(row: &MySqlRow, position: usize) -> bool {
    row.column(position).origin().table_column().is_some_and(|column| column.table.contains('.'))
}
