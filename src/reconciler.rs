//! One run: read the tenants, list the customers, compare, let the guard judge, apply, report.
//!
//! A dry run is the absence of a writer: without one there is nothing that could write.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    applier::{Applied, Applier, Remembered},
    explo::{self, Listing, Reader, Stop, Writer},
    ledger,
    model::{Customer, Row},
    plan::{
        Allowances, Change, Comparison, Entry, Explanation, Findings, Fingerprints, Guard, Held, Index, Plan, Rules,
        compare,
    },
    progress::Progress,
    source::{self, Source},
};

/// What a run needs, writer aside.
#[expect(missing_debug_implementations, reason = "a closure has none")]
pub struct Reconciler<'a, S, R> {
    /// The tenants.
    pub source: &'a S,
    /// The customers.
    pub reader: &'a R,
    /// How fields are compared.
    pub rules: Rules,
    /// How much may change.
    pub guard: Guard,
    /// What is allowed beyond.
    pub allowances: &'a Allowances,
    /// What earlier runs found out.
    pub findings: &'a Findings,
    /// Takes what is to be remembered of this run, once Explo has acknowledged or shown it; never called in a dry run.
    pub record: &'a dyn Fn(Entry),
    /// Whether tenants that failed are tried before their time.
    pub retry_failed: bool,
    /// When the run begins, in seconds since 1970.
    pub now: u64,
    /// Changes under way at once.
    pub side_by_side: usize,
    /// Changes begun at the most; the others are deferred.
    pub max_changes: usize,
    /// Ends the run early.
    pub stop: &'a Stop,
    /// For the fingerprints.
    pub seed: u64,
}

/// What a run did.
#[derive(Debug)]
pub struct Run {
    /// What was to change.
    pub plan: Plan,
    /// How the customers were listed; no page at all where a saved plan was carried out.
    pub listing: Listing,
    /// Changes of a saved plan whose customer moved since: left alone.
    pub skipped: Vec<String>,
    /// Why nothing was applied, where the guard says so.
    pub held: Vec<Held>,
    /// What was carried out; `None` in a dry run and where the guard holds.
    pub applied: Option<Applied>,
}

