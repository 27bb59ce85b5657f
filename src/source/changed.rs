//! `source.query_changed`: asks a database again and again which tenants changed.
//!
//! Each question is one read-only transaction on a connection that stays open. It asks for what changed since the clock
//! before the last answer's snapshot, minus an overlap: a transaction that writes a time is committed later than that
//! time. Within the overlap a row is returned several times, and its id is told only if the row differs. Nothing is
//! missed while the database does not answer, because the time stays.

use std::{collections::HashSet, convert::Infallible, future::pending, time::Duration};

use sqlx::{Database, Executor, IntoArguments};
use tokio::time::sleep;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{
    Error, Signal, Source as _, Sql,
    backoff::Backoff,
    columns::Columns,
    dialect::{Changed, Connection, Dialect, Parameter},
    mysql::MySqlDialect,
    postgres::PostgresDialect,
    snapshot::Snapshot,
    sqlite::SqliteDialect,
};
use crate::{
    compare::lasting_fingerprint,
    database::Kind,
    model::{Row, id_of},
};

/// The longest wait before a new connection.
const LONGEST: Duration = Duration::from_mins(1);

/// Rows of an answer that are known again in the next one.
const KNOWN: usize = 10_000;

/// What earlier answers said.
#[derive(Default)]
struct Told {
    /// The time from which on changes are asked for; `None` before the first answer.
    since: Option<String>,
    /// The hashes of the last answer's rows.
    rows: HashSet<u64>,
    has_heard: bool,
}

/// The connection, and the columns that the whole query had when it was opened.
struct Open<'s, D: Dialect> {
    snapshot: Snapshot<'s, D>,
    whole: Option<Columns>,
}

impl Sql {
    /// Tells the ids of tenants that changed, until it is dropped; without `source.query_changed`, never tells
    /// anything. Says once that it hears, and logs when the database stops and begins to answer.
    pub async fn watch_changes(self, tell: impl FnMut(Signal) + Send) -> Infallible {
        let Some(changed) = &self.changed else { return pending().await };
        match self.server.kind() {
            Kind::Postgres => Box::pin(self.watch::<PostgresDialect>(changed, tell)).await,
            Kind::MySql => Box::pin(self.watch::<MySqlDialect>(changed, tell)).await,
            Kind::Sqlite => Box::pin(self.watch::<SqliteDialect>(changed, tell)).await,
        }
    }

    async fn watch<D: Dialect>(&self, changed: &Changed, mut tell: impl FnMut(Signal) + Send) -> Infallible
    where
        for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
        <D::Db as Database>::Arguments: IntoArguments<D::Db>,
    {
        let (mut told, mut open, mut backoff) = (Told::default(), None::<Open<'_, D>>, Backoff::up_to(LONGEST));
        let mut is_answered = true;
        loop {
            let answer = self.ask_since(changed, &mut open, &mut told, &mut tell).await;
            let is_late = matches!(answer, Err(Error::Timeout { .. }));
            match open.take() {
                Some(still) if answer.is_ok() && D::STAYS_OPEN => open = Some(still),
                // A statement that is late is still running: dropping the session cancels it.
                Some(late) if is_late => drop(late),
                Some(Open { snapshot, .. }) => snapshot.end().await,
                None => {}
            }
            let wait = match answer {
                Ok(()) => {
                    if !is_answered {
                        tracing::info!(place = self.place(), "source.query_changed is answered again");
                    }
                    is_answered = true;
                    backoff.reset();
                    changed.every
                }
                Err(error) if is_answered => {
                    is_answered = false;
                    tracing::warn!(
                        "source.query_changed is not answered, and asked again until it is; changes wait: {error}"
                    );
                    backoff.wait()
                }
                Err(error) => {
                    tracing::debug!("source.query_changed is not answered: {error}");
                    backoff.wait()
                }
            };
            sleep(wait).await;
        }
    }

    /// Asks once; connects if there is no connection.
    async fn ask_since<'s, D: Dialect>(
        &'s self,
        changed: &'s Changed,
        open: &mut Option<Open<'s, D>>,
        told: &mut Told,
        tell: &mut (impl FnMut(Signal) + Send),
    ) -> Result<(), Error>
    where
        for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
        <D::Db as Database>::Arguments: IntoArguments<D::Db>,
    {
        let Open { snapshot, whole } = match open {
            Some(open) => open,
            None => open.insert(Open { snapshot: Snapshot::connect(self).await?, whole: None }),
        };
        let clock = snapshot.clock(changed.overlap).await?;
        let since = told.since.get_or_insert_with(|| clock.clone());
        snapshot.start().await?;
        let whole = match whole {
            Some(columns) => columns,
            None => whole.insert(snapshot.prepare_whole().await?.columns),
        };
        // Prepared anew each time, because a migration may change its columns.
        let prepared = snapshot.prepare_bound(Parameter::Time, &changed.query, whole).await?;
        let mut rows = HashSet::new();
        let mut take = |row: &Row<'_>| {
            let Some(id) = id_of(row) else { return };
            let hash = hash(id, row);
            if rows.len() < KNOWN {
                rows.insert(hash);
            }
            if !told.rows.contains(&hash) {
                tell(Signal::Changed(id.to_owned()));
            }
        };
        snapshot.read_changed(&prepared, since, &mut take).await?;
        snapshot.finish().await?;
        (told.since, told.rows) = (Some(clock), rows);
        if !std::mem::replace(&mut told.has_heard, true) {
            tell(Signal::Hearing);
        }
        Ok(())
    }
}

/// A hash of a row with all that its tenant wants, and whether it leaves; of an invalid row, with the reason.
fn hash(id: &str, row: &Row<'_>) -> u64 {
    let (previous, content) = match row {
        Ok(tenant) => {
            let offboard = tenant.offboard.map_or(0, |at| xxh3_64_with_seed(&at.to_be_bytes(), 2));
            (tenant.previous_provided_id.as_deref(), lasting_fingerprint(tenant) ^ offboard)
        }
        Err(invalid) => (invalid.previous_provided_id.as_deref(), xxh3_64_with_seed(invalid.reason.as_bytes(), 1)),
    };
    let previous = previous.map_or(content, |previous| xxh3_64_with_seed(previous.as_bytes(), content));
    xxh3_64_with_seed(id.as_bytes(), previous)
}
