//! Locks out or deletes the customer of a tenant that leaves. Right before, everything is looked at again:
//!
//! | it is asked | and it goes on only if |
//! |---|---|
//! | the source | the row is still gone, or still says so |
//! | `get_customer` | the id still has the customer with the listed token; absent: the next listing tells |
//! | `?parent_provided_id=`, to delete | nobody is below it |
//! | the ledger | it knew the listed token before this run, if the customer is to be deleted; it keeps what the customer was, and no other instance has it |
//! | the source again, before each attempt at the write | the same as before |

use std::{cell::Cell, sync::PoisonError};

use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;

use super::{Applier, Blame, Outcome};
use crate::{
    compare::{Unsettled, compare, lasting_fingerprint_of, to_send},
    explo::{Attempts, Check, Children, Error, Look, Reader, Writer},
    memory::{Action, Entry, LockedOut, Seen, offboarded, token_hash},
    model::{Customer, Record, Tenant, shown},
    plan::{Change, Offboard, Reason, strict},
    tenants::RowNumber,
};

const ANOTHER: &str = "the customer with its id has another token than the one that was listed: left alone";

const ABSENT: &str = "Explo listed its customer, and now shows none with its id: the next complete listing tells";

const UNKNOWN: &str = "the ledger did not know its customer's token before this run: the next run deletes it";

const UNREADABLE: &str = "its customer's record can't be read, so what it was could not be kept: left alone";

const NOT_ITS_CHILDREN: &str = "not deleted, because Explo's listing of its children lists others as well, so it can't be told who is \
                                below it";

const TAKEN: &str = "another instance in this ledger has its customer: left alone";

/// How many customers below one are named.
const NAMED: usize = 3;

/// What is asked and kept right before a customer is offboarded.
pub trait Departure {
    /// Whether a tenant still leaves, by a read that began just now, and not before `since` if that is given; the error says
    /// why that can't be told.
    fn still_leaves<'d>(
        &'d self,
        provided_id: &'d str,
        reason: Reason,
        since: Option<Instant>,
    ) -> LocalBoxFuture<'d, Result<bool, String>>;

    /// Keeps in the ledger what its customer was; false: another instance has the customer.
    fn keep<'d>(&'d self, provided_id: &'d str, text: &'d str) -> LocalBoxFuture<'d, Result<bool, String>>;

    /// Records at once that a customer is gone.
    fn deleted(&self, entry: Entry) -> LocalBoxFuture<'_, ()>;
}

/// Whether the row of one tenant still says that it leaves, or is still gone.
struct StillLeaves<'a> {
    departure: &'a dyn Departure,
    provided_id: &'a str,
    reason: Reason,
    /// When it last did: the next read must not be older.
    since: Cell<Option<Instant>>,
    /// The outcome, if it is not to be offboarded.
    objection: Cell<Option<Outcome>>,
}

impl Check for StillLeaves<'_> {
    fn allows(&self) -> LocalBoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            let objection = match self.departure.still_leaves(self.provided_id, self.reason, self.since.get()).await {
                Ok(true) => {
                    self.since.set(Some(Instant::now()));
                    return Ok(());
                }
                Ok(false) => Outcome::Deferred,
                Err(reason) => Outcome::failed(reason, Blame::Nobody),
            };
            self.objection.set(Some(objection));
            Err("its tenant may have returned".to_owned())
        })
    }
}