/// Why a run came to no plan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tenants can't be had.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The customers can't be had.
    #[error(transparent)]
    Explo(#[from] explo::Error),
    /// What is known can't be had, or nothing could be kept.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
}

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// One pass; without a writer, the plan alone.
    pub async fn run<W: Writer>(&self, writer: Option<&W>, progress: &dyn Progress) -> Result<Run, Error> {
        let tenants = self.read(|_| true).await?;
        let (comparison, listing) = self.compare(tenants, progress).await?;
        let plan = self.verify(comparison).await?.finish();
        let held = self.guard.held(&plan, self.allowances);
        let applied = match writer {
            None => None,
            Some(writer) => {
                plan.entries(self.findings, !held.is_empty()).into_iter().for_each(self.record);
                if held.is_empty() { Some(self.apply(&plan, writer, progress).await) } else { None }
            }
        };
        Ok(Run { plan, listing, skipped: Vec::new(), held, applied })
    }

    /// Carries out a plan that was made before. Each record is compared again, and what moved is left alone.
    pub async fn resume<W: Writer>(&self, mut plan: Plan, writer: &W, progress: &dyn Progress) -> Result<Run, Error> {
        let unmoved =
            stream::iter(&plan.changes).map(|change| self.is_unmoved(&plan, change)).buffered(self.side_by_side);
        let unmoved: Vec<bool> = unmoved.try_collect().await?;
        let changes = std::mem::take(&mut plan.changes).into_iter().zip(unmoved);
        let (kept, moved): (Vec<_>, Vec<_>) = changes.partition(|(_, is_unmoved)| *is_unmoved);
        let skipped = moved.iter().map(|(change, _)| plan.provided_id(change).to_owned()).collect();
        plan.changes = kept.into_iter().map(|(change, _)| change).collect();
        // Whoever names a change wants it now.
        let insisting = Self { retry_failed: true, ..*self };
        let applied = Some(insisting.apply(&plan, writer, progress).await);
        Ok(Run { plan, listing: Listing { passes: 0, pages: 0 }, skipped, held: Vec::new(), applied })
    }

    /// These tenants alone: each is looked up, nothing is listed, and the guard does not apply.
    pub async fn only<W: Writer>(
        &self,
        provided_ids: &BTreeSet<String>,
        writer: Option<&W>,
        progress: &dyn Progress,
    ) -> Result<Run, Error> {
        let (plan, _) = self.look_up(provided_ids).await?;
        let applied = match writer {
            // Whoever names a tenant wants it now.
            Some(writer) => Some(Self { retry_failed: true, ..*self }.apply(&plan, writer, progress).await),
            None => None,
        };
        Ok(Run { plan, listing: Listing { passes: 0, pages: 0 }, skipped: Vec::new(), held: Vec::new(), applied })
    }

    /// Both sides of one id.
    pub async fn explain(&self, provided_id: &str) -> Result<Explanation, Error> {
        let provided_id = provided_id.to_owned();
        let (plan, mut customers) = self.look_up(&BTreeSet::from([provided_id.clone()])).await?;
        let tenant = plan.index.tenant_of(&provided_id);
        Ok(Explanation { provided_id, tenant, customer: customers.pop().flatten(), plan })
    }

    /// The plan for some tenants, and their customers.
    async fn look_up(&self, provided_ids: &BTreeSet<String>) -> Result<(Plan, Vec<Option<Customer<'static>>>), Error> {
        let mut tenants = self.read(|provided_id| provided_id.is_some_and(|id| provided_ids.contains(id))).await?;
        for provided_id in provided_ids {
            if tenants.tenant_of(provided_id).is_none() {
                tenants.reject(Some(provided_id.clone()), "the source has no row with this provided_id");
            }
        }
        let looks = stream::iter(provided_ids).map(|provided_id| self.held(provided_id)).buffered(self.side_by_side);
        let customers: Vec<_> = looks.try_collect().await?;
        let mut comparison = Comparison::new(tenants, self.rules, self.findings);
        for customer in &customers {
            comparison.observe_alone(customer.as_ref());
        }
        Ok((comparison.finish(), customers))
    }

    async fn is_unmoved(&self, plan: &Plan, change: &Change) -> Result<bool, Error> {
        let tenant = plan.index.tenant(change.row());
        let current = self.held(&tenant.provided_id).await?;
        Ok(match (change, current) {
            (Change::Create(_), current) => current.is_none(),
            (Change::Update(_), None) => false,
            (Change::Update(update), Some(current)) => {
                let mut differences = compare(&tenant, &current, plan.rules);
                differences.retain(|difference| update.fields().contains(&difference.field));
                differences == update.differences
            }
        })
    }

    /// The rows that are asked for, by their ids.
    async fn read(&self, is_asked_for: impl Fn(Option<&str>) -> bool) -> Result<Index, Error> {
        let mut index = Index::new(Fingerprints::new(self.seed));
        let mut insert = |row: Row| {
            let provided_id = match &row {
                Ok(tenant) => Some(&*tenant.provided_id),
                Err(invalid) => invalid.provided_id.as_deref(),
            };
            if is_asked_for(provided_id) {
                index.insert(row);
            }
        };
        tokio::select! {
            read = self.source.read(&mut insert) => read?,
            () = self.stop.requested() => return Err(self.stop.error().into()),
        }
        tracing::debug!(tenants = index.rows(), "read the tenants");
        Ok(index)
    }

    async fn compare(&self, tenants: Index, progress: &dyn Progress) -> Result<(Comparison<'_>, Listing), Error> {
        let mut comparison = Comparison::new(tenants, self.rules, self.findings);
        let mut observe = |customer: &Customer<'_>| comparison.observe(customer);
        let listing = self.reader.list(&mut observe, &|pages, of| progress.listed(pages, of)).await?;
        tracing::debug!(pages = listing.pages, passes = listing.passes, "listed the customers");
        Ok((comparison, listing))
    }

    /// Looks at customers whose differences may be the listing's alone: one for each doubt.
    async fn verify<'f>(&self, mut comparison: Comparison<'f>) -> Result<Comparison<'f>, Error> {
        while let Some(provided_id) = comparison.doubtful().map(str::to_owned) {
            let customer = self.held(&provided_id).await?;
            comparison.look(&provided_id, customer.as_ref());
        }
        Ok(comparison)
    }

    /// What Explo holds under an id; `None` where it has no such customer.
    async fn held(&self, provided_id: &str) -> Result<Option<Customer<'static>>, Error> {
        match self.reader.customer(provided_id).await {
            Ok(customer) => Ok(Some(customer)),
            Err(explo::Error::Rejected { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn apply<W: Writer>(&self, plan: &Plan, writer: &W, progress: &dyn Progress) -> Applied {
        let spare = self.guard.spare(plan, self.allowances);
        let Self { findings, now, retry_failed, record, .. } = *self;
        let remembered = Remembered { findings, now, retry_failed, record };
        Applier::new(plan, self.reader, writer, spare, remembered)
            .apply(self.side_by_side, self.max_changes, progress)
            .await
    }
}
