//! PostgreSQL's advisory locks, which open transactions hold.
//!
//! A session's lock would be simpler, but behind a pooler in transaction mode the session is the pooler's: two runs may
//! share it, and it keeps the lock when our process is gone. An open transaction is ours alone, behind a pooler as
//! well. Between statements it has no snapshot and no transaction id, so it holds up neither vacuum nor writers.
//!
//! Long transactions alarm database administrators, and a pooler can't renew a connection that has one. So there are
//! two keys, each locked by a transaction of its own, and the two are renewed in turn: while one key is free for a
//! moment, the other is locked. Only a run with both keys has the lock; a run that gets one of them gives it back at
//! once.
//!
//! Advisory locks belong to a database, so the keys depend on the [lock's name](super::name) alone: the XXH3-64, with
//! seed 0 and with seed 1, of `explo-sync`, a zero byte and the name, read as a signed number. They are the same in
//! every version and on every machine; `pg_locks` shows their halves as `classid` and `objid`.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, Row, raw_sql};
use tokio::time::sleep;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Holder, SILENCE};
use crate::database::{Error, Server, Session, postgres, words};

/// How long to wait if another run has the key for a moment, because it tries for the lock.
const MOMENT: Duration = Duration::from_millis(50);

/// Two connections that have the lock together.
pub(super) struct TwoKeys {
    /// The first is the next to be renewed.
    halves: [Half; 2],
}

/// A connection whose transaction has a key.
struct Half {
    session: Session<PgConnection>,
    take: String,
}

impl TwoKeys {
    /// Pings limit the silence of a transaction, and this limits its length, so the server's own limit is off.
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
    /// Begins a transaction that locks the key; false: another transaction has it.
    async fn take(&mut self) -> sqlx::Result<bool> {
        let rows = raw_sql(AssertSqlSafe(self.take.clone())).fetch_all(&mut *self.session).await?;
        let is_held = rows.last().map_or(Ok(false), |row| row.try_get(0))?;
        if !is_held {
            self.let_go().await?;
        }
        Ok(is_held)
    }

    /// Pings: an aborted transaction, which has lost its key, fails here.
    async fn keep(&mut self) -> sqlx::Result<()> {
        raw_sql("SELECT 1").execute(&mut *self.session).await.map(drop)
    }

    async fn let_go(&mut self) -> sqlx::Result<()> {
        raw_sql("ROLLBACK").execute(&mut *self.session).await.map(drop)
    }

    async fn release(mut self) {
        // Closing the connection would release the lock too, but only later.
        let _ = self.let_go().await;
        self.session.close().await;
    }
}

impl Holder for TwoKeys {
    /// Every run takes the keys in the same order.
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
