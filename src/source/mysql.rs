//! What is particular to MySQL and MariaDB.

use std::{borrow::Cow, fmt::Display};

use secrecy::ExposeSecret;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, MySql, MySqlConnection, Row, ValueRef,
    mysql::{
        MySqlArguments, MySqlConnectOptions, MySqlDatabaseError, MySqlRow, MySqlSslMode, MySqlStatement, MySqlTypeInfo,
    },
    raw_sql,
};

use super::{
    address,
    cell::{Cell, Kind},
    dialect::{Bound, Dialect, Loss, is_loopback, is_one_of, parameters},
    identifiers,
    server::Server,
    session::Transact,
    warnings,
};

pub(super) struct MySqlDialect;

impl Dialect for MySqlDialect {
    type Db = MySql;

    const SNAPSHOT: &str = "WITH CONSISTENT SNAPSHOT, READ ONLY";

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

impl Transact for MySqlConnection {
    /// The settings are the session's.
    async fn start(&mut self, _: &Server, mode: &str) -> sqlx::Result<Option<String>> {
        let row = raw_sql("SELECT CAST(CONNECTION_ID() AS CHAR)").fetch_one(&mut *self).await?;
        raw_sql(AssertSqlSafe(format!("START TRANSACTION {mode}"))).execute(self).await?;
        row.try_get_unchecked(0).map(Some)
    }
}

/// Nothing is to be cut that the server could send: no list is longer than the largest packet that can be allowed, 1 GiB. Of
/// the last two, MariaDB and MySQL each take theirs, and have the other for a comment. MySQL takes no number but a whole one.
fn settings(server: &Server) -> String {
    let (timezone, waits, longest) = (server.timezone.mysql(), server.lock_timeout().as_secs(), server.longest);
    format!(
        "SET SESSION time_zone = '{timezone}', group_concat_max_len = 1073741824, \
         sql_select_limit = 18446744073709551615, lock_wait_timeout = {waits}, innodb_lock_wait_timeout = {waits}\
         /*M!100101 , max_statement_time = {} */\
         /*!50708 , max_execution_time = CAST({} AS UNSIGNED) */",
        no_longer("max_statement_time", longest.as_secs_f64()),
        no_longer("max_execution_time", longest.as_millis())
    )
}

/// A limit that is no looser than the role's own; 0 is none.
fn no_longer(variable: &str, most: impl Display) -> String {
    format!("IF(@@{variable} > 0, LEAST(@@{variable}, {most}), {most})")
}

/// Whether the server does not know the zone of our settings.
pub(super) fn lacks_timezone(error: &sqlx::Error) -> bool {
    number(error) == Some(1298)
}

fn number(error: &sqlx::Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
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
    if let Some(host) = address::host(&server.url) {
        options = options.host(&host);
    }
    options = match address::tls_mode(&server.url).as_deref() {
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
    let mut connection = options.connect().await?;
    raw_sql(AssertSqlSafe(settings(server))).execute(&mut connection).await?;
    // No warning is to be forgotten. MySQL lets not every role say so; what it then does not keep is found out by its count.
    match raw_sql("SET SESSION max_error_count = 65535").execute(&mut connection).await {
        Err(error) if number(&error) != Some(1227) => return Err(error),
        _ => {}
    }
    raw_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut connection).await?;
    Ok(connection)
}

/// Whether a value is a table's own, told by the schema of its origin. MariaDB sends such a `BIT` as bits; what it computes
/// (`MAX`, `COALESCE`, a subquery) has the same type and comes as digits, unless it went through a temporary table.
fn is_stored(row: &MySqlRow, position: usize) -> bool {
    row.column(position).origin().table_column().is_some_and(|column| column.table.contains('.'))
}
