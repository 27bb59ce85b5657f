//! A ledger in a table. Connects for loading and for each batch, and lets go.

use std::collections::HashMap;

use super::{
    Error, Ledger, Table, Writer, ddl,
    dialect::{Access, Dialect, in_time, is_late},
    mysql::MySqlDialect,
    postgres::PostgresDialect,
    session::{Session, State},
    sqlite::{self, SqliteDialect},
};
use crate::{
    model::shown,
    plan::{Entry, Findings},
    source::{self, Kind, Server},
};

/// Bytes of an id that the key takes; MySQL's index has room for no more than 3,072, PostgreSQL's for 2,704.
pub const LONGEST_ID: usize = 2048;

/// Rows of a statement.
const ROWS: usize = 200;

/// A table in a database.
#[derive(Debug, Clone)]
pub struct Sql {
    pub(super) server: Server,
    pub(super) table: Table,
    pub(super) instance: String,
}

/// Writes a table that is there and may be written.
#[derive(Debug)]
pub struct SqlWriter<'a>(&'a Sql);

/// Does the same in the database's own words.
macro_rules! in_dialect {
    ($ledger:expr, $access:expr, |$session:ident| $done:expr, $or:expr) => {
        match $ledger.server.kind() {
            Kind::Postgres => match $ledger.open::<PostgresDialect>($access).await? {
                Some(mut $session) => $done,
                None => $or,
            },
            Kind::MySql => match $ledger.open::<MySqlDialect>($access).await? {
                Some(mut $session) => $done,
                None => $or,
            },
            Kind::Sqlite => match $ledger.open::<SqliteDialect>($access).await? {
                Some(mut $session) => $done,
                None => $or,
            },
        }
    };
}

impl Sql {
    /// The ledger of an instance.
    #[must_use]
    pub fn new(server: Server, table: Table, instance: &str) -> Self {
        Self { server, table, instance: instance.to_owned() }
    }

    /// Host, database and table, for messages; without credentials.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{} ({})", self.server.place(), self.table)
    }

    /// What there is, and whether this role could write it: asked without writing.
    pub async fn check(&self) -> Result<State, Error> {
        in_dialect!(
            self,
            Access::Read,
            |session| {
                let state = session.state().await?;
                session.require(&state).await?;
                session.close().await;
                Ok(state)
            },
            self.check_file()
        )
    }

    /// The same of a file that is not there yet.
    fn check_file(&self) -> Result<State, Error> {
        sqlite::refusal(&self.server.file()).map_or(Ok(State::Missing), |cause| Err(self.denied(cause)))
    }

    /// The statements that make the table, and the rights to give.
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

    async fn open<D: Dialect>(&self, access: Access) -> Result<Option<Session<'_, D>>, Error> {
        match in_time(self.server.timeout(), D::connect(&self.server, access)).await {
            Ok(connection) => Ok(connection.map(|connection| Session { ledger: self, connection })),
            Err(error) if is_late(&error) => Err(self.late()),
            Err(error) if D::is_denied(&error) => Err(self.denied(source::cause(&error))),
            Err(error) => Err(Error::Connect { place: self.server.place(), cause: source::cause(&error) }),
        }
    }

    /// The way out names the grant.
    pub(super) fn denied(&self, cause: String) -> Error {
        let role = self.role();
        let way_out = match self.server.kind() {
            Kind::Sqlite => "make the file and its directory writable for the user that runs this".to_owned(),
            Kind::Postgres | Kind::MySql => {
                let (quote, grantee) = match self.server.kind() {
                    Kind::MySql => ('`', format!("'{role}'@…")),
                    Kind::Postgres | Kind::Sqlite => ('"', format!("\"{role}\"")),
                };
                let table = self.table.quoted(quote);
                format!(
                    "GRANT SELECT, INSERT, UPDATE ON {table} TO {grantee}; where the table is missing, let its owner run \
                     what `explo-sync ledger --print-sql` prints"
                )
            }
        };
        self.closed(cause, way_out)
    }

    pub(super) fn closed(&self, cause: String, way_out: String) -> Error {
        Error::Denied { place: self.server.place(), role: self.role().to_owned(), cause, way_out }
    }

    fn role(&self) -> &str {
        self.server.role().unwrap_or("this role")
    }

    pub(super) fn late(&self) -> Error {
        Error::Timeout { place: self.place(), seconds: self.server.timeout().as_secs() }
    }
}

impl Ledger for Sql {
    type Writer<'a> = SqlWriter<'a>;

    async fn load(&self) -> Result<Findings, Error> {
        in_dialect!(
            self,
            Access::Read,
            |session| {
                let known = session.load().await?;
                session.close().await;
                Ok(Findings::with_tokens(known))
            },
            Ok(Findings::with_tokens(HashMap::new()))
        )
    }

    async fn writer(&self) -> Result<SqlWriter<'_>, Error> {
        in_dialect!(
            self,
            Access::Create,
            |session| {
                session.make().await?;
                session.close().await;
                Ok(SqlWriter(self))
            },
            Ok(SqlWriter(self))
        )
    }
}

impl Writer for SqlWriter<'_> {
    async fn record(&self, entries: &[Entry]) -> Result<(), Error> {
        let (keepable, too_long): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| entry.provided_id.len() <= LONGEST_ID);
        for entry in too_long {
            let bytes = entry.provided_id.len();
            tracing::warn!(
                tenant.id = shown(&entry.provided_id),
                "not kept in the ledger: its provided_id has {bytes} bytes and the key takes {LONGEST_ID}; \
                 it is kept in sync all the same"
            );
        }
        in_dialect!(
            self.0,
            Access::Write,
            |session| {
                for rows in keepable.chunks(ROWS) {
                    session.record(rows).await?;
                }
                session.close().await;
                Ok(())
            },
            Ok(())
        )
    }
}
