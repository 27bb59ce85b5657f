//! Carries out a plan and decides nothing: each change is one outcome, and the answer to each write is compared with what
//! was wanted.

mod settling;
mod tags;

use std::{
    collections::HashSet,
    sync::{Mutex, OnceLock, PoisonError},
};

use futures_util::{StreamExt, stream};

use crate::{
    explo::{Created, Error, Reader, Writer},
    model::{Customer, Field, Tenant},
    plan::{Change, Difference, KeyStyle, Plan, RowNumber, Spare, Unsettled, compare, needs_current, wanted},
    progress::Progress,
};

use settling::Settling;
use tags::Unmade;

/// So many tenants answered 403 end the run: the token may not write.
const FORBIDDEN: usize = 3;

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged, and the answer shows what was wanted.
    Applied,
    /// Refused or given up: the reason.
    Failed(String),
    /// Acknowledged, but the answer shows something else in these fields; or spared, because it would.
    Unsettled(Vec<Unsettled>),
    /// Not begun: the next run takes it up.
    Deferred,
}

impl Outcome {
    /// The name in reports and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Failed(_) => "failed",
            Self::Unsettled(_) => "unsettled",
            Self::Deferred => "deferred",
        }
    }
}

/// What became of a plan.
#[derive(Debug)]
pub struct Applied {
    /// One outcome for each change, in the order of the plan.
    pub outcomes: Vec<Outcome>,
    /// Ids that were to be created but existed, unlisted.
    pub existing: Vec<String>,
    /// Changes that were to be begun, from the first on.
    pub begun: usize,
    /// Why it ended before the end.
    pub end: Option<Error>,
}

/// Carries out one plan.
pub(crate) struct Applier<'a, R, W> {
    plan: &'a Plan,
    reader: &'a R,
    writer: &'a W,
    spare: Mutex<Spare>,
    existing: Mutex<Vec<String>>,
    settling: Settling<'a, R>,
    forbidden: Mutex<usize>,
    unmade_tags: Mutex<Unmade>,
    /// To be renamed, and not done: there is no customer to update.
    not_renamed: Mutex<HashSet<RowNumber>>,
    end: OnceLock<Error>,
}

impl<'a, R: Reader, W: Writer> Applier<'a, R, W> {
    pub(crate) fn new(plan: &'a Plan, reader: &'a R, writer: &'a W, spare: Spare) -> Self {
        Self {
            plan,
            reader,
            writer,
            spare: Mutex::new(spare),
            existing: Mutex::default(),
            settling: Settling::new(reader, plan.rules),
            forbidden: Mutex::new(0),
            unmade_tags: Mutex::default(),
            not_renamed: Mutex::new(plan.renames().collect()),
            end: OnceLock::new(),
        }
    }

    /// Makes the missing tags, then applies the changes in order, the renames before all others, so many side by side, and no
    /// more than `most` of them.
    pub(crate) async fn apply(self, side_by_side: usize, most: usize, progress: &dyn Progress) -> Applied {
        let changes = &self.plan.changes;
        let begun = changes.len().min(most);
        self.make_tags(&changes[..begun], side_by_side).await;
        let mut outcomes = vec![Outcome::Deferred; changes.len()];
        let numbered = |number| {
            let outcome = self.outcome(&changes[number]);
            async move { (number, outcome.await) }
        };
        let renames = self.plan.renames().count().min(begun);
        let mut arrived = 0;
        for part in [0..renames, renames..begun] {
            let mut arriving = stream::iter(part).map(numbered).buffer_unordered(side_by_side.max(1));
            while let Some((number, outcome)) = arriving.next().await {
                outcomes[number] = outcome;
                arrived += 1;
                progress.applied(arrived, begun);
            }
        }
        let mut existing = self.existing.into_inner().unwrap_or_else(PoisonError::into_inner);
        existing.sort_unstable();
        Applied { outcomes, existing, begun, end: self.end.into_inner() }
    }

    async fn outcome(&self, change: &Change) -> Outcome {
        if self.end.get().is_some() || self.must_wait(change) {
            return Outcome::Deferred;
        }
        let tenant = self.plan.index.tenant(change.row());
        let outcome = match (change, self.unmade_tag(change)) {
            (_, Some(reason)) => Ok(Outcome::Failed(reason)),
            (Change::Rename(row), None) => self.rename(*row).await,
            (Change::Create(_), None) => self.create(&tenant).await,
            (Change::Update(update), None) => self.update(&tenant, &update.differences).await,
        };
        let outcome = outcome.unwrap_or_else(|error| self.failed(error));
        if let Outcome::Failed(reason) = &outcome {
            tracing::error!(tenant.id = tenant.provided_id, change = change.kind(), "{reason}");
        }
        outcome
    }

