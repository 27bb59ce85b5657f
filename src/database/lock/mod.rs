//! One run at a time per source database, instance and Explo.
//!
//! Promises: only one process holds the lock while its connection lives; the lock is free again as soon as the holder
//! lets go, dies, or is silent for a minute; and nothing is written to the database. Where the database can't hold
//! one, it says why: simultaneous runs are safe, and make extra calls.
//!
//! Which Explo is told by its address and the team's token, so that daemons of one source for two teams, or for two Explos,
//! work side by side. While a token is rotated, a run with the old one and a run with the new one overlap: that, too, costs
//! calls, not correctness.
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

/// After so long without a sign of life from the holder, the server takes the lock from it.
const SILENCE: Duration = Duration::from_mins(1);

/// How often a lock that another run holds is asked for.
const AGAIN: Duration = Duration::from_secs(1);

/// How long to wait, and how often to look.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// For another run to let go; zero: ask once.
    pub wait: Duration,
    /// Between two proofs that the lock is still held. One that takes three times as long has failed. Well below a minute.
    pub ping_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { wait: Duration::ZERO, ping_every: Duration::from_secs(5) }
    }
}

/// What came of asking for the lock.
#[derive(Debug)]
pub enum Attempt {
    /// This run is the only one.
    Acquired(Lock),
    /// Another run holds it, and did so until the end of the wait.
    Busy,
    /// This database can't hold one: the reason, for a warning.
    Unavailable(String),
    /// A stop was asked for before there was an answer.
    Stopped,
}

/// The right to be the only run. Dropped, it is given up as well, a moment later and without a farewell.
#[derive(Debug)]
pub struct Lock {
    lost: CancellationToken,
    released: CancellationToken,
    watch: JoinHandle<()>,
}

/// The word that a run may write: nothing that writes is made without it.
#[derive(Debug)]
pub enum Permit {
    /// The run is the only one.
    Locked(Lock),
    /// No lock can be held here. Simultaneous runs are safe, and make extra calls.
    Unlocked,
}

impl Permit {
    /// Is cancelled when the lock is lost; one that is not there can't be.
    #[must_use]
    pub fn lost(&self) -> CancellationToken {
        match self {
            Self::Locked(lock) => lock.lost().clone(),
            Self::Unlocked => CancellationToken::new(),
        }
    }

    /// Lets another run begin.
    pub async fn release(self) {
        match self {
            Self::Locked(lock) => lock.release().await,
            Self::Unlocked => {}
        }
    }
}

/// The name of the lock of an instance's runs: the instance, an `@`, which no instance has in its name, and 16 hexadecimal
/// digits, the XXH3-64 of the token seeded with that of Explo's address. It is the same in every version and on every machine.
#[must_use]
pub fn name(instance: &str, address: &str, token: &SecretString) -> String {
    let explo = xxh3_64_with_seed(token.expose_secret().as_bytes(), xxh3_64(address.as_bytes()));
    format!("{instance}@{explo:016x}")
}

/// Asks for the lock of a name on connections of its own. It is pinged on the runtime on which it was asked for.
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
    // There is an answer; that the farewell fails changes nothing.
    let _ = server.in_time(holder.release().map(Ok)).await;
    Ok(attempt)
}

impl Lock {
    fn watched(holder: impl Holder, place: String, every: Duration) -> Self {
        let (lost, released) = (CancellationToken::new(), CancellationToken::new());
        let watch = tokio::spawn(watch(holder, place, every, lost.clone(), released.clone()));
        Self { lost, released, watch }
    }

    /// Cancelled once the lock is lost: then another run may have begun, and this one must not begin another write.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Gives the lock up; when this returns, the next run can have it.
    pub async fn release(mut self) {
        self.released.cancel();
        // It can only fail by having ended already.
        let _ = (&mut self.watch).await;
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Keeps the lock until it is released, and tells when it is lost.
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

/// What holds the lock at one kind of database. Dropping it gives the lock up.
trait Holder: Send + 'static {
    /// Tries once; false: another holds it. An error says that the database [is not there](is_gone), or won't hold one.
    fn take(&mut self) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Proves that the lock is still held, or tells why not.
    fn ping(&mut self) -> impl Future<Output = Result<(), String>> + Send;

    /// Gives the lock up if it is held, and takes its leave.
    fn release(self) -> impl Future<Output = ()> + Send;
}

/// Whether the database is not there, or went away.
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
