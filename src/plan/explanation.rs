//! One id: its tenant, its customer, and what a run would do, with the reason.

use super::{Candidate, Change, Due, Guard, Offboarding, Plan};
use crate::{
    compare::{Unsettled, sides},
    memory::{Departed, Failure, Memory},
    model::{Customer, Field, Gap, Invalid, Tenant},
    tenants::RowNumber,
};

/// Why a customer can't be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// Its record can't be read.
    Unreadable(Gap),
    /// Explo refuses to show the customer with this id, in these words.
    Refused(String),
}

/// What a run would do about the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: there is neither a row nor a customer.
    Unknown,
    /// The customer has no row, since this time if it was a tenant's once: a run of all tenants decides whether it leaves.
    Orphan(Option<u64>),
    /// The customer gets the id of one of these rows, which name it as their previous one.
    Claimed(Vec<String>),
    /// Nothing: the row can't be planned.
    Invalid(Invalid),
    /// It depends on what Explo lists, because Explo refuses to show the customer.
    Undecided,
    /// Nothing: the customer has the wanted values.
    Unchanged,
    /// Nothing: all differences are known not to settle.
    Spared,
    /// Its changes are sent; with the failure of the same change before, if there was one.
    Due(Option<Failure>),
    /// Its changes wait for their next try.
    Waiting(Failure),
    /// Its changes need a tenant above it, and that one waits for its next try.
    Deferred {
        /// The id of that tenant.
        above: String,
        /// Why it waits.
        failure: Failure,
    },
}

/// What is remembered of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recollection {
    /// The id under which it is remembered: before a rename, the previous one.
    pub provided_id: String,
    /// Whether its token is in the ledger.
    pub has_token: bool,
    /// When it was last recorded as in sync, in seconds since 1970.
    pub synced_at: Option<u64>,
    /// Whether it exists although no listing shows it.
    pub is_hidden: bool,
    /// How many of its last writes failed.
    pub failures: u32,
    /// That a customer with this id was offboarded, and whether it is still there.
    pub offboarded: Option<(Departed, bool)>,
}

/// One tenant with its customer.
#[derive(Debug)]
pub struct Explanation {
    /// The id that was asked for.
    pub provided_id: String,
    /// What its row wants, if it has one.
    pub tenant: Option<Tenant<'static>>,
    /// The customer with this id in Explo or, if there is none, the one with the previous id.
    pub customer: Option<Customer<'static>>,
    /// Why the customer is not shown although it may exist.
    pub unseen: Option<Unseen>,
    /// The plan for this tenant and those above it.
    pub plan: Plan,
    /// What a run would do.
    pub decision: Decision,
    /// Why the customer may be another one than a listing would show.
    pub doubt: Option<&'static str>,
    /// What may hold that run.
    pub guard: Guard,
    /// How tenants leave.
    pub offboarding: Offboarding,
    /// Whether there is a ledger.
    pub has_ledger: bool,
    /// What is remembered, if anything is.
    pub remembered: Option<Recollection>,
    /// Rows that may be meant, if no row has the id.
    pub candidates: Vec<Candidate>,
}

/// How a field of the row compares with the customer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The row has no value for it.
    LeftAlone,
    /// There is no customer.
    New,
    /// Both are equal.
    Equal,
    /// They differ.
    Differs,
    /// They differ, and that is known not to settle.
    Unsettled,
}

/// Both sides of one field, in normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSides {
    /// The field.
    pub field: Field,
    /// How they compare.
    pub comparison: Comparison,
    /// What the row wants.
    pub wanted: Option<String>,
    /// The managed part of what the customer has.
    pub current: Option<String>,
}

impl Explanation {
    /// Whether the tenant needs attention: invalid, refused, or unknown. An orphan is left alone and needs none.
    #[must_use]
    pub fn is_amiss(&self) -> bool {
        match &self.decision {
            Decision::Unknown
            | Decision::Invalid(_)
            | Decision::Due(Some(_))
            | Decision::Waiting(_)
            | Decision::Deferred { .. } => true,
            Decision::Orphan(_)
            | Decision::Claimed(_)
            | Decision::Undecided
            | Decision::Unchanged
            | Decision::Spared
            | Decision::Due(None) => false,
        }
    }

