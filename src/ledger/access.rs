//! Access to a ledger in a table: connects for loading and for each batch, then closes the connection.

use std::collections::{BTreeSet, HashMap};

use secrecy::SecretString;

use super::{
    Adopted, Error, Ledger, Offboarded, Pair, Refused, Sql, Writer,
    dialect::Dialect,
    mysql::MySqlDialect,
    postgres::PostgresDialect,
    row,
    session::{Loaded, Session, State},
    sqlite::{self, SqliteDialect},
    whose::Claim,
};
use crate::{
    database::{
        self, Access, Kind,
        causes::{self, Keys},
        is_late, words,
    },
    memory::{Entry, LONGEST_ID, Memory, Overview},
};

/// The most rows per statement.
const ROWS: usize = 200;

/// The ledger for one pair: if it belongs to another pair, it is not read, and writing is refused.
#[derive(Debug)]
pub struct Paired<'a> {
    sql: &'a Sql,
    pair: Pair,
}

/// Writes to a table that exists, may be written, and is the pair's.
#[derive(Debug)]
pub struct SqlWriter {
    sql: Sql,
    claim: Claim,
}

/// The findings of a check.
#[derive(Debug)]
pub struct Found {
    /// The table.
    pub state: State,
    /// The ledger's pair, if it names one.
    pub whose: Option<Pair>,
}

/// Opens a session in the database's dialect, and runs the block with it.
macro_rules! in_dialect {
    ($ledger:expr, $access:expr, |$session:ident| $done:expr) => {
        match $ledger.server.kind() {
            Kind::Postgres => {
                let mut $session = $ledger.open::<PostgresDialect>($access).await?;
                $done
            }
            Kind::MySql => {
                let mut $session = $ledger.open::<MySqlDialect>($access).await?;
                $done
            }
            Kind::Sqlite => {
                let mut $session = $ledger.open::<SqliteDialect>($access).await?;
                $done
            }
        }
    };
}

impl Sql {
    /// The ledger for one pair.
    #[must_use]
    pub fn of(&self, pair: Pair) -> Paired<'_> {
        Paired { sql: self, pair }
    }

    /// Checks the table and whether this role could write it, without writing.
    pub async fn check(&self) -> Result<Found, Error> {
        if self.has_no_file() {
            let found = Found { state: State::Missing, whose: None };
            return sqlite::refusal(&self.server.file())
                .map_or(Ok(found), |cause| Err(self.closed(cause, self.grants())));
        }
        in_dialect!(self, Access::Read, |session| {
            let state = session.state().await?;
            session.require(&state).await?;
            let whose = if session.has(row::WHOSE).await? { session.whose().await? } else { None };
            session.close().await;
            let whose = whose.map(|whose| whose.pair);
            Ok(Found { state, whose })
        })
    }

    /// Whether the ledger's file does not exist yet.
    fn has_no_file(&self) -> bool {
        self.file().is_some_and(|file| !file.exists())
    }

    /// Gives the ledger to this pair, even if it was another pair's, and empties all rows, so that no token of another
    /// Explo remains. Makes what is missing.
    pub async fn adopt(&self, pair: &Pair) -> Result<Adopted, Error> {
        in_dialect!(self, Access::Create, |session| {
            session.make().await?;
            let adopted = session.adopt(pair).await?;
            session.close().await;
            Ok(adopted)
        })
    }

    async fn open<D: Dialect>(&self, access: Access) -> Result<Session<'_, D>, Error> {
        match database::Session::open_for(access, &self.server).await {
            Ok(connection) => Ok(Session { ledger: self, connection }),
            Err(error) if is_late(&error) => Err(self.late()),
            // No statement so far could contain a value, so the error can't quote one.
            Err(error) if D::is_denied(&error) => Err(self.denied(&error, words::of(&error))),
            Err(error) => {
                let cause = causes::unreachable(&error, Keys::LEDGER);
                Err(Error::Connect { place: self.server.place(), cause })
            }
        }
    }
}

