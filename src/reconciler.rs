//! One run: read the tenants, list the customers, compare, let the guard judge, apply, report.
//!
//! A dry run is the absence of a writer: without one there is nothing that could write.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    applier::{Applied, Applier, Recording},
    explo::{self, Children, Listing, Reader, Stop, Writer},
    ledger,
    model::{Customer, Row},
    plan::{
        Allowances, Change, Comparison, Entry, Explanation, Findings, Fingerprints, Guard, Held, Index, Placed, Plan,
        RowNumber, Rules, Token, compare,
    },
    progress::Progress,
    source::{self, Source},
};

const NO_ROW: &str = "the source has no row with this provided_id";

const STRAY: &str = "source.query_one returns a row with another provided_id, and none with this one: it must compare the id \
                     as the query prints it";

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
        let tenants = self.read().await?;
        let (mut comparison, mut listing) = self.compare(tenants, progress).await?;
        let parents = comparison.parents(self.now);
        self.place(&parents, &mut listing, |parent, children| comparison.place(parent, children)).await?;
        let plan = self.check_tags(self.verify(comparison).await?.finish()).await?;
        let held = self.guard.held(&plan, self.allowances);
        let applied = match writer {
            None => None,
            Some(writer) => {
                self.remember(&plan, &held);
                if held.is_empty() { Some(self.apply(&plan, writer, progress).await) } else { None }
            }
        };
        Ok(Run { plan, listing, skipped: Vec::new(), held, applied })
    }

    /// Carries out a plan that was made before. Each record is compared again, and what moved is left alone.
    pub async fn resume<W: Writer>(&self, mut plan: Plan, writer: &W, progress: &dyn Progress) -> Result<Run, Error> {
        let (mut listing, mut placed) = (Listing::default(), Placed::default());
        let parents = plan.parents_of_moves();
        self.place(&parents, &mut listing, |parent, children| placed.take(&plan.index, parent, children)).await?;
        let renamed: HashSet<_> = plan.renames().collect();
        let is_unmoved = |change| self.is_unmoved(&plan, change, &renamed, &placed);
        let unmoved = stream::iter(&plan.changes).map(is_unmoved).buffered(self.side_by_side);
        let unmoved: Vec<bool> = unmoved.try_collect().await?;
        plan.looks = unmoved.len();
        let changes = std::mem::take(&mut plan.changes).into_iter().zip(unmoved);
        let (kept, moved): (Vec<_>, Vec<_>) = changes.partition(|(_, is_unmoved)| *is_unmoved);
        let mut skipped: Vec<_> = moved.iter().map(|(change, _)| plan.provided_id(change).to_owned()).collect();
        // A tenant may be renamed and updated.
        skipped.sort_unstable();
        skipped.dedup();
        plan.changes = kept.into_iter().map(|(change, _)| change).collect();
        let plan = self.check_tags(plan).await?;
        // Whoever names a change wants it now.
        let insisting = Self { retry_failed: true, ..*self };
        let applied = Some(insisting.apply(&plan, writer, progress).await);
        Ok(Run { plan, listing, skipped, held: Vec::new(), applied })
    }

    /// These tenants alone: each is looked up, nothing is listed, and the guard does not apply.
    pub async fn only<W: Writer>(
        &self,
        provided_ids: &BTreeSet<String>,
        writer: Option<&W>,
        progress: &dyn Progress,
    ) -> Result<Run, Error> {
        let (comparison, _) = self.look_up(provided_ids).await?;
        let plan = self.check_tags(comparison.finish()).await?;
        let applied = match writer {
            // Whoever names a tenant wants it now.
            Some(writer) => Some(Self { retry_failed: true, ..*self }.apply(&plan, writer, progress).await),
            None => None,
        };
        Ok(Run { plan, listing: Listing::default(), skipped: Vec::new(), held: Vec::new(), applied })
    }

    /// Both sides of one id.
    pub async fn explain(&self, provided_id: &str) -> Result<Explanation, Error> {
        let provided_id = provided_id.to_owned();
        let (mut comparison, customers) = self.look_up(&BTreeSet::from([provided_id.clone()])).await?;
        let tenant = comparison.tenant_of(&provided_id);
        let mut customer = customers.into_iter().flatten().next();
        let parent = tenant.as_ref().and_then(|tenant| tenant.parent_provided_id.as_deref());
        if let Some(parent) = parent {
            let is_child = self.look_above(&mut comparison, &provided_id, parent).await?;
            let held = is_child.map(|is_child| if is_child { parent.to_owned() } else { String::new() });
            customer = customer.map(|customer| Customer { parent_provided_id: held.map(Cow::Owned), ..customer });
        }
        let plan = self.check_tags(comparison.finish()).await?;
        Ok(Explanation { provided_id, tenant, customer, plan })
    }

    /// Whether a tenant's customer is below its parent, where that can be had.
    async fn look_above(
        &self,
        comparison: &mut Comparison<'_>,
        provided_id: &str,
        parent: &str,
    ) -> Result<Option<bool>, Error> {
        if self.held(parent).await?.is_none() {
            let parent = parent.to_owned();
            if !self.read_some(&BTreeSet::from([parent.clone()])).await?.has(&parent) {
                comparison.lack(parent);
            }
            return Ok(None);
        }
        let (Some(children), _) = self.children(parent).await? else { return Ok(None) };
        comparison.place(parent, Some(&children));
        Ok(Some(children.iter().any(|child| child == provided_id)))
    }

    /// Some tenants and their customers; where one has none under its id, the previous id's is looked at too.
    async fn look_up(
        &self,
        provided_ids: &BTreeSet<String>,
    ) -> Result<(Comparison<'_>, Vec<Option<Customer<'static>>>), Error> {
        let mut tenants = self.read_some(provided_ids).await?;
        let mut customers = self.look(provided_ids).await?;
        let absent = provided_ids.iter().zip(&customers).filter(|(_, customer)| customer.is_none());
        let previous = absent.filter_map(|(provided_id, _)| tenants.tenant_of(provided_id)?.previous_provided_id);
        let previous: BTreeSet<_> = previous.collect();
        if !previous.is_empty() {
            let mut insert = |row| tenants.insert_aside(row, &previous);
            self.unless_stopped(self.source.read_some(&previous, &mut insert)).await?;
            customers.extend(self.look(&previous).await?);
        }
        let mut comparison = Comparison::new(tenants, self.rules, self.findings);
        for customer in &customers {
            comparison.observe_alone(customer.as_ref());
        }
        Ok((comparison, customers))
    }

    async fn look(&self, provided_ids: &BTreeSet<String>) -> Result<Vec<Option<Customer<'static>>>, Error> {
        let looks = stream::iter(provided_ids).map(|provided_id| self.held(provided_id));
        looks.buffered(self.side_by_side).try_collect().await
    }

    async fn is_unmoved(
        &self,
        plan: &Plan,
        change: &Change,
        renamed: &HashSet<RowNumber>,
        placed: &Placed,
    ) -> Result<bool, Error> {
        let tenant = plan.index.tenant(change.row());
        let is_renamed = renamed.contains(&change.row());
        let is_taken = is_renamed && self.held(&tenant.provided_id).await?.is_some();
        let listed_id = if is_renamed { plan.previous_provided_id(change.row()) } else { &tenant.provided_id };
        let current = self.held(listed_id).await?;
        Ok(match (change, current) {
            _ if is_taken => false,
            (Change::Create(_), current) => current.is_none(),
            (Change::Rename(_), current) => current.is_some(),
            (Change::Update(_), None) => false,
            (Change::Update(update), Some(mut current)) => {
                let elsewhere = placed.elsewhere(&plan.index, update.row);
                current.parent_provided_id = elsewhere.and_then(|_| update.old_parent()).map(Cow::Owned);
                let mut differences = compare(&tenant, &current, plan.rules);
                differences.retain(|difference| update.fields().contains(&difference.field));
                differences == update.differences
            }
        })
    }

    /// Every row.
    async fn read(&self) -> Result<Index, Error> {
        let mut index = Index::new(Fingerprints::new(self.seed));
        self.unless_stopped(self.source.read(&mut |row| index.insert(row))).await?;
        tracing::debug!(tenants = index.rows(), "read the tenants");
        Ok(index)
    }

    /// The rows that are asked for, by their ids.
    async fn read_some(&self, provided_ids: &BTreeSet<String>) -> Result<Index, Error> {
        let mut index = Index::new(Fingerprints::new(self.seed));
        let mut insert = |row: Row| {
            let provided_id = match &row {
                Ok(tenant) => Some(&tenant.provided_id),
                Err(invalid) => invalid.provided_id.as_ref(),
            };
            if provided_id.is_some_and(|id| provided_ids.contains(id)) {
                index.insert(row);
            }
        };
        let strays = self.unless_stopped(self.source.read_some(provided_ids, &mut insert)).await?;
        for provided_id in provided_ids {
            if index.tenant_of(provided_id).is_none() {
                let reason = if strays.contains(provided_id) { STRAY } else { NO_ROW };
                index.reject(Some(provided_id.clone()), reason);
            }
        }
        Ok(index)
    }

    async fn unless_stopped<T>(&self, reading: impl Future<Output = Result<T, source::Error>>) -> Result<T, Error> {
        tokio::select! {
            read = reading => Ok(read?),
            () = self.stop.requested() => Err(explo::Error::Stopped { reason: self.stop.reason() }.into()),
        }
    }

    async fn compare(&self, tenants: Index, progress: &dyn Progress) -> Result<(Comparison<'_>, Listing), Error> {
        let mut comparison = Comparison::new(tenants, self.rules, self.findings);
        let mut observe = |customer: &Customer<'_>| comparison.observe(customer);
        let listing = self.reader.list(&mut observe, &|pages, of| progress.listed(pages, of)).await?;
        tracing::debug!(pages = listing.pages, passes = listing.passes, "listed the customers");
        Ok((comparison, listing))
    }

    /// Lists the children of these customers: no record of a customer names its parent.
    async fn place(
        &self,
        parents: &BTreeSet<String>,
        listing: &mut Listing,
        mut take: impl FnMut(&str, Option<&[String]>),
    ) -> Result<(), Error> {
        let asked = parents.iter().map(|parent| async move { Ok::<_, Error>((parent, self.children(parent).await?)) });
        let mut answers = stream::iter(asked).buffer_unordered(self.side_by_side.max(1));
        while let Some((parent, (children, pages))) = answers.try_next().await? {
            listing.pages_of_children += pages;
            take(parent, children.as_deref());
        }
        Ok(())
    }

    /// The children of one customer, with the pages that it took; `None` where Explo does not tell them.
    async fn children(&self, parent: &str) -> Result<(Option<Vec<String>>, usize), Error> {
        let Children { provided_ids, pages } = match self.reader.children(parent).await {
            Ok(children) => children,
            Err(error @ explo::Error::Rejected { .. }) => {
                tracing::warn!(tenant.id = parent, "its children's parents are not compared: {error}");
                return Ok((None, 1));
            }
            Err(error) => return Err(error.into()),
        };
        if provided_ids.iter().any(|child| child == parent) {
            let reason = "it is listed among its own children, so their parents are not compared";
            tracing::warn!(tenant.id = parent, "{reason}");
            return Ok((None, pages));
        }
        Ok((Some(provided_ids), pages))
    }

    /// Looks at customers whose differences may be the listing's alone.
    async fn verify<'f>(&self, mut comparison: Comparison<'f>) -> Result<Comparison<'f>, Error> {
        while let Some(provided_id) = comparison.doubtful().map(str::to_owned) {
            let customer = match self.held(&provided_id).await {
                Ok(customer) => customer,
                // Another one may answer.
                Err(Error::Explo(error)) if !error.ends_run() => None,
                Err(error) => return Err(error),
            };
            comparison.look(&provided_id, customer.as_ref());
        }
        Ok(comparison)
    }

    /// Asks which tags there are, if changes carry some that no customer was seen to have.
    async fn check_tags(&self, mut plan: Plan) -> Result<Plan, Error> {
        if plan.doubtful_tags().is_empty() {
            // A saved plan may have lost the changes that carried them.
            plan.tags.to_make.clear();
            return Ok(plan);
        }
        let existing = self.reader.tags().await?;
        Ok(plan.with_tags(existing.as_ref()))
    }

    /// What Explo holds under an id; `None` where it has no such customer.
    async fn held(&self, provided_id: &str) -> Result<Option<Customer<'static>>, Error> {
        match self.reader.customer(provided_id).await {
            Ok(customer) => Ok(Some(customer)),
            Err(explo::Error::Rejected { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is to be remembered before anything is written.
    fn remember(&self, plan: &Plan, held: &[Held]) {
        let entries = plan.entries(self.findings, held);
        let forgotten = entries.iter().filter(|entry| matches!(entry.token, Token::Gone)).count();
        if forgotten > 0 {
            tracing::info!(forgotten, "tokens are forgotten that no customer has under their ids any more");
        }
        entries.into_iter().for_each(self.record);
    }

    async fn apply<W: Writer>(&self, plan: &Plan, writer: &W, progress: &dyn Progress) -> Applied {
        let spare = self.guard.spare(plan, self.allowances);
        let Self { findings, now, retry_failed, record, .. } = *self;
        let recording = Recording { findings, now, retry_failed, record };
        Applier::new(plan, self.reader, writer, spare, recording)
            .apply(self.side_by_side, self.max_changes, progress)
            .await
    }
}
