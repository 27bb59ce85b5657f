//! What earlier runs found out, customer by customer: what did not settle, what was acknowledged just before, who exists
//! though no listing shows it, and who failed.
//!
//! A finding holds until either side changes.

mod entry;
mod failure;
mod remembered;
mod written;

use std::collections::{BTreeMap, HashMap};

use crate::{
    compare::{Difference, Rule},
    model::{Customer, Field, Tenant},
};
pub use entry::{Acknowledged, Entry, Listed, Token};
pub use failure::Failure;
pub(crate) use failure::is_daily_due;
use remembered::Sides;
pub use remembered::{
    FieldFindings, Finding, Remembered, Seen, TOO_LARGE, lasting_fingerprint, lasting_fingerprint_of, token_hash,
};

const ANOTHER_TOKEN: &str =
    "get_customer shows another token than the ledger has, so it may be another customer: a run of all tenants tells";

const NEVER_LISTED: &str = "it exists already, and no run has seen it in the listing yet, so it may be in another data \
                            visibility group: a run of all tenants tells";

/// What is remembered of each customer, by its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    known: HashMap<String, Remembered>,
    /// Since when a rule does not hold any more for a field, in seconds since 1970.
    settled: BTreeMap<(Field, Rule), u64>,
    /// Whether there is to be a row for each customer, with its token.
    keeps_rows: bool,
}

impl Memory {
    /// Memory of a ledger that has a row for every customer.
    #[must_use]
    pub fn with_tokens(known: HashMap<String, Remembered>) -> Self {
        let mut memory = Self { keeps_rows: true, ..Self::default() };
        for known in known.values() {
            memory.settle(known);
        }
        Self { known, ..memory }
    }

    fn settle(&mut self, known: &Remembered) {
        for (field, (rule, at)) in &known.fields.settled {
            let since = self.settled.entry((*field, *rule)).or_insert(*at);
            *since = at.max(since).to_owned();
        }
    }

    /// Whether there is to be a row for each customer, which outlives the process.
    #[must_use]
    pub const fn keeps_rows(&self) -> bool {
        self.keeps_rows
    }

    /// Takes over what is to be remembered.
    pub fn remember(&mut self, entry: Entry) {
        let Entry { provided_id, former, token, mut remembered, .. } = entry;
        self.settle(&remembered);
        let former = former.and_then(|former| self.known.remove(&former));
        let before = self.known.get(&provided_id).or(former.as_ref());
        remembered.token = token.hash(before.and_then(|before| before.token)).filter(|_| self.keeps_rows);
        if self.keeps_rows || remembered.is_remarkable() {
            self.known.insert(provided_id, remembered);
        } else {
            self.known.remove(&provided_id);
        }
    }

    /// The hash of a customer's token, where that is known.
    #[must_use]
    pub fn token(&self, provided_id: &str) -> Option<u64> {
        self.known.get(provided_id)?.token
    }

