//! What earlier runs found out, customer by customer: what did not settle, what was acknowledged just before, who exists
//! though no listing shows it, and who failed. The two sides of a difference are kept as hashes of the comparison form.
//!
//! A finding holds until either side changes. Nothing here depends on a run's random seed.

use std::collections::{BTreeMap, HashMap};

use secrecy::{ExposeSecret, SecretString};
use xxhash_rust::xxh3::xxh3_64;

use super::{Difference, Fingerprints, Rule, Unsettled};
use crate::model::{Customer, Field, Tenant};

/// A tenant that failed is tried again after so long at the latest: a run that comes daily tries it each time.
const LONGEST_WAIT_SECONDS: u64 = 23 * 3600;

/// Runs that a tenant waits for at the most.
const MOST_RUNS: u32 = 1 << 16;

/// Characters of an error that are kept.
const LONGEST_ERROR: usize = 1000;

/// What is known of each customer, by its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    known: HashMap<String, Known>,
    /// Whether there is to be a row for each customer, with its token.
    keeps_tokens: bool,
}

/// What is known of one customer. Fingerprints are [`lasting_fingerprint`]s.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// A hash of its token.
    pub token: Option<u64>,
    /// What its tenant wanted when it was written last, or when that failed.
    pub wanted: Option<u64>,
    /// What Explo showed last; `None` where no listing shows it.
    pub seen: Option<u64>,
    /// What was found out about its fields.
    pub fields: FieldFindings,
    /// That its last write failed.
    pub failure: Option<Failure>,
}

/// What was found out about the fields of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldFindings {
    pub(super) unsettled: BTreeMap<Field, (Sides, Rule)>,
    /// Of the last run alone: a difference that is there again was not written for good, or came back.
    pub(super) acknowledged: BTreeMap<Field, Sides>,
}

/// Hashes of what is wanted and what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) wanted: u64,
    pub(super) seen: u64,
}

/// A tenant's own fault. It is tried again at the next run, then after 2, 4, 8 … runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In a row.
    pub times: u32,
    /// Runs to let pass before the next try.
    pub runs_to_wait: u32,
    /// Then it is tried whatever the runs, in seconds since 1970.
    pub next_try: u64,
    /// Why, the last time.
    pub error: String,
}

/// What is to be remembered of one customer from now on.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Whose it is.
    pub provided_id: String,
    /// Its token, where the answer or the listing had one; else the one that is known stays.
    pub token: Option<SecretString>,
    /// All the rest.
    pub known: Known,
    /// Whether Explo showed or acknowledged it just now.
    pub is_synced: bool,
}

impl Findings {
    /// Findings of a ledger that has a row for every customer.
    #[must_use]
    pub fn with_tokens(known: HashMap<String, Known>) -> Self {
        Self { known, keeps_tokens: true }
    }

    /// Takes what is to be remembered.
    pub fn take(&mut self, entry: Entry) {
        let Entry { provided_id, mut known, .. } = entry;
        known.token = known.token.filter(|_| self.keeps_tokens);
        if self.keeps_tokens || known.is_remarkable() {
            self.known.insert(provided_id, known);
        } else {
            self.known.remove(&provided_id);
        }
    }

    /// Whether its token is known.
    #[must_use]
    pub fn has_token(&self, provided_id: &str) -> bool {
        self.known.get(provided_id).is_some_and(|known| known.token.is_some())
    }

    /// Why writing this difference is of no use, where that is known.
    #[must_use]
    pub fn rule(&self, provided_id: &str, difference: &Difference) -> Option<Rule> {
        let (sides, rule) = self.known.get(provided_id)?.fields.unsettled.get(&difference.field)?;
        (*sides == Sides::of(difference)).then_some(*rule)
    }

    /// Whether the last run wrote just this difference, and Explo acknowledged it: nothing is known of it yet.
    #[must_use]
    pub fn came_back(&self, provided_id: &str, difference: &Difference) -> bool {
        let written = self.known.get(provided_id).and_then(|known| known.fields.acknowledged.get(&difference.field));
        written == Some(&Sides::of(difference)) && self.rule(provided_id, difference).is_none()
    }

    /// Whether the tenant's customer exists, unlisted, and was made to hold just this.
    #[must_use]
    pub fn is_unlisted(&self, tenant: &Tenant) -> bool {
        self.known.get(&tenant.provided_id).is_some_and(|known| {
            known.seen.is_none() && known.failure.is_none() && known.wanted == Some(lasting_fingerprint(tenant))
        })
    }

