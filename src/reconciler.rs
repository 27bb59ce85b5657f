//! One run: read the tenants, list the customers, compare, let the guard judge, apply, report.
//!
//! A dry run has no writer, so it can't write.

mod applying;
mod departure;
mod explain;
mod quick;
mod reading;
mod resume;
mod shared;
mod single;
mod wake;
mod window;
mod woken;

use std::{cell::RefCell, collections::BTreeMap};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    applier::{Applied, Claim, Outcome},
    compare::Rules,
    database::lock::Permit,
    explo::{self, Children, Endpoint, ListedTokens, Listing, Look, Reader, Shown, Writer},
    ledger::{self, Keep},
    memory::{Memory, Note, Token},
    model::{Field, told_id},
    plan::{
        Allowances, Answer, Census, Class, Due, Extent, Found, Guard, Held, Inquiry, Offboarding, Plan, Question, Spare,
    },
    progress::Progress,
    source::{self, Source},
    stop::Stop,
    tenants::Index,
};

pub use shared::{Journal, Shared};
pub use wake::Carried;
pub use woken::{Origin, Outcome as WakeOutcome, Woken};

/// What a run needs, except the writer.
#[derive(Debug)]
pub struct Reconciler<'a, S, R> {
    /// The tenants.
    pub source: &'a S,
    /// The customers.
    pub reader: &'a R,
    /// How fields are compared.
    pub rules: Rules,
    /// How much may change.
    pub guard: Guard,
    /// How tenants leave.
    pub offboarding: Offboarding,
    /// What `--allow` permits beyond the guard's limits.
    pub allowances: &'a Allowances,
    /// What earlier runs found out.
    pub memory: &'a Memory,
    /// Whether tenants that failed before are retried now, before their backoff ends.
    pub retry_failed: bool,
    /// Seconds after which customers are listed again; between two listings memory stands in for them, if it keeps rows.
    pub list_every: u64,
    /// Start of the run, in seconds since 1970.
    pub now: u64,
    /// Number of changes that may be in flight at once.
    pub side_by_side: usize,
    /// Number of changes that may be begun; the others are deferred.
    pub max_changes: usize,
    /// Ends the run early.
    pub stop: &'a Stop,
    /// For the fingerprints.
    pub seed: u64,
}

/// What a run writes to. Needs a permit, so a dry run has none.
#[expect(missing_debug_implementations, reason = "a closure has none")]
pub struct Writers<'a, W> {
    explo: &'a W,
    record: &'a dyn Fn(Note),
    claims: Option<&'a dyn Claim>,
    keep: Option<&'a dyn Keep>,
}

impl<'a, W: Writer> Writers<'a, W> {
    /// `explo` writes customers; `record` receives what to remember after Explo acknowledged or showed it.
    pub fn new(_: &'a Permit, explo: &'a W, record: &'a dyn Fn(Note)) -> Self {
        Self { explo, record, claims: None, keep: None }
    }

    /// The same, if each id is to be claimed before it is written.
    #[must_use]
    pub fn claiming(self, claims: &'a dyn Claim) -> Self {
        Self { claims: Some(claims), ..self }
    }

    /// The same, where what an offboarded customer was is kept.
    #[must_use]
    pub fn keeping(self, keep: &'a dyn Keep) -> Self {
        Self { keep: Some(keep), ..self }
    }
}

/// What a run did.
#[derive(Debug)]
pub struct Run {
    /// The changes to make.
    pub plan: Plan,
    /// The part of the plan that is due in this run if the guard does not hold it.
    pub due: Due,
    /// Whether all tenants were compared, with customers as listed or as remembered.
    pub is_whole: bool,
    /// How the customers were listed; 0 pages if the run listed nothing (a saved plan, `--only`, a quick run).
    pub listing: Listing,
    /// The calls that planning needed, by endpoint; several attempts at one call count as one.
    pub asked: BTreeMap<Endpoint, usize>,
    /// Ids of a saved plan that are not written, with the reason: their customer has changed since, or their row.
    pub skipped: BTreeMap<String, &'static str>,
    /// The guard's limit of each class; empty if the guard does not apply.
    pub limits: BTreeMap<Class, usize>,
    /// The classes over their limit; if there are any, nothing is applied.
    pub held: Vec<Held>,
    /// The same without regard to what was allowed.
    pub over: Vec<Held>,
    /// What the guard will hold in the next run, if this one was stopped.
    pub held_next: Vec<Held>,
    /// What was carried out; `None` in a dry run and if the guard holds the plan.
    pub applied: Option<Applied>,
}

