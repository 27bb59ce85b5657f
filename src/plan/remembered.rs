//! What is remembered of one customer. The two sides of a difference are kept as hashes of the comparison form, and nothing
//! depends on a run's random seed.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::{Difference, Failure, Fingerprints, Known, Layouts, Rule, Unsettled};
use crate::model::{Customer, Field, Tenant};

/// What is remembered of one customer. Fingerprints are [`lasting_fingerprint`]s.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// A hash of its token.
    pub token: Option<u64>,
    /// The parent that Explo acknowledged last.
    pub parent: Option<String>,
    /// When its children were listed last, in seconds since 1970.
    pub children_listed_at: Option<u64>,
    /// What its tenant wanted when it was written last, or when that failed.
    pub wanted: Option<u64>,
    /// What Explo showed last.
    pub seen: Option<Shown>,
    /// What was found out about its fields.
    pub fields: FieldFindings,
    /// That its last write failed.
    pub failure: Option<Failure>,
}

/// How a customer was seen last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// In a listing, or in the answer to a write: the fingerprint of what it held.
    Listed(u64),
    /// In the answer to a create alone: it existed, and no listing showed it.
    Unlisted,
}

/// What was found out about the fields of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldFindings {
    pub(super) unsettled: BTreeMap<Field, (Sides, Rule)>,
    /// Of its last write: a difference that is there again was not written for good, or came back.
    pub(super) acknowledged: BTreeMap<Field, Sides>,
}

/// Hashes of what is wanted and what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) wanted: u64,
    pub(super) seen: u64,
}

impl Remembered {
    /// Whether a run that does not meet it may have to change it all the same.
    pub(super) fn is_open(&self) -> bool {
        self.seen == Some(Shown::Unlisted) || self.failure.is_some() || !self.fields.unsettled.is_empty()
    }

    /// Whether it is worth remembering where tokens are not.
    pub(super) fn is_remarkable(&self) -> bool {
        let exists_unlisted = self.seen == Some(Shown::Unlisted) && self.wanted.is_some();
        let is_settled = self.failure.is_none() && self.fields == FieldFindings::default();
        exists_unlisted || !is_settled || self.parent.is_some() || self.children_listed_at.is_some()
    }

    /// Whether its customer exists unlisted, and nothing is wrong with it.
    pub(super) fn is_settled_unlisted(&self) -> bool {
        self.seen == Some(Shown::Unlisted) && self.failure.is_none()
    }

    /// Its tenant is gone: what was found out about it does not matter any more.
    pub(super) fn forget_tenant(&mut self) {
        self.fields = FieldFindings::default();
        self.failure = None;
        if self.seen == Some(Shown::Unlisted) {
            (self.seen, self.wanted) = (None, None);
        }
    }
}

impl FieldFindings {
    /// These differences were written, and all but the unsettled ones settled.
    pub(super) fn learn(&mut self, written: &[Difference], unsettled: &[Unsettled]) {
        for difference in written {
            self.unsettled.remove(&difference.field);
            self.acknowledged.insert(difference.field, Sides::of(difference));
        }
        for one in unsettled {
            self.find(one);
        }
    }

    /// A difference does not settle; what only presumably does not is neither looked at nor written: the next run may look.
    pub(super) fn find(&mut self, Unsettled { difference, rule, known }: &Unsettled) {
        let sides = Sides::of(difference);
        match known {
            Known::Presumably => drop(self.acknowledged.insert(difference.field, sides)),
            Known::Now | Known::Before => drop(self.unsettled.insert(difference.field, (sides, *rule))),
        }
    }
}

impl Sides {
    pub(super) fn of(difference: &Difference) -> Self {
        Self { wanted: xxh3_64(difference.new.as_bytes()), seen: xxh3_64(difference.old.as_bytes()) }
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
