//! What differs between databases, and what each of them needs to know.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use secrecy::SecretString;
use sqlx::{Database, Either, Statement, TypeInfo, database::HasStatementCache};

use super::cell::{Cell, Kind};
use crate::database::{Timezone, Transact};

/// Where the tenants are and how they are asked for.
#[derive(Debug)]
pub struct SqlSettings {
    /// `postgres:`, `mysql:`, `mariadb:` or `sqlite:`; may hold a password.
    pub url: SecretString,
    /// The password, where the URL has none.
    pub password: Option<SecretString>,
    /// What a file of further authorities to trust holds, PEM.
    pub ca_file: Option<Vec<u8>>,
    /// The user's SELECT.
    pub query: String,
    /// The same for one id, where there is one.
    pub query_one: Option<String>,
    /// The longest silence.
    pub timeout: Duration,
    /// Of the session.
    pub timezone: Timezone,
    /// The longest that a statement of MySQL or MariaDB may take, whoever still waits for it.
    pub longest: Duration,
    /// Columns whose NULL means: leave alone.
    pub leave_null: Vec<String>,
}

pub(super) type Connection<D> = <<D as Dialect>::Db as Database>::Connection;

/// What differs between databases.
pub(super) trait Dialect {
    type Db: Database<Connection: Transact> + HasStatementCache;

    /// The mode of a transaction that is a read-only snapshot.
    const SNAPSHOT: &str;

    /// What stands for the id in the query for one.
    const PLACEHOLDER: &str;

    /// Why an id can't be bound to the one or more parameters of a prepared query, where it can't.
    fn mistake(_: &<Self::Db as Database>::Statement) -> Option<String> {
        None
    }

    /// Binds an id to all parameters of a prepared query; nothing where no row can have such an id.
    async fn bind(
        connection: &mut Connection<Self>,
        statement: &<Self::Db as Database>::Statement,
        query: &str,
        provided_id: &str,
    ) -> sqlx::Result<Option<Bound<<Self::Db as Database>::Arguments>>>;

    /// Whether it can [`copy`](Self::copy).
    const COPIES: bool = false;

    /// Begins to send all rows of a query as [`copied`](super::copied) ones, if the server takes it so; if not, the connection
    /// is of no use any more.
    async fn copy<'c>(
        _: &'c mut Connection<Self>,
        _: &str,
    ) -> sqlx::Result<Option<BoxStream<'c, sqlx::Result<Bytes>>>> {
        Ok(None)
    }

    /// What is left of the names in a query with these columns that are cut, so that something is called otherwise than was meant.
    async fn cut_names(_: &mut Connection<Self>, _query: &str, _columns: &[&str]) -> sqlx::Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// What the statement before lost on its way, where the server tells.
    async fn loss(_: &mut Connection<Self>) -> sqlx::Result<Option<Loss>> {
        Ok(None)
    }

    /// What a column of this type has.
    fn kind(type_info: &<Self::Db as Database>::TypeInfo) -> Kind;

    /// One value of a row.
    fn cell(row: &<Self::Db as Database>::Row, position: usize, kind: Kind) -> sqlx::Result<Cell<'_>>;
}

/// What is to be fetched.
pub(super) enum Bound<A> {
    /// A statement as it is, in text form.
    Text(String),
    /// The query with these arguments.
    Arguments(A),
}

/// A part of a result that did not arrive, although nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loss {
    /// What happened to it.
    pub(super) what: &'static str,
    /// How it is kept next time.
    pub(super) way_out: &'static str,
}

/// How many parameters a statement has.
pub(super) fn parameters(statement: &impl Statement) -> usize {
    match statement.parameters() {
        Some(Either::Left(types)) => types.len(),
        Some(Either::Right(count)) => count,
        None => 0,
    }
}

/// The name of a type without what the drivers add to it.
pub(super) fn is_one_of(type_info: &impl TypeInfo, names: &[&str]) -> bool {
    let name = type_info.name();
    let base = name.strip_suffix(" UNSIGNED").unwrap_or(name);
    names.contains(&base)
}
