//! Carries out a plan and decides nothing: each change gets one outcome, and the answer to each write is compared with
//! the wanted value.
//!
//! Promise: every due change is begun, however many others fail. If the first attempt at a change fails, the remaining
//! attempts are postponed until all other changes had theirs. Only an error that ends the run (an outage, rejected
//! credentials, a stop) breaks this.

pub mod audit;
mod claims;
mod offboarding;
mod outage;
mod outcome;
mod postponed;
mod recording;
mod settling;
mod tags;
mod tokens;
mod writing;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use futures_util::{StreamExt, stream};

use crate::{
    database::lock::IdLock,
    explo::{self, Attempts, Endpoint, Error, Reader, Writer},
    memory::{Action, LockedOut},
    model::{Field, Tenant, told_id},
    plan::{Change, Due, Offboard, Plan},
    progress::Progress,
    tenants::RowNumber,
};

pub use claims::{Claim, Claims, Superseded, View, Waking};
pub use offboarding::Departure;
use outage::Outage;
pub use outcome::{Applied, Blame, Outcome};
use postponed::{Postponed, Unmade};
use recording::Answers;
pub(crate) use recording::Recording;
use settling::Settling;
pub(crate) use tokens::IsAnothers;
use tokens::KnownTokens;

/// Target of the log events that a report shows too.
pub const REPORTED: &str = "explo_sync::reported";

/// Whether the guard has room for a further update of these fields, which then counts.
pub(crate) type HasRoom<'a> = &'a dyn Fn(&[Field]) -> bool;

/// If this many tenants get a 403 and no write has succeeded, the run ends: the token may not write.
const FORBIDDEN: usize = 3;

/// Carries out one plan.
pub(crate) struct Applier<'a, R, W> {
    plan: &'a Plan,
    due: &'a Due,
    reader: &'a R,
    writer: &'a W,
    has_room: HasRoom<'a>,
    existing: Mutex<Vec<String>>,
    /// The data visibility groups of customers that this run created.
    made_in: Mutex<BTreeSet<String>>,
    settling: Settling<'a, R>,
    tokens: KnownTokens<'a>,
    answers: Answers,
    recording: Recording<'a>,
    outage: Outage,
    /// Number of tenants that got a 403; `None` once a write has succeeded.
    forbidden: Mutex<Option<usize>>,
    unmade_tags: Mutex<Unmade>,
    /// Tenants whose rename, create or deletion is not done yet; changes that need that wait.
    not_there: Mutex<HashSet<RowNumber>>,
    /// Asked before each write, unless the ids are claimed already.
    claims: Option<&'a dyn Claim>,
    /// Asked before a customer is offboarded; if there is none, nobody is.
    departure: Option<&'a dyn Departure>,
    /// What this run emptied, by the customer's id.
    emptied: Mutex<HashMap<String, LockedOut>>,
    end: OnceLock<Error>,
}

impl<'a, R: Reader, W: Writer> Applier<'a, R, W> {
    pub(crate) fn new(
        plan: &'a Plan,
        due: &'a Due,
        (reader, writer): (&'a R, &'a W),
        has_room: HasRoom<'a>,
        is_anothers: IsAnothers<'a>,
        recording: Recording<'a>,
    ) -> Self {
        Self {
            plan,
            due,
            reader,
            writer,
            has_room,
            existing: Mutex::default(),
            made_in: Mutex::default(),
            settling: Settling::new(reader, plan.rules),
            tokens: KnownTokens::new(recording.memory, is_anothers),
            answers: Answers::default(),
            recording,
            outage: Outage::default(),
            forbidden: Mutex::new(Some(0)),
            unmade_tags: Mutex::default(),
            not_there: Mutex::new(plan.needed()),
            claims: None,
            departure: None,
            emptied: Mutex::default(),
            end: OnceLock::new(),
        }
    }

    /// The same, if each id is to be claimed before it is written.
    pub(crate) fn claiming(self, claims: Option<&'a dyn Claim>) -> Self {
        Self { claims, ..self }
    }

    /// The same, where customers can be offboarded.
    pub(crate) fn offboarding(self, departure: Option<&'a dyn Departure>) -> Self {
        Self { departure, ..self }
    }