impl<R: Reader, W: Writer> Applier<'_, R, W> {
    pub(super) async fn offboard(
        &self,
        change: &Change,
        offboard: &Offboard,
        tenant: &Tenant<'_>,
        attempts: Attempts,
    ) -> Result<Outcome, Error> {
        let Some(departure) = self.departure else { return Ok(Outcome::Deferred) };
        let provided_id = &*tenant.provided_id;
        let row = StillLeaves {
            departure,
            provided_id,
            reason: offboard.reason,
            since: Cell::default(),
            objection: Cell::default(),
        };
        if row.allows().await.is_err() {
            return Ok(row.objection.take().unwrap_or(Outcome::Deferred));
        }
        let customer = match self.leaver(provided_id, offboard, attempts).await? {
            Ok(customer) => customer,
            Err(objection) => return Ok(objection),
        };
        if let Err(objection) = self.keep(departure, provided_id, offboard.action, &customer).await {
            return Ok(objection);
        }
        let written = match offboard.action {
            Action::LockOut => self.lock_out(change, offboard, tenant, &customer, (attempts, Some(&row))).await,
            Action::Delete => {
                let deleting = self.writer.delete(provided_id, &customer.token, attempts, Some(&row));
                let deleted = self.written(deleting).await;
                if deleted.is_ok() {
                    departure.deleted(self.plan.beside(self.recording.memory).deleted(offboard)).await;
                }
                deleted.map(|()| Outcome::Applied)
            }
        };
        row.objection.take().map_or(written, Ok)
    }

    /// The customer to offboard, as a look shows it; or why it is left alone.
    async fn leaver(
        &self,
        provided_id: &str,
        offboard: &Offboard,
        attempts: Attempts,
    ) -> Result<Result<Box<Customer<'static>>, Outcome>, Error> {
        let is_deletion = offboard.action == Action::Delete;
        if is_deletion && self.recording.memory.token(provided_id) != Some(offboard.token) {
            return Ok(Err(Outcome::Waiting(UNKNOWN.to_owned())));
        }
        let customer = match self.reader.customer(provided_id).await? {
            Look::Found(customer) => customer,
            Look::Unreadable(_) => return Ok(Err(Outcome::failed(UNREADABLE, Blame::Tenant))),
            Look::Refused(refusal) if self.reader.is_absence(&refusal).await? => {
                // Only an earlier deletion of ours explains that it was listed.
                let is_ours = is_deletion && attempts.before > 0;
                return Ok(Err(if is_ours { Outcome::Applied } else { Outcome::Waiting(ABSENT.to_owned()) }));
            }
            Look::Refused(refusal) => return Err(refusal.into()),
        };
        if token_hash(&customer.token) != offboard.token {
            return Ok(Err(Outcome::failed(ANOTHER, Blame::Tenant)));
        }
        let below = if is_deletion { self.below(provided_id).await? } else { None };
        Ok(below.map_or(Ok(customer), |reason| Err(Outcome::Waiting(reason))))
    }

    /// Keeps in the ledger what a customer is; or says why it is left alone. What was emptied before stays kept: by an earlier
    /// attempt of this run, too.
    async fn keep(
        &self,
        departure: &dyn Departure,
        provided_id: &str,
        action: Action,
        customer: &Customer<'_>,
    ) -> Result<(), Outcome> {
        let emptied = || self.emptied.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = emptied().get(provided_id).cloned();
        let before = earlier.as_ref().or_else(|| self.recording.memory.emptied(provided_id));
        let text = offboarded(action, customer, before, self.recording.now).map_err(|error| error.to_string());
        let kept = match &text {
            Ok(text) => departure.keep(provided_id, text).await,
            Err(error) => Err(error.clone()),
        };
        match kept {
            Ok(true) => {
                let locked_out = text.ok().and_then(|text| LockedOut::read(&text));
                emptied().extend(locked_out.map(|locked_out| (provided_id.to_owned(), locked_out)));
                Ok(())
            }
            Ok(false) => Err(Outcome::failed(TAKEN, Blame::Tenant)),
            Err(reason) => Err(Outcome::failed(reason, Blame::Nobody)),
        }
    }

    /// Who is below a customer, as a reason not to delete it.
    async fn below(&self, provided_id: &str) -> Result<Option<String>, Error> {
        let index = &self.plan.index;
        let is_below = |row: &RowNumber| index.parent_provided_id(*row).as_deref() == Some(provided_id);
        if let Some(row) = index.with_parent().find(is_below) {
            let child = index.provided_id(row);
            return Ok(Some(format!(
                "not deleted, because it is the parent of a tenant that stays: {}",
                shown(&child)
            )));
        }
        let Children { provided_ids, unreadable } = self.reader.children(provided_id).await?;
        if provided_ids.iter().any(|id| id == provided_id) {
            return Ok(Some(NOT_ITS_CHILDREN.to_owned()));
        }
        let count = provided_ids.len() + unreadable;
        if count == 0 {
            return Ok(None);
        }
        let named: Vec<_> = provided_ids.iter().take(NAMED).map(|id| shown(id)).collect();
        let more = if count > named.len() { ", …" } else { "" };
        let are = if count == 1 { "customer is" } else { "customers are" };
        Ok(Some(format!("not deleted, because {count} {are} below it: {}{more}", named.join(", "))))
    }

    /// Empties what the plan said, as far as it is not empty by now.
    async fn lock_out(
        &self,
        change: &Change,
        offboard: &Offboard,
        tenant: &Tenant<'_>,
        customer: &Customer<'_>,
        (attempts, check): (Attempts, Option<&dyn Check>),
    ) -> Result<Outcome, Error> {
        let (rules, planned) = (strict(self.plan.rules), offboard.fields());
        let left = |customer: &Customer<'_>| {
            let mut left = compare(tenant, customer, rules);
            left.retain(|difference| planned.contains(&difference.field));
            left
        };
        let fields: Vec<_> = left(customer).iter().map(|difference| difference.field).collect();
        let sent = to_send(tenant, &fields, None, rules);
        let record = if fields.is_empty() {
            Record::Whole(customer.clone().into_owned())
        } else {
            self.written(self.writer.update(&sent, attempts, check)).await?
        };
        let Record::Whole(answer) = &record else { return Ok(Outcome::failed(UNREADABLE, Blame::Tenant)) };
        if !self.is_believed(change, tenant, &answer.token, Seen::Listed(lasting_fingerprint_of(answer, tenant))) {
            return Ok(Outcome::failed(ANOTHER, Blame::Tenant));
        }
        let unsettled: Vec<_> = left(answer).into_iter().map(Unsettled::new).collect();
        Ok(if unsettled.is_empty() { Outcome::Applied } else { Outcome::Unsettled(unsettled) })
    }
}