    /// An update of a tenant whose customer was to get another id first, and did not.
    fn must_wait(&self, change: &Change) -> bool {
        let is_update = matches!(change, Change::Update(_));
        is_update && self.not_renamed.lock().unwrap_or_else(PoisonError::into_inner).contains(&change.row())
    }

    async fn rename(&self, row: RowNumber) -> Result<Outcome, Error> {
        self.writer.rename(self.plan.previous_provided_id(row), self.plan.index.provided_id(row)).await?;
        self.not_renamed.lock().unwrap_or_else(PoisonError::into_inner).remove(&row);
        Ok(Outcome::Applied)
    }

    async fn create(&self, tenant: &Tenant) -> Result<Outcome, Error> {
        let created = self.writer.create(&wanted(tenant, &Field::ALL, None, self.plan.rules)).await?;
        if created.is_new {
            let unsettled = self.settling.differences(tenant, &created.customer).await.into_iter().map(Unsettled::new);
            return Ok(settled(unsettled.collect()));
        }
        self.adopt(tenant, &created).await
    }

    /// A customer that existed though the listing did not show it: ours only if it is in a data visibility group that the
    /// listing shows.
    async fn adopt(&self, tenant: &Tenant, found: &Created) -> Result<Outcome, Error> {
        let (groups, customer) = (&self.plan.access_groups, &found.customer);
        let group = customer.access_group.as_deref().unwrap_or_default();
        if !groups.is_empty() && !groups.contains(group) {
            let reason = "it exists already, in a data visibility group that the listing does not show: left alone";
            return Ok(Outcome::Failed(reason.to_owned()));
        }
        if !found.may_be_ours {
            self.existing.lock().unwrap_or_else(PoisonError::into_inner).push(tenant.provided_id.clone());
        }
        let differences = self.settling.differences(tenant, customer).await;
        if differences.is_empty() {
            return Ok(Outcome::Applied);
        }
        let fields = fields(&differences);
        if !self.spare.lock().unwrap_or_else(PoisonError::into_inner).take(&fields) {
            let reason = "it exists already and differs, and the guard has no room for a further update";
            return Ok(Outcome::Failed(reason.to_owned()));
        }
        Ok(settled(self.write(tenant, &fields, Some(customer)).await?))
    }

    /// What three updates could not settle is spared, and the rest is written. Where others' values are carried they are
    /// read just before, and what no longer differs is not sent.
    async fn update(&self, tenant: &Tenant, differences: &[Difference]) -> Result<Outcome, Error> {
        let (mut unsettled, mut fields) = self.settling.spare(differences);
        if needs_current(tenant, &fields, self.plan.rules) {
            let current = self.reader.customer(&tenant.provided_id).await?;
            let differences = compare(tenant, &current, self.plan.rules.with(KeyStyle::AsListed));
            fields.retain(|field| differences.iter().any(|difference| difference.field == *field));
            unsettled.extend(self.write(tenant, &fields, Some(&current)).await?);
        } else {
            unsettled.extend(self.write(tenant, &fields, None).await?);
        }
        Ok(settled(unsettled))
    }

    /// Writes these fields, if any; gives those that the answer still shows otherwise.
    async fn write(
        &self,
        tenant: &Tenant,
        fields: &[Field],
        current: Option<&Customer<'_>>,
    ) -> Result<Vec<Unsettled>, Error> {
        if fields.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.writer.update(&wanted(tenant, fields, current, self.plan.rules)).await?;
        Ok(self.settling.unsettled(tenant, &answer, fields).await)
    }

    fn failed(&self, error: Error) -> Outcome {
        let reason = error.to_string();
        let ends = match &error {
            Error::Stopped { .. } => return self.deferred(error),
            Error::Forbidden { .. } => {
                let mut forbidden = self.forbidden.lock().unwrap_or_else(PoisonError::into_inner);
                *forbidden += 1;
                *forbidden >= FORBIDDEN
            }
            _ => error.ends_run(),
        };
        if ends {
            let _ = self.end.set(error);
        }
        Outcome::Failed(reason)
    }

    fn deferred(&self, stopped: Error) -> Outcome {
        let _ = self.end.set(stopped);
        Outcome::Deferred
    }
}

fn fields(differences: &[Difference]) -> Vec<Field> {
    differences.iter().map(|difference| difference.field).collect()
}

fn settled(unsettled: Vec<Unsettled>) -> Outcome {
    if unsettled.is_empty() { Outcome::Applied } else { Outcome::Unsettled(unsettled) }
}
