//! One run at a time per source database, instance and Explo, and one change at a time per id.
//!
//! Promises: only one process has a lock while its connection lives; the lock is free again as soon as its process
//! releases it, dies, or is silent for a minute; and nothing is written to the database. If the database has no locks,
//! the attempt says why: without a lock, simultaneous runs are safe but make extra calls.
//!
//! The address and the team's token identify the Explo, so daemons of one source for two teams, or for two Explos, work
//! side by side. While a token is rotated, a run with the old token and a run with the new one may overlap: that, too,
//! is safe but makes extra calls.
//!
//! [Locks of ids](IdLocks) come and go on the connections that another lock has already, or on their own. If these
//! connections are lost, all their locks are lost together. The lock of an id has the name of the runs' lock, a `#` and
//! the id.
//!
//! | database | what is locked | for an id | another host's run |
//! |---|---|---|---|
//! | PostgreSQL | two advisory locks, of open transactions | two more, of the same transactions | excluded, at the same server (a standby has locks of its own) |
//! | MySQL, MariaDB | `GET_LOCK` | another `GET_LOCK` of the same session | excluded, at the same server (each node of a cluster has locks of its own) |
//! | SQLite | a file beside the database | one of 64 more files: processes whose ids share one exclude each other | excluded where the file system's locks reach |
//! | none | nothing | nothing beyond [this process](IdLocks::of_process) | not excluded |

mod file;
mod holder;
mod ids;
mod keeper;
mod mysql;
mod postgres;

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{
    causes::code,
    error::{Error, is_late},
    kind::Kind,
    server::Server,
    words,
};
use crate::stop::Stop;

use holder::{Holder, Name};
use ids::Claims;
use keeper::Keeper;

pub use ids::{IdLock, IdLocks, OwnIdLocks};

const ASKING: &str = "asking for the lock";

/// The interval between two attempts while another run has the lock.
const AGAIN: Duration = Duration::from_secs(1);

/// How long to wait for the lock, and how often to check it.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long to wait for another run's end; zero: ask once.
    pub wait: Duration,
    /// The interval between two pings. A ping that takes three times as long has failed. Well below a minute.
    pub ping_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { wait: Duration::ZERO, ping_every: Duration::from_secs(5) }
    }
}

/// The result of asking for the lock.
#[derive(Debug)]
pub enum Attempt {
    /// This run has the lock.
    Acquired(Lock),
    /// Another run had the lock until the wait ended.
    Busy,
    /// This database has no locks: the reason, for a warning.
    Unavailable(String),
    /// A stop was requested before the database answered.
    Stopped,
}

/// The right to be the only run. Dropping it releases the lock a moment later, without a proper end of the connection.
#[derive(Debug)]
pub struct Lock {
    keeper: Keeper,
    claims: Arc<Claims>,
}

/// The result of asking for locks of ids on connections of their own.
#[derive(Debug)]
pub enum IdsAttempt {
    /// The database has such locks.
    Ready(OwnIdLocks),
    /// It has none: the reason, for a warning.
    Unavailable(String),
    /// A stop was requested before the database answered.
    Stopped,
}

/// The permission to write: every writer needs one.
#[derive(Debug)]
pub enum Permit {
    /// The run is the only one.
    Locked(Lock),
    /// This database has no locks: simultaneous runs are safe but make extra calls.
    Unlocked,
    /// These ids are this writer's alone.
    Ids(Vec<IdLock>),
}

impl Permit {
    /// Is cancelled when the lock is lost; never without a lock.
    #[must_use]
    pub fn lost(&self) -> CancellationToken {
        match self {
            Self::Locked(lock) => lock.lost().clone(),
            Self::Unlocked | Self::Ids(_) => CancellationToken::new(),
        }
    }

    /// Releases the lock, so that another run can begin.
    pub async fn release(self) {
        match self {
            Self::Locked(lock) => lock.release().await,
            Self::Unlocked | Self::Ids(_) => {}
        }
    }
}

/// The name of the lock of an instance's runs: the instance, an `@`, which no instance's name contains, and 16
/// hexadecimal digits, the XXH3-64 of the token seeded with that of Explo's address. It is the same in every version
/// and on every machine.
#[must_use]
pub fn name(instance: &str, address: &str, token: &SecretString) -> String {
    let explo = xxh3_64_with_seed(token.expose_secret().as_bytes(), xxh3_64(address.as_bytes()));
    format!("{instance}@{explo:016x}")
}