    /// Whether its last write failed, whatever the row has been since.
    #[must_use]
    pub fn has_failed(&self, provided_id: &str) -> bool {
        self.known.get(provided_id).is_some_and(|known| known.failure.is_some())
    }

    /// The failure for which a tenant is not to be tried yet: its row is the same, and too few runs have passed.
    #[must_use]
    pub fn waiting(&self, tenant: &Tenant, now: u64) -> Option<&Failure> {
        let known = self.known.get(&tenant.provided_id)?;
        let failure = known.failure.as_ref()?;
        let is_due = failure.runs_to_wait == 0 || failure.next_try <= now;
        (!is_due && known.wanted == Some(lasting_fingerprint(tenant))).then_some(failure)
    }

    /// Whether what a listing shows of a customer is not remembered yet.
    #[must_use]
    pub(super) fn lacks(&self, customer: &Customer<'_>, provided_id: &str, is_equal: bool) -> bool {
        let Some(known) = self.known.get(provided_id) else { return self.keeps_tokens };
        let has_token = customer.token.is_empty() || known.token == Some(token_hash(&customer.token));
        self.keeps_tokens && !has_token || known.seen.is_none() || is_equal && known.failure.is_some()
    }

    /// What is remembered of a customer until now.
    #[must_use]
    pub(super) fn known(&self, provided_id: &str) -> Known {
        self.known.get(provided_id).cloned().unwrap_or_default()
    }

    /// The customers that the last run wrote.
    pub(super) fn just_written(&self) -> impl Iterator<Item = &str> {
        let written = self.known.iter().filter(|(_, known)| !known.fields.acknowledged.is_empty());
        written.map(|(provided_id, _)| provided_id.as_str())
    }
}

impl Known {
    /// Whether this is worth remembering where tokens are not.
    fn is_remarkable(&self) -> bool {
        let is_unlisted = self.wanted.is_some() && self.seen.is_none();
        is_unlisted || self.failure.is_some() || self.fields != FieldFindings::default()
    }
}

impl FieldFindings {
    /// These differences were written, and all but the unsettled ones settled.
    pub(super) fn learn(&mut self, written: &[Difference], unsettled: &[Unsettled]) {
        for difference in written {
            self.unsettled.remove(&difference.field);
            self.acknowledged.insert(difference.field, Sides::of(difference));
        }
        for Unsettled { difference, rule, .. } in unsettled {
            self.unsettled.insert(difference.field, (Sides::of(difference), *rule));
        }
    }
}

impl Failure {
    /// One more failure, after those before.
    #[must_use]
    pub fn after(before: Option<&Self>, error: &str, now: u64) -> Self {
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        let runs = 1_u32.checked_shl(times - 1).unwrap_or(MOST_RUNS).min(MOST_RUNS);
        let error = error.chars().take(LONGEST_ERROR).collect();
        Self { times, runs_to_wait: runs - 1, next_try: now + LONGEST_WAIT_SECONDS, error }
    }

    /// One run has passed.
    pub(super) fn pass(&mut self) {
        self.runs_to_wait = self.runs_to_wait.saturating_sub(1);
    }
}

impl Entry {
    /// What is known from now on, with a token where there is one.
    pub(super) fn new(provided_id: &str, token: Option<&SecretString>, mut known: Known) -> Self {
        let token = token.filter(|token| !token.expose_secret().is_empty());
        if let Some(token) = token {
            known.token = Some(token_hash(token.expose_secret()));
        }
        Self { provided_id: provided_id.to_owned(), token: token.cloned(), known, is_synced: false }
    }

    /// What was to be remembered before, and this since.
    #[must_use]
    pub fn after(mut self, before: Self) -> Self {
        self.is_synced |= before.is_synced;
        if self.token.is_none() {
            self.token = before.token;
            self.known.token = before.known.token;
        }
        self
    }
}

/// A hash that tells tokens apart without holding one.
#[must_use]
pub fn token_hash(token: &str) -> u64 {
    xxh3_64(token.as_bytes())
}

/// What a tenant wants, the same in every run.
#[must_use]
pub fn lasting_fingerprint(tenant: &Tenant) -> u64 {
    Fingerprints::new(0).of_tenant(tenant)
}

/// What a customer holds of what its tenant manages, the same in every run.
#[must_use]
pub fn lasting_fingerprint_of(customer: &Customer<'_>, tenant: &Tenant) -> u64 {
    Fingerprints::new(0).of_customer(customer, &tenant.managed())
}

impl Sides {
    fn of(difference: &Difference) -> Self {
        Self { wanted: xxh3_64(difference.new.as_bytes()), seen: xxh3_64(difference.old.as_bytes()) }
    }
}
