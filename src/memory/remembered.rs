//! What is remembered of one customer. Both sides of a difference are stored as hashes of the form of comparison,
//! without the random seed of a run.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::Failure;
use crate::{
    compare::{Difference, Known, Rule, Unsettled},
    model::Field,
};

/// What is remembered of one customer. Fingerprints are [lasting](crate::compare::lasting_fingerprint).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The hash of its token.
    pub token: Option<u64>,
    /// The parent that Explo last acknowledged.
    pub parent: Option<String>,
    /// When its children were last listed, in seconds since 1970.
    pub children_listed_at: Option<u64>,
    /// Since when complete listings have lacked it, in seconds since 1970.
    pub customer_gone_since: Option<u64>,
    /// Since when complete reads have lacked its row, in seconds since 1970 by the later of the ledger's clock and ours.
    pub row_gone_since: Option<u64>,
    /// What its tenant wanted at the last write, successful or not.
    pub wanted: Option<u64>,
    /// What Explo last showed.
    pub seen: Option<Seen>,
    /// What was found out about its fields.
    pub fields: FieldFindings,
    /// The failure of its last write.
    pub failure: Option<Failure>,
}

/// How Explo last showed a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// In a listing, or in the answer to a write: the fingerprint of its values.
    Listed(u64),
    /// Only in the answer to a create or to a look-up: it exists, and no listing shows it. With the time of the last
    /// look-up, in seconds since 1970.
    Hidden(u64),
}

/// What was found out about the fields of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldFindings {
    pub(crate) unsettled: BTreeMap<Field, Finding>,
    /// The differences that the last write sent: if one is listed again, it was not stored, or came back.
    pub(crate) acknowledged: BTreeMap<Field, Sides>,
    /// Rules by which a field did not settle and now does, and since when: earlier findings by the same rule, about any
    /// customer, are no longer valid.
    pub(crate) settled: BTreeMap<Field, (Rule, u64)>,
}

/// A difference that does not settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    pub(crate) sides: Sides,
    /// The probable reason.
    pub rule: Rule,
    /// It was never sent; other customers' updates showed the rule.
    pub is_predicted: bool,
    /// When it was sent or predicted, in seconds since 1970; an earlier version did not store it.
    pub at: Option<u64>,
}

/// Hashes of both sides of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sides {
    pub(crate) wanted: u64,
    pub(crate) current: u64,
}

impl Remembered {
    /// Whether a run may have to change it even if the listing lacks the customer.
    pub(crate) fn is_open(&self) -> bool {
        self.is_hidden() || self.failure.is_some() || !self.fields.unsettled.is_empty()
    }

    /// Whether its customer exists, and no listing shows it.
    pub(crate) fn is_hidden(&self) -> bool {
        matches!(self.seen, Some(Seen::Hidden(_)))
    }

    /// Whether it is worth remembering if tokens are not.
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

    /// Whether its customer is hidden and its last write did not fail.
    pub(crate) fn is_settled_hidden(&self) -> bool {
        self.is_hidden() && self.failure.is_none()
    }

    /// Its tenant is gone: forgets what was found out about it.
    pub(crate) fn forget_tenant(&mut self) {
        self.fields = FieldFindings::default();
        self.failure = None;
        if self.is_hidden() {
            (self.seen, self.wanted) = (None, None);
        }
    }
}

impl FieldFindings {
    /// Notes that these differences were written at this time, and that all settled except the unsettled ones.
    pub(crate) fn learn(&mut self, written: &[Difference], unsettled: &[Unsettled], at: u64) {
        for difference in written {
            self.unsettled.remove(&difference.field);
            self.acknowledged.insert(difference.field, Sides::of(difference));
        }
        for one in unsettled {
            self.find(one, at);
        }
    }

    /// Notes that a difference does not settle. One that only presumably does not settle counts as acknowledged, so
    /// that the next run may look it up.
    pub(crate) fn find(&mut self, Unsettled { difference, rule, known }: &Unsettled, at: u64) {
        let (field, sides) = (difference.field, Sides::of(difference));
        let found = |is_predicted| Finding { sides, rule: *rule, is_predicted, at: Some(at) };
        match known {
            Known::Presumably => drop(self.acknowledged.insert(field, sides)),
            Known::Now => drop(self.unsettled.insert(field, found(false))),
            Known::Predicted => drop(self.unsettled.insert(field, found(true))),
            // It is stored already, with its time.
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

    /// Whether it is valid for this difference. A finding without a time may be a guess: it is valid only if the rule
    /// predicts exactly what Explo shows.
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

/// Stands for the fingerprint of a customer whose record is too large to be read.
pub const TOO_LARGE: u64 = u64::from_be_bytes(*b"toolarge");

/// A hash of a token, to compare tokens without storing them.
#[must_use]
pub fn token_hash(token: &str) -> u64 {
    xxh3_64(token.as_bytes())
}
