//! What earlier runs found out about each customer: what did not settle, what was acknowledged last, which customers
//! exist although no listing shows them, and which writes failed.
//!
//! A finding is valid until either side changes.

mod deletion;
mod entry;
mod failure;
mod gone;
mod offboarded;
mod overview;
mod remembered;
mod written;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    compare::{Difference, Rule, lasting_fingerprint},
    model::{Customer, Field, Tenant},
};
pub(crate) use deletion::{DELETING, as_deleted, is_deleted};
pub use entry::{Acknowledged, Entry, Listed, Note, Token};
pub use failure::Failure;
pub(crate) use failure::is_daily_due;
pub(crate) use offboarded::LOCKED_OUT;
pub use offboarded::{Action, Departed, LockedOut, offboarded};
pub use overview::Overview;
use remembered::Sides;
pub use remembered::{FieldFindings, Finding, Remembered, Seen, TOO_LARGE, token_hash};

const ANOTHER_TOKEN: &str =
    "get_customer shows another token than the ledger has, so it may be another customer: a run of all tenants decides";

const NEVER_LISTED: &str = "it exists already, and no run has seen it in the listing yet, so it may be in another data \
                            visibility group: a run of all tenants decides";

/// The most bytes of an id in a ledger's key; MySQL's index has room for 3,072, PostgreSQL's for 2,704.
pub const LONGEST_ID: usize = 2048;