    /// Creates the missing tags, then applies the due changes, part by part and `side_by_side` at once; then retries
    /// the postponed ones in the same order.
    pub(crate) async fn apply(self, side_by_side: usize, progress: &dyn Progress) -> Applied {
        let changes = &self.plan.changes;
        let outcome = |change| if self.plan.is_done(change) { Outcome::Applied } else { Outcome::Deferred };
        let mut outcomes: Vec<_> = changes.iter().map(outcome).collect();
        for (number, failure) in &self.due.waiting {
            outcomes[*number] = self.recording.passed(self.plan, &changes[*number], failure);
        }
        let (mut arrived, begun) = (0, self.due.count());
        let mut arrive = |number: usize, outcome: Outcome| {
            arrived += 1;
            progress.applied(changes[number].kind(), outcome.name(), arrived, begun);
            outcomes[number] = outcome;
        };
        self.make_tags(side_by_side).await;
        let postponed = Mutex::new(Postponed::default());
        for part in &self.due.parts {
            let begun = part.iter().map(|number| async { (*number, self.begin(*number, &postponed).await) });
            let mut arriving = stream::iter(begun).buffer_unordered(side_by_side.max(1));
            while let Some((number, outcome)) = arriving.next().await {
                if let Some(outcome) = outcome {
                    arrive(number, outcome);
                }
            }
        }
        let mut postponed = postponed.into_inner().unwrap_or_else(PoisonError::into_inner).changes;
        if !postponed.is_empty() {
            self.make_tags_again(side_by_side).await;
        }
        for part in &self.due.parts {
            let again: Vec<_> = part.iter().filter_map(|number| Some((*number, postponed.remove(number)?))).collect();
            let applier = &self;
            let again =
                again.into_iter().map(|(number, left)| async move { (number, applier.go_on(number, left).await) });
            let mut arriving = stream::iter(again).buffer_unordered(side_by_side.max(1));
            while let Some((number, outcome)) = arriving.next().await {
                arrive(number, outcome);
            }
        }
        let mut existing = self.existing.into_inner().unwrap_or_else(PoisonError::into_inner);
        existing.sort_unstable();
        Applied { outcomes, existing, end: self.end.into_inner() }
    }

    /// The first attempt at a change; `None` if the change is postponed.
    async fn begin(&self, number: usize, postponed: &Mutex<Postponed>) -> Option<Outcome> {
        let change = &self.plan.changes[number];
        let later = || postponed.lock().unwrap_or_else(PoisonError::into_inner);
        let postpone = |attempts: Attempts, first: Option<Error>| {
            let mut later = later();
            later.changes.insert(number, (attempts, first));
            later.rows.extend((!matches!(change, Change::Update(_))).then(|| change.row()));
        };
        self.outage.passed().await;
        let needs_later = self.plan.waits_for(change).any(|row| later().rows.contains(&row));
        if self.end.get().is_none() && (needs_later || self.lacks_tag_yet(change)) {
            postpone(Attempts::ALL, None);
            return None;
        }
        let error = match self.attempt(change, Attempts::FIRST).await {
            Ok(outcome) => return Some(outcome),
            Err(error) => error,
        };
        let Some(left) = self.left(&error).filter(|_| is_of(change, &error) && self.end.get().is_none()) else {
            return Some(self.failed(change, error));
        };
        tracing::warn!(
            target: REPORTED,
            { tenant.id = &*told_id(&self.plan.provided_id(change)), change = change.kind() },
            "retrying after all other changes: {error}"
        );
        postpone(left, Some(error));
        None
    }

    /// The remaining attempts of a postponed change.
    async fn go_on(&self, number: usize, (attempts, first): (Attempts, Option<Error>)) -> Outcome {
        let change = &self.plan.changes[number];
        self.outage.passed().await;
        let gone_on = self.attempt(change, self.outage.bounded(attempts)).await;
        match (gone_on, first) {
            // It was attempted once, so it has failed; it is not deferred.
            (Ok(Outcome::Deferred), Some(first)) => self.failed(change, first),
            (Err(stopped @ Error::Stopped { .. }), Some(first)) => {
                let _ = self.end.set(stopped);
                self.failed(change, first)
            }
            (Ok(outcome), _) => outcome,
            (Err(error), _) => self.failed(change, error),
        }
    }

    /// The attempts that are left after a first attempt with this error; `None` if it is not retried.
    fn left(&self, error: &Error) -> Option<Attempts> {
        match error {
            // A 429 does not count as an attempt.
            Error::GaveUp { fault: explo::Fault::Throttled, .. } => Some(Attempts::ALL),
            Error::GaveUp { fault, .. } if self.writer.max_attempts() > 1 => Some(Attempts::after(fault)),
            _ => None,
        }
    }

