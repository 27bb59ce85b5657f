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
//! Locks of ids have two keys as well, in the same transactions, after a savepoint. A transaction can't unlock a single
//! key, so one id is given back by a return to the savepoint, which frees the keys of all ids, and the keys of the other
//! ids are taken again: first in one transaction, then in the other.
//!
//! | | first transaction | second transaction |
//! |---|---|---|
//! | take | tries its key | then tries its key; if that fails, the first gives its key back |
//! | give back an id | then the same | returns to the savepoint, and takes the keys of the other ids again |
//! | one ping | ends, begins, and takes its keys again | has all its keys |
//! | the next ping | has all its keys | ends, begins, and takes its keys again |
//!
//! A key that is free for a moment may be taken meanwhile, by a process that tries for the lock: it fails at the other
//! key, and then ours is taken again. The first transaction's keys are always those of seed 0, so that all processes
//! take keys in the same order.
//!
//! Advisory locks belong to a database, so the keys depend on the [lock's name](super::name) alone: the XXH3-64, with
//! seed 0 and with seed 1, of `explo-sync`, a zero byte and the name, read as a signed number. They are the same in
//! every version and on every machine; `pg_locks` shows their halves as `classid` and `objid`.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, Row, raw_sql};
use tokio::time::sleep;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::holder::{Holder, Name, SILENCE};
use crate::database::{Error, Server, Session, postgres, words};

/// How long to wait if another process has a key for a moment, because it tries for the lock. Far below the interval of
/// pings, so that a process which tries again and again is overcome.
const MOMENT: Duration = Duration::from_millis(10);

/// Two connections that have the locks together.
pub(super) struct TwoKeys {
    first: Half,
    second: Half,
    /// Whether the second is the next to be renewed.
    second_is_due: bool,
}

/// A connection whose transaction has one key of each lock; without a key, it has no transaction.
struct Half {
    session: Session<PgConnection>,
    begin: String,
    seed: u64,
    /// The key that is taken before the savepoint.
    whole: Option<i64>,
    /// Those after it.
    ids: Vec<i64>,
}

impl TwoKeys {
    /// Pings limit the silence of a transaction, and this limits its length, so the server's own limit is off.
    pub(super) async fn connect(server: &Server) -> Result<Self, Error> {
        let begin = format!(
            "{};
             SET LOCAL idle_in_transaction_session_timeout = '{}s';
             SELECT CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
                         THEN set_config('transaction_timeout', '0', true) END",
            postgres::beginning(server, "ISOLATION LEVEL READ COMMITTED READ ONLY"),
            SILENCE.as_secs()
        );
        let half = async |seed| {
            let (session, begin) = (Session::open(server).await?, begin.clone());
            Ok(Half { session, begin, seed, whole: None, ids: Vec::new() })
        };
        Ok(Self { first: half(0).await?, second: half(1).await?, second_is_due: false })
    }
}

impl Half {
    fn is_empty(&self) -> bool {
        self.whole.is_none() && self.ids.is_empty()
    }

    /// Tries for one more key; false: another transaction has it.
    async fn take(&mut self, name: &Name) -> sqlx::Result<bool> {
        let (is_first, key) = (self.is_empty(), key(&name.to_string(), self.seed));
        match name {
            Name::Whole(_) => self.whole = Some(key),
            Name::One { .. } => self.ids.push(key),
        }
        let is_held = if is_first { self.begin().await? } else { self.ask(&try_for(&[key]), 1).await? };
        if !is_held {
            self.forget(key);
        }
        Ok(is_held)
    }

    fn forget(&mut self, key: i64) {
        self.whole.take_if(|whole| *whole == key);
        self.ids.retain(|id| *id != key);
    }

    /// Frees one key, while the other half has all keys of the other ids.
    async fn give_back(&mut self, name: &Name, other: &mut Self) -> sqlx::Result<()> {
        self.forget(key(&name.to_string(), self.seed));
        if self.is_empty() {
            return self.end().await;
        }
        let again = format!("ROLLBACK TO SAVEPOINT ids; {}", try_for(&self.ids));
        while !self.ask(&again, self.ids.len()).await? {
            sleep(MOMENT).await;
            other.keep().await?;
        }
        Ok(())
    }

    /// Ends the transaction and begins another one with the same keys, while the other half has all its keys.
    async fn renew(&mut self, other: &mut Self) -> sqlx::Result<()> {
        other.keep().await?;
        if self.is_empty() {
            return self.keep().await;
        }
        self.end().await?;
        while !self.begin().await? {
            sleep(MOMENT).await;
            other.keep().await?;
        }
        Ok(())
    }

    /// Begins a transaction with all keys; if another transaction has one of them, there is none.
    async fn begin(&mut self) -> sqlx::Result<bool> {
        let (whole, ids) = (try_for(self.whole.as_slice()), try_for(&self.ids));
        let begin = format!("{}; {whole}SAVEPOINT ids; {ids}", self.begin);
        let has_all = self.ask(&begin, self.whole.iter().len() + self.ids.len()).await?;
        if !has_all {
            self.end().await?;
        }
        Ok(has_all)
    }

    /// Executes statements of which the last rows tell for so many keys whether they were free.
    async fn ask(&mut self, sql: &str, keys: usize) -> sqlx::Result<bool> {
        let rows = raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *self.session).await?;
        let are_held = rows.iter().rev().take(keys).map(|row| row.try_get(0));
        let are_held = are_held.collect::<sqlx::Result<Vec<bool>>>()?;
        Ok(are_held.len() == keys && are_held.iter().all(|is_held| *is_held))
    }

    /// Pings: an aborted transaction, which has lost its keys, fails here.
    async fn keep(&mut self) -> sqlx::Result<()> {
        raw_sql("SELECT 1").execute(&mut *self.session).await.map(drop)
    }

    async fn end(&mut self) -> sqlx::Result<()> {
        raw_sql("ROLLBACK").execute(&mut *self.session).await.map(drop)
    }

    async fn release(mut self) {
        // Closing the connection would release the locks too, but only later.
        let _ = self.end().await;
        self.session.close().await;
    }
}

impl Holder for TwoKeys {
    async fn take(&mut self, name: &Name) -> sqlx::Result<bool> {
        if !self.first.take(name).await? {
            return Ok(false);
        }
        let has_both = self.second.take(name).await?;
        if !has_both {
            self.first.give_back(name, &mut self.second).await?;
        }
        Ok(has_both)
    }

    /// One half after the other: an id whose keys are both free for a moment would be another's.
    async fn give_back(&mut self, name: &Name) -> sqlx::Result<()> {
        self.second.give_back(name, &mut self.first).await?;
        self.first.give_back(name, &mut self.second).await
    }

    async fn ping(&mut self) -> Result<(), String> {
        let Self { first, second, second_is_due } = self;
        let renewed = if *second_is_due { second.renew(first).await } else { first.renew(second).await };
        renewed.map_err(|error| words::of(&error))?;
        *second_is_due = !*second_is_due;
        Ok(())
    }

    async fn release(self) {
        tokio::join!(self.first.release(), self.second.release());
    }
}

/// Statements that try for these keys, one row each.
fn try_for(keys: &[i64]) -> String {
    keys.iter().map(|key| format!("SELECT pg_try_advisory_xact_lock({key}); ")).collect::<Vec<_>>().concat()
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
        let id = Name::One { prefix: "default".to_owned(), id: "acme".to_owned() }.to_string();
        assert_eq!([0, 1].map(|seed| key(&id, seed)), [7_466_775_439_095_541_227, 2_720_452_515_793_717_519]);
    }
}
