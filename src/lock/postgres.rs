//! PostgreSQL's advisory lock, held by an open transaction.
//!
//! A lock of the session would be simpler, but behind a pooler in transaction mode the session is the pooler's: two runs
//! may share it, and it keeps the lock when we are gone. An open transaction is ours alone, there as well as at the server
//! itself. Between statements it has no snapshot and no transaction id, so it holds up neither vacuum nor writers.
//!
//! Advisory locks belong to a database, so the key is made of the [lock's name](super::name) alone: the XXH3-64 (seed 0) of
//! `explo-sync`, a zero byte and the name, read as a signed number. It is the same in every version and on every machine;
//! `pg_locks` shows its halves as `classid` and `objid`.

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, raw_sql};
use xxhash_rust::xxh3::xxh3_64;

use super::{Failure, Holder, SILENCE};
use crate::source::{self, Server};

/// A connection whose transaction holds the lock.
pub(super) struct Session {
    connection: PgConnection,
    key: i64,
    begin: String,
}

impl Session {
    /// The pings keep the silence short; the length of a transaction, which some servers limit, is that of the run.
    pub(super) fn new(connection: PgConnection, server: &Server, name: &str) -> Self {
        let begin = format!(
            "{};
             SET LOCAL idle_in_transaction_session_timeout = '{}s';
             SELECT CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
                         THEN set_config('transaction_timeout', '0', true) END",
            server.beginning("ISOLATION LEVEL READ COMMITTED READ ONLY"),
            SILENCE.as_secs()
        );
        Self { connection, key: key(name), begin }
    }

    async fn execute(&mut self, sql: String) -> sqlx::Result<()> {
        raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await.map(drop)
    }
}

impl Holder for Session {
    async fn take(&mut self) -> Result<bool, Failure> {
        self.execute(self.begin.clone()).await?;
        let try_lock = format!("SELECT pg_try_advisory_xact_lock({})", self.key);
        let row = raw_sql(AssertSqlSafe(try_lock)).fetch_one(&mut self.connection).await?;
        let is_held: bool = row.try_get(0)?;
        if !is_held {
            self.execute("ROLLBACK".to_owned()).await?;
        }
        Ok(is_held)
    }

    async fn ping(&mut self) -> Result<(), String> {
        // A transaction that was aborted has given up its locks, and refuses this.
        self.execute("SELECT 1".to_owned()).await.map_err(|error| source::causes::words(&error))
    }

    async fn release(mut self) {
        // The connection's end would do, but is not waited for.
        let _ = self.execute("ROLLBACK".to_owned()).await;
        let _ = self.connection.close().await;
    }
}

fn key(name: &str) -> i64 {
    xxh3_64(format!("explo-sync\0{name}").as_bytes()).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays_the_same_forever() {
        assert_eq!(key("default"), -41_504_063_056_066_665);
    }
}
