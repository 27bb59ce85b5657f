//! The writes of one change, and the check of their answers.

use super::{Applier, Blame, Outcome, settling::parent};
use crate::{
    compare::{Difference, KeyStyle, Unsettled, compare, lasting_fingerprint_of, measure, needs_current, to_send},
    explo::{Attempts, Created, Endpoint, Error, Reader, Writer},
    memory::{Note, Seen, TOO_LARGE, token_hash},
    model::{Customer, Field, Record, Tenant},
    plan::{Change, Update},
    tenants::RowNumber,
};
use std::{
    collections::BTreeSet,
    sync::{MutexGuard, PoisonError},
};

const ANOTHERS_TOKEN: &str =
    "the answer shows the token of another customer, so it is not believed and no token is kept";

const OUTSIDE: &str = "it exists already, in a data visibility group that the listing does not show: left alone";

const NOBODY_LISTED: &str = "it exists already, and the listing shows no customer that could prove it is in this token's data \
                             visibility group: left alone";

const ANOTHER: &str =
    "it exists already, and is another customer than the one that lock_out emptied: the next run writes it";

const NO_ROOM: &str = "it exists already and differs, and the guard has no room for a further update";

impl<R: Reader, W: Writer> Applier<'_, R, W> {
    /// Waits for the answer to a write; ends the run if Explo is down.
    pub(super) async fn written<T>(&self, write: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let written = write.await;
        if let Some(end) = self.outage.judge(&written, self.reader).await {
            let _ = self.end.set(end);
        }
        written
    }

    /// Keeps what an answer shows of a customer; false, and nothing kept, if it shows another customer's token.
    pub(super) fn is_believed(&self, change: &Change, tenant: &Tenant<'_>, token: &str, seen: Seen) -> bool {
        let memory = self.recording.memory;
        // All else in an answer is compared with the wanted value, a token can't be. Without rows no token is kept.
        let is_new = matches!(change, Change::Create(_));
        let is_checked = is_new || memory.keeps_rows();
        let own = self.plan.beside(memory).own_token(change);
        if is_checked && !self.tokens.accept(&tenant.provided_id, token, own) {
            return false;
        }
        self.answers.show(tenant, token, seen);
        true
    }

    pub(super) async fn rename(
        &self,
        change: &Change,
        row: RowNumber,
        tenant: &Tenant<'_>,
        attempts: Attempts,
    ) -> Result<Outcome, Error> {
        let old = self.plan.previous_provided_id(row);
        let record = self.written(self.writer.rename(&old, &tenant.provided_id, attempts)).await?;
        let is_believed = self.is_believed(change, tenant, record.token(), seen(tenant, &record));
        Ok(if is_believed { Outcome::Applied } else { Outcome::failed(ANOTHERS_TOKEN, Blame::Tenant) })
    }

    pub(super) async fn create(
        &self,
        change: &Change,
        tenant: &Tenant<'_>,
        attempts: Attempts,
    ) -> Result<Outcome, Error> {
        let sent = to_send(tenant, &Field::ALL, None, self.plan.rules);
        let created = self.written(self.writer.create(&sent, attempts)).await?;
        if !created.is_new {
            return self.adopt(change, tenant, &created).await;
        }
        let customer = &created.customer;
        let group = customer.access_group.as_deref().unwrap_or_default();
        let is_listed = self.plan.population.access_groups.contains(group);
        if self.made_in().insert(group.to_owned()) && !is_listed {
            (self.recording.record)(Note::Group(group.to_owned()));
        }
        let listed = Seen::Listed(lasting_fingerprint_of(customer, tenant));
        if !self.is_believed(change, tenant, &customer.token, listed) {
            return Ok(Outcome::failed(ANOTHERS_TOKEN, Blame::Tenant));
        }
        let differences = self.settling.differences(tenant, customer).await.into_iter();
        Ok(settled(differences.map(Unsettled::new).collect()))
    }

    /// Handles a create whose customer existed already: the listing did not show it.
    async fn adopt(&self, change: &Change, tenant: &Tenant<'_>, found: &Created) -> Result<Outcome, Error> {
        let customer = &found.customer;
        if let Some(reason) = self.stranger(tenant, found) {
            return Ok(Outcome::failed(reason, Blame::Tenant));
        }
        let is_hidden = !found.may_be_ours;
        let seen = if is_hidden {
            Seen::Hidden(self.recording.now)
        } else {
            Seen::Listed(lasting_fingerprint_of(customer, tenant))
        };
        if !self.is_believed(change, tenant, &customer.token, seen) {
            return Ok(Outcome::failed(ANOTHERS_TOKEN, Blame::Tenant));
        }
        if is_hidden {
            self.existing.lock().unwrap_or_else(PoisonError::into_inner).push(tenant.provided_id.clone().into_owned());
        }
        let differences = self.settling.differences(tenant, customer).await;
        let mut fields: Vec<_> = differences.iter().map(|difference| difference.field).collect();
        // Those of an attempt of ours that made it are there already.
        let lets_in = fields.iter().any(|field| matches!(field, Field::Emails | Field::GroupTags));
        if lets_in && self.recording.memory.was_anothers(tenant, &customer.token) {
            return Ok(Outcome::failed(ANOTHER, Blame::Tenant));
        }
        // No answer shows the parent, and no listing will show this customer.
        fields.extend((is_hidden && tenant.parent_provided_id.is_some()).then_some(Field::ParentProvidedId));
        if fields.is_empty() {
            return Ok(Outcome::Applied);
        }
        if !(self.has_room)(&fields) {
            return Ok(Outcome::failed(NO_ROOM, Blame::Nobody));
        }
        let unsettled = self.write(change, tenant, &fields, Some(customer), Attempts::ALL).await?;
        Ok(unsettled.map_or(Outcome::failed(ANOTHERS_TOKEN, Blame::Tenant), settled))
    }

    /// Why a customer that existed is not ours; `None` if it is. If the listing shows customers, the data visibility
    /// group decides. If it shows none, the customer is ours if it has the remembered token, or if an earlier attempt
    /// of ours may have created it and it is in the group of another customer that this run created (if groups are
    /// unknown: equals what was sent).
    fn stranger(&self, tenant: &Tenant<'_>, Created { may_be_ours, customer, .. }: &Created) -> Option<&'static str> {
        let (groups, group) =
            (&self.plan.population.access_groups, customer.access_group.as_deref().unwrap_or_default());
        if !groups.is_empty() {
            return (!groups.contains(group)).then_some(OUTSIDE);
        }
        let made_in = self.made_in();
        let is_alike = || compare(tenant, customer, self.plan.rules).is_empty();
        let can_be_told = !made_in.is_empty() && !group.is_empty();
        let is_made = || if can_be_told { made_in.contains(group) } else { is_alike() };
        let remembered = self.recording.memory.token(&tenant.provided_id);
        let is_ours = remembered == Some(token_hash(&customer.token)) || *may_be_ours && is_made();
        (!is_ours).then_some(NOBODY_LISTED)
    }

    fn made_in(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.made_in.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the fields that differ, except those that sending would not change. If values of others must be sent
    /// along, the customer is read just before, and fields that no longer differ are not sent.
    pub(super) async fn update(
        &self,
        change: &Change,
        Update { row, differences }: &Update,
        tenant: &Tenant<'_>,
        attempts: Attempts,
    ) -> Result<Outcome, Error> {
        let checks = self.plan.expected.checks.get(row);
        let is_check = |difference: &Difference| {
            checks.is_some_and(|checks| checks.iter().any(|(field, _)| *field == difference.field))
        };
        let (mut unsettled, mut fields) = self.settling.spare(parent(tenant), differences, is_check);
        let mut current = None;
        if needs_current(&tenant.managed(), &fields, self.plan.rules) {
            let held = self.reader.customer(&tenant.provided_id).await?.needed()?;
            let differences = compare(tenant, &held, self.plan.rules.with(KeyStyle::AsListed));
            let still_differs = |field| differences.iter().any(|difference| difference.field == field);
            fields.retain(|field| *field == Field::ParentProvidedId || still_differs(*field));
            current = Some(held);
        }
        match self.write(change, tenant, &fields, current.as_ref(), attempts).await? {
            Some(written) => unsettled.extend(written),
            None => return Ok(Outcome::failed(ANOTHERS_TOKEN, Blame::Tenant)),
        }
        if fields.contains(&Field::ParentProvidedId) && self.plan.expected.moved_again.contains(row) {
            unsettled.extend(self.settling.look_after(tenant, differences).await);
        }
        Ok(settled(unsettled))
    }

    /// Writes these fields, if any; gives the differences that the answer still shows, `None` if it is not believed.
    async fn write(
        &self,
        change: &Change,
        tenant: &Tenant<'_>,
        fields: &[Field],
        current: Option<&Customer<'_>>,
        attempts: Attempts,
    ) -> Result<Option<Vec<Unsettled>>, Error> {
        if fields.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let sent = to_send(tenant, fields, current, self.plan.rules);
        // Values of others were not measured with the row.
        measure(&sent, current).map_err(|reason| Error::Unsent { endpoint: Endpoint::UpdateCustomer, reason })?;
        let answer = self.written(self.writer.update(&sent, attempts, None)).await?;
        if !self.is_believed(change, tenant, answer.token(), seen(tenant, &answer)) {
            return Ok(None);
        }
        match answer {
            Record::Whole(answer) => {
                let before = self.plan.differences(change);
                Ok(Some(self.settling.unsettled(tenant, &answer, fields, &before).await))
            }
            // Too large to compare.
            Record::Partial(_) => Ok(Some(Vec::new())),
        }
    }
}

fn seen(tenant: &Tenant<'_>, record: &Record<'_>) -> Seen {
    Seen::Listed(match record {
        Record::Whole(customer) => lasting_fingerprint_of(customer, tenant),
        Record::Partial(_) => TOO_LARGE,
    })
}

fn settled(unsettled: Vec<Unsettled>) -> Outcome {
    if unsettled.is_empty() { Outcome::Applied } else { Outcome::Unsettled(unsettled) }
}