    /// Tries a change with at most these attempts; an error means that a call failed.
    async fn attempt(&self, change: &Change, attempts: Attempts) -> Result<Outcome, Error> {
        if self.end.get().is_some() || self.must_wait(change) {
            return Ok(Outcome::Deferred);
        }
        if let Some(unmade) = self.unmade_tag(change) {
            return Ok(self.conclude(change, unmade));
        }
        let tenant = self.plan.index.tenant(change.row());
        let Some(_claimed) = self.claim(change, &tenant).await else { return Ok(Outcome::Deferred) };
        let outcome = match change {
            Change::Rename(row) => self.rename(change, *row, &tenant, attempts).await,
            Change::Create(_) => self.create(change, &tenant, attempts).await,
            Change::Update(update) => self.update(change, update, &tenant, attempts).await,
            Change::Offboard(offboard) => Box::pin(self.offboard(change, offboard, &tenant, attempts)).await,
        }?;
        Ok(self.conclude(change, outcome))
    }

    /// Claims the id of a change and, for a rename, also the id that its customer has; `None`: one of them is another's.
    async fn claim(&self, change: &Change, tenant: &Tenant<'_>) -> Option<Vec<IdLock>> {
        let Some(claims) = self.claims else { return Some(Vec::new()) };
        let mut claimed = vec![claims.claim(&tenant.provided_id).await?];
        if let Change::Rename(row) = change {
            claimed.push(claims.claim(&self.plan.previous_provided_id(*row)).await?);
        }
        Some(claimed)
    }

    /// Records an outcome; logs a failure.
    fn conclude(&self, change: &Change, outcome: Outcome) -> Outcome {
        let tenant_id = self.plan.provided_id(change);
        let answer = self.answers.take(&tenant_id);
        self.recording.ended(self.plan, change, &outcome, answer.as_ref());
        audit::tell(self.plan, change, &outcome);
        if let Change::Offboard(offboard) = change {
            // Whether it is still above anybody is asked when it is to be deleted, too.
            self.is_there(offboard.row);
        }
        match &outcome {
            Outcome::Applied | Outcome::Unsettled(_) => {
                self.is_there(change.row());
                if let Some(claims) = self.claims {
                    claims.acknowledged(&tenant_id);
                }
                *self.forbidden() = None;
            }
            Outcome::Failed { reason, .. } => {
                tracing::error!(target: REPORTED, { tenant.id = &*told_id(&tenant_id), change = change.kind() }, "{reason}");
            }
            Outcome::Waiting(reason) => {
                tracing::warn!(target: REPORTED, { tenant.id = &*told_id(&tenant_id), change = change.kind() }, "{reason}");
            }
            Outcome::Deferred => {}
        }
        outcome
    }

    /// Whether the change needs a customer whose rename or create is not done.
    fn must_wait(&self, change: &Change) -> bool {
        let not_there = self.not_there.lock().unwrap_or_else(PoisonError::into_inner);
        self.plan.waits_for(change).any(|row| not_there.contains(&row))
    }

    fn is_there(&self, row: RowNumber) {
        self.not_there.lock().unwrap_or_else(PoisonError::into_inner).remove(&row);
    }

    fn forbidden(&self) -> MutexGuard<'_, Option<usize>> {
        self.forbidden.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        matches!(self.end.get(), Some(Error::Stopped { .. }))
    }

    /// The outcome of a change whose call failed for good.
    fn failed(&self, change: &Change, error: Error) -> Outcome {
        let blame = match &error {
            Error::GaveUp { fault: explo::Fault::Throttled, .. } if self.is_stopped() => Blame::Limit,
            Error::Rejected { .. }
            | Error::Forbidden { .. }
            | Error::Unsent { .. }
            | Error::GaveUp { .. }
            | Error::Unclear { .. } => Blame::Tenant,
            Error::Stopped { .. } => {
                let _ = self.end.set(error);
                return self.conclude(change, Outcome::Deferred);
            }
            Error::Unauthorized { .. } | Error::Outage { .. } | Error::Incomplete(_) | Error::Cut { .. } => {
                Blame::Nobody
            }
        };
        let reason = error.to_string();
        let ends = match &error {
            Error::Forbidden { .. } => self.forbidden().as_mut().is_some_and(|forbidden| {
                *forbidden += 1;
                *forbidden >= FORBIDDEN
            }),
            _ => error.ends_run(),
        };
        if ends {
            let _ = self.end.set(error);
        }
        self.conclude(change, Outcome::Failed { reason, blame })
    }
}

/// Whether the failed call is the change's own write, not a call before it.
fn is_of(change: &Change, error: &Error) -> bool {
    let own = match change {
        Change::Create(_) => Endpoint::CreateCustomer,
        Change::Offboard(Offboard { action: Action::Delete, .. }) => Endpoint::DeleteCustomer,
        Change::Rename(_) | Change::Update(_) | Change::Offboard(_) => Endpoint::UpdateCustomer,
    };
    matches!(error, Error::GaveUp { endpoint, .. } if *endpoint == own)
}