/// Why a run has no plan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tenants can't be read.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// Explo can't be read.
    #[error(transparent)]
    Explo(#[from] explo::Error),
    /// The ledger can't be read or written.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// The listing shows another team's customers, or is broken: nothing may be written.
    #[error(
        "{customers} customers are listed, and none of them has one of the {remembered} remembered tokens: these are \
         another team's customers, or the listing is broken. Nothing was written. If they are your customers now, let \
         the ledger take them over: explo-sync ledger --adopt"
    )]
    Strangers {
        /// Number of listed customers.
        customers: usize,
        /// Number of tokens in the ledger.
        remembered: usize,
    },
}

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// One run; without writers it only plans.
    pub async fn run<W: Writer>(&self, writers: Option<Writers<'_, W>>, progress: &dyn Progress) -> Result<Run, Error> {
        let tenants = self.read().await?;
        let record = writers.as_ref().map(|writers| writers.record);
        let planned = match self.recalled(&tenants) {
            Some(recalled) => self.plan_by_memory(tenants, recalled).await?,
            None => Err(tenants),
        };
        let (mut plan, listing, tokens) = match planned {
            Ok(plan) => (plan, Listing::default(), ListedTokens::default()),
            Err(tenants) => self.plan_by_listing(tenants, record, progress).await?,
        };
        self.answer(&mut plan, None).await?;
        let asked = self.reader.asked();
        let limits = self.guard.limits(&plan, self.allowances);
        let held = self.guard.held(&plan, self.allowances);
        let over = self.guard.held(&plan, &Allowances::default());
        if !held.is_empty() {
            plan.hold();
        }
        let next = plan.quiet.leaving_next.len();
        if next > 0 {
            tracing::info!(
                tenants = next,
                "offboarded by the next run: the ledger must know them by id and token first"
            );
        }
        let due = self.due(&plan);
        let applied = match writers {
            None => None,
            Some(writers) => {
                self.remember(&plan, listing, !held.is_empty(), writers.record);
                let (spare, is_anothers) = (self.spare(&plan), |token: &str, _: &str| tokens.has(token));
                let has_room = |fields: &[Field]| spare.borrow_mut().spend(fields);
                let apply = async || self.apply(&plan, &due, (&is_anothers, &has_room), &writers, progress).await;
                if held.is_empty() { Some(apply().await) } else { None }
            }
        };
        let held_next = self.held_next(&plan, applied.as_ref());
        Ok(Run {
            plan,
            due,
            is_whole: true,
            listing,
            asked,
            skipped: BTreeMap::new(),
            limits,
            held,
            over,
            held_next,
            applied,
        })
    }

    /// Compares the tenants with all customers.
    async fn plan_by_listing(
        &self,
        tenants: Index,
        record: Option<&dyn Fn(Note)>,
        progress: &dyn Progress,
    ) -> Result<(Plan, Listing, ListedTokens), Error> {
        let (census, listing, tokens) = self.list(tenants, progress).await?;
        let mut draft = census.close();
        self.answer(&mut draft, record).await?;
        Ok((draft.finish(), listing, tokens))
    }

    /// Lists every customer and compares it with its tenant.
    async fn list(
        &self,
        tenants: Index,
        progress: &dyn Progress,
    ) -> Result<(Census<'_>, Listing, ListedTokens), Error> {
        let mut census = self.census(tenants, Extent::All);
        let mut partials = 0;
        let mut observe = |shown: Shown<'_, '_>| match shown {
            Shown::Customer(customer) => census.observe(customer),
            Shown::Partial(partial, _) => {
                partials += 1;
                census.observe_partial(&partial);
            }
        };
        let (listing, tokens) = self.reader.list(&mut observe, &|pages, of| progress.listed(pages, of)).await?;
        tracing::debug!(pages = listing.pages, passes = listing.passes, "listed the customers");
        if partials > 0 {
            tracing::warn!(customers = partials, "some customers' records can't be read or are too large");
        }
        match census.strangers() {
            Some(remembered) => Err(Error::Strangers { customers: census.customers(), remembered }),
            None => Ok((census, listing, tokens)),
        }
    }

    fn census(&self, tenants: Index, extent: Extent) -> Census<'_> {
        let census = Census::new(tenants, self.rules, self.memory, extent).at(self.now, self.retry_failed);
        census.offboarding(self.offboarding)
    }

    /// Asks until no question is left. Each answer is remembered at once: a run may be too short for all questions, and
    /// the next run then asks only the rest.
    async fn answer(&self, inquiry: &mut impl Inquiry, record: Option<&dyn Fn(Note)>) -> Result<(), Error> {
        while let Some(questions) = inquiry.questions() {
            let asked = questions.into_iter().map(|question| self.ask(question));
            let mut answers = stream::iter(asked).buffered(self.side_by_side.max(1));
            while let Some(answer) = answers.try_next().await? {
                let entries = inquiry.answer(answer);
                if let Some(record) = record {
                    for entry in entries {
                        record(entry.into());
                    }
                }
            }
        }
        Ok(())
    }

    async fn ask(&self, question: Question) -> Result<Answer, Error> {
        Ok(match question {
            Question::Customer(provided_id) => {
                let found = self.find(&provided_id).await?;
                Answer::Customer(provided_id, found)
            }
            Question::Children(parent) => {
                let children = self.children(&parent).await?;
                Answer::Children(parent, children)
            }
            Question::Tags => Answer::Tags(self.reader.tags().await?),
        })
    }

    /// Asks for one customer; a failure that does not end the run counts as no answer.
    async fn find(&self, provided_id: &str) -> Result<Found, Error> {
        match self.proven(provided_id).await {
            Ok(Some(Look::Found(customer))) => Ok(Found::Customer(customer)),
            Ok(Some(Look::Unreadable(_) | Look::Refused(_))) => Ok(Found::Nothing),
            Ok(None) => Ok(Found::Nobody),
            Err(Error::Explo(error)) if !error.ends_run() => Ok(Found::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Lists the children of one customer; `None` if Explo does not show them all.
    async fn children(&self, parent: &str) -> Result<Option<Vec<String>>, Error> {
        let Children { provided_ids, unreadable } = match self.reader.children(parent).await {
            Ok(children) => children,
            Err(error @ (explo::Error::Rejected { .. } | explo::Error::Unsent { .. })) => {
                tracing::warn!(tenant.id = &*told_id(parent), "its children's parents are not compared: {error}");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let reason = if provided_ids.iter().any(|child| child == parent) {
            "it is listed among its own children, so their parents are not compared"
        } else if unreadable > 0 {
            "not every child's record can be read, so their parents are not compared"
        } else {
            return Ok(Some(provided_ids));
        };
        tracing::warn!(tenant.id = &*told_id(parent), "{reason}");
        Ok(None)
    }

    /// Looks up one customer; `None` if the id is proven absent.
    async fn proven(&self, provided_id: &str) -> Result<Option<Look>, Error> {
        match self.reader.customer(provided_id).await? {
            Look::Refused(refusal) if self.reader.is_absence(&refusal).await? => Ok(None),
            look => Ok(Some(look)),
        }
    }

    /// Remembers what the plan shows, before anything is written.
    fn remember(&self, plan: &Plan, listing: Listing, is_held: bool, record: &dyn Fn(Note)) {
        let beside = plan.beside(self.memory);
        let entries = if listing.pages > 0 { beside.entries(is_held) } else { beside.entries_of_looks() };
        let forgotten = entries.iter().filter(|entry| matches!(entry.token, Token::Gone)).count();
        if forgotten > 0 {
            tracing::info!(forgotten, "forgot tokens whose customers no longer exist or have another id");
        }
        for entry in entries {
            record(entry.into());
        }
        if listing.pages > 0
            && let Some(overview) = beside.overview(listing.pages)
        {
            record(Note::Overview(Box::new(overview)));
        }
    }

    fn held_next(&self, plan: &Plan, applied: Option<&Applied>) -> Vec<Held> {
        let Some(applied) = applied else { return Vec::new() };
        self.guard.held_next(plan, |n| matches!(applied.outcomes[n], Outcome::Applied | Outcome::Unsettled(_)))
    }

    /// What the guard would let pass in addition to the plan.
    fn spare(&self, plan: &Plan) -> RefCell<Spare> {
        RefCell::new(self.guard.spare(plan, self.allowances))
    }

    fn due(&self, plan: &Plan) -> Due {
        plan.due(self.memory, self.now, self.retry_failed, self.max_changes)
    }
}
