//! Tenants from a SQL database: one connection, one read-only snapshot, one statement, in text form so that every type
//! arrives as the database prints it.

use std::path::PathBuf;

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Database, Either, Executor, MySqlConnection, PgConnection, Statement,
};

use super::{
    Error, Source,
    columns::Columns,
    convert,
    dialect::{Dialect, SqlSettings},
    error::cause,
    mysql::MySqlDialect,
    postgres::PostgresDialect,
    server::{Kind, Server},
    sqlite::SqliteDialect,
};
use crate::model::Row;

/// A database as a source.
#[derive(Debug)]
pub struct Sql {
    server: Server,
    query: String,
    leave_null: Vec<String>,
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
        let SqlSettings { url, password, ca_file, query, timeout, leave_null } = settings;
        Ok(Self { server: Server::new(&url, password, ca_file, timeout)?, query, leave_null })
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

    async fn open<D: Dialect>(&self) -> Result<<D::Db as Database>::Connection, Error> {
        let refused = |error| Error::Connect { place: self.place(), cause: cause(&error) };
        self.in_time("connecting", D::connect(&self.server)).await?.map_err(refused)
    }

    /// Prepares the query in a snapshot; with `each`, reads the rows as well.
    async fn run<D: Dialect>(&self, mut each: Option<&mut dyn FnMut(Row)>) -> Result<Columns, Error>
    where
        for<'c> &'c mut <D::Db as Database>::Connection: Executor<'c, Database = D::Db>,
    {
        let failed = |error: sqlx::Error| Error::Query { place: self.place(), cause: cause(&error) };
        let sql = || AssertSqlSafe(self.query.clone());
        let mut connection = self.open::<D>().await?;
        for statement in D::SNAPSHOT {
            let begun = (&mut connection).execute(sqlx::raw_sql(AssertSqlSafe(*statement)));
            self.in_time("beginning", begun).await?.map_err(failed)?;
        }
        // Only a prepared statement tells its columns before a row comes, and is refused where it is a list of statements.
        let prepared = sqlx::SqlSafeStr::into_sql_str(sql());
        let statement =
            self.in_time("preparing the query", (&mut connection).prepare(prepared)).await?.map_err(failed)?;
        let names = statement.columns().iter().map(sqlx::Column::name);
        let columns = Columns::named(names, &self.leave_null).map_err(Error::Columns)?;
        let types: Vec<_> = statement.columns().iter().map(|column| column.type_info().clone()).collect();
        // Behind a transaction pooler the name would stay on the server's connection.
        let cleared = self.in_time("preparing the query", connection.clear_cached_statements()).await?;
        cleared.map_err(failed)?;

        if let Some(each) = &mut each {
            let mut rows = (&mut connection).fetch_many(sqlx::raw_sql(sql()));
            let (mut number, mut is_over) = (0, false);
            while let Some(result) = self.in_time("sending rows", rows.try_next()).await?.map_err(failed)? {
                let row = match result {
                    _ if is_over => return Err(Error::SeveralStatements),
                    Either::Left(_) => {
                        is_over = true;
                        continue;
                    }
                    Either::Right(row) => row,
                };
                number += 1;
                let cells = types.iter().enumerate().map(|(position, type_info)| D::cell(&row, position, type_info));
                let cells = cells.collect::<sqlx::Result<Vec<_>>>().map_err(failed)?;
                each(convert::row(&columns, &self.leave_null, cells.into_iter(), number));
            }
        }
        // The rows are here; that the farewell fails changes nothing.
        let _ = self.in_time("closing", connection.close()).await;
        Ok(columns)
    }

    async fn dispatch(&self, each: Option<&mut dyn FnMut(Row)>) -> Result<Columns, Error> {
        match self.server.kind() {
            Kind::Postgres => self.run::<PostgresDialect>(each).await,
            Kind::MySql => self.run::<MySqlDialect>(each).await,
            Kind::Sqlite => self.run::<SqliteDialect>(each).await,
        }
    }

    /// Waits as long as the settings allow.
    pub(crate) async fn in_time<T>(&self, doing: &'static str, what: impl Future<Output = T>) -> Result<T, Error> {
        let limit = self.server.timeout();
        let late = |_| Error::Timeout { place: self.place(), seconds: limit.as_secs(), doing };
        tokio::time::timeout(limit, what).await.map_err(late)
    }
}

impl Source for Sql {
    async fn read(&self, each: &mut dyn FnMut(Row)) -> Result<(), Error> {
        self.dispatch(Some(each)).await.map(drop)
    }

    async fn columns(&self) -> Result<Columns, Error> {
        self.dispatch(None).await
    }

    fn place(&self) -> String {
        self.server.place()
    }
}
