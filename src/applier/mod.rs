//! Carries out a plan and decides nothing: each change is one outcome, and the answer to each write is compared with what
//! was wanted.

mod recording;
mod settling;
mod tags;

use std::{
    collections::HashSet,
    sync::{Mutex, OnceLock, PoisonError},
};

use futures_util::{StreamExt, stream};

use crate::{
    explo::{Created, Error, Reader, Writer},
    model::{Customer, Field, Record, Tenant},
    plan::{Change, Difference, Due, KeyStyle, Plan, RowNumber, Spare, Unsettled, compare, needs_current, wanted},
    progress::Progress,
};

use recording::Answers;
pub(crate) use recording::Recording;
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
    /// Not begun either, for it failed before and it is too early to try again: why.
    Waiting(String),
}

impl Outcome {
    /// The name in reports and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Failed(_) => "failed",
            Self::Unsettled(_) => "unsettled",
            Self::Deferred | Self::Waiting(_) => "deferred",
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
    /// Why it ended before the end.
    pub end: Option<Error>,
}

/// Carries out one plan.
pub(crate) struct Applier<'a, R, W> {
    plan: &'a Plan,
    due: &'a Due,
    reader: &'a R,
    writer: &'a W,
    spare: Mutex<Spare>,
    existing: Mutex<Vec<String>>,
    settling: Settling<'a, R>,
    answers: Answers,
    recording: Recording<'a>,
    forbidden: Mutex<usize>,
    unmade_tags: Mutex<Unmade>,
    /// To be renamed or made, and not done: whatever needs these customers waits.
    not_there: Mutex<HashSet<RowNumber>>,
    end: OnceLock<Error>,
}

impl<'a, R: Reader, W: Writer> Applier<'a, R, W> {
    pub(crate) fn new(
        plan: &'a Plan,
        due: &'a Due,
        reader: &'a R,
        writer: &'a W,
        spare: Spare,
        recording: Recording<'a>,
    ) -> Self {
        Self {
            plan,
            due,
            reader,
            writer,
            spare: Mutex::new(spare),
            existing: Mutex::default(),
            settling: Settling::new(reader, plan.rules),
            answers: Answers::default(),
            recording,
            forbidden: Mutex::new(0),
            unmade_tags: Mutex::default(),
            not_there: Mutex::new(plan.needed()),
            end: OnceLock::new(),
        }
    }

    /// Makes the missing tags, then what is due of the changes, part by part: so many side by side.
    pub(crate) async fn apply(self, side_by_side: usize, progress: &dyn Progress) -> Applied {
        let (changes, due) = (&self.plan.changes, self.due);
        let mut outcomes = vec![Outcome::Deferred; changes.len()];
        for (number, failure) in &due.waiting {
            outcomes[*number] = self.recording.passed(self.plan, &changes[*number], failure);
        }
        self.make_tags(side_by_side).await;
        let numbered = |number: &usize| {
            let (number, outcome) = (*number, self.outcome(&changes[*number]));
            async move { (number, outcome.await) }
        };
        let (mut arrived, begun) = (0, due.count());
        for part in &due.parts {
            let mut arriving = stream::iter(part).map(numbered).buffer_unordered(side_by_side.max(1));
            while let Some((number, outcome)) = arriving.next().await {
                outcomes[number] = outcome;
                arrived += 1;
                progress.applied(arrived, begun);
            }
        }
        let mut existing = self.existing.into_inner().unwrap_or_else(PoisonError::into_inner);
        existing.sort_unstable();
        Applied { outcomes, existing, end: self.end.into_inner() }
    }

    async fn outcome(&self, change: &Change) -> Outcome {
        if self.end.get().is_some() || self.must_wait(change) {
            return Outcome::Deferred;
        }
        let tenant = self.plan.index.tenant(change.row());
        let unmade_tag = self.unmade_tag(change);
        let is_tag_refused = unmade_tag.as_ref().map(|(_, is_refused)| *is_refused);
        let outcome = match (change, unmade_tag) {
            (_, Some((reason, _))) => Ok(Outcome::Failed(reason)),
            (Change::Rename(row), None) => self.rename(*row, &tenant).await,
            (Change::Create(_), None) => self.create(&tenant).await,
            (Change::Update(update), None) => self.update(update.row, &tenant, &update.differences).await,
        };
        let answer = self.answers.take(&tenant);
        let is_own_fault = match &outcome {
            Err(error) => matches!(error, Error::Rejected { .. }),
            // That the guard has no room for an existing customer is nobody's fault.
            Ok(_) => is_tag_refused.unwrap_or(answer.is_none()),
        };
        let outcome = outcome.unwrap_or_else(|error| self.failed(error));
        self.recording.ended(self.plan, change, &outcome, is_own_fault, answer.as_ref());
        match &outcome {
            Outcome::Applied | Outcome::Unsettled(_) => self.is_there(change.row()),
            Outcome::Failed(reason) => {
                tracing::error!(tenant.id = &*tenant.provided_id, change = change.kind(), "{reason}");
            }
            Outcome::Deferred | Outcome::Waiting(_) => {}
        }
        outcome
    }

