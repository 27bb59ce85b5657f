//! What an applier knows of earlier runs, and whom it tells what is to be remembered of this one.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::outcome::{Blame, Outcome};
use crate::{
    memory::{Acknowledged, Entry, Failure, Memory, Seen, Token},
    model::Tenant,
    plan::{Change, Plan},
};

/// What earlier runs found out, and where this one's entries go.
#[derive(Clone, Copy)]
pub(crate) struct Recording<'a> {
    /// What is known.
    pub(crate) memory: &'a Memory,
    /// When the run began, in seconds since 1970.
    pub(crate) now: u64,
    /// Takes what is to be remembered.
    pub(crate) record: &'a dyn Fn(Entry),
}

/// What answers showed of changes that are under way, by tenant.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<String, Acknowledged>>);

impl Recording<'_> {
    /// Has remembered that a run passed by a change whose tenant failed; tells why.
    pub(super) fn passed(&self, plan: &Plan, change: &Change, failure: &Failure) -> Outcome {
        (self.record)(plan.beside(self.memory).waited(change));
        let times = if failure.times == 1 { "once".to_owned() } else { format!("{} times", failure.times) };
        let reason = format!("failed {times}, and is left alone for a while (--retry-failed): {}", failure.error);
        Outcome::Waiting(reason)
    }

    /// Has what became of a change remembered.
    pub(super) fn ended(&self, plan: &Plan, change: &Change, outcome: &Outcome, answer: Option<&Acknowledged>) {
        let acknowledged = |unsettled| plan.beside(self.memory).acknowledged(change, answer, unsettled);
        match outcome {
            Outcome::Applied => (self.record)(acknowledged(&[])),
            Outcome::Unsettled(unsettled) => (self.record)(acknowledged(unsettled)),
            Outcome::Failed { reason, blame: Blame::Tenant } => {
                (self.record)(plan.beside(self.memory).failed(change, answer, reason));
            }
            Outcome::Failed { reason, blame: Blame::Limit } => {
                (self.record)(plan.beside(self.memory).throttled(change, reason));
            }
            Outcome::Failed { blame: Blame::Nobody, .. } | Outcome::Deferred | Outcome::Waiting(_) => {}
        }
    }
}

impl Answers {
    /// Takes what the answer to a write showed of a customer; a hidden one stays hidden.
    pub(super) fn show(&self, tenant: &Tenant<'_>, token: &str, seen: Seen) {
        let known = self.lock().get(&*tenant.provided_id).map(|known| known.seen);
        let seen = known.filter(|known| matches!(known, Seen::Hidden(_))).unwrap_or(seen);
        let answer = Acknowledged { token: Token::shown(token), seen };
        self.lock().insert(tenant.provided_id.clone().into_owned(), answer);
    }

    pub(super) fn take(&self, provided_id: &str) -> Option<Acknowledged> {
        self.lock().remove(provided_id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Acknowledged>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
