//! Tenants from a SQL database: one connection, one read-only snapshot, one statement, be it for all tenants or for one.

use std::{collections::BTreeSet, fmt, path::PathBuf};

use secrecy::ExposeSecret;
use sqlx::{Database, Executor, IntoArguments, MySqlConnection, PgConnection};
use url::Url;

use super::{
    Error, Source,
    columns::Columns,
    dialect::{Dialect, SqlSettings},
    error::cause,
    mysql::MySqlDialect,
    postgres::PostgresDialect,
    snapshot::Snapshot,
    sqlite::SqliteDialect,
};
use crate::model::Row;

/// A database as a source.
pub struct Sql {
    pub(super) settings: SqlSettings,
    url: Url,
}

/// What a snapshot is for.
enum Task<'a> {
    /// To see that the queries are understood.
    Columns,
    /// All rows.
    Whole(&'a mut dyn FnMut(Row)),
    /// The rows of these ids.
    Some { provided_ids: &'a BTreeSet<String>, each: &'a mut dyn FnMut(Row), strays: &'a mut BTreeSet<String> },
}

/// The databases there are.
enum Kind {
    Postgres,
    MySql,
    Sqlite,
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
        let url = Url::parse(settings.url.expose_secret()).map_err(|error| format!("is not a URL: {error}"))?;
        let sql = Self { settings, url };
        match sql.kind() {
            Some(_) => Ok(sql),
            None => {
                Err(format!("begins with '{}:', not with postgres:, mysql:, mariadb: or sqlite:", sql.url.scheme()))
            }
        }
    }

    fn kind(&self) -> Option<Kind> {
        match self.url.scheme() {
            "postgres" | "postgresql" => Some(Kind::Postgres),
            "mysql" | "mariadb" => Some(Kind::MySql),
            "sqlite" => Some(Kind::Sqlite),
            _ => None,
        }
    }

    /// A connection beside the one that reads.
    pub async fn connect(&self) -> Result<Connection, Error> {
        Ok(match self.kind() {
            Some(Kind::Postgres) | None => Connection::Postgres(self.open::<PostgresDialect>().await?),
            Some(Kind::MySql) => Connection::MySql(self.open::<MySqlDialect>().await?),
            Some(Kind::Sqlite) => Connection::Sqlite(super::sqlite::path(&self.url).into()),
        })
    }

    pub(super) async fn open<D: Dialect>(&self) -> Result<<D::Db as Database>::Connection, Error> {
        let refused = |error| Error::Connect { place: self.place(), cause: cause(&error) };
        self.in_time("connecting", D::connect(&self.url, &self.settings)).await?.map_err(refused)
    }

    pub(super) fn failed(&self, key: &'static str, error: &sqlx::Error) -> Error {
        Error::Query { key, place: self.place(), cause: cause(error) }
    }

    /// Whether there is a query for one id.
    #[must_use]
    pub fn has_query_one(&self) -> bool {
        self.settings.query_one.is_some()
    }

    async fn run<D: Dialect>(&self, task: Task<'_>) -> Result<Columns, Error>
    where
        for<'c> &'c mut <D::Db as Database>::Connection: Executor<'c, Database = D::Db>,
        <D::Db as Database>::Arguments: IntoArguments<D::Db>,
    {
        let mut snapshot = Snapshot::<D>::begin(self).await?;
        let whole = snapshot.prepare_whole().await?;
        match (task, self.settings.query_one.as_deref()) {
            (Task::Whole(each), _) | (Task::Some { each, .. }, None) => snapshot.read(&whole, each).await?,
            (Task::Some { provided_ids, each, strays }, Some(query)) => {
                let one = snapshot.prepare_one(query, &whole).await?;
                *strays = snapshot.read_some(&one, provided_ids, each).await?;
            }
            (Task::Columns, Some(query)) => drop(snapshot.prepare_one(query, &whole).await?),
            (Task::Columns, None) => {}
        }
        snapshot.end().await;
        Ok(whole.columns)
    }

    async fn dispatch(&self, task: Task<'_>) -> Result<Columns, Error> {
        match self.kind() {
            Some(Kind::Postgres) | None => Box::pin(self.run::<PostgresDialect>(task)).await,
            Some(Kind::MySql) => Box::pin(self.run::<MySqlDialect>(task)).await,
            Some(Kind::Sqlite) => Box::pin(self.run::<SqliteDialect>(task)).await,
        }
    }

    /// Waits as long as the settings allow.
    pub(crate) async fn in_time<T>(&self, doing: &'static str, what: impl Future<Output = T>) -> Result<T, Error> {
        let limit = self.settings.timeout;
        let late = |_| Error::Timeout { place: self.place(), seconds: limit.as_secs(), doing };
        tokio::time::timeout(limit, what).await.map_err(late)
    }
}

/// The URL may hold a password.
impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sql").field(&self.place()).finish()
    }
}

impl Source for Sql {
    async fn read(&self, each: &mut dyn FnMut(Row)) -> Result<(), Error> {
        self.dispatch(Task::Whole(each)).await.map(drop)
    }

    async fn read_some(
        &self,
        provided_ids: &BTreeSet<String>,
        each: &mut dyn FnMut(Row),
    ) -> Result<BTreeSet<String>, Error> {
        let mut strays = BTreeSet::new();
        self.dispatch(Task::Some { provided_ids, each, strays: &mut strays }).await?;
        Ok(strays)
    }

    async fn columns(&self) -> Result<Columns, Error> {
        self.dispatch(Task::Columns).await
    }

    fn place(&self) -> String {
        let port = self.url.port().map_or(String::new(), |port| format!(":{port}"));
        match self.kind() {
            Some(Kind::Sqlite) => format!("sqlite:{}", super::sqlite::path(&self.url)),
            _ => format!(
                "{}://{}{port}{}",
                self.url.scheme(),
                self.url.host_str().unwrap_or("localhost"),
                self.url.path()
            ),
        }
    }
}
