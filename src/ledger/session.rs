//! One connection to the table, in one database's dialect.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Database, Decode, Encode, Executor, IntoArguments, QueryBuilder, Row,
    SqlSafeStr, Statement as _, Type, raw_sql,
};

use super::{
    Error, Sql,
    cause::cause,
    ddl,
    dialect::{Connection, DROPPED, Dialect, READ_ONLY, Statement},
    row::{self, Left, Row as Cells},
    whose::{Claim, Whose},
};
use crate::{
    database::{
        self,
        causes::{self, Keys},
        is_late,
    },
    memory::{LockedOut, Overview, Remembered},
};

/// The state of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is no table.
    Missing,
    /// A table of an earlier version, with the statements that add what it lacks.
    Lacking(Vec<String>),
    /// The table has every column.
    Complete,
}

/// What the table says.
#[derive(Default)]
pub(super) struct Loaded {
    /// The memory by id.
    pub(super) known: HashMap<String, Remembered>,
    /// The ledger's pair, if it names one.
    pub(super) whose: Option<Whose>,
    /// What the last complete listing showed as a whole.
    pub(super) overview: Option<Overview>,
    /// The time by the database's clock, before the rows were read.
    pub(super) at: Option<String>,
    /// The same in seconds since 1970.
    pub(super) clock: Option<u64>,
    /// What `lock_out` emptied, by the customer's id.
    pub(super) locked_out: BTreeMap<String, LockedOut>,
    /// The customers whose deletion was begun and is not known to be done.
    pub(super) deleting: BTreeSet<String>,
    /// The customers of gone rows that another instance has.
    pub(super) taken: BTreeSet<String>,
}

impl Loaded {
    fn add<D: Dialect>(&mut self, cells: &<D::Db as Database>::Row) -> sqlx::Result<()>
    where
        for<'r> String: Decode<'r, D::Db> + Type<D::Db>,
        usize: ColumnIndex<<D::Db as Database>::Row>,
    {
        let mut texts = (0..cells.len()).map(|n| cells.try_get_unchecked::<Option<String>, _>(n));
        match row::read(&mut || texts.next().unwrap_or(Ok(None)))? {
            Some(Cells::Customer(provided_id, one, left)) => {
                match left {
                    Some(Left::LockedOut(locked_out)) => drop(self.locked_out.insert(provided_id.clone(), locked_out)),
                    Some(Left::Deleting) => drop(self.deleting.insert(provided_id.clone())),
                    None => {}
                }
                self.known.insert(provided_id, *one);
            }
            Some(Cells::Whose(whose, overview)) => {
                (self.whose, self.overview) = (Whose::read(whose.as_deref()), overview);
            }
            None => {}
        }
        Ok(())
    }
}

/// One connection for one task. Every statement runs in a transaction, so that it also works behind a transaction
/// pooler and can be cancelled.
pub(super) struct Session<'a, D: Dialect> {
    pub(super) ledger: &'a Sql,
    pub(super) connection: database::Session<Connection<D>>,
}

