//! A ledger in a table. Connects for loading and for each batch, and lets go.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use secrecy::ExposeSecret;
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Database, Decode, Encode, Executor, IntoArguments, QueryBuilder, Row,
    SqlSafeStr, Statement as _, Type, raw_sql,
};

use super::{
    Error, Ledger, Table,
    dialect::{Access, Connection, Dialect, Statement, code},
    mysql::MySqlDialect,
    postgres::PostgresDialect,
    sqlite::SqliteDialect,
};
use crate::{
    model::shown,
    plan::{Entry, Failure, FieldFindings, Findings, Known, token_hash},
    source::{self, Kind, Server},
};

/// Bytes of an id that the key takes; MySQL's index has room for no more than 3,072, PostgreSQL's for 2,704.
pub const LONGEST_ID: usize = 2048;

/// Rows of a statement.
const ROWS: usize = 200;

/// The columns that are read, in this order; behind the key.
const LOADED: [&str; 10] = [
    "provided_id",
    "token",
    "wanted",
    "seen",
    "unsettled",
    "last_error",
    "failures",
    "runs_to_wait",
    "next_try",
    "instance",
];

/// The columns that are written, behind the key.
const WRITTEN: [&str; 9] =
    ["token", "wanted", "seen", "unsettled", "last_error", "failures", "runs_to_wait", "next_try", "synced_at"];

/// A table in a database.
#[derive(Debug, Clone)]
pub struct Sql {
    server: Server,
    table: Table,
    instance: String,
}

/// What there is of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing yet.
    Missing,
    /// A table with these columns.
    Columns(Vec<String>),
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
        format!("{} ({})", self.server.place(), self.table.quoted('"').replace('"', ""))
    }

    /// What there is, and whether this role could write it: asked without writing.
    pub async fn check(&self) -> Result<State, Error> {
        self.in_time(Box::pin(async {
            in_dialect!(
                self,
                Access::Read,
                |session| {
                    let state = session.state().await?;
                    session.require(&state).await?;
                    session.close().await;
                    Ok(state)
                },
                Ok(State::Missing)
            )
        }))
        .await
    }

    /// The statements that make the table, and the rights to give.
    #[must_use]
    pub fn ddl(&self) -> String {
        let (create, grants) = match self.server.kind() {
            Kind::Postgres => (create::<PostgresDialect>(&self.table), POSTGRES_GRANTS),
            Kind::MySql => (create::<MySqlDialect>(&self.table), MYSQL_GRANTS),
            Kind::Sqlite => (create::<SqliteDialect>(&self.table), SQLITE_GRANTS),
        };
        let quote = if self.server.kind() == Kind::MySql { '`' } else { '"' };
        format!("{create};\n\n{}", grants.replace("TABLE", &self.table.quoted(quote)))
    }

    async fn open<D: Dialect>(&self, access: Access) -> Result<Option<Session<'_, D>>, Error> {
        match D::connect(&self.server, access).await {
            Ok(connection) => Ok(connection.map(|connection| Session { ledger: self, connection })),
            Err(error) if D::is_denied(&error) => Err(self.denied(source::cause(&error))),
            Err(error) => Err(Error::Connect { place: self.server.place(), cause: source::cause(&error) }),
        }
    }

    /// The way out names the grant.
    fn denied(&self, cause: String) -> Error {
        let role = self.server.role().unwrap_or("this role").to_owned();
        let way_out = match self.server.kind() {
            Kind::Sqlite => "make the file and its directory writable for the user that runs this".to_owned(),
            Kind::Postgres | Kind::MySql => {
                let (quote, grantee) = match self.server.kind() {
                    Kind::MySql => ('`', format!("'{role}'@…")),
                    Kind::Postgres | Kind::Sqlite => ('"', format!("\"{role}\"")),
                };
                let table = self.table.quoted(quote);
                format!(
                    "GRANT SELECT, INSERT, UPDATE ON {table} TO {grantee}; where the table is missing, or a column of it, \
                     let its owner run what `explo-sync ledger --print-sql` prints"
                )
            }
        };
        Error::Denied { place: self.server.place(), role, cause, way_out }
    }

    async fn in_time<T>(&self, what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let limit = self.server.timeout();
        let late = |_| Error::Timeout { place: self.server.place(), seconds: limit.as_secs() };
        tokio::time::timeout(limit, what).await.map_err(late)?
    }
}

