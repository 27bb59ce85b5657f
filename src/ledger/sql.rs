//! A ledger in a table: its server, its pair, and its errors.

use std::path::PathBuf;

use super::{Error, Pair, Table, ddl, mysql::MySqlDialect, postgres::PostgresDialect, sqlite::SqliteDialect};
use crate::database::{
    Kind, Server,
    causes::{self, Keys},
};

/// A table in a database.
#[derive(Debug, Clone)]
pub struct Sql {
    pub(super) server: Server,
    pub(super) table: Table,
    pub(super) instance: String,
}

/// The result of an adoption.
#[derive(Debug)]
pub struct Adopted {
    /// The pair before, if the ledger named one.
    pub former: Option<Pair>,
    /// The number of tokens that were removed.
    pub tokens: u64,
}

impl Sql {
    /// The ledger of an instance in a table.
    #[must_use]
    pub fn new(server: Server, table: Table, instance: &str) -> Self {
        Self { server, table, instance: instance.to_owned() }
    }

    /// The same ledger, whose connections stay open for the next use.
    #[must_use]
    pub fn keeping_connections(self) -> Self {
        Self { server: self.server.keeping_connections(), ..self }
    }

    /// Host, database and table, for messages; without credentials.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{} ({})", self.server.place(), self.table)
    }

    /// The file, if the ledger is in SQLite.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        self.server.sqlite_file()
    }

    /// The statement that makes the table, and the grants.
    #[must_use]
    pub fn ddl(&self) -> String {
        let (create, quote, grants) = match self.server.kind() {
            Kind::Postgres => (ddl::create::<PostgresDialect>(&self.table), '"', ddl::POSTGRES_GRANTS),
            Kind::MySql => (ddl::create::<MySqlDialect>(&self.table), '`', ddl::MYSQL_GRANTS),
            Kind::Sqlite => (ddl::create::<SqliteDialect>(&self.table), '"', ddl::SQLITE_GRANTS),
        };
        let grants = grants.replace("{table}", &self.table.quoted(quote)).replace("{instance}", &self.instance);
        format!("{create};\n\n{grants}")
    }

    /// The error if the database denies access; its way out names the primary or the grant.
    pub(super) fn denied(&self, error: &sqlx::Error, cause: String) -> Error {
        let primary = causes::primary(error, Keys::LEDGER);
        self.closed(cause, primary.unwrap_or_else(|| self.grants()))
    }

    /// The grants that the role needs, as a way out.
    pub(super) fn grants(&self) -> String {
        let role = self.role();
        let (quote, grantee) = match self.server.kind() {
            Kind::Postgres => ('"', format!("\"{role}\"")),
            Kind::MySql => ('`', format!("'{role}'@…")),
            Kind::Sqlite => return "make the file and its directory writable for the user that runs this".to_owned(),
        };
        let table = self.table.quoted(quote);
        format!(
            "GRANT SELECT, INSERT, UPDATE ON {table} TO {grantee}; if the table is missing, let its owner run what \
             `explo-sync ledger --print-sql` prints"
        )
    }

    pub(super) fn closed(&self, cause: String, way_out: String) -> Error {
        Error::Denied { place: self.server.place(), role: self.role(), cause, way_out }
    }

    fn role(&self) -> String {
        self.server.role().unwrap_or_else(|| "this role".to_owned())
    }

    /// Fails if the ledger belongs to another pair than the one that asks.
    pub fn refuse_another(&self, kept: &Pair, asked: &Pair) -> Result<(), Error> {
        if kept.is_same(asked) {
            return Ok(());
        }
        let [kept, asked] = [kept, asked].map(|pair| Box::new(pair.clone()));
        Err(Error::Another { place: self.place(), instance: self.instance.clone(), kept, asked })
    }

    pub(super) fn late(&self) -> Error {
        Error::Timeout { place: self.place(), seconds: self.server.timeout().as_secs() }
    }
}
