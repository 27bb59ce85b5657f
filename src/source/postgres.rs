//! What is specific to PostgreSQL.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use sqlx::{
    AssertSqlSafe, Either, Encode, Executor, PgConnection, Postgres, Row, Statement, Type, TypeInfo, ValueRef,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgRow, PgStatement, PgTypeInfo, PgTypeKind},
    raw_sql,
};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    cell::{Cell, Kind},
    dialect::{Bound, Dialect, Parameter, Value, is_one_of},
    identifiers,
};
use crate::database::Timezone;

/// Types whose binary form is their text.
const TEXTS: [&str; 4] = ["TEXT", "VARCHAR", "CHAR", "citext"];

/// Other types that an id can be bound as.
const IDS: [&str; 4] = ["INT2", "INT4", "INT8", "UUID"];

/// Types that a time can be bound as.
const TIMES: [&str; 2] = ["TIMESTAMPTZ", "TIMESTAMP"];

/// The errors of a server that can't copy a query: a syntax error, or an unsupported feature.
const NO_COPY: [&str; 2] = ["42601", "0A000"];

pub(super) struct PostgresDialect;

impl Dialect for PostgresDialect {
    type Db = Postgres;

    const SNAPSHOT: &str = "ISOLATION LEVEL REPEATABLE READ READ ONLY";

    const PLACEHOLDER: &str = "$1";

    fn mistake(statement: &PgStatement, parameter: Parameter) -> Option<String> {
        let Some(Either::Left([type_info])) = statement.parameters() else {
            return Some("it must have the one parameter $1".to_owned());
        };
        let (supported, what, example): (&[&[&str]], _, _) = match parameter {
            Parameter::Id => (&[&TEXTS, &IDS], "an id", "id::text = $1"),
            Parameter::Time => (&[&TIMES], "a time", "updated_at >= $1::timestamptz"),
        };
        let is_supported = supported.iter().any(|names| is_one_of(base(type_info), names));
        (!is_supported).then(|| format!("{what} can't be bound as {}: write `where {example}`", type_info.name()))
    }

    /// A cursor takes a parameter, and its rows come in text form. It ends with the transaction.
    async fn bind(
        connection: &mut PgConnection,
        statement: &PgStatement,
        query: &str,
        value: Value<'_>,
    ) -> sqlx::Result<Option<Bound<PgArguments>>> {
        let Some(Either::Left([type_info])) = statement.parameters() else { return Ok(None) };
        let Some(bound) = BoundValue::of(value, type_info) else { return Ok(None) };
        // The cursors of other ids are still open, so each has a name of its own.
        let cursor = format!("explo_sync_{:016x}", xxh3_64(value.text().as_bytes()));
        let declare = AssertSqlSafe(format!("DECLARE {cursor} NO SCROLL CURSOR FOR {query}"));
        sqlx::query(declare).bind(bound).persistent(false).execute(connection).await?;
        Ok(Some(Bound::Text(format!("FETCH ALL FROM {cursor}"))))
    }

    /// The binary forms of both types, in hexadecimal digits: of a moment, and of what a clock in the zone shows then.
    async fn clock(connection: &mut PgConnection, zone: &Timezone, overlap: Duration) -> sqlx::Result<String> {
        let (zone, overlap) = (zone.postgres(), overlap.as_micros());
        let clock = format!(
            "SELECT encode(timestamptz_send(t), 'hex') || ' ' || encode(timestamp_send(t AT TIME ZONE '{zone}'), 'hex')
             FROM (SELECT CASE WHEN pg_is_in_recovery()
                               THEN least(now(), coalesce(pg_last_xact_replay_timestamp(), now()))
                               ELSE now() END - interval '{overlap} microseconds' AS t) AS clock"
        );
        connection.fetch_one(raw_sql(AssertSqlSafe(clock))).await?.try_get_unchecked(0)
    }

    /// Asks the server what it keeps of each name, since that depends on its build and encoding.
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

    /// The server refuses a query that can't be copied, such as `SHOW`, or that can't stand in brackets, before it
    /// sends a row.
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

/// A value in the binary form of the parameter's type.
struct BoundValue {
    bytes: Vec<u8>,
    type_info: PgTypeInfo,
}

impl BoundValue {
    /// `None`: this type has no such value.
    fn of(value: Value<'_>, type_info: &PgTypeInfo) -> Option<Self> {
        let name = base(type_info).name();
        let bytes = match value {
            Value::Id(id) => match name {
                "INT2" => id.parse::<i16>().ok()?.to_be_bytes().to_vec(),
                "INT4" => id.parse::<i32>().ok()?.to_be_bytes().to_vec(),
                "INT8" => id.parse::<i64>().ok()?.to_be_bytes().to_vec(),
                "UUID" => id.parse::<Uuid>().ok()?.into_bytes().to_vec(),
                _ if id.contains('\0') => return None,
                _ => id.as_bytes().to_vec(),
            },
            Value::Time(time) => {
                let (moment, shown) = time.split_once(' ')?;
                let digits = if name == "TIMESTAMPTZ" { moment } else { shown };
                u64::from_str_radix(digits, 16).ok()?.to_be_bytes().to_vec()
            }
        };
        Some(Self { bytes, type_info: type_info.clone() })
    }
}

impl Type<Postgres> for BoundValue {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for BoundValue {
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