impl<D: Dialect> Session<'_, D>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
    for<'r> String: Decode<'r, D::Db> + Type<D::Db>,
    <D::Db as Database>::Arguments: IntoArguments<D::Db>,
    usize: ColumnIndex<<D::Db as Database>::Row>,
{
    pub(super) async fn close(self) {
        self.connection.close().await;
    }

    pub(super) async fn execute(&mut self, sql: &str) -> sqlx::Result<()> {
        let done = (&mut *self.connection).execute(raw_sql(AssertSqlSafe(sql.to_owned())));
        self.ledger.server.in_time(done).await.map(drop)
    }

    pub(super) fn failed(&self, error: &sqlx::Error) -> Error {
        let cause = cause::<D>(error, &self.ledger.table);
        if is_late(error) {
            self.ledger.late()
        } else if D::is_denied(error) {
            self.ledger.denied(error, cause)
        } else {
            let way_out = match self.ledger.table.schema() {
                Some(schema) if D::lacks_schema(error) => {
                    Some(format!("create {schema}, or name the table with another schema, or none, in ledger.table"))
                }
                _ => causes::way_out(error, Keys::LEDGER),
            };
            let way_out = way_out.map_or(String::new(), |way_out| format!("; {way_out}"));
            Error::Failed { place: self.ledger.place(), cause: cause + &way_out }
        }
    }

    /// The state of the table; fails if the table is not a ledger.
    pub(super) async fn state(&mut self) -> Result<State, Error> {
        Ok(match self.names().await? {
            None => State::Missing,
            Some(columns) => match self.additions(&columns)? {
                none if none.is_empty() => State::Complete,
                additions => State::Lacking(additions),
            },
        })
    }

    /// Whether there is a table with this column; that of an earlier version may lack it.
    pub(super) async fn has(&mut self, name: &str) -> Result<bool, Error> {
        Ok(self.names().await?.is_some_and(|columns| columns.iter().any(|column| column == name)))
    }

    /// The names of the columns; `None` if there is no table.
    async fn names(&mut self) -> Result<Option<Vec<String>>, Error> {
        match self.within("", async |session: &mut Self| session.columns().await).await {
            Ok(columns) => Ok(Some(columns)),
            Err(error) if D::is_missing(&error) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Prepares a query: only a prepared statement has columns without a row.
    async fn columns(&mut self) -> sqlx::Result<Vec<String>> {
        let sql = format!("SELECT * FROM {} WHERE 1 = 0", self.ledger.table.quoted(D::QUOTE));
        let names = |statement: <D::Db as Database>::Statement| {
            statement.columns().iter().map(|column| sqlx::Column::name(column).to_owned()).collect()
        };
        let server = &self.ledger.server;
        let preparing = (&mut *self.connection).prepare(AssertSqlSafe(sql).into_sql_str());
        let columns = server.in_time(preparing).await.map(names)?;
        // Behind a transaction pooler the prepared statement would stay on the server's connection.
        server.in_time(self.connection.clear_cached_statements()).await.map(|()| columns)
    }

    /// Makes the table, or the columns that it lacks.
    pub(super) async fn make(&mut self) -> Result<(), Error> {
        let statements = match self.state().await? {
            State::Missing => vec![ddl::create::<D>(&self.ledger.table)],
            State::Lacking(additions) => additions,
            State::Complete => Vec::new(),
        };
        if !statements.is_empty() {
            let make = async |session: &mut Self| {
                for statement in &statements {
                    session.execute(statement).await?;
                }
                Ok(())
            };
            if let Err(error) = self.within(D::WRITING, make).await {
                if is_late(&error) {
                    return Err(self.failed(&error));
                }
                match self.state().await? {
                    // Another instance has made the table meanwhile.
                    State::Complete => {}
                    left => {
                        self.require(&left).await?;
                        return Err(self.failed(&error));
                    }
                }
            }
        }
        let state = self.state().await?;
        self.require(&state).await
    }

    /// Rolls back after an error, and returns it, or the rollback's own error if the connection failed. After a timeout it
    /// does not try: dropping the connection cancels the transaction.
    pub(super) async fn rolled_back(&mut self, error: sqlx::Error) -> sqlx::Error {
        if is_late(&error) {
            return error;
        }
        // If the database refuses the rollback, there is no transaction: a trigger of SQLite may have ended it.
        self.connection.end("ROLLBACK").await.err().filter(|error| error.as_database_error().is_none()).unwrap_or(error)
    }

    /// The statements that add what a table lacks.
    fn additions(&self, columns: &[String]) -> Result<Vec<String>, Error> {
        let table = self.ledger.table.quoted(D::QUOTE);
        let has = |name: &str| columns.iter().any(|column| column == name);
        for column in ["instance", "provided_id"] {
            if !has(column) {
                return Err(Error::Foreign { table, place: self.ledger.server.place(), column });
            }
        }
        let lacking = D::COLUMNS.iter().filter(|(name, _)| *name != "PRIMARY KEY" && !has(name));
        Ok(lacking.map(|(name, kind)| format!("ALTER TABLE {table} ADD COLUMN {name} {kind}")).collect())
    }

    /// Fails unless entries could be written.
    pub(super) async fn require(&mut self, state: &State) -> Result<(), Error> {
        let (statement, additions) = match state {
            State::Missing => (Statement::Create(ddl::create::<D>(&self.ledger.table)), &[][..]),
            State::Lacking(additions) => (Statement::Add, &additions[..]),
            State::Complete => (Statement::Insert(row::nothing::<D>(self.ledger)), &[][..]),
        };
        let Sql { server, table, .. } = self.ledger;
        let objection = async |session: &mut Self| {
            let objecting = D::objection(&mut session.connection, server, table, &statement);
            server.in_time(objecting).await
        };
        match self.within("", objection).await {
            Ok(None) => {}
            Ok(Some(cause)) => return Err(self.refused(cause, additions)),
            Err(error) => return Err(self.failed(&error)),
        }
        if *state == State::Missing {
            return Ok(());
        }
        let misfit = async |session: &mut Self| server.in_time(D::misfit(&mut session.connection, table)).await;
        match self.within("", misfit).await {
            Ok(None) => Ok(()),
            Ok(Some(cause)) => Err(Error::Misfit { table: table.to_string(), place: server.place(), cause }),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The error if the role may not write; if columns are missing, its way out names them.
    fn refused(&self, cause: String, additions: &[String]) -> Error {
        let way_out = match additions {
            _ if cause == READ_ONLY => "name the primary in ledger.url".to_owned(),
            [] => self.ledger.grants(),
            additions => format!("it lacks columns: let its owner run {}", additions.join("; ")),
        };
        self.ledger.closed(cause, way_out)
    }

    /// The whole memory.
    pub(super) async fn load(&mut self) -> Result<Loaded, Error> {
        let Some(columns) = self.names().await? else { return Ok(Loaded::default()) };
        self.additions(&columns)?;
        let sql = row::select::<D>(self.ledger, &columns);
        let load = async |session: &mut Self| {
            let mut loaded = Loaded::default();
            let mut now = QueryBuilder::new(format!("SELECT {}", D::NOW_AS_TEXT));
            loaded.at = session.text(&mut now).await?;
            let mut clock = QueryBuilder::new(format!("SELECT {}", D::NOW_IN_SECONDS));
            loaded.clock = session.text(&mut clock).await?.and_then(|seconds| seconds.parse().ok());
            let server = &session.ledger.server;
            let mut rows = (&mut *session.connection).fetch(raw_sql(AssertSqlSafe(sql)));
            while let Some(cells) = server.in_time(rows.try_next()).await? {
                loaded.add::<D>(&cells)?;
            }
            drop(rows);
            if loaded.known.values().any(|known| known.row_gone_since.is_some()) {
                loaded.taken = session.taken(row::taken::<D>(session.ledger, None)).await?;
            }
            Ok(loaded)
        };
        self.within("", load).await.map_err(|error| self.failed(&error))
    }

    /// The memory of these customers alone, from a table that has every column.
    pub(super) async fn recall(&mut self, provided_ids: &[&str]) -> Result<Loaded, Error> {
        let recall = async |session: &mut Self| {
            let mut loaded = Loaded::default();
            let mut query = row::select_some::<D>(session.ledger, provided_ids);
            let rows = query.build().persistent(false).fetch_all(&mut *session.connection);
            for cells in session.ledger.server.in_time(rows).await? {
                let clock = cells.try_get_unchecked::<Option<String>, _>(cells.len() - 1)?;
                loaded.clock = clock.and_then(|seconds| seconds.parse().ok());
                loaded.add::<D>(&cells)?;
            }
            Ok(loaded)
        };
        self.within("", recall).await.map_err(|error| self.failed(&error))
    }

    /// One column of a customer's row, as text.
    pub(super) async fn cell_of(&mut self, column: &str, provided_id: &str) -> Result<Option<String>, Error> {
        let mut query = row::cell::<D>(self.ledger, column, provided_id);
        let asked = self.within("", async |session: &mut Self| session.text(&mut query).await).await;
        asked.map_err(|error| self.failed(&error))
    }

    /// Whether a customer was recorded as in sync after this time.
    pub(super) async fn is_synced_after(&mut self, provided_id: &str, time: &str) -> Result<bool, Error> {
        let mut query = row::synced_after::<D>(self.ledger, provided_id, time);
        let asked = self.within("", async |session: &mut Self| session.text(&mut query).await).await;
        asked.map(|found| found.is_some()).map_err(|error| self.failed(&error))
    }

    /// Records what a listing showed as a whole, if the claim is still valid.
    pub(super) async fn overview(&mut self, claim: &Claim, overview: &Overview) -> Result<(), Error> {
        // Texts and numbers: JSON can express all of them, so this never fails.
        let text = serde_json::to_string(overview).unwrap_or_default();
        let write = async |session: &mut Self| {
            let holds = session.holds(claim).await?;
            if holds {
                let update = row::update::<D>(session.ledger, "last_error", Some(&text), &[row::NOBODY]);
                session.run(update, 0).await?;
            }
            Ok(holds)
        };
        match self.within(D::WRITING, write).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Adopted { place: self.ledger.place() }),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The first cell of the first row as text.
    pub(super) async fn text(&mut self, query: &mut QueryBuilder<D::Db>) -> sqlx::Result<Option<String>> {
        let found = query.build().persistent(false).fetch_optional(&mut *self.connection);
        let cells = self.ledger.server.in_time(found).await?;
        cells.map_or(Ok(None), |cells| cells.try_get_unchecked::<Option<String>, _>(0))
    }

    /// Runs something in a transaction of its own.
    pub(super) async fn within<T>(
        &mut self,
        mode: &str,
        what: impl AsyncFnOnce(&mut Self) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        self.connection.start(mode).await?;
        match what(self).await {
            Ok(done) => self.connection.end("COMMIT").await.map(|()| done),
            Err(error) => Err(self.rolled_back(error).await),
        }
    }

    /// Fails if fewer rows are written than `rows`.
    pub(super) async fn run(&mut self, mut statement: QueryBuilder<D::Db>, rows: usize) -> sqlx::Result<()> {
        let done = statement.build().persistent(false).execute(&mut *self.connection);
        let done = self.ledger.server.in_time(done).await?;
        if D::written(&done) < rows as u64 { Err(DROPPED) } else { Ok(()) }
    }
}