impl Paired<'_> {
    /// When a customer that [`load`](Ledger::load) knows was last recorded as in sync, in seconds since 1970.
    pub async fn synced_at(&self, provided_id: &str) -> Result<Option<u64>, Error> {
        let text = self.cell("synced_at", provided_id).await?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// A customer's token, if it is recorded.
    pub async fn token(&self, provided_id: &str) -> Result<Option<SecretString>, Error> {
        let token = self.cell("token", provided_id).await?;
        Ok(token.filter(|token| !token.is_empty()).map(Into::into))
    }

    /// What offboarded customers were, sorted by id.
    pub async fn offboarded(&self) -> Result<Vec<Offboarded>, Error> {
        if self.sql.has_no_file() {
            return Ok(Vec::new());
        }
        in_dialect!(self.sql, Access::Read, |session| {
            let offboarded = if session.has(row::OFFBOARDED).await? { session.offboarded().await? } else { Vec::new() };
            session.close().await;
            Ok(offboarded)
        })
    }

    /// What an offboarded customer was, if one with this id was offboarded.
    pub async fn offboarded_of(&self, provided_id: &str) -> Result<Option<String>, Error> {
        in_dialect!(self.sql, Access::Read, |session| {
            // A table of an earlier version may lack the column.
            let is_complete = session.state().await? == State::Complete;
            let text = if is_complete { session.cell_of(row::OFFBOARDED, provided_id).await? } else { None };
            session.close().await;
            Ok(text)
        })
    }

    async fn cell(&self, column: &str, provided_id: &str) -> Result<Option<String>, Error> {
        in_dialect!(self.sql, Access::Read, |session| {
            let cell = session.cell_of(column, provided_id).await?;
            session.close().await;
            Ok(cell)
        })
    }

    /// What was loaded, if the ledger is this pair's; else nothing, and that is logged.
    fn own(&self, Loaded { known, whose, overview, at, clock, locked_out, deleting, taken }: Loaded) -> Memory {
        if let Some(Err(error)) = whose.map(|whose| self.sql.refuse_another(&whose.pair, &self.pair)) {
            tracing::warn!("the ledger's memory is not used, and a run that writes is refused: {error}");
            return Memory::with_tokens(HashMap::new());
        }
        let memory = Memory::with_tokens(known).with_overview(overview).loaded_at(at, clock);
        memory.with_locked_out(locked_out).with_deleting(deleting).with_taken(taken)
    }
}

impl Ledger for Paired<'_> {
    type Writer<'a>
        = SqlWriter
    where
        Self: 'a;

    /// Loads nothing from a ledger of another pair, and logs that.
    async fn load(&self) -> Result<Memory, Error> {
        if self.sql.has_no_file() {
            return Ok(Memory::with_tokens(HashMap::new()));
        }
        in_dialect!(self.sql, Access::Read, |session| {
            let loaded = session.load().await?;
            session.close().await;
            Ok(self.own(loaded))
        })
    }

    async fn recall(&self, provided_ids: &BTreeSet<String>) -> Result<Memory, Error> {
        let provided_ids: Vec<_> = provided_ids.iter().map(String::as_str).collect();
        in_dialect!(self.sql, Access::Read, |session| {
            let loaded = session.recall(&provided_ids).await?;
            session.close().await;
            Ok(self.own(loaded))
        })
    }

    async fn is_newer(&self, provided_id: &str, memory: &Memory) -> Result<bool, Error> {
        let Some(time) = memory.time_of_loading() else { return Ok(false) };
        in_dialect!(self.sql, Access::Read, |session| {
            let is_newer = session.is_synced_after(provided_id, time).await?;
            session.close().await;
            Ok(is_newer)
        })
    }

    async fn writer(&self) -> Result<SqlWriter, Error> {
        let Self { sql, pair } = self;
        in_dialect!(sql, Access::Create, |session| {
            session.make().await?;
            let claim = session.claim(pair).await?;
            session.close().await;
            Ok(SqlWriter { sql: (*sql).clone(), claim })
        })
    }
}

impl Writer for SqlWriter {
    async fn record(&self, entries: &[Entry]) -> Result<Refused, Error> {
        let (keepable, too_long): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| entry.provided_id.len() <= LONGEST_ID);
        let why = |bytes| {
            format!(
                "its provided_id has {bytes} bytes, and the key takes {LONGEST_ID}; its customer is kept in sync all the same"
            )
        };
        let refused = too_long.iter().map(|entry| (entry.provided_id.clone(), why(entry.provided_id.len())));
        let mut refused: Refused = refused.collect();
        in_dialect!(self.sql, Access::Write, |session| {
            for rows in keepable.chunks(ROWS) {
                refused.append(&mut session.record(&self.claim, rows).await?);
            }
            session.close().await;
            Ok(refused)
        })
    }

    async fn overview(&self, overview: &Overview) -> Result<(), Error> {
        in_dialect!(self.sql, Access::Write, |session| {
            session.overview(&self.claim, overview).await?;
            session.close().await;
            Ok(())
        })
    }

    async fn keep(&self, provided_id: &str, text: &str) -> Result<bool, Error> {
        in_dialect!(self.sql, Access::Write, |session| {
            let is_kept = session.keep(&self.claim, provided_id, text).await?;
            session.close().await;
            Ok(is_kept)
        })
    }
}
