//! What an applier knows of earlier runs, and whom it tells what is to be remembered of this one.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::Outcome;
use crate::{
    model::{Customer, Tenant},
    plan::{Acknowledged, Change, Entry, Findings, Plan, lasting_fingerprint_of},
};

/// What earlier runs found out, and where this one's entries go.
#[derive(Clone, Copy)]
pub(crate) struct Remembered<'a> {
    /// What is known.
    pub(crate) findings: &'a Findings,
    /// When the run began, in seconds since 1970.
    pub(crate) now: u64,
    /// Whether tenants that failed are tried before their time.
    pub(crate) retry_failed: bool,
    /// Takes what is to be remembered.
    pub(crate) record: &'a dyn Fn(Entry),
}

/// What answers showed of changes that are under way.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<String, Answered>>);

#[derive(Debug, Default)]
struct Answered {
    shown: Option<Acknowledged>,
    /// Whether no listing shows the customer.
    is_existing: bool,
}

impl Remembered<'_> {
    /// Why a change is not to be tried yet, where its tenant failed before.
    pub(super) fn waiting(&self, plan: &Plan, change: &Change) -> Option<String> {
        if self.retry_failed || !self.has_failed(plan, change) {
            return None;
        }
        let failure = self.findings.waiting(&plan.index.tenant(change.row()), self.now)?;
        (self.record)(plan.waited(self.findings, change));
        let times = if failure.times == 1 { "once".to_owned() } else { format!("{} times", failure.times) };
        Some(format!("failed {times}, and is left alone for a while (--retry-failed): {}", failure.error))
    }

    pub(super) fn has_failed(&self, plan: &Plan, change: &Change) -> bool {
        self.findings.has_failed(plan.provided_id(change))
    }

    /// Has what became of a change remembered.
    pub(super) fn ended(&self, plan: &Plan, change: &Change, outcome: &Outcome, is_own_fault: bool, answers: &Answers) {
        let Answered { shown, is_existing } = answers.take(plan.provided_id(change));
        let shown = shown.as_ref();
        let acknowledged = |unsettled| plan.acknowledged(self.findings, change, shown, unsettled, is_existing);
        match outcome {
            Outcome::Applied => (self.record)(acknowledged(&[])),
            Outcome::Unsettled(unsettled) => (self.record)(acknowledged(unsettled)),
            Outcome::Failed(error) if is_own_fault => {
                (self.record)(plan.failed(self.findings, change, shown, error, self.now));
            }
            Outcome::Failed(_) | Outcome::Deferred | Outcome::Waiting(_) => {}
        }
    }
}

impl Answers {
    /// Takes what the answer to a write showed.
    pub(super) fn show(&self, tenant: &Tenant, customer: &Customer<'_>) {
        let seen = lasting_fingerprint_of(customer, tenant);
        let shown = Acknowledged { token: customer.token.clone().into_owned().into(), seen };
        self.of(&tenant.provided_id, |answered| answered.shown = Some(shown));
    }

    /// The customer exists, though the listing did not show it.
    pub(super) fn exists(&self, tenant: &Tenant) {
        self.of(&tenant.provided_id, |answered| answered.is_existing = true);
    }

    pub(super) fn is_existing(&self, tenant: &Tenant) -> bool {
        self.of(&tenant.provided_id, |answered| answered.is_existing)
    }

    fn of<T>(&self, provided_id: &str, note: impl FnOnce(&mut Answered) -> T) -> T {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        note(answers.entry(provided_id.to_owned()).or_default())
    }

    fn take(&self, provided_id: &str) -> Answered {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(provided_id).unwrap_or_default()
    }
}
