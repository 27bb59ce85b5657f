//! Locks of single ids: for a change of one tenant alone, beside a run.
//!
//! They exclude each other among the tasks of this process and, where the database has locks, among processes. Within
//! the process an id is claimed first; only its claimant asks the database.

use std::{
    collections::HashSet,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    holder::Name,
    keeper::{Granted, Keeper, Request, Requests},
};

/// The interval between two attempts while another process has the lock of an id.
const AGAIN: Duration = Duration::from_millis(200);

/// Locks of single ids, on the connections of another lock or on their own; clones share them.
#[derive(Debug, Clone)]
pub struct IdLocks {
    prefix: String,
    claims: Arc<Claims>,
    /// To the task that has the connections; `None`: within this process only.
    requests: Option<Requests>,
}

/// The lock of one id; dropping it releases it a moment later.
#[derive(Debug)]
#[must_use = "dropping it releases the lock"]
pub struct IdLock {
    // Dropped in this order, so that the database's lock is given back before the next task asks for it.
    _granted: Option<Granted>,
    _claim: Claim,
}

/// Locks of ids on connections of their own. Dropping this releases them all.
#[derive(Debug)]
pub struct OwnIdLocks {
    keeper: Keeper,
    locks: IdLocks,
}

/// The locks that tasks of this process have or wait for.
#[derive(Debug, Default)]
pub(super) struct Claims {
    names: Mutex<HashSet<Name>>,
    /// Notified when a claim ends.
    ended: Notify,
}

/// The right of one task to ask the database for a lock.
#[derive(Debug)]
struct Claim {
    name: Name,
    claims: Arc<Claims>,
}

impl IdLocks {
    /// Within this process only: for a database that has no locks.
    #[must_use]
    pub fn of_process() -> Self {
        Self { prefix: String::new(), claims: Arc::default(), requests: None }
    }

    pub(super) fn on(keeper: &Keeper, claims: &Arc<Claims>, prefix: &str) -> Self {
        let (claims, requests) = (Arc::clone(claims), Some(keeper.requests().clone()));
        Self { prefix: prefix.to_owned(), claims, requests }
    }

    /// Tries at least once and waits for at most `wait`; `None`: another task or process had the lock for all that time,
    /// or the connection is lost.
    pub async fn acquire(&self, provided_id: &str, wait: Duration) -> Option<IdLock> {
        let name = Name::One { prefix: self.prefix.clone(), id: provided_id.to_owned() };
        let begun = Instant::now();
        let claim = tokio::select! {
            claim = timeout(wait, self.claims.claim(&name)) => claim.ok()?,
            () = self.over() => return None,
        };
        let Some(requests) = &self.requests else { return Some(IdLock { _granted: None, _claim: claim }) };
        loop {
            let (answer, answered) = oneshot::channel();
            requests.send(Request::Take(name.clone(), answer)).ok()?;
            if let Some(granted) = answered.await.ok()? {
                return Some(IdLock { _granted: Some(granted), _claim: claim });
            }
            let left = wait.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return None;
            }
            sleep(left.min(AGAIN)).await;
        }
    }

    /// Whether the connection is lost or closed: no id can be locked any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.requests.as_ref().is_some_and(Requests::is_closed)
    }

    /// Returns when the connection is lost or closed.
    async fn over(&self) {
        match &self.requests {
            Some(requests) => requests.closed().await,
            None => pending().await,
        }
    }
}

impl OwnIdLocks {
    pub(super) fn new(keeper: Keeper, prefix: &str) -> Self {
        let locks = IdLocks::on(&keeper, &Arc::default(), prefix);
        Self { keeper, locks }
    }

    /// The locks.
    #[must_use]
    pub fn locks(&self) -> &IdLocks {
        &self.locks
    }

    /// Cancelled when all these locks are lost: the writes that they protect must not begin.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        self.keeper.lost()
    }

    /// Releases all these locks; they are free when this returns.
    pub async fn release(self) {
        self.keeper.release().await;
    }
}

impl Claims {
    async fn claim(self: &Arc<Self>, name: &Name) -> Claim {
        loop {
            // It exists before the look, so it misses no end.
            let ended = self.ended.notified();
            if self.names().insert(name.clone()) {
                return Claim { name: name.clone(), claims: Arc::clone(self) };
            }
            ended.await;
        }
    }

    fn names(&self) -> MutexGuard<'_, HashSet<Name>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.names().remove(&self.name);
        self.claims.ended.notify_waiters();
    }
}
