//! Connections to PostgreSQL, and the settings of their transactions.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use sqlx::{
    AssertSqlSafe, ConnectOptions, PgConnection, Row,
    postgres::{PgConnectOptions, PgSslMode},
    raw_sql,
};

use super::{
    address::{self, is_loopback},
    causes::NO_PASSFILE,
    server::Server,
    transact::{Access, Transact},
};
use crate::{files, model::shown};

/// How to connect to a server. `name` is what it shows of the connection, unless the URL names it.
pub(super) fn options(server: &Server, name: &str) -> sqlx::Result<PgConnectOptions> {
    let mut url = server.url.clone();
    match &server.password {
        Some(password) if url.password().is_none() => {
            url.query_pairs_mut().append_pair("password", password.expose_secret());
        }
        _ if address::password(&url).is_none() => refuse_pipes()?,
        _ => {}
    }
    let mut options = PgConnectOptions::from_url(&url)?
        // A pooler may refuse this parameter at startup.
        .extra_float_digits(None)
        .disable_statement_logging();
    if options.get_application_name().is_none() {
        options = options.application_name(name);
    }
    if let Some(host) = address::host(&server.url) {
        options = options.host(&host);
    }
    let is_local = is_loopback(options.get_host()) || options.get_socket().is_some();
    options = match address::tls_mode(&server.url).as_deref() {
        Some("disable" | "verify-ca" | "verify-full") => options,
        _ if is_local => options,
        _ => options.ssl_mode(PgSslMode::VerifyFull),
    };
    if let Some(pem) = &server.ca_file {
        options = options.ssl_root_cert_from_pem(pem.clone());
    }
    Ok(options)
}

impl Transact for PgConnection {
    async fn open(server: &Server, _: Access) -> sqlx::Result<Self> {
        options(server, "explo-sync")?.connect().await
    }

    async fn start(&mut self, server: &Server, mode: &str) -> sqlx::Result<Option<String>> {
        let begun = raw_sql(AssertSqlSafe(beginning(server, mode))).fetch_all(self).await?;
        begun.first().map(|row| row.try_get_unchecked(0)).transpose()
    }

    async fn end(&mut self, how: &'static str) -> sqlx::Result<()> {
        raw_sql(how).execute(self).await.map(drop)
    }
}

/// The statements that begin a transaction and set its settings, in one message. They are the transaction's, since
/// behind a transaction pooler other clients share the session. The first column is the number that cancels a
/// statement.
///
/// A database without an encoding may contain any bytes, and is read as it is: a conversion would fail at the first
/// invalid row. A server on Windows can't check whether its client is gone.
pub(super) fn beginning(server: &Server, mode: &str) -> String {
    let (timezone, waits) = (server.timezone.postgres(), server.lock_timeout().as_millis());
    format!(
        "BEGIN {mode};
         SELECT CAST(pg_backend_pid() AS text), set_config('TimeZone', '{timezone}', true),
             set_config('DateStyle', 'ISO, MDY', true), set_config('IntervalStyle', 'postgres', true),
             set_config('bytea_output', 'hex', true), set_config('extra_float_digits', '2', true),
             set_config('standard_conforming_strings', 'on', true), set_config('lock_timeout', '{waits}ms', true),
             CASE WHEN current_setting('client_connection_check_interval', true) IS NOT NULL
                       AND current_setting('dynamic_shared_memory_type', true) <> 'windows'
                  THEN set_config('client_connection_check_interval', '10s', true) END,
             CASE WHEN current_setting('server_encoding') = 'SQL_ASCII'
                  THEN set_config('client_encoding', 'SQL_ASCII', true) END"
    )
}

/// Refuses files of libpq that are not regular: without another password the driver reads them, and a pipe would block
/// the whole program.
fn refuse_pipes() -> sqlx::Result<()> {
    let named = std::env::var_os("PGPASSFILE").map(|file| ("PGPASSFILE names", PathBuf::from(file)));
    let of_home = std::env::home_dir().map(|home| ("libpq reads", home.join(".pgpass")));
    for (how, file) in named.into_iter().chain(of_home) {
        match files::other_kind(&file) {
            // By convention, /dev/null means: no file.
            Some(_) if file == Path::new("/dev/null") => {}
            Some(kind) => {
                let told = format!("{how} {}, which is {kind}, and {NO_PASSFILE}", shown(&file.to_string_lossy()));
                return Err(sqlx::Error::Configuration(told.into()));
            }
            None => {}
        }
    }
    Ok(())
}
