//! One run: read the tenants, list the customers, compare, let the guard judge, apply, report.
//!
//! A dry run is the absence of a writer: without one there is nothing that could write.

use crate::{
    applier::{Applied, Applier},
    explo::{self, Listing, Reader, Writer},
    model::Customer,
    plan::{Allowances, Comparison, Fingerprints, Guard, Held, Index, Plan, Rules},
    progress::Progress,
    source::{self, Source},
};

/// What a run needs, writer aside.
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
    /// What is allowed beyond.
    pub allowances: &'a Allowances,
    /// Changes under way at once.
    pub side_by_side: usize,
    /// For the fingerprints.
    pub seed: u64,
}

/// What a run did.
#[derive(Debug)]
pub struct Run {
    /// What was to change.
    pub plan: Plan,
    /// How the customers were listed.
    pub listing: Listing,
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
}

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// One pass; without a writer, the plan alone.
    pub async fn run<W: Writer>(&self, writer: Option<&W>, progress: &dyn Progress) -> Result<Run, Error> {
        let tenants = self.read().await?;
        let (plan, listing) = self.compare(tenants, progress).await?;
        let held = self.guard.held(&plan, self.allowances);
        let applied = match writer {
            Some(writer) if held.is_empty() => Some(self.apply(&plan, writer, progress).await),
            _ => None,
        };
        Ok(Run { plan, listing, held, applied })
    }

    async fn read(&self) -> Result<Index, Error> {
        let mut index = Index::new(Fingerprints::new(self.seed));
        self.source.read(&mut |row| index.insert(row)).await?;
        tracing::debug!(tenants = index.rows(), "read the tenants");
        Ok(index)
    }

    async fn compare(&self, tenants: Index, progress: &dyn Progress) -> Result<(Plan, Listing), Error> {
        let mut comparison = Comparison::new(tenants, self.rules);
        let mut observe = |customer: &Customer<'_>| comparison.observe(customer);
        let listing = self.reader.list(&mut observe, &|pages, of| progress.listed(pages, of)).await?;
        tracing::debug!(pages = listing.pages, passes = listing.passes, "listed the customers");
        Ok((comparison.finish(), listing))
    }

    async fn apply<W: Writer>(&self, plan: &Plan, writer: &W, progress: &dyn Progress) -> Applied {
        let spare = self.guard.spare(plan, self.allowances);
        Applier::new(plan, self.reader, writer, spare).apply(self.side_by_side, progress).await
    }
}
