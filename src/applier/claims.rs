//! The claim of an id for the time of one write: no other run, process or wake writes its customer meanwhile, and nobody
//! has written it from a newer row.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::LocalBoxFuture;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    database::lock::{IdLock, IdLocks},
    ledger::Ledger,
    memory::Memory,
};

/// How long a change waits for another's write of the same customer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Claims ids.
pub trait Claim {
    /// Claims an id until the result is dropped; `None`: it belongs to another's write, or was written from a newer row.
    fn claim<'c>(&'c self, provided_id: &'c str) -> LocalBoxFuture<'c, Option<IdLock>>;
}

/// The claims of one run.
#[derive(Debug)]
pub struct Claims<'a, L> {
    locks: &'a IdLocks,
    superseded: &'a Superseded,
    ledger: &'a L,
    /// What the run loaded from the ledger before it read the tenants.
    memory: &'a Memory,
    /// Hashes of the ids that this run has claimed already.
    own: Mutex<HashSet<u64>>,
}

/// The ids whose rows were read after a run had begun to read all of them: its own rows of these may be older.
#[derive(Debug, Default)]
pub struct Superseded(Mutex<State>);

/// A run goes on.
#[derive(Debug)]
pub struct Reading<'a>(&'a Superseded);

/// A wake goes on.
#[derive(Debug)]
pub struct Waking<'a> {
    superseded: &'a Superseded,
    provided_id: String,
}

#[derive(Debug, Default)]
struct State {
    /// The ids that wakes carry out now.
    in_progress: HashMap<String, usize>,
    /// All of them since the run began; `None` between runs.
    since: Option<HashSet<String>>,
}

impl<'a, L: Ledger> Claims<'a, L> {
    /// The claims of a run with this memory, which was loaded from the ledger before the run read the tenants.
    pub fn new(locks: &'a IdLocks, superseded: &'a Superseded, ledger: &'a L, memory: &'a Memory) -> Self {
        Self { locks, superseded, ledger, memory, own: Mutex::default() }
    }

    /// Whether another process has written the customer since this run began; not, if the ledger does not answer.
    async fn is_newer(&self, provided_id: &str) -> bool {
        let is_own = self.own().contains(&xxh3_64(provided_id.as_bytes()));
        !is_own && self.ledger.is_newer(provided_id, self.memory).await.unwrap_or(false)
    }

    fn own(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Ledger> Claim for Claims<'_, L> {
    fn claim<'c>(&'c self, provided_id: &'c str) -> LocalBoxFuture<'c, Option<IdLock>> {
        Box::pin(async {
            let lock = self.locks.acquire(provided_id, PATIENCE).await?;
            if self.superseded.has(provided_id) || self.is_newer(provided_id).await {
                return None;
            }
            self.own().insert(xxh3_64(provided_id.as_bytes()));
            Some(lock)
        })
    }
}

impl Superseded {
    /// A run is about to read all tenants; it ends when the result is dropped.
    pub fn run_begins(&self) -> Reading<'_> {
        let mut state = self.lock();
        state.since = Some(state.in_progress.keys().cloned().collect());
        Reading(self)
    }

    /// A wake is about to read this id's row; it ends when the result is dropped.
    pub fn wake_begins(&self, provided_id: &str) -> Waking<'_> {
        let mut state = self.lock();
        *state.in_progress.entry(provided_id.to_owned()).or_insert(0) += 1;
        if let Some(since) = &mut state.since {
            since.insert(provided_id.to_owned());
        }
        Waking { superseded: self, provided_id: provided_id.to_owned() }
    }

    /// Whether the run's own row of this id may be older than one that was read since.
    #[must_use]
    pub fn has(&self, provided_id: &str) -> bool {
        self.lock().since.as_ref().is_some_and(|since| since.contains(provided_id))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.lock().since = None;
    }
}

impl Drop for Waking<'_> {
    fn drop(&mut self) {
        let mut state = self.superseded.lock();
        if let Some(count) = state.in_progress.get_mut(&self.provided_id) {
            *count -= 1;
            if *count == 0 {
                state.in_progress.remove(&self.provided_id);
            }
        }
    }
}
