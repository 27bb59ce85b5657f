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

    /// Whether no id can be claimed any more, because the run's lock is lost.
    fn is_lost(&self) -> bool;

    /// Explo has acknowledged a write of this id: what the ledger knows of it from now on may be this run's.
    fn acknowledged(&self, provided_id: &str);
}

/// The claims of one run.
#[derive(Debug)]
pub struct Claims<'a, L> {
    locks: &'a IdLocks,
    superseded: &'a Superseded,
    ledger: &'a L,
    /// What the run loaded from the ledger before it read the tenants.
    memory: &'a Memory,
    /// Hashes of the ids that this run has written.
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
    /// The ids that wakes carry out now, how many, and whether one of them has told the ledger.
    in_progress: HashMap<String, (usize, bool)>,
    /// All of them since the run began; `None` between runs.
    since: Option<HashMap<String, bool>>,
}

/// What a run knows of an id, beside the wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// No wake has read its row since the run began.
    Own,
    /// A wake has, and told the ledger nothing: the run's row may be older.
    Older,
    /// A wake has told the ledger of it: all that the run knows may be older.
    Outdated,
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
            Some(lock)
        })
    }

    fn is_lost(&self) -> bool {
        self.locks.is_over()
    }

    fn acknowledged(&self, provided_id: &str) {
        self.own().insert(xxh3_64(provided_id.as_bytes()));
    }
}

impl Superseded {
    /// A run is about to read all tenants; it ends when the result is dropped.
    pub fn run_begins(&self) -> Reading<'_> {
        let mut state = self.lock();
        state.since = Some(state.in_progress.iter().map(|(id, (_, has_told))| (id.clone(), *has_told)).collect());
        Reading(self)
    }

    /// A wake is about to read this id's row; it ends when the result is dropped.
    pub fn wake_begins(&self, provided_id: &str) -> Waking<'_> {
        let mut state = self.lock();
        state.in_progress.entry(provided_id.to_owned()).or_default().0 += 1;
        if let Some(since) = &mut state.since {
            since.entry(provided_id.to_owned()).or_default();
        }
        Waking { superseded: self, provided_id: provided_id.to_owned() }
    }

    /// A wake is about to tell the ledger of this id.
    pub fn wake_tells(&self, provided_id: &str) {
        let mut state = self.lock();
        let State { in_progress, since } = &mut *state;
        if let Some((_, has_told)) = in_progress.get_mut(provided_id) {
            *has_told = true;
        }
        if let Some(since) = since {
            since.insert(provided_id.to_owned(), true);
        }
    }

    /// Whether the run's own row of this id may be older than one that was read since.
    #[must_use]
    pub fn has(&self, provided_id: &str) -> bool {
        self.view(provided_id) != View::Own
    }

    /// What the run knows of this id.
    #[must_use]
    pub fn view(&self, provided_id: &str) -> View {
        match self.lock().since.as_ref().and_then(|since| since.get(provided_id)) {
            None => View::Own,
            Some(false) => View::Older,
            Some(true) => View::Outdated,
        }
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
        if let Some((count, _)) = state.in_progress.get_mut(&self.provided_id) {
            *count -= 1;
            if *count == 0 {
                state.in_progress.remove(&self.provided_id);
            }
        }
    }
}