    /// It needs a customer that was to be renamed or made first, and was not.
    fn must_wait(&self, change: &Change) -> bool {
        let not_there = self.not_there.lock().unwrap_or_else(PoisonError::into_inner);
        self.plan.waits_for(change).any(|row| not_there.contains(&row))
    }

    fn is_there(&self, row: RowNumber) {
        self.not_there.lock().unwrap_or_else(PoisonError::into_inner).remove(&row);
    }

    async fn rename(&self, row: RowNumber, tenant: &Tenant<'_>) -> Result<Outcome, Error> {
        let customer = self.writer.rename(&self.plan.previous_provided_id(row), &tenant.provided_id).await?;
        self.answers.show_record(tenant, &customer);
        Ok(Outcome::Applied)
    }

    async fn create(&self, tenant: &Tenant<'_>) -> Result<Outcome, Error> {
        let created = self.writer.create(&wanted(tenant, &Field::ALL, None, self.plan.rules)).await?;
        if created.is_new {
            self.answers.show(tenant, &created.customer);
            let unsettled = self.settling.differences(tenant, &created.customer).await.into_iter().map(Unsettled::new);
            return Ok(settled(unsettled.collect()));
        }
        self.adopt(tenant, &created).await
    }

    /// A customer that existed though the listing did not show it: ours only if it is in a data visibility group that the
    /// listing shows.
    async fn adopt(&self, tenant: &Tenant<'_>, found: &Created) -> Result<Outcome, Error> {
        let (groups, customer) = (&self.plan.access_groups, &found.customer);
        let group = customer.access_group.as_deref().unwrap_or_default();
        if !groups.is_empty() && !groups.contains(group) {
            let reason = "it exists already, in a data visibility group that the listing does not show: left alone";
            return Ok(Outcome::Failed(reason.to_owned()));
        }
        if found.may_be_ours {
            self.answers.show(tenant, customer);
        } else {
            self.answers.show_unlisted(tenant, customer);
            self.existing.lock().unwrap_or_else(PoisonError::into_inner).push(tenant.provided_id.clone().into_owned());
        }
        let differences = self.settling.differences(tenant, customer).await;
        let mut fields = fields(&differences);
        // No answer shows it, and no listing will.
        fields.extend((!found.may_be_ours && tenant.parent_provided_id.is_some()).then_some(Field::ParentProvidedId));
        if fields.is_empty() {
            return Ok(Outcome::Applied);
        }
        if !self.spare.lock().unwrap_or_else(PoisonError::into_inner).take(&fields) {
            let reason = "it exists already and differs, and the guard has no room for a further update";
            return Ok(Outcome::Failed(reason.to_owned()));
        }
        Ok(settled(self.write(tenant, &fields, Some(customer)).await?))
    }

    /// What three updates could not settle is spared, and the rest is written. Where others' values are carried they are
    /// read just before, and what no longer differs is not sent.
    async fn update(&self, row: RowNumber, tenant: &Tenant<'_>, differences: &[Difference]) -> Result<Outcome, Error> {
        let (mut unsettled, mut fields) = self.settling.spare(differences);
        if needs_current(&tenant.managed(), &fields, self.plan.rules) {
            let current = self.reader.customer(&tenant.provided_id).await?.needed()?;
            let differences = compare(tenant, &current, self.plan.rules.with(KeyStyle::AsListed));
            let still_differs = |field| differences.iter().any(|difference| difference.field == field);
            fields.retain(|field| *field == Field::ParentProvidedId || still_differs(*field));
            unsettled.extend(self.write(tenant, &fields, Some(&current)).await?);
        } else {
            unsettled.extend(self.write(tenant, &fields, None).await?);
        }
        if fields.contains(&Field::ParentProvidedId) && self.plan.moved_again.contains(&row) {
            unsettled.extend(self.settling.look_after(tenant, differences).await);
        }
        Ok(settled(unsettled))
    }

    /// Writes these fields, if any; gives those that the answer still shows otherwise.
    async fn write(
        &self,
        tenant: &Tenant<'_>,
        fields: &[Field],
        current: Option<&Customer<'_>>,
    ) -> Result<Vec<Unsettled>, Error> {
        if fields.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.writer.update(&wanted(tenant, fields, current, self.plan.rules)).await?;
        self.answers.show_record(tenant, &answer);
        match answer {
            Record::Whole(answer) => Ok(self.settling.unsettled(tenant, &answer, fields).await),
            // Too large to be compared.
            Record::Partial(_) => Ok(Vec::new()),
        }
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
