//! What is remembered of one customer. The two sides of a difference are kept as hashes of the comparison form, and nothing
//! depends on a run's random seed.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::Failure;
use crate::{
    compare::{Difference, Fingerprints, Known, Layouts, Rule, Unsettled},
    model::{Customer, Field, Tenant},
};

/// What is remembered of one customer. Fingerprints are [`lasting_fingerprint`]s.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// A hash of its token.
    pub token: Option<u64>,
    /// The parent that Explo acknowledged last.
    pub parent: Option<String>,
    /// When its children were listed last, in seconds since 1970.
    pub children_listed_at: Option<u64>,
    /// Since when no complete listing shows it, in seconds since 1970.
    pub customer_gone_since: Option<u64>,
    /// What its tenant wanted when it was written last, or when that failed.
    pub wanted: Option<u64>,
    /// What Explo showed last.
    pub seen: Option<Seen>,
    /// What was found out about its fields.
    pub fields: FieldFindings,
    /// That its last write failed.
    pub failure: Option<Failure>,
}

/// How a customer was seen last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// In a listing, or in the answer to a write: the fingerprint of what it held.
    Listed(u64),
    /// In the answer to a create or to a look alone: it exists, and no listing shows it. With the time at which it was asked
    /// for last, in seconds since 1970.
    Hidden(u64),
}

/// What was found out about the fields of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldFindings {
    pub(crate) unsettled: BTreeMap<Field, Finding>,
    /// Of its last write: a difference that is there again was not written for good, or came back.
    pub(crate) acknowledged: BTreeMap<Field, Sides>,
    /// What did not settle before and does by now, and since when: what was found out by the same rule before, of anybody,
    /// does not hold any more.
    pub(crate) settled: BTreeMap<Field, (Rule, u64)>,
}

/// That a difference does not settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    pub(crate) sides: Sides,
    /// Why, probably.
    pub rule: Rule,
    /// It was never sent: others were, and showed the rule.
    pub is_predicted: bool,
    /// When it was sent, or spared, in seconds since 1970; an earlier version did not keep it.
    pub at: Option<u64>,
}

/// Hashes of what is wanted and what Explo had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sides {
    pub(crate) wanted: u64,
    pub(crate) current: u64,
}

impl Remembered {
    /// Whether a run that does not meet it may have to change it all the same.
    pub(crate) fn is_open(&self) -> bool {
        self.is_hidden() || self.failure.is_some() || !self.fields.unsettled.is_empty()
    }

    /// Whether its customer exists, and no listing shows it.
    pub(crate) fn is_hidden(&self) -> bool {
        matches!(self.seen, Some(Seen::Hidden(_)))
    }

    /// Whether it is worth remembering where tokens are not.
    pub(crate) fn is_remarkable(&self) -> bool {
        let is_known_hidden = self.is_hidden() && self.wanted.is_some();
        let is_settled = self.failure.is_none() && self.fields == FieldFindings::default();
        let is_sent_too_large = self.seen == Some(Seen::Listed(TOO_LARGE)) && self.wanted.is_some();
        is_known_hidden
            || is_sent_too_large
            || !is_settled
            || self.parent.is_some()
            || self.children_listed_at.is_some()
    }

    /// Whether its customer is hidden, and nothing is wrong with it.
    pub(crate) fn is_settled_hidden(&self) -> bool {
        self.is_hidden() && self.failure.is_none()
    }

    /// Its tenant is gone: what was found out about it does not matter any more.
    pub(crate) fn forget_tenant(&mut self) {
        self.fields = FieldFindings::default();
        self.failure = None;
        if self.is_hidden() {
            (self.seen, self.wanted) = (None, None);
        }
    }
}

impl FieldFindings {
    /// These differences were written at this time, and all but the unsettled ones settled.
    pub(crate) fn learn(&mut self, written: &[Difference], unsettled: &[Unsettled], at: u64) {
        for difference in written {
            self.unsettled.remove(&difference.field);
            self.acknowledged.insert(difference.field, Sides::of(difference));
        }
        for one in unsettled {
            self.find(one, at);
        }
    }

    /// A difference does not settle; what only presumably does not is neither looked at nor written: the next run may look.
    pub(crate) fn find(&mut self, Unsettled { difference, rule, known }: &Unsettled, at: u64) {
        let (field, sides) = (difference.field, Sides::of(difference));
        let found = |is_predicted| Finding { sides, rule: *rule, is_predicted, at: Some(at) };
        match known {
            Known::Presumably => drop(self.acknowledged.insert(field, sides)),
            Known::Now => drop(self.unsettled.insert(field, found(false))),
            Known::Predicted => drop(self.unsettled.insert(field, found(true))),
            // It is there, with its time.
            Known::Before | Known::PredictedBefore => {}
        }
    }
}

impl Finding {
    /// How it is known.
    #[must_use]
    pub fn known(&self) -> Known {
        if self.is_predicted { Known::PredictedBefore } else { Known::Before }
    }

    /// Whether it holds for this difference. One without a time may have been a guess: it holds only where the rule predicts
    /// just that.
    pub(crate) fn holds(&self, difference: &Difference) -> bool {
        let is_predicted = || self.rule.predicts(std::slice::from_ref(difference), difference);
        self.sides == Sides::of(difference) && (self.at.is_some() || self.rule != Rule::Inherited && is_predicted())
    }
}

impl Sides {
    pub(crate) fn of(difference: &Difference) -> Self {
        Self { wanted: xxh3_64(difference.wanted.as_bytes()), current: xxh3_64(difference.current.as_bytes()) }
    }
}

/// Stands for what a customer holds whose record is too large to be read.
pub const TOO_LARGE: u64 = u64::from_be_bytes(*b"toolarge");

/// A hash that tells tokens apart without holding one.
#[must_use]
pub fn token_hash(token: &str) -> u64 {
    xxh3_64(token.as_bytes())
}

/// What a tenant wants, the same in every run.
#[must_use]
pub fn lasting_fingerprint(tenant: &Tenant<'_>) -> u64 {
    let parent = tenant.parent_provided_id.as_deref().map_or(0, |parent| xxh3_64(parent.as_bytes()));
    Fingerprints::new(0).of_tenant(tenant, &mut Layouts::default()) ^ parent
}

/// What a customer holds of what its tenant manages, the same in every run.
#[must_use]
pub fn lasting_fingerprint_of(customer: &Customer<'_>, tenant: &Tenant<'_>) -> u64 {
    Fingerprints::new(0).of_customer(customer, &tenant.managed(), &mut Layouts::default())
}