    /// The row as far as it can be read; of one that can't, only the ids are known.
    #[must_use]
    pub fn readable(&self) -> Option<&Tenant<'static>> {
        let is_invalid = matches!(self.decision, Decision::Invalid(_));
        self.tenant.as_ref().filter(|tenant| !is_invalid || !tenant.manages(&Tenant::default().managed()))
    }

    /// The fields of the row and of the customer; none if one of them exists and can't be read.
    #[must_use]
    pub fn fields(&self) -> Vec<FieldSides> {
        let (Some(tenant), None) = (self.readable(), &self.unseen) else { return Vec::new() };
        let customer = self.customer.as_ref();
        let compared = |field| {
            let (wanted, current) = sides(tenant, customer.unwrap_or(&Customer::none()), field, self.plan.rules);
            let is_unsettled = || self.unsettled().any(|unsettled| unsettled.difference.field == field);
            let comparison = match (&wanted, customer) {
                (None, _) => Comparison::LeftAlone,
                (Some(_), None) => Comparison::New,
                (Some(wanted), Some(_)) if *wanted == current => Comparison::Equal,
                (Some(_), Some(_)) if is_unsettled() => Comparison::Unsettled,
                (Some(_), Some(_)) => Comparison::Differs,
            };
            let current = customer.filter(|_| wanted.is_some()).map(|_| current);
            FieldSides { field, comparison, wanted, current }
        };
        Field::ALL.into_iter().map(compared).collect()
    }

    /// The changes of this tenant; those of the tenants above it are not among them.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.plan.changes_of(&self.provided_id)
    }

    /// The differences of this tenant that are not sent.
    pub fn unsettled(&self) -> impl Iterator<Item = &Unsettled> {
        let row = self.plan.index.row(&self.provided_id);
        let own = self.plan.quiet.unsettled.iter().filter(move |(of, _)| Some(*of) == row);
        own.map(|(_, unsettled)| unsettled)
    }

    /// The tenant that is created or renamed before this one's changes, if there is one.
    #[must_use]
    pub fn first(&self) -> Option<&Change> {
        let needed = |row: RowNumber| Some(row) != self.plan.index.row(&self.provided_id);
        let above = self.changes().flat_map(|change| self.plan.waits_for(change)).find(|row| needed(*row))?;
        self.plan.changes.iter().find(|change| change.row() == above && change.as_update().is_none())
    }
}

impl Plan {
    fn changes_of(&self, provided_id: &str) -> impl Iterator<Item = &Change> {
        let row = self.index.row(provided_id);
        self.changes.iter().filter(move |change| Some(change.row()) == row)
    }

    /// What a run would do about a tenant, if these are due.
    #[must_use]
    pub fn decision(&self, provided_id: &str, due: &Due, memory: &Memory) -> Decision {
        let is_own = |invalid: &&Invalid| invalid.provided_id.as_deref() == Some(provided_id);
        if let Some(invalid) = self.invalid.iter().find(is_own) {
            return Decision::Invalid(invalid.clone());
        }
        let row = self.index.row(provided_id);
        let Some(first) = self.changes_of(provided_id).next() else {
            let is_spared = self.quiet.unsettled.iter().any(|(of, _)| Some(*of) == row);
            return if is_spared { Decision::Spared } else { Decision::Unchanged };
        };
        let waiting = |is_own: bool| {
            let mut waiting = due.waiting.iter().map(|(number, failure)| (&self.changes[*number], failure));
            waiting.find(move |(change, _)| (Some(change.row()) == row) == is_own)
        };
        if let Some((_, failure)) = waiting(true) {
            return Decision::Waiting(failure.clone());
        }
        match waiting(false) {
            Some((above, failure)) if !due.changes(self).any(|change| change == first) => {
                Decision::Deferred { above: self.provided_id(above).into_owned(), failure: failure.clone() }
            }
            _ => Decision::Due(self.beside(memory).refused(first).cloned()),
        }
    }
}

impl Memory {
    /// What is remembered of a customer, but for the time of its last sync and how it left, which only the ledger knows.
    #[must_use]
    pub fn recollection(&self, provided_id: &str) -> Option<Recollection> {
        let known = self.recalled(provided_id)?;
        Some(Recollection {
            provided_id: provided_id.to_owned(),
            has_token: known.token.is_some(),
            synced_at: None,
            is_hidden: self.is_hidden(provided_id),
            failures: known.failure.as_ref().map_or(0, |failure| failure.times),
            offboarded: None,
        })
    }
}
