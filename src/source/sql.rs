//! A SQL database as a source: where it is, what is asked there, and how a failure is told.

use std::path::PathBuf;

use futures_util::{FutureExt, TryStreamExt, stream::BoxStream};
use sqlx::{Database, MySqlConnection, PgConnection};
use tokio::task::coop::consume_budget;

use super::{
    Error, Source,
    dialect::{Dialect, SqlSettings},
    error::{CONNECTING, READING},
    mysql::MySqlDialect,
    postgres::PostgresDialect,
};
use crate::database::{
    Kind, Server,
    causes::{self, Keys},
    mysql, postgres,
};

/// A database as a source.
#[derive(Debug, Clone)]
pub struct Sql {
    pub(super) server: Server,
    pub(super) query: String,
    pub(super) query_one: Option<String>,
    pub(super) leave_null: Vec<String>,
}

/// A connection for something else than reading tenants.
#[derive(Debug)]
pub enum Connection {
    /// To PostgreSQL.
    Postgres(PgConnection),
    /// To MySQL or MariaDB.
    MySql(MySqlConnection),
    /// The file of a SQLite database, not opened.
    Sqlite(PathBuf),
}

impl Sql {
    /// A source that connects when it is read.
    pub fn new(settings: SqlSettings) -> Result<Self, String> {
        let SqlSettings { url, password, ca_file, query, timeout, timezone, longest, leave_null, query_one } = settings;
        let server = Server::new(&url, password, ca_file, timeout)?.in_timezone(timezone).no_longer_than(longest);
        Ok(Self { server, query, query_one, leave_null })
    }

    /// Where it is.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A connection beside the one that reads.
    pub async fn connect(&self) -> Result<Connection, Error> {
        Ok(match self.server.kind() {
            Kind::Postgres => Connection::Postgres(self.open::<PostgresDialect>().await?),
            Kind::MySql => Connection::MySql(self.open::<MySqlDialect>().await?),
            Kind::Sqlite => Connection::Sqlite(self.server.file()),
        })
    }

    /// A further connection to PostgreSQL.
    pub async fn postgres(&self) -> Result<PgConnection, Error> {
        self.open::<PostgresDialect>().await
    }

    pub(super) async fn open<D: Dialect>(&self) -> Result<<D::Db as Database>::Connection, Error> {
        let connected = self.in_time(CONNECTING, D::connect(&self.server)).await?;
        connected.map_err(|error| self.refused(&error))
    }

    /// No connection, or none with our settings.
    pub(super) fn refused(&self, error: &sqlx::Error) -> Error {
        let place = self.place();
        if postgres::lacks_timezone(error) || mysql::lacks_timezone(error) {
            return Error::Timezone { place, timezone: self.server.timezone.name().to_owned() };
        }
        let mut cause = causes::unreachable(error, Keys::SOURCE);
        if self.server.role().is_none() && causes::is_about_user(error) {
            let taken = if self.server.kind() == Kind::MySql { "root" } else { "that of PGUSER or of the system" };
            cause = format!("{cause}; source.url names no user, so {taken} was taken");
        }
        Error::Connect { place, cause }
    }

    /// No query that the database understands: no row was read.
    pub(super) fn failed(&self, key: &'static str, error: &sqlx::Error) -> Error {
        let cause = causes::told(error, Keys::SOURCE, &format!("check {key}"));
        Error::Query { key, place: self.place(), cause, fault: causes::fault(error) }
    }

    /// Not all of a query's rows.
    pub(super) fn broke_off(&self, key: &'static str, query: &str, error: &sqlx::Error) -> Error {
        let cause = causes::told_among_rows(error, query, Keys::SOURCE, &format!("check {key}"));
        Error::Query { key, place: self.place(), cause, fault: causes::fault(error) }
    }

    /// Whether there is a query for one id.
    #[must_use]
    pub fn has_query_one(&self) -> bool {
        self.query_one.is_some()
    }

    /// The next row; where it is not there yet, waits for it.
    pub(super) async fn next<R>(
        &self,
        rows: &mut BoxStream<'_, sqlx::Result<R>>,
    ) -> Result<sqlx::Result<Option<R>>, Error> {
        match rows.try_next().now_or_never() {
            Some(row) => {
                consume_budget().await;
                Ok(row)
            }
            None => self.in_time(READING, rows.try_next()).await,
        }
    }

    /// Waits as long as the settings allow. Where it never has to, as with rows that are there already, it lets others act
    /// now and then.
    pub(crate) async fn in_time<T>(&self, doing: &'static str, what: impl Future<Output = T>) -> Result<T, Error> {
        consume_budget().await;
        let limit = self.server.timeout();
        let late = |_| Error::Timeout { place: self.place(), seconds: limit.as_secs(), doing };
        tokio::time::timeout(limit, what).await.map_err(late)
    }
}
