//! PostgreSQL's advisory locks, held by open transactions.
//!
//! A lock of the session would be simpler, but behind a pooler in transaction mode the session is the pooler's: two runs
//! may share it, and it keeps the lock when we are gone. An open transaction is ours alone, there as well as at the server
//! itself. Between statements it has no snapshot and no transaction id, so it holds up neither vacuum nor writers.
//!
//! No transaction stays open for long, for those alarm whoever looks after the server, and a pooler can't renew its connection
//! below one. So there are two keys, each of a transaction of its own. They end and begin again in turn: while one key is free
//! for a moment, the other one is held, and only who has both has the lock. Who asks and gets one of them gives it back at once.
//!
//! Advisory locks belong to a database, so the keys are made of the [lock's name](super::name) alone: the XXH3-64, with seed 0
//! and with seed 1, of `explo-sync`, a zero byte and the name, read as a signed number. They are the same in every version and
//! on every machine; `pg_locks` shows their halves as `classid` and `objid`.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, Row, raw_sql};
use tokio::time::sleep;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Holder, SILENCE};
use crate::database::{Error, Server, Session, postgres, words};

/// How long to wait where another run, which asks, has the key for a moment.
const MOMENT: Duration = Duration::from_millis(50);

/// Two connections that hold the lock together.
pub(super) struct TwoKeys {
    /// The one to be renewed next is the first.
    halves: [Half; 2],
}

/// A connection whose transaction holds a key.
struct Half {
    session: Session<PgConnection>,
    take: String,
}

impl TwoKeys {
    /// The pings keep the silence short; the length of a transaction, which some servers limit, is ours.
    pub(super) async fn connect(server: &Server, name: &str) -> Result<Self, Error> {
        let begin = format!(
            "{};
             SET LOCAL idle_in_transaction_session_timeout = '{}s';
             SELECT CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
                         THEN set_config('transaction_timeout', '0', true) END",
            postgres::beginning(server, "ISOLATION LEVEL READ COMMITTED READ ONLY"),
            SILENCE.as_secs()
        );
        let take = |seed| format!("{begin}; SELECT pg_try_advisory_xact_lock({})", key(name, seed));
        let one = Half { session: Session::open(server).await?, take: take(0) };
        let other = Half { session: Session::open(server).await?, take: take(1) };
        Ok(Self { halves: [one, other] })
    }
}

impl Half {
    /// Begins a transaction that holds the key; false: another's does.
    async fn take(&mut self) -> sqlx::Result<bool> {
        let rows = raw_sql(AssertSqlSafe(self.take.clone())).fetch_all(&mut *self.session).await?;
        let is_held = rows.last().map_or(Ok(false), |row| row.try_get(0))?;
        if !is_held {
            self.let_go().await?;
        }
        Ok(is_held)
    }

    /// A transaction that was aborted has given up its key, and refuses this.
    async fn keep(&mut self) -> sqlx::Result<()> {
        raw_sql("SELECT 1").execute(&mut *self.session).await.map(drop)
    }

    async fn let_go(&mut self) -> sqlx::Result<()> {
        raw_sql("ROLLBACK").execute(&mut *self.session).await.map(drop)
    }

    async fn release(mut self) {
        // The connection's end would do, but is not waited for.
        let _ = self.let_go().await;
        self.session.close().await;
    }
}

impl Holder for TwoKeys {
    /// All ask for the keys in the same order.
    async fn take(&mut self) -> sqlx::Result<bool> {
        let [one, other] = &mut self.halves;
        if !one.take().await? {
            return Ok(false);
        }
        let has_both = other.take().await?;
        if !has_both {
            one.let_go().await?;
        }
        Ok(has_both)
    }

    async fn ping(&mut self) -> Result<(), String> {
        let [due, other] = &mut self.halves;
        let renewed = async {
            other.keep().await?;
            due.let_go().await?;
            while !due.take().await? {
                sleep(MOMENT).await;
                other.keep().await?;
            }
            Ok(())
        };
        renewed.await.map_err(|error: sqlx::Error| words::of(&error))?;
        self.halves.swap(0, 1);
        Ok(())
    }

    async fn release(self) {
        let [one, other] = self.halves;
        tokio::join!(one.release(), other.release());
    }
}

fn key(name: &str, seed: u64) -> i64 {
    xxh3_64_with_seed(format!("explo-sync\0{name}").as_bytes(), seed).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_stay_the_same_forever() {
        assert_eq!([0, 1].map(|seed| key("default", seed)), [-41_504_063_056_066_665, -6_956_598_400_473_881_249]);
    }
}
