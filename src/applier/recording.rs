//! What an applier knows of earlier runs, and whom it tells what is to be remembered of this one.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::Outcome;
use crate::{
    model::{Customer, Record, Tenant},
    plan::{Acknowledged, Change, Entry, Failure, Findings, Plan, Shown, TOO_LARGE, Token, lasting_fingerprint_of},
};

/// What earlier runs found out, and where this one's entries go.
#[derive(Clone, Copy)]
pub(crate) struct Recording<'a> {
    /// What is known.
    pub(crate) findings: &'a Findings,
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
        (self.record)(plan.waited(self.findings, change));
        let times = if failure.times == 1 { "once".to_owned() } else { format!("{} times", failure.times) };
        let reason = format!("failed {times}, and is left alone for a while (--retry-failed): {}", failure.error);
        Outcome::Waiting(reason)
    }

    /// Has what became of a change remembered.
    pub(super) fn ended(
        &self,
        plan: &Plan,
        change: &Change,
        outcome: &Outcome,
        is_own_fault: bool,
        answer: Option<&Acknowledged>,
    ) {
        let acknowledged = |unsettled| plan.acknowledged(self.findings, change, answer, unsettled);
        match outcome {
            Outcome::Applied => (self.record)(acknowledged(&[])),
            Outcome::Unsettled(unsettled) => (self.record)(acknowledged(unsettled)),
            Outcome::Failed(error) if is_own_fault => {
                (self.record)(plan.failed(self.findings, change, answer, error, self.now));
            }
            Outcome::Failed(_) | Outcome::Deferred | Outcome::Waiting(_) => {}
        }
    }
}

impl Answers {
    /// Takes what the answer to a write showed.
    pub(super) fn show(&self, tenant: &Tenant<'_>, customer: &Customer<'_>) {
        let is_unlisted = self.lock().get(&*tenant.provided_id).is_some_and(|known| known.seen == Shown::Unlisted);
        let seen = if is_unlisted { Shown::Unlisted } else { Shown::Listed(lasting_fingerprint_of(customer, tenant)) };
        self.insert(tenant, &customer.token, seen);
    }

    /// The same of a record that may be too large to be read.
    pub(super) fn show_record(&self, tenant: &Tenant<'_>, record: &Record<'_>) {
        match record {
            Record::Whole(customer) => self.show(tenant, customer),
            Record::Partial(partial) => self.insert(tenant, &partial.token, Shown::Listed(TOO_LARGE)),
        }
    }

    /// Takes what the answer to a create showed of a customer that exists, though the listing did not show it.
    pub(super) fn show_unlisted(&self, tenant: &Tenant<'_>, customer: &Customer<'_>) {
        self.insert(tenant, &customer.token, Shown::Unlisted);
    }

    pub(super) fn take(&self, tenant: &Tenant<'_>) -> Option<Acknowledged> {
        self.lock().remove(&*tenant.provided_id)
    }

    fn insert(&self, tenant: &Tenant<'_>, token: &str, seen: Shown) {
        let answer = Acknowledged { token: Token::shown(token), seen };
        self.lock().insert(tenant.provided_id.clone().into_owned(), answer);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Acknowledged>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
