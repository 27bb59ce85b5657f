//! One run at a time per source database, instance and Explo.
//!
//! Promises: only one process has the lock while its connection lives; the lock is free again as soon as its process
//! releases it, dies, or is silent for a minute; and nothing is written to the database. If the database has no locks,
//! the attempt says why: without a lock, simultaneous runs are safe but make extra calls.
//!
//! The address and the team's token identify the Explo, so daemons of one source for two teams, or for two Explos, work
//! side by side. While a token is rotated, a run with the old token and a run with the new one may overlap: that, too,
//! is safe but makes extra calls.
//!
//! | database | what is locked | another host's run |
//! |---|---|---|
//! | PostgreSQL | two advisory locks, of open transactions | excluded, at the same server (a standby has locks of its own) |
//! | MySQL, MariaDB | `GET_LOCK` | excluded, at the same server (each node of a cluster has locks of its own) |
//! | SQLite | a file beside the database | excluded where the file system's locks reach |

mod file;
mod mysql;
mod postgres;

use std::time::Duration;

use futures_util::FutureExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
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

const ASKING: &str = "asking for the lock";

/// The silence of a process after which the server frees its lock.
const SILENCE: Duration = Duration::from_mins(1);

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
    lost: CancellationToken,
    released: CancellationToken,
    watch: JoinHandle<()>,
}

/// The permission to write: every writer needs one.
#[derive(Debug)]
pub enum Permit {
    /// The run is the only one.
    Locked(Lock),
    /// This database has no locks: simultaneous runs are safe but make extra calls.
    Unlocked,
}

impl Permit {
    /// Is cancelled when the lock is lost; never without a lock.
    #[must_use]
    pub fn lost(&self) -> CancellationToken {
        match self {
            Self::Locked(lock) => lock.lost().clone(),
            Self::Unlocked => CancellationToken::new(),
        }
    }

    /// Releases the lock, so that another run can begin.
    pub async fn release(self) {
        match self {
            Self::Locked(lock) => lock.release().await,
            Self::Unlocked => {}
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
    let asked = async {
        match server.kind() {
            Kind::Postgres => ask(server, postgres::TwoKeys::connect(server, name).await?, timing).await,
            Kind::MySql => ask(server, mysql::Named::connect(server, name).await?, timing).await,
            Kind::Sqlite => ask(server, file::Beside::new(server.file(), name), timing).await,
        }
    };
    tokio::select! {
        biased;
        () = stop.requested() => Ok(Attempt::Stopped),
        attempt = asked => attempt,
    }
}

async fn ask(server: &Server, mut holder: impl Holder, timing: Timing) -> Result<Attempt, Error> {
    let begun = Instant::now();
    let attempt = loop {
        match server.in_time(holder.take()).await {
            Ok(true) => return Ok(Attempt::Acquired(Lock::watched(holder, server.place(), timing.ping_every))),
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

impl Lock {
    fn watched(holder: impl Holder, place: String, every: Duration) -> Self {
        let (lost, released) = (CancellationToken::new(), CancellationToken::new());
        let watch = tokio::spawn(watch(holder, place, every, lost.clone(), released.clone()));
        Self { lost, released, watch }
    }

    /// Cancelled when the lock is lost: another run may have begun, so this one must not begin another write.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Releases the lock; when this returns, the next run can get it.
    pub async fn release(mut self) {
        self.released.cancel();
        // It fails only if the task has ended already.
        let _ = (&mut self.watch).await;
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Keeps the lock until it is released, and cancels `lost` if it is lost.
async fn watch(
    mut holder: impl Holder,
    place: String,
    every: Duration,
    lost: CancellationToken,
    released: CancellationToken,
) {
    let patience = every * 3;
    let cause = tokio::select! {
        biased;
        () = released.cancelled() => None,
        cause = async {
            loop {
                sleep(every).await;
                match timeout(patience, holder.ping()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(cause)) => break cause,
                    Err(_) => break format!("no answer for {} s", patience.as_secs()),
                }
            }
        } => Some(cause),
    };
    match cause {
        Some(cause) => {
            lost.cancel();
            tracing::warn!(place, cause, "the lock is lost");
        }
        None => drop(timeout(patience, holder.release()).await),
    }
}

/// A lock in one kind of database. Dropping it releases the lock.
trait Holder: Send + 'static {
    /// Tries once; false: another run has it. An error says that the database [is gone](is_gone), or refuses to lock.
    fn take(&mut self) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Checks that the lock is still ours; the error is the reason if not.
    fn ping(&mut self) -> impl Future<Output = Result<(), String>> + Send;

    /// Releases the lock, if it is ours, and closes the connection.
    fn release(self) -> impl Future<Output = ()> + Send;
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
