//! Connections to MySQL and MariaDB, with their session's settings.

use std::fmt::Display;

use secrecy::ExposeSecret;
use sqlx::{
    AssertSqlSafe, ConnectOptions, MySqlConnection, Row,
    mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlSslMode},
    raw_sql,
};

use super::{
    address::{self, is_loopback},
    server::Server,
    transact::{Access, Transact},
};

impl Transact for MySqlConnection {
    async fn open(server: &Server, _: Access) -> sqlx::Result<Self> {
        let mut options = MySqlConnectOptions::from_url(&server.url)?
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            // With any other character set, the server replaces characters that the set lacks by question marks.
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
        // Keeps every warning. MySQL allows this only to some roles; for others, the count tells that warnings are
        // missing.
        match raw_sql("SET SESSION max_error_count = 65535").execute(&mut connection).await {
            Err(error) if number(&error) != Some(1227) => return Err(error),
            _ => {}
        }
        raw_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE").execute(&mut connection).await?;
        Ok(connection)
    }

    /// The settings are the session's, so a transaction needs none.
    async fn start(&mut self, _: &Server, mode: &str) -> sqlx::Result<Option<String>> {
        let row = raw_sql("SELECT CAST(CONNECTION_ID() AS CHAR)").fetch_one(&mut *self).await?;
        raw_sql(AssertSqlSafe(format!("START TRANSACTION {mode}"))).execute(self).await?;
        row.try_get_unchecked(0).map(Some)
    }

    async fn end(&mut self, how: &'static str) -> sqlx::Result<()> {
        raw_sql(how).execute(self).await.map(drop)
    }
}

/// Settings so that the server cuts nothing: the limit of a list is 1 GiB, the largest possible packet. Of the last
/// two, MariaDB and MySQL each read theirs; for the other one it is a comment. MySQL takes whole numbers only.
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

/// Sets a limit unless the role's own limit is lower; 0 means no limit.
fn no_longer(variable: &str, most: impl Display) -> String {
    format!("IF(@@{variable} > 0, LEAST(@@{variable}, {most}), {most})")
}

/// The name of the connection's database; empty if it has none.
pub(crate) async fn database(connection: &mut MySqlConnection) -> sqlx::Result<String> {
    let row = raw_sql("SELECT DATABASE()").fetch_one(connection).await?;
    Ok(row.try_get_unchecked::<Option<String>, _>(0)?.unwrap_or_default())
}

/// The number of a server's error.
pub(crate) fn number(error: &sqlx::Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}
