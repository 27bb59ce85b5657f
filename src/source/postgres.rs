//! What is particular to PostgreSQL.

use std::borrow::Cow;

use secrecy::ExposeSecret;
use sqlx::{
    ConnectOptions, PgConnection, Postgres, Row, ValueRef,
    postgres::{PgConnectOptions, PgRow, PgSslMode, PgTypeInfo, PgTypeKind},
};

use super::{
    cell::Cell,
    dialect::{Dialect, is_loopback, is_one_of, tls_mode},
    server::Server,
};

pub(super) struct PostgresDialect;

impl Dialect for PostgresDialect {
    type Db = Postgres;

    const SNAPSHOT: &[&str] = &["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"];

    async fn connect(server: &Server) -> sqlx::Result<PgConnection> {
        connect(server).await
    }

    fn cell<'r>(row: &'r PgRow, position: usize, type_info: &PgTypeInfo) -> sqlx::Result<Cell<'r>> {
        let value = row.try_get_raw(position)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let Ok(text) = value.as_str() else { return Ok(Cell::Binary) };
        let text = Cow::Borrowed(text);
        let numbers = ["INT2", "INT4", "INT8", "FLOAT4", "FLOAT8", "NUMERIC", "OID"];
        let type_info = base(type_info);
        Ok(match type_info.kind() {
            PgTypeKind::Array(_) => Cell::Array(text),
            _ if is_one_of(type_info, &["BOOL"]) => Cell::Bool(text == "t"),
            _ if is_one_of(type_info, &["JSON", "JSONB"]) => Cell::Json(text),
            _ if is_one_of(type_info, &numbers) => Cell::Number(text),
            _ => Cell::Text(text),
        })
    }
}

/// Connects, with TLS verified unless the host is this machine.
pub(super) async fn connect(server: &Server) -> sqlx::Result<PgConnection> {
    let mut options =
        PgConnectOptions::from_url(&server.url)?.application_name("explo-sync").disable_statement_logging();
    let is_local = is_loopback(options.get_host()) || options.get_socket().is_some();
    options = match tls_mode(&server.url).as_deref() {
        Some("disable" | "verify-ca" | "verify-full") => options,
        _ if is_local => options,
        _ => options.ssl_mode(PgSslMode::VerifyFull),
    };
    if let (Some(password), None) = (&server.password, server.url.password()) {
        options = options.password(password.expose_secret());
    }
    if let Some(file) = &server.ca_file {
        options = options.ssl_root_cert(file);
    }
    options.connect().await
}

/// The type below any domains.
fn base(type_info: &PgTypeInfo) -> &PgTypeInfo {
    match type_info.kind() {
        PgTypeKind::Domain(inner) => base(inner),
        _ => type_info,
    }
}
