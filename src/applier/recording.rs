//! What an applier knows from earlier runs, and where it records the results of this run.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::outcome::{Blame, Outcome};
use crate::{
    memory::{Acknowledged, Failure, Memory, Note, Seen, Token},
    model::Tenant,
    plan::{Change, Plan},
};

/// The memory of earlier runs, and where the entries of this run go.
#[derive(Clone, Copy)]
pub(crate) struct Recording<'a> {
    /// What earlier runs found out.
    pub(crate) memory: &'a Memory,
    /// Start of the run, in seconds since 1970.
    pub(crate) now: u64,
    /// Receives each entry to remember.
    pub(crate) record: &'a dyn Fn(Note),
}

/// What the answers to changes in flight showed, by tenant.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<String, Acknowledged>>);

impl Recording<'_> {
    /// Records that this run skips a change because its tenant failed before; the outcome has the reason.
    pub(super) fn passed(&self, plan: &Plan, change: &Change, failure: &Failure) -> Outcome {
        (self.record)(plan.beside(self.memory).waited(change).into());
        let times = if failure.times == 1 { "once".to_owned() } else { format!("{} times", failure.times) };
        let reason = format!("failed {times}, and is left alone for a while (--retry-failed): {}", failure.error);
        Outcome::Waiting(reason)
    }

    /// Records the outcome of a change.
    pub(super) fn ended(&self, plan: &Plan, change: &Change, outcome: &Outcome, answer: Option<&Acknowledged>) {
        let acknowledged = |unsettled| plan.beside(self.memory).acknowledged(change, answer, unsettled);
        match outcome {
            Outcome::Applied if let (Some(offboard), None) = (change.as_offboard(), answer) => {
                (self.record)(plan.beside(self.memory).deleted(offboard).into());
            }
            Outcome::Applied => (self.record)(acknowledged(&[]).into()),
            Outcome::Unsettled(unsettled) => (self.record)(acknowledged(unsettled).into()),
            Outcome::Failed { reason, blame: Blame::Tenant } => {
                (self.record)(plan.beside(self.memory).failed(change, answer, reason).into());
            }
            Outcome::Failed { reason, blame: Blame::Limit } => {
                (self.record)(plan.beside(self.memory).throttled(change, reason).into());
            }
            Outcome::Failed { blame: Blame::Nobody, .. } | Outcome::Deferred | Outcome::Waiting(_) => {}
        }
    }
}

impl Answers {
    /// Keeps what the answer to a write showed of a customer; a hidden customer stays hidden.
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
