//! What differs between databases, and the settings that each of them needs.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use secrecy::SecretString;
use sqlx::{Database, Either, Statement, TypeInfo, database::HasStatementCache};

use super::cell::{Cell, Kind};
use crate::database::{Timezone, Transact};

/// Where the tenants are, and the queries that read them.
#[derive(Debug)]
pub struct SqlSettings {
    /// `postgres:`, `mysql:`, `mariadb:` or `sqlite:`; may hold a password.
    pub url: SecretString,
    /// The password, where the URL has none.
    pub password: Option<SecretString>,
    /// The content of a PEM file with further authorities to trust.
    pub ca_file: Option<Vec<u8>>,
    /// The user's SELECT.
    pub query: String,
    /// The same for one id, if configured.
    pub query_one: Option<String>,
    /// The PostgreSQL channel whose notifications are ids, if configured.
    pub listen: Option<String>,
    /// The query for tenants that changed, if configured.
    pub changed: Option<Changed>,
    /// The longest silence before a timeout.
    pub timeout: Duration,
    /// The time zone of the session.
    pub timezone: Timezone,
    /// The longest that a statement may run in MySQL or MariaDB, even if its client is gone.
    pub longest: Duration,
    /// Columns whose NULL means: leave alone.
    pub leave_null: Vec<String>,
}

/// The query for tenants that changed since a time, and how it is asked.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The user's SELECT.
    pub query: String,
    /// The time from one answer to the next question.
    pub every: Duration,
    /// How much of the time before the last answer it is asked for again.
    pub overlap: Duration,
}

pub(super) type Connection<D> = <<D as Dialect>::Db as Database>::Connection;

/// What differs between databases.
pub(super) trait Dialect {
    type Db: Database<Connection: Transact> + HasStatementCache;

    /// The mode of a transaction that is a read-only snapshot.
    const SNAPSHOT: &str;

    /// Stands for the value in a query with a parameter.
    const PLACEHOLDER: &str;

    /// Whether a connection may stay open between transactions: what is behind it stays the same database.
    const STAYS_OPEN: bool = true;

    /// Why a value can't be bound to the parameters of a prepared query; `None` if it can.
    fn mistake(_: &<Self::Db as Database>::Statement, _: Parameter) -> Option<String> {
        None
    }

    /// Binds a value to all parameters of a prepared query; `None` if no row can have such a value.
    async fn bind(
        connection: &mut Connection<Self>,
        statement: &<Self::Db as Database>::Statement,
        query: &str,
        value: Value<'_>,
    ) -> sqlx::Result<Option<Bound<<Self::Db as Database>::Arguments>>>;

    /// The clock of the database minus `overlap`, in the form of [`Value::Time`]. It is asked before a snapshot, so that
    /// no change of the snapshot is later; on a standby, it is the time up to which it has replayed.
    async fn clock(connection: &mut Connection<Self>, zone: &Timezone, overlap: Duration) -> sqlx::Result<String>;

    /// Whether it implements [`copy`](Self::copy).
    const COPIES: bool = false;

    /// Begins to send all rows of a query as [`copied`](super::copied) ones. `None` if the server refuses to copy this
    /// query; the connection is then unusable.
    async fn copy<'c>(
        _: &'c mut Connection<Self>,
        _: &str,
    ) -> sqlx::Result<Option<BoxStream<'c, sqlx::Result<Bytes>>>> {
        Ok(None)
    }

    /// The names that remain after the database cut names in the query, as far as this renames one of the columns or a
    /// key.
    async fn cut_names(_: &mut Connection<Self>, _query: &str, _columns: &[&str]) -> sqlx::Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// The part of the last statement's result that the server says it lost.
    async fn loss(_: &mut Connection<Self>) -> sqlx::Result<Option<Loss>> {
        Ok(None)
    }

    /// The kind of the values of a column of this type.
    fn kind(type_info: &<Self::Db as Database>::TypeInfo) -> Kind;

    /// One value of a row.
    fn cell(row: &<Self::Db as Database>::Row, position: usize, kind: Kind) -> sqlx::Result<Cell<'_>>;
}

/// The meaning of a query's parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// The id of the tenant to select.
    Id,
    /// The time since which tenants to select have changed.
    Time,
}

/// What is bound to the parameters of a query.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'v> {
    /// A tenant's id.
    Id(&'v str),
    /// A time, as the database's [clock](Dialect::clock) gave it.
    Time(&'v str),
}

impl<'v> Value<'v> {
    pub(super) fn text(self) -> &'v str {
        match self {
            Self::Id(text) | Self::Time(text) => text,
        }
    }
}

/// A statement to fetch from.
pub(super) enum Bound<A> {
    /// A statement as it is, in text form.
    Text(String),
    /// The query with these arguments.
    Arguments(A),
}

/// A part of a result that did not arrive, although no statement failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loss {
    /// What happened to it.
    pub(super) what: &'static str,
    /// What to do so that it arrives next time.
    pub(super) way_out: &'static str,
}

/// The number of parameters of a statement.
pub(super) fn parameters(statement: &impl Statement) -> usize {
    match statement.parameters() {
        Some(Either::Left(types)) => types.len(),
        Some(Either::Right(count)) => count,
        None => 0,
    }
}

/// Whether a type has one of these names, ignoring what the drivers add to them.
pub(super) fn is_one_of(type_info: &impl TypeInfo, names: &[&str]) -> bool {
    let name = type_info.name();
    let base = name.strip_suffix(" UNSIGNED").unwrap_or(name);
    names.contains(&base)
}
