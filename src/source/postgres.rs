//! What is particular to PostgreSQL.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use secrecy::ExposeSecret;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Either, Encode, PgConnection, Postgres, Row, Statement, Type, TypeInfo, ValueRef,
    encode::IsNull,
    error::{BoxDynError, DatabaseError},
    postgres::{
        PgArgumentBuffer, PgArguments, PgConnectOptions, PgRow, PgSslMode, PgStatement, PgTypeInfo, PgTypeKind,
    },
    raw_sql,
};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    address,
    causes::NO_PASSFILE,
    cell::{Cell, Kind},
    dialect::{Bound, Dialect, is_loopback, is_one_of},
    identifiers,
    server::Server,
    session::Transact,
};
use crate::{files, model::shown};

/// Types whose binary form is their text.
const TEXTS: [&str; 4] = ["TEXT", "VARCHAR", "CHAR", "citext"];

/// Other types that an id can be bound as.
const IDS: [&str; 4] = ["INT2", "INT4", "INT8", "UUID"];

/// What a server answers that does not copy a query: a syntax error, or that it has no such feature.
const NO_COPY: [&str; 2] = ["42601", "0A000"];

pub(super) struct PostgresDialect;

impl Dialect for PostgresDialect {
    type Db = Postgres;

    const SNAPSHOT: &str = "ISOLATION LEVEL REPEATABLE READ READ ONLY";

    async fn connect(server: &Server) -> sqlx::Result<PgConnection> {
        connect(server).await
    }

    const PLACEHOLDER: &str = "$1";

    fn mistake(statement: &PgStatement) -> Option<String> {
        let Some(Either::Left([type_info])) = statement.parameters() else {
            return Some("it must have the one parameter $1".to_owned());
        };
        let is_supported = is_one_of(base(type_info), &TEXTS) || is_one_of(base(type_info), &IDS);
        (!is_supported).then(|| format!("an id can't be bound as {}: write `where id::text = $1`", type_info.name()))
    }

    /// A cursor takes a parameter, and what is fetched from it comes in text form. It ends with the transaction.
    async fn bind(
        connection: &mut PgConnection,
        statement: &PgStatement,
        query: &str,
        provided_id: &str,
    ) -> sqlx::Result<Option<Bound<PgArguments>>> {
        let Some(Either::Left([type_info])) = statement.parameters() else { return Ok(None) };
        let Some(id) = BoundId::of(provided_id, type_info) else { return Ok(None) };
        // The cursors of other ids are still open.
        let cursor = format!("explo_sync_{:016x}", xxh3_64(provided_id.as_bytes()));
        let declare = AssertSqlSafe(format!("DECLARE {cursor} NO SCROLL CURSOR FOR {query}"));
        sqlx::query(declare).bind(id).persistent(false).execute(connection).await?;
        Ok(Some(Bound::Text(format!("FETCH ALL FROM {cursor}"))))
    }

    /// The server itself says what it keeps of a name, for that depends on how it was built and on its encoding.
    async fn cut_names(connection: &mut PgConnection, query: &str, columns: &[&str]) -> sqlx::Result<Vec<String>> {
        let named = identifiers::postgres(query);
        let long: Vec<_> = named.iter().filter(|name| name.len() >= identifiers::POSTGRES).cloned().collect();
        if long.is_empty() {
            return Ok(Vec::new());
        }
        let keep = "SELECT DISTINCT name::name::text FROM unnest($1::text[]) name WHERE name::name::text <> name";
        let kept = sqlx::query_scalar(keep).bind(long).persistent(false).fetch_all(connection).await?;
        Ok(identifiers::lost(kept, &named, columns))
    }

    fn kind(type_info: &PgTypeInfo) -> Kind {
        let type_info = base(type_info);
        let numbers = ["INT2", "INT4", "INT8", "FLOAT4", "FLOAT8", "NUMERIC", "OID"];
        match type_info.kind() {
            PgTypeKind::Array(_) => Kind::Array,
            _ if is_one_of(type_info, &["BOOL"]) => Kind::Bool,
            _ if is_one_of(type_info, &["JSON"]) => Kind::Json,
            _ if is_one_of(type_info, &["JSONB"]) => Kind::SoundJson,
            _ if is_one_of(type_info, &numbers) => Kind::Number,
            _ => Kind::Text,
        }
    }