impl Ledger for Sql {
    async fn prepare(&self) -> Result<(), Error> {
        self.in_time(Box::pin(async {
            in_dialect!(
                self,
                Access::Create,
                |session| {
                    session.make().await?;
                    session.close().await;
                    Ok(())
                },
                Ok(())
            )
        }))
        .await
    }

    async fn load(&self) -> Result<Findings, Error> {
        let known = self.in_time(Box::pin(async {
            in_dialect!(
                self,
                Access::Read,
                |session| {
                    let known = session.load().await?;
                    session.close().await;
                    Ok(known)
                },
                Ok(HashMap::new())
            )
        }));
        Ok(Findings::with_tokens(known.await?))
    }

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
        self.in_time(Box::pin(async {
            in_dialect!(
                self,
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
        }))
        .await
    }
}

/// One connection, for one thing.
struct Session<'a, D: Dialect> {
    ledger: &'a Sql,
    connection: Connection<D>,
}

impl<D: Dialect> Session<'_, D>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
    for<'q> Option<i64>: Encode<'q, D::Db> + Type<D::Db>,
    for<'r> String: Decode<'r, D::Db> + Type<D::Db>,
    <D::Db as Database>::Arguments: IntoArguments<D::Db>,
    usize: ColumnIndex<<D::Db as Database>::Row>,
{
    async fn close(self) {
        // All is done; that the farewell fails changes nothing.
        let _ = self.connection.close().await;
    }

    async fn execute(&mut self, sql: &str) -> sqlx::Result<()> {
        (&mut self.connection).execute(raw_sql(AssertSqlSafe(sql.to_owned()))).await.map(drop)
    }

    fn failed(&self, error: &sqlx::Error) -> Error {
        let cause = source::cause(error);
        if D::is_denied(error) {
            self.ledger.denied(cause)
        } else {
            Error::Failed { place: self.ledger.place(), cause }
        }
    }

    /// Only a statement that is prepared tells its columns without a row.
    async fn state(&mut self) -> Result<State, Error> {
        let sql = format!("SELECT * FROM {} WHERE 1 = 0", self.ledger.table.quoted(D::QUOTE));
        self.execute("BEGIN").await.map_err(|error| self.failed(&error))?;
        let names = |statement: <D::Db as Database>::Statement| {
            statement.columns().iter().map(|column| sqlx::Column::name(column).to_owned()).collect()
        };
        let prepared = (&mut self.connection).prepare(AssertSqlSafe(sql).into_sql_str()).await.map(names);
        // Behind a transaction pooler the statement would stay on the server's connection.
        let cleared = self.connection.clear_cached_statements().await;
        self.execute("ROLLBACK").await.map_err(|error| self.failed(&error))?;
        match prepared.and_then(|columns| cleared.map(|()| columns)) {
            Ok(columns) => Ok(State::Columns(columns)),
            Err(error) if D::is_missing(&error) => Ok(State::Missing),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Makes the table, or the columns that an earlier version did not have.
    async fn make(&mut self) -> Result<(), Error> {
        let state = self.state().await?;
        let statements = match &state {
            State::Missing => vec![create::<D>(&self.ledger.table)],
            State::Columns(columns) => self.additions(columns)?,
        };
        if !statements.is_empty() {
            let made = self.in_transaction(&statements).await;
            // Another instance may have been faster.
            if let Err(error) = made
                && !matches!(self.state().await?, State::Columns(columns) if self.additions(&columns)?.is_empty())
            {
                return Err(self.failed(&error));
            }
        }
        let state = self.state().await?;
        self.require(&state).await
    }

    async fn in_transaction(&mut self, statements: &[String]) -> sqlx::Result<()> {
        self.execute("BEGIN").await?;
        for statement in statements {
            if let Err(error) = self.execute(statement).await {
                self.execute("ROLLBACK").await?;
                return Err(error);
            }
        }
        self.execute("COMMIT").await
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
    async fn require(&mut self, state: &State) -> Result<(), Error> {
        let statement = match state {
            State::Missing => Statement::Create(create::<D>(&self.ledger.table)),
            State::Columns(columns) => match self.additions(columns)?.into_iter().next() {
                None => Statement::Insert(self.insert(&[]).into_string()),
                // Whoever may add a column is asked when it is added.
                Some(_) => return Ok(()),
            },
        };
        let Sql { server, table, .. } = self.ledger;
        match D::objection(&mut self.connection, server, table, &statement).await {
            Ok(None) => Ok(()),
            Ok(Some(cause)) => Err(self.ledger.denied(cause)),
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn load(&mut self) -> Result<HashMap<String, Known>, Error> {
        let mut known = HashMap::new();
        let State::Columns(columns) = self.state().await? else { return Ok(known) };
        self.additions(&columns)?;
        let expression = |name: &&str| {
            if columns.iter().any(|column| column == name) { D::text(name) } else { "NULL".to_owned() }
        };
        let expressions: Vec<_> = LOADED.iter().map(expression).collect();
        // The instance is a name without quotes.
        let sql = format!(
            "SELECT {} FROM {} WHERE instance = '{}'",
            expressions.join(", "),
            self.ledger.table.quoted(D::QUOTE),
            self.ledger.instance
        );
        let mut rows = (&mut self.connection).fetch(raw_sql(AssertSqlSafe(sql)));
        let failed = loop {
            let row = match rows.try_next().await {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(known),
                Err(error) => break error,
            };
            let mut cells = (0..LOADED.len()).map(|n| row.try_get_unchecked::<Option<String>, _>(n));
            let mut next = || cells.next().unwrap_or(Ok(None));
            match read(&mut next) {
                Ok(Some((provided_id, one))) => drop(known.insert(provided_id, one)),
                Ok(None) => {}
                Err(error) => break error,
            }
        };
        drop(rows);
        Err(self.failed(&failed))
    }

    /// Writes all rows at once, or one by one where the database refuses some for what they hold.
    async fn record(&mut self, entries: &[&Entry]) -> Result<(), Error> {
        match self.write(entries).await {
            Err(error) if is_about_data(&error) && entries.len() == 1 => {
                let cause = source::cause(&error);
                tracing::warn!(tenant.id = shown(&entries[0].provided_id), "not kept in the ledger: {cause}");
                Ok(())
            }
            Err(error) if is_about_data(&error) => {
                for entry in entries {
                    Box::pin(self.record(&[entry])).await?;
                }
                Ok(())
            }
            written => written.map_err(|error| self.failed(&error)),
        }
    }

    /// A prepared statement of its own, within a transaction: so it works behind a transaction pooler as well.
    async fn write(&mut self, entries: &[&Entry]) -> sqlx::Result<()> {
        let mut insert = self.insert(entries);
        self.execute("BEGIN").await?;
        let written = insert.build().persistent(false).execute(&mut self.connection).await;
        match written {
            Ok(_) => self.execute("COMMIT").await,
            Err(error) => {
                self.execute("ROLLBACK").await?;
                Err(error)
            }
        }
    }

    /// The statement that writes entries; with none of them, one to be judged.
    fn insert(&self, entries: &[&Entry]) -> QueryBuilder<D::Db> {
        let alias = if D::held("").is_empty() { "" } else { " AS held" };
        let table = self.ledger.table.quoted(D::QUOTE);
        let mut insert =
            QueryBuilder::new(format!("INSERT INTO {table}{alias} (instance, provided_id, {}) ", WRITTEN.join(", ")));
        if entries.is_empty() {
            let nothing = WRITTEN.map(|column| if is_count(column) { "0" } else { "NULL" }).join(", ");
            insert.push(format!("VALUES ('', '', {nothing})"));
        }
        let hex = |fingerprint: Option<u64>| fingerprint.map(|fingerprint| format!("{fingerprint:016x}"));
        let filled = entries.iter().copied();
        if !entries.is_empty() {
            insert.push_values(filled, |mut row, Entry { provided_id, token, known, is_synced }| {
                let failure = known.failure.as_ref();
                let fields = known.fields.to_string();
                row.push_bind(Some(self.ledger.instance.clone()));
                row.push_bind(Some(provided_id.clone()));
                row.push_bind(token.as_ref().map(|token| token.expose_secret().to_owned()));
                row.push_bind(hex(known.wanted));
                row.push_bind(hex(known.seen));
                row.push_bind(Some(fields).filter(|fields| !fields.is_empty()));
                row.push_bind(failure.map(|failure| failure.error.replace('\0', " ")));
                row.push_bind(Some(failure.map_or(0, |failure| i64::from(failure.times))));
                row.push_bind(Some(failure.map_or(0, |failure| i64::from(failure.runs_to_wait))));
                row.push(D::TIME.0);
                row.push_bind_unseparated(failure.and_then(|failure| i64::try_from(failure.next_try).ok()));
                row.push_unseparated(D::TIME.1);
                row.push(if *is_synced { D::NOW } else { "NULL" });
            });
        }
        let kept = |column: &str| {
            let (inserted, held) = (D::inserted(column), D::held(column));
            match column {
                "token" | "synced_at" => format!("{column} = COALESCE({inserted}, {held})"),
                column => format!("{column} = {inserted}"),
            }
        };
        insert.push(format!("{}{}", D::ON_CONFLICT, WRITTEN.map(kept).join(", ")));
        insert
    }
}

fn is_count(column: &str) -> bool {
    matches!(column, "failures" | "runs_to_wait")
}

fn create<D: Dialect>(table: &Table) -> String {
    let columns: Vec<_> = D::COLUMNS.iter().map(|(name, kind)| format!("  {name} {kind}")).collect();
    format!("CREATE TABLE {} (\n{}\n){}", table.quoted(D::QUOTE), columns.join(",\n"), D::TABLE_END)
}

/// One row, cell by cell, in the order of [`LOADED`]. What somebody broke is not known.
fn read(next: &mut dyn FnMut() -> sqlx::Result<Option<String>>) -> sqlx::Result<Option<(String, Known)>> {
    let hash = |text: Option<String>| text.and_then(|text| u64::from_str_radix(&text, 16).ok());
    let Some(provided_id) = next()? else { return Ok(None) };
    let token = next()?.filter(|token| !token.is_empty()).map(|token| token_hash(&token));
    let (wanted, seen) = (hash(next()?), hash(next()?));
    let fields = next()?.map(|text| FieldFindings::parse(&text)).unwrap_or_default();
    let error = next()?.unwrap_or_default();
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    let (times, runs_to_wait, next_try) = (number(next()?), number(next()?), number(next()?));
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let failure = Failure { times: count(times), runs_to_wait: count(runs_to_wait), next_try, error };
    let failure = Some(failure).filter(|failure| failure.times > 0);
    Ok(Some((provided_id, Known { token, wanted, seen, fields, failure })))
}

/// Whether a statement was refused for a value in it: too long, of another character set, against a constraint.
fn is_about_data(error: &sqlx::Error) -> bool {
    // SQLite has numbers: TOOBIG, CONSTRAINT and MISMATCH.
    let is_one = |code: &str| match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => [18, 19, 20].contains(&(number & 0xff)),
        _ => ["22", "23", "54", "HY000"].iter().any(|class| code.starts_with(class)),
    };
    code(error).is_some_and(|code| is_one(&code))
}

const POSTGRES_GRANTS: &str = "\
-- Two roles are enough. The one of source.url reads the tenants, and nothing else:
--   CREATE ROLE explo_sync_reader LOGIN;
--   GRANT SELECT ON tenants TO explo_sync_reader;
-- The one of ledger.url has this table alone, and neither DELETE nor CREATE:
--   CREATE ROLE explo_sync_ledger LOGIN;
--   GRANT SELECT, INSERT, UPDATE ON TABLE TO explo_sync_ledger;
-- The application reads its token:
--   SELECT token FROM TABLE WHERE instance = 'default' AND provided_id = $1;
";

const MYSQL_GRANTS: &str = "\
-- Two users are enough. The one of source.url reads the tenants, and nothing else:
--   CREATE USER 'explo_sync_reader'@'%';
--   GRANT SELECT ON tenants TO 'explo_sync_reader'@'%';
-- The one of ledger.url has this table alone, and neither DELETE nor CREATE:
--   CREATE USER 'explo_sync_ledger'@'%';
--   GRANT SELECT, INSERT, UPDATE ON TABLE TO 'explo_sync_ledger'@'%';
-- The application reads its token:
--   SELECT token FROM TABLE WHERE instance = 'default' AND provided_id = ?;
";

const SQLITE_GRANTS: &str = "\
-- A file has no roles. Let ledger.url name a file of its own, so that the tenants' file can stay read-only; its directory
-- must be writable as well. The application reads its token:
--   SELECT token FROM TABLE WHERE instance = 'default' AND provided_id = ?;
";