/// What is remembered of each customer, by its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    known: HashMap<String, Remembered>,
    /// Since when a rule is no longer valid for a field, in seconds since 1970.
    settled: BTreeMap<(Field, Rule), u64>,
    /// Whether each customer has a row, with its token.
    keeps_rows: bool,
    /// What the last complete listing showed as a whole.
    overview: Option<Overview>,
    /// The time of loading by the ledger's own clock, as the ledger writes it.
    loaded_at: Option<String>,
    /// The same in seconds since 1970.
    clock: Option<u64>,
    /// The customers of gone rows that another instance has.
    taken: BTreeSet<String>,
    /// What `lock_out` emptied, by the customer's id.
    locked_out: BTreeMap<String, LockedOut>,
    /// The customers whose deletion was begun and is not known to be done.
    deleting: BTreeSet<String>,
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

    /// The same, loaded at this time of the ledger's own clock: as the ledger writes it, and in seconds since 1970.
    #[must_use]
    pub fn loaded_at(self, loaded_at: Option<String>, clock: Option<u64>) -> Self {
        Self { loaded_at, clock, ..self }
    }

    /// The same; of the customers whose row is gone, another instance has these.
    #[must_use]
    pub fn with_taken(self, taken: BTreeSet<String>) -> Self {
        Self { taken, ..self }
    }

    /// The same, with what the last complete listing showed as a whole.
    #[must_use]
    pub fn with_overview(self, overview: Option<Overview>) -> Self {
        Self { overview, ..self }
    }

    /// The same, with what `lock_out` emptied, by the customer's id.
    #[must_use]
    pub fn with_locked_out(self, locked_out: BTreeMap<String, LockedOut>) -> Self {
        Self { locked_out, ..self }
    }

    /// What the last complete listing showed as a whole; `None` if there was none.
    #[must_use]
    pub fn overview(&self) -> Option<&Overview> {
        self.overview.as_ref()
    }

    /// When it was loaded, by the ledger's own clock, as the ledger writes it.
    #[must_use]
    pub fn time_of_loading(&self) -> Option<&str> {
        self.loaded_at.as_deref()
    }

    /// The memory of these customers alone.
    #[must_use]
    pub fn of_some(&self, provided_ids: &BTreeSet<String>) -> Self {
        let known = provided_ids.iter().filter_map(|id| Some((id.clone(), self.known.get(id)?.clone())));
        let locked_out = self.locked_out.iter().filter(|(id, _)| provided_ids.contains(*id));
        let locked_out = locked_out.map(|(id, one)| (id.clone(), one.clone())).collect();
        Self { known: known.collect(), locked_out, ..self.without_customers() }
    }

    fn without_customers(&self) -> Self {
        Self { known: HashMap::new(), settled: self.settled.clone(), keeps_rows: self.keeps_rows, ..Self::default() }
            .with_overview(self.overview.clone())
            .loaded_at(self.loaded_at.clone(), self.clock)
    }

    /// Whether each customer has a row that outlives the process.
    #[must_use]
    pub const fn keeps_rows(&self) -> bool {
        self.keeps_rows
    }

    /// Stores what a run found out.
    pub fn note(&mut self, note: Note) {
        match note {
            Note::Customer(entry) => self.remember(*entry),
            Note::Group(group) => {
                if let Some(overview) = &mut self.overview {
                    overview.access_groups.insert(group);
                }
            }
            Note::Overview(overview) => self.overview = Some(*overview),
        }
    }

    /// Stores an entry.
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

    /// The hash of a customer's token, if known.
    #[must_use]
    pub fn token(&self, provided_id: &str) -> Option<u64> {
        self.known.get(provided_id)?.token
    }

    /// The hashes of all known tokens.
    pub fn tokens(&self) -> impl Iterator<Item = u64> {
        self.tokens_by_id().map(|(_, token)| token)
    }

    /// The ids of the customers whose tokens are known, with the tokens' hashes.
    pub fn tokens_by_id(&self) -> impl Iterator<Item = (&str, u64)> {
        self.known.iter().filter_map(|(provided_id, known)| Some((&**provided_id, known.token?)))
    }

    /// The parent of a customer as Explo last acknowledged it.
    #[must_use]
    pub fn parent(&self, provided_id: &str) -> Option<&str> {
        self.known.get(provided_id)?.parent.as_deref()
    }

    /// When a customer's children were last listed, in seconds since 1970.
    #[must_use]
    pub fn children_listed_at(&self, provided_id: &str) -> Option<u64> {
        self.known.get(provided_id)?.children_listed_at
    }

    /// The finding about exactly this difference, if still valid.
    #[must_use]
    pub fn of(&self, provided_id: &str, difference: &Difference) -> Option<&Finding> {
        let finding = self.known.get(provided_id)?.fields.unsettled.get(&difference.field)?;
        let settled_at = self.settled.get(&(difference.field, finding.rule));
        let is_over = settled_at.is_some_and(|settled| finding.at.is_none_or(|at| at <= *settled));
        (!is_over && finding.holds(difference)).then_some(finding)
    }

    /// Whether the last write sent exactly this difference and Explo acknowledged it, and there is no finding about it.
    #[must_use]
    pub fn came_back(&self, provided_id: &str, difference: &Difference) -> bool {
        let written = self.known.get(provided_id).and_then(|known| known.fields.acknowledged.get(&difference.field));
        written == Some(&Sides::of(difference)) && self.of(provided_id, difference).is_none()
    }

    /// Whether the customer exists although no listing shows it.
    pub(crate) fn is_hidden(&self, provided_id: &str) -> bool {
        self.known.get(provided_id).is_some_and(Remembered::is_hidden)
    }

    /// When a tenant's hidden customer was last looked up; `None` if it is not hidden, or was not written with exactly
    /// these values.
    #[must_use]
    pub fn hidden<'t>(&self, provided_id: &str, tenant: impl FnOnce() -> Tenant<'t>) -> Option<u64> {
        let known = self.known.get(provided_id).filter(|known| known.is_settled_hidden())?;
        let Some(Seen::Hidden(asked_at)) = known.seen else { return None };
        (known.wanted == Some(lasting_fingerprint(&tenant()))).then_some(asked_at)
    }

    /// Whether its last write failed, even if the row has changed since.
    pub(crate) fn has_failed(&self, provided_id: &str) -> bool {
        self.known.get(provided_id).is_some_and(|known| known.failure.is_some())
    }

    /// The failure of its last write, if the same was wanted.
    pub(crate) fn refused(&self, provided_id: &str, wanted: u64) -> Option<&Failure> {
        let known = self.known.get(provided_id).filter(|known| known.wanted == Some(wanted))?;
        known.failure.as_ref()
    }

    /// The failure because of which a customer must not be written yet: the same is wanted, and too few runs have
    /// passed.
    pub(crate) fn waiting(&self, provided_id: &str, wanted: u64, now: u64) -> Option<&Failure> {
        self.refused(provided_id, wanted).filter(|failure| !failure.is_over(now))
    }

    /// The customers whose token is known from a listing: once a listing lacks them, the token may be no customer's.
    pub(crate) fn listed_tokens(&self) -> impl Iterator<Item = &str> {
        let listed = self.known.iter().filter(|(_, known)| known.token.is_some() && !known.is_hidden());
        listed.map(|(provided_id, _)| provided_id.as_str())
    }

    /// The hidden customers whose token is known.
    pub(crate) fn hidden_tokens(&self) -> impl Iterator<Item = &str> {
        let hidden = self.known.iter().filter(|(_, known)| known.token.is_some() && known.is_hidden());
        hidden.map(|(provided_id, _)| provided_id.as_str())
    }

    /// Since when listings have lacked a customer, in seconds since 1970.
    pub(crate) fn customer_gone_since(&self, provided_id: &str) -> Option<u64> {
        self.known.get(provided_id)?.customer_gone_since
    }

    /// Whether a customer has the known token; true if Explo shows no token.
    pub(crate) fn has_token(&self, customer: &Customer<'_>, provided_id: &str) -> bool {
        customer.token.is_empty() || self.token(provided_id) == Some(token_hash(&customer.token))
    }

    /// Why a customer that was looked up alone may not be the tenant's although it has its id. A customer that was
    /// never listed is accepted if it equals the tenant and no write to it failed before.
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

    /// Whether the listing shows something of a customer that is not remembered yet. `equal` gives the lasting
    /// fingerprint of its tenant if the two are equal.
    pub(crate) fn lacks(
        &self,
        customer: &Customer<'_>,
        provided_id: &str,
        equal: Option<impl FnOnce() -> u64>,
    ) -> bool {
        let Some(known) = self.known.get(provided_id) else { return self.keeps_rows };
        let lacks_token = self.keeps_rows && !self.has_token(customer, provided_id);
        let is_back = known.customer_gone_since.is_some();
        let is_seen = matches!(known.seen, Some(Seen::Listed(seen)) if seen != TOO_LARGE);
        let is_news = |wanted: u64| known.failure.is_some() || self.keeps_rows && known.wanted != Some(wanted);
        let has_left = self.locked_out.contains_key(provided_id) || self.is_deleting(provided_id);
        let is_returned = has_left && equal.is_some();
        lacks_token || is_back || is_returned || !is_seen || equal.is_some_and(|wanted| is_news(wanted()))
    }

    /// Whether this was wanted when the customer was last compared or written, and nothing was left to do that can be
    /// done: only a listing may show a difference.
    #[must_use]
    pub fn is_at_rest(&self, provided_id: &str, wanted: u64) -> bool {
        let is_at_rest = |known: &Remembered| {
            let is_there = known.seen.is_some() && known.customer_gone_since.is_none();
            known.wanted == Some(wanted) && known.failure.is_none() && is_there
        };
        self.keeps_rows && self.known.get(provided_id).is_some_and(is_at_rest)
    }

    /// The same, and the customer also has the wanted values.
    #[must_use]
    pub fn is_in_sync(&self, provided_id: &str, wanted: u64) -> bool {
        self.is_at_rest(provided_id, wanted) && !self.is_unsettled(provided_id)
    }

    /// Whether a difference of this customer is known not to settle.
    pub(crate) fn is_unsettled(&self, provided_id: &str) -> bool {
        self.known.get(provided_id).is_some_and(|known| !known.fields.unsettled.is_empty())
    }

    /// Whether a customer was listed, or acknowledged: it exists, unless somebody deleted it.
    #[must_use]
    pub fn is_made(&self, provided_id: &str) -> bool {
        self.known.get(provided_id).is_some_and(|known| known.token.is_some() || known.seen.is_some())
    }

    /// The same for a record that is too large to be read.
    pub(crate) fn lacks_too_large(&self, customer: &Customer<'_>, provided_id: &str) -> bool {
        let Some(known) = self.known.get(provided_id) else { return self.keeps_rows };
        let lacks_token = self.keeps_rows && !self.has_token(customer, provided_id);
        lacks_token || known.customer_gone_since.is_some() || known.seen != Some(Seen::Listed(TOO_LARGE))
    }

    /// Whether exactly what the tenant wants was already sent to a customer whose record is too large to be read.
    pub(crate) fn is_sent_too_large<'t>(&self, provided_id: &str, tenant: impl FnOnce() -> Tenant<'t>) -> bool {
        let is_too_large = |known: &&Remembered| known.seen == Some(Seen::Listed(TOO_LARGE)) && known.failure.is_none();
        let known = self.known.get(provided_id).filter(is_too_large);
        known.is_some_and(|known| known.wanted == Some(lasting_fingerprint(&tenant())))
    }

    /// What is remembered of a customer, if anything is.
    pub(crate) fn recalled(&self, provided_id: &str) -> Option<&Remembered> {
        self.known.get(provided_id)
    }

    /// What is remembered of a customer.
    pub(crate) fn known(&self, provided_id: &str) -> Remembered {
        self.known.get(provided_id).cloned().unwrap_or_default()
    }

    /// The customers of which something may have to be forgotten.
    pub(crate) fn open(&self) -> impl Iterator<Item = &str> {
        let is_acknowledged = |known: &Remembered| !self.keeps_rows && !known.fields.acknowledged.is_empty();
        let open = self.known.iter().filter(move |(_, known)| known.is_open() || is_acknowledged(known));
        open.map(|(provided_id, _)| provided_id.as_str())
    }

    /// Whether this differs from what is remembered. An acknowledgement alone is not worth a write: without it, if the
    /// same difference comes back later, one look-up is made.
    pub(crate) fn is_news(&self, provided_id: &str, remembered: &Remembered) -> bool {
        let mut before = self.known(provided_id);
        if self.keeps_rows {
            before.fields.acknowledged.clone_from(&remembered.fields.acknowledged);
        }
        before != *remembered
    }
}