    /// The hashes of all tokens that are known.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = u64> {
        self.known.values().filter_map(|known| known.token)
    }

    /// The parent of a customer that Explo acknowledged last.
    #[must_use]
    pub fn parent(&self, provided_id: &str) -> Option<&str> {
        self.known.get(provided_id)?.parent.as_deref()
    }

    /// When a customer's children were listed last, in seconds since 1970.
    #[must_use]
    pub fn children_listed_at(&self, provided_id: &str) -> Option<u64> {
        self.known.get(provided_id)?.children_listed_at
    }

    /// What was found out about this very difference, and still holds.
    #[must_use]
    pub fn of(&self, provided_id: &str, difference: &Difference) -> Option<&Finding> {
        let finding = self.known.get(provided_id)?.fields.unsettled.get(&difference.field)?;
        let settled_at = self.settled.get(&(difference.field, finding.rule));
        let is_over = settled_at.is_some_and(|settled| finding.at.is_none_or(|at| at <= *settled));
        (!is_over && finding.holds(difference)).then_some(finding)
    }

    /// Whether the last write wrote just this difference, and Explo acknowledged it: nothing is known of it yet.
    #[must_use]
    pub fn came_back(&self, provided_id: &str, difference: &Difference) -> bool {
        let written = self.known.get(provided_id).and_then(|known| known.fields.acknowledged.get(&difference.field));
        written == Some(&Sides::of(difference)) && self.of(provided_id, difference).is_none()
    }

    /// Whether the customer exists, and no listing showed it.
    pub(crate) fn is_hidden(&self, provided_id: &str) -> bool {
        self.known.get(provided_id).is_some_and(Remembered::is_hidden)
    }

    /// When a tenant's customer, which is hidden and was made to hold just this, was asked for last; `None` where it is no such
    /// customer.
    #[must_use]
    pub fn hidden<'t>(&self, provided_id: &str, tenant: impl FnOnce() -> Tenant<'t>) -> Option<u64> {
        let known = self.known.get(provided_id).filter(|known| known.is_settled_hidden())?;
        let Some(Seen::Hidden(asked_at)) = known.seen else { return None };
        (known.wanted == Some(lasting_fingerprint(&tenant()))).then_some(asked_at)
    }

    /// Whether its last write failed, whatever the row has been since.
    pub(crate) fn has_failed(&self, provided_id: &str) -> bool {
        self.known.get(provided_id).is_some_and(|known| known.failure.is_some())
    }

    /// The failure for which a customer is not to be written yet: the same is wanted, and too few runs have passed.
    pub(crate) fn waiting(&self, provided_id: &str, wanted: u64, now: u64) -> Option<&Failure> {
        let known = self.known.get(provided_id)?;
        let failure = known.failure.as_ref().filter(|failure| !failure.is_over(now))?;
        (known.wanted == Some(wanted)).then_some(failure)
    }

    /// The customers whose token is known from a listing: it is nobody's once a listing does not show them any more.
    pub(crate) fn listed_tokens(&self) -> impl Iterator<Item = &str> {
        let listed = self.known.iter().filter(|(_, known)| known.token.is_some() && !known.is_hidden());
        listed.map(|(provided_id, _)| provided_id.as_str())
    }

    /// The customers that no listing shows, and whose token is known.
    pub(crate) fn hidden_tokens(&self) -> impl Iterator<Item = &str> {
        let hidden = self.known.iter().filter(|(_, known)| known.token.is_some() && known.is_hidden());
        hidden.map(|(provided_id, _)| provided_id.as_str())
    }

    /// Since when listings lack a customer, in seconds since 1970.
    pub(crate) fn customer_gone_since(&self, provided_id: &str) -> Option<u64> {
        self.known.get(provided_id)?.customer_gone_since
    }

    /// Whether a listed customer has the token that is known; so it has where the listing shows none.
    pub(crate) fn has_token(&self, customer: &Customer<'_>, provided_id: &str) -> bool {
        customer.token.is_empty() || self.token(provided_id) == Some(token_hash(&customer.token))
    }

    /// Why a customer that one look shows may be another's than the tenant's with its id. One that no listing showed is not,
    /// if it holds just what is wanted and was not refused before.
    pub(crate) fn doubts(
        &self,
        customer: &Customer<'_>,
        provided_id: &str,
        is_equal: impl FnOnce() -> bool,
    ) -> Option<&'static str> {
        if !self.keeps_rows || self.has_token(customer, provided_id) || self.is_hidden(provided_id) {
            return None;
        }
        if self.token(provided_id).is_some() {
            return Some(ANOTHER_TOKEN);
        }
        let is_refused = self.known.get(provided_id).is_some_and(|known| known.failure.is_some());
        (is_refused || !is_equal()).then_some(NEVER_LISTED)
    }

    /// Whether what a listing shows of a customer is not remembered yet.
    pub(crate) fn lacks(&self, customer: &Customer<'_>, provided_id: &str, is_equal: bool) -> bool {
        let Some(known) = self.known.get(provided_id) else { return self.keeps_rows };
        let lacks_token = self.keeps_rows && !self.has_token(customer, provided_id);
        let is_back = known.customer_gone_since.is_some();
        let is_seen = matches!(known.seen, Some(Seen::Listed(seen)) if seen != TOO_LARGE);
        lacks_token || is_back || !is_seen || is_equal && known.failure.is_some()
    }

    /// The same where the record is too large to be read.
    pub(crate) fn lacks_too_large(&self, customer: &Customer<'_>, provided_id: &str) -> bool {
        let Some(known) = self.known.get(provided_id) else { return self.keeps_rows };
        let lacks_token = self.keeps_rows && !self.has_token(customer, provided_id);
        lacks_token || known.customer_gone_since.is_some() || known.seen != Some(Seen::Listed(TOO_LARGE))
    }

    /// Whether just what the tenant wants was sent to a customer whose record is too large to be read.
    pub(crate) fn is_sent_too_large<'t>(&self, provided_id: &str, tenant: impl FnOnce() -> Tenant<'t>) -> bool {
        let is_too_large = |known: &&Remembered| known.seen == Some(Seen::Listed(TOO_LARGE)) && known.failure.is_none();
        let known = self.known.get(provided_id).filter(is_too_large);
        known.is_some_and(|known| known.wanted == Some(lasting_fingerprint(&tenant())))
    }

    /// What is remembered of a customer until now.
    pub(crate) fn known(&self, provided_id: &str) -> Remembered {
        self.known.get(provided_id).cloned().unwrap_or_default()
    }

    /// Those of which something may have to be forgotten.
    pub(crate) fn open(&self) -> impl Iterator<Item = &str> {
        let is_acknowledged = |known: &Remembered| !self.keeps_rows && !known.fields.acknowledged.is_empty();
        let open = self.known.iter().filter(move |(_, known)| known.is_open() || is_acknowledged(known));
        open.map(|(provided_id, _)| provided_id.as_str())
    }

    /// Whether this is another than what is remembered. A row is not written for the sake of an acknowledgement alone, which
    /// costs a look where the very same difference comes back later.
    pub(crate) fn is_news(&self, provided_id: &str, remembered: &Remembered) -> bool {
        let mut before = self.known(provided_id);
        if self.keeps_rows {
            before.fields.acknowledged.clone_from(&remembered.fields.acknowledged);
        }
        before != *remembered
    }
}