/// Asks for the lock of this name on connections of its own. The runtime that runs this also pings the lock.
pub async fn acquire(server: &Server, name: &str, timing: Timing, stop: &Stop) -> Result<Attempt, Error> {
    let name = Name::Whole(name.to_owned());
    let asked = async {
        match server.kind() {
            Kind::Postgres => ask(server, postgres::TwoKeys::connect(server).await?, &name, timing).await,
            Kind::MySql => ask(server, mysql::Named::connect(server).await?, &name, timing).await,
            Kind::Sqlite => ask(server, file::Beside::new(server.file()), &name, timing).await,
        }
    };
    tokio::select! {
        biased;
        () = stop.requested() => Ok(Attempt::Stopped),
        attempt = asked => attempt,
    }
}

/// Opens connections for locks of ids alone, which are pinged as often as `timing` says. `prefix` is the [name] of the
/// lock of the runs. The runtime that runs this also pings them.
pub async fn ids(server: &Server, prefix: &str, timing: Timing, stop: &Stop) -> Result<IdsAttempt, Error> {
    let asked = async {
        match server.kind() {
            Kind::Postgres => prepare(server, postgres::TwoKeys::connect(server).await?, prefix, timing).await,
            Kind::MySql => prepare(server, mysql::Named::connect(server).await?, prefix, timing).await,
            Kind::Sqlite => prepare(server, file::Beside::new(server.file()), prefix, timing).await,
        }
    };
    tokio::select! {
        biased;
        () = stop.requested() => Ok(IdsAttempt::Stopped),
        attempt = asked => attempt,
    }
}

async fn ask(server: &Server, mut holder: impl Holder, name: &Name, timing: Timing) -> Result<Attempt, Error> {
    let begun = Instant::now();
    let attempt = loop {
        match server.in_time(holder.take(name)).await {
            Ok(true) => {
                let keeper = Keeper::start(holder, server.place(), timing.ping_every);
                return Ok(Attempt::Acquired(Lock { keeper, claims: Arc::default() }));
            }
            Ok(false) => {}
            Err(cause) if is_gone(&cause) => return Err(Error { doing: ASKING, cause }),
            Err(refusal) => break Attempt::Unavailable(words::of(&refusal)),
        }
        let left = timing.wait.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break Attempt::Busy;
        }
        sleep(left.min(AGAIN)).await;
    };
    // The attempt has its answer, so a failure here changes nothing.
    let _ = server.in_time(holder.release().map(Ok)).await;
    Ok(attempt)
}

/// Takes the lock of an id that no tenant has, and gives it back, to learn whether the database locks.
async fn prepare(server: &Server, mut holder: impl Holder, prefix: &str, timing: Timing) -> Result<IdsAttempt, Error> {
    let nobody = Name::One { prefix: prefix.to_owned(), id: String::new() };
    let tried = async {
        if server.in_time(holder.take(&nobody)).await? {
            server.in_time(holder.give_back(&nobody)).await?;
        }
        Ok(())
    };
    match tried.await {
        Ok(()) => {
            let keeper = Keeper::start(holder, server.place(), timing.ping_every);
            Ok(IdsAttempt::Ready(OwnIdLocks::new(keeper, prefix)))
        }
        Err(cause) if is_gone(&cause) => Err(Error { doing: ASKING, cause }),
        Err(refusal) => {
            // The attempt has its answer, so a failure here changes nothing.
            let _ = server.in_time(holder.release().map(Ok)).await;
            Ok(IdsAttempt::Unavailable(words::of(&refusal)))
        }
    }
}

impl Lock {
    /// Cancelled when the lock is lost: another run may have begun, so this one must not begin another write.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        self.keeper.lost()
    }

    /// Locks of ids on the connections of this one; they are lost, and released, with it. `prefix` is the [name] of the
    /// lock of the runs, whatever lock this is.
    #[must_use]
    pub fn ids(&self, prefix: &str) -> IdLocks {
        IdLocks::on(&self.keeper, &self.claims, prefix)
    }

    /// Releases the lock and its locks of ids; when this returns, others can get them.
    pub async fn release(self) {
        self.keeper.release().await;
    }
}

/// Whether the database is unreachable, or went away.
fn is_gone(error: &sqlx::Error) -> bool {
    // SQLSTATE: connection exception, operator intervention, and MySQL's own for a session that was killed.
    let is_end = |code: &str| ["08", "57", "70"].iter().any(|class| code.starts_with(class));
    let is_broken = matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_));
    is_broken || is_late(error) || code(error).is_some_and(|code| is_end(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_stays_the_same_forever_and_another_explo_has_another() {
        let of = |instance, address, token: &str| name(instance, address, &token.into());
        assert_eq!(of("default", "https://api.explo.co", "a token"), "default@2d39d9a0602735de");
        let others = [
            of("default", "https://api.explo.co", "a token"),
            of("Default", "https://api.explo.co", "a token"),
            of("default", "https://api.explo.co/eu", "a token"),
            of("default", "https://api.explo.co", "another"),
        ];
        assert_eq!(others.into_iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }
}