    fn cell(row: &PgRow, position: usize, kind: Kind) -> sqlx::Result<Cell<'_>> {
        let value = row.try_get_raw(position)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        Ok(value.as_str().map_or(Cell::Binary, |text| Cell::of(kind, Cow::Borrowed(text))))
    }

    const COPIES: bool = true;

    /// What can't be copied, such as `SHOW`, and what is no query between brackets, is refused before any row.
    async fn copy<'c>(
        connection: &'c mut PgConnection,
        query: &str,
    ) -> sqlx::Result<Option<BoxStream<'c, sqlx::Result<Bytes>>>> {
        let query = query.trim_end().trim_end_matches(';');
        match connection.copy_out_raw(&format!("COPY ({query}\n) TO STDOUT")).await {
            Ok(rows) => Ok(Some(rows)),
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| NO_COPY.contains(&&*code)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Transact for PgConnection {
    async fn start(&mut self, server: &Server, mode: &str) -> sqlx::Result<Option<String>> {
        let begun = raw_sql(AssertSqlSafe(beginning(server, mode))).fetch_all(self).await?;
        begun.first().map(|row| row.try_get_unchecked(0)).transpose()
    }
}

/// Behind a transaction pooler a session's settings would be other clients' as well, so they are the transaction's. In one
/// message with its beginning; the first column is the number by which it can be cancelled.
///
/// A database without an encoding holds any bytes: they are sent as they are, or the server would refuse all rows for one. A
/// server on Windows can't tell that its client is gone.
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

/// Whether the server does not know the zone of our settings.
pub(super) fn lacks_timezone(error: &sqlx::Error) -> bool {
    let is_it =
        |error: &dyn DatabaseError| error.code().as_deref() == Some("22023") && error.message().contains("TimeZone");
    error.as_database_error().is_some_and(is_it)
}

/// Where no other password is given, the driver reads libpq's files, and would wait for the writer of a pipe, and everything
/// else with it.
fn refuse_pipes() -> sqlx::Result<()> {
    let named = std::env::var_os("PGPASSFILE").map(|file| ("PGPASSFILE names", PathBuf::from(file)));
    let of_home = std::env::home_dir().map(|home| ("libpq reads", home.join(".pgpass")));
    for (how, file) in named.into_iter().chain(of_home) {
        match files::other_kind(&file) {
            // As one says that there is no such file.
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

/// Connects, with TLS verified unless the host is this machine.
pub(super) async fn connect(server: &Server) -> sqlx::Result<PgConnection> {
    let mut url = server.url.clone();
    match &server.password {
        Some(password) if url.password().is_none() => {
            url.query_pairs_mut().append_pair("password", password.expose_secret());
        }
        _ if address::password(&url).is_none() => refuse_pipes()?,
        _ => {}
    }
    let mut options = PgConnectOptions::from_url(&url)?
        // A pooler may refuse it here.
        .extra_float_digits(None)
        .disable_statement_logging();
    if options.get_application_name().is_none() {
        options = options.application_name("explo-sync");
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
    options.connect().await
}

/// An id in the binary form of the type that the query compares it with.
struct BoundId {
    bytes: Vec<u8>,
    type_info: PgTypeInfo,
}

impl BoundId {
    /// `None`: there is no such value of this type.
    fn of(provided_id: &str, type_info: &PgTypeInfo) -> Option<Self> {
        let bytes = match base(type_info).name() {
            "INT2" => provided_id.parse::<i16>().ok()?.to_be_bytes().to_vec(),
            "INT4" => provided_id.parse::<i32>().ok()?.to_be_bytes().to_vec(),
            "INT8" => provided_id.parse::<i64>().ok()?.to_be_bytes().to_vec(),
            "UUID" => provided_id.parse::<Uuid>().ok()?.into_bytes().to_vec(),
            _ if provided_id.contains('\0') => return None,
            _ => provided_id.as_bytes().to_vec(),
        };
        Some(Self { bytes, type_info: type_info.clone() })
    }
}

impl Type<Postgres> for BoundId {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for BoundId {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.type_info.clone())
    }
}

/// The type below any domains.
fn base(type_info: &PgTypeInfo) -> &PgTypeInfo {
    match type_info.kind() {
        PgTypeKind::Domain(inner) => base(inner),
        _ => type_info,
    }
}
