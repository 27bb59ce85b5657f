//! A ledger in a table. Connects for loading and for each batch, and lets go.

use std::{collections::HashMap, path::PathBuf};

use super::{
    Error, Ledger, Pair, Refused, Table, Writer, ddl,
    dialect::{Access, Dialect, in_time, is_late},
    mysql::MySqlDialect,
    postgres::PostgresDialect,
    session::{Session, State},
    sqlite::{self, SqliteDialect},
    whose::Claim,
};
use crate::{
    plan::{Entry, Findings},
    source::{
        self, Kind, Server,
        causes::{self, Keys},
        words,
    },
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

/// The same as the ledger of a pair: another pair's is not read, and refused for writing.
#[derive(Debug)]
pub struct Paired<'a> {
    sql: &'a Sql,
    pair: Pair,
}

/// Writes a table that is there, may be written, and is the pair's.
#[derive(Debug)]
pub struct SqlWriter<'a> {
    sql: &'a Sql,
    claim: Claim<'a>,
}

/// What there is, to be told.
#[derive(Debug)]
pub struct Found {
    /// The table.
    pub state: State,
    /// Whose it is, where that is said.
    pub whose: Option<Pair>,
}

/// What became of a ledger that was adopted.
#[derive(Debug)]
pub struct Adopted {
    /// Whose it was, where that was said.
    pub former: Option<Pair>,
    /// The tokens that it forgot.
    pub tokens: u64,
}

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

    /// The file of a SQLite database.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        self.server.sqlite_file()
    }

    /// The same as the ledger of a pair.
    #[must_use]
    pub fn of(&self, pair: Pair) -> Paired<'_> {
        Paired { sql: self, pair }
    }

    /// What there is, and whether this role could write it: asked without writing.
    pub async fn check(&self) -> Result<Found, Error> {
        in_dialect!(
            self,
            Access::Read,
            |session| {
                let state = session.state().await?;
                session.require(&state).await?;
                // In a table of an earlier version it was not said yet.
                let whose = if state == State::Complete { session.whose().await? } else { None };
                session.close().await;
                let whose = whose.map(|whose| whose.pair);
                Ok(Found { state, whose })
            },
            self.check_file()
        )
    }

    /// The same of a file that is not there yet.
    fn check_file(&self) -> Result<Found, Error> {
        let found = Found { state: State::Missing, whose: None };
        sqlite::refusal(&self.server.file()).map_or(Ok(found), |cause| Err(self.closed(cause, self.grants())))
    }

    /// Makes it this pair's, whoever's it was, and forgets all that it knew of customers, so that no token is found in it that
    /// may be another's. Makes what is missing.
    pub async fn adopt(&self, pair: &Pair) -> Result<Adopted, Error> {
        in_dialect!(
            self,
            Access::Create,
            |session| {
                session.make().await?;
                let adopted = session.adopt(pair).await?;
                session.close().await;
                Ok(adopted)
            },
            Ok(Adopted { former: None, tokens: 0 })
        )
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
            Ok(connection) => Ok(connection.map(|connection| Session {
                ledger: self,
                connection: source::Session::new(connection, &self.server),
            })),
            Err(error) if is_late(&error) => Err(self.late()),
            // There was no statement yet that could bring a value.
            Err(error) if D::is_denied(&error) => Err(self.denied(&error, words::of(&error))),
            Err(error) => {
                let cause = causes::unreachable(&error, Keys::LEDGER);
                Err(Error::Connect { place: self.server.place(), cause })
            }
        }
    }

    /// The way out names the primary or the grant.
    pub(super) fn denied(&self, error: &sqlx::Error, cause: String) -> Error {
        let primary = causes::primary(error, Keys::LEDGER);
        self.closed(cause, primary.unwrap_or_else(|| self.grants()))
    }

    /// What gives the rights that are needed.
    pub(super) fn grants(&self) -> String {
        let role = self.role();
        match self.server.kind() {
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
        }
    }

    pub(super) fn closed(&self, cause: String, way_out: String) -> Error {
        Error::Denied { place: self.server.place(), role: self.role(), cause, way_out }
    }

    fn role(&self) -> String {
        self.server.role().unwrap_or_else(|| "this role".to_owned())
    }

    /// Fails where it is another's.
    pub fn refuse_another(&self, kept: &Pair, asked: &Pair) -> Result<(), Error> {
        if kept.is_same(asked) { Ok(()) } else { Err(self.anothers(kept, asked)) }
    }

    fn anothers(&self, kept: &Pair, asked: &Pair) -> Error {
        let [kept, asked] = [kept, asked].map(|pair| Box::new(pair.clone()));
        Error::Another { place: self.place(), instance: self.instance.clone(), kept, asked }
    }

    pub(super) fn late(&self) -> Error {
        Error::Timeout { place: self.place(), seconds: self.server.timeout().as_secs() }
    }
}

impl Ledger for Paired<'_> {
    type Writer<'a>
        = SqlWriter<'a>
    where
        Self: 'a;

    /// Of another pair's nothing is known, which is said.
    async fn load(&self) -> Result<Findings, Error> {
        let Self { sql, pair } = self;
        let (known, whose) = in_dialect!(
            sql,
            Access::Read,
            |session| {
                let loaded = session.load().await?;
                session.close().await;
                loaded
            },
            (HashMap::new(), None)
        );
        match whose.map(|whose| sql.refuse_another(&whose.pair, pair)) {
            Some(Err(error)) => {
                tracing::warn!("nothing is known from the ledger, and a run that writes is refused: {error}");
                Ok(Findings::with_tokens(HashMap::new()))
            }
            Some(Ok(())) | None => Ok(Findings::with_tokens(known)),
        }
    }

    async fn writer(&self) -> Result<SqlWriter<'_>, Error> {
        let Self { sql, pair } = self;
        in_dialect!(
            sql,
            Access::Create,
            |session| {
                session.make().await?;
                let claim = session.claim(pair).await?;
                session.close().await;
                Ok(SqlWriter { sql, claim })
            },
            Err(sql.late())
        )
    }
}

impl Writer for SqlWriter<'_> {
    async fn record(&self, entries: &[Entry]) -> Result<Refused, Error> {
        let (keepable, too_long): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| entry.provided_id.len() <= LONGEST_ID);
        let why = |bytes| {
            format!("its provided_id has {bytes} bytes and the key takes {LONGEST_ID}; it is kept in sync all the same")
        };
        let refused = too_long.iter().map(|entry| (entry.provided_id.clone(), why(entry.provided_id.len())));
        let mut refused: Refused = refused.collect();
        in_dialect!(
            self.sql,
            Access::Write,
            |session| {
                for rows in keepable.chunks(ROWS) {
                    refused.append(&mut session.record(&self.claim, rows).await?);
                }
                session.close().await;
                Ok(refused)
            },
            Ok(refused)
        )
    }
}
