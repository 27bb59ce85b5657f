//! What a listing, or some looks, showed: every customer is taken once, compared with its tenant, and forgotten.

mod renames;
mod tokens;
mod unreadable;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Draft, Extent, Index, Listed, Memory, News, Population, Probe, RowNumber, Rules, Tags, Token, compare,
    compared::Compared,
    doubt::{Doubtful, Faults, Seen},
    draft::Stage,
    hierarchy::{Hierarchy, Placed},
    lasting_fingerprint, lasting_fingerprint_of,
    rename::{self, Former, Verdict},
};
use crate::model::{Customer, Tenant};
use tokens::Tokens;

const FORMER_UNKNOWN: &str = "the customer with its previous id is none that the ledger knows, so it may be another tenant's: a \
                              run of all tenants tells";

/// The tenants, and what was seen of the customers so far.
#[derive(Debug)]
pub struct Census<'m> {
    compared: Compared<'m>,
    population: Population,
    tags: Tags,
    tokens: Tokens<'m>,
    /// What is to be remembered of those that were seen.
    listed: Vec<Listed>,
    doubtful: Doubtful,
    /// Seen under the previous id of tenants: what that means shows at the end of the listing.
    former: Vec<Former>,
    /// More than one customer was seen for these.
    doubled: BTreeSet<RowNumber>,
    /// The customers of these can't be read.
    unread: BTreeSet<RowNumber>,
}

impl<'m> Census<'m> {
    /// Begins with the tenants, and with what earlier runs found out.
    #[must_use]
    pub fn new(index: Index, rules: Rules, memory: &'m Memory, extent: Extent) -> Self {
        Self {
            compared: Compared {
                index,
                rules,
                memory,
                extent,
                now: 0,
                retry_failed: false,
                updates: Vec::new(),
                unsettled: Vec::new(),
            },
            population: Population::default(),
            tags: Tags::default(),
            tokens: Tokens::new(memory),
            listed: Vec::new(),
            doubtful: Doubtful::default(),
            former: Vec::new(),
            doubled: BTreeSet::new(),
            unread: BTreeSet::new(),
        }
    }

    /// When the run begins, in seconds since 1970, and whether nobody waits in it.
    #[must_use]
    pub fn at(mut self, now: u64, retry_failed: bool) -> Self {
        (self.compared.now, self.compared.retry_failed) = (now, retry_failed);
        self
    }

    /// Customers seen so far.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.population.customers
    }

    /// How many tokens are remembered, where the listing shows none of them although they are more than a few.
    #[must_use]
    pub fn strangers(&self) -> Option<usize> {
        self.tokens.strangers()
    }

    /// The tenant with this id.
    #[must_use]
    pub fn tenant_of(&self, provided_id: &str) -> Option<Tenant<'static>> {
        self.compared.index.tenant_of(provided_id)
    }

    /// Takes a customer; each is to be given once.
    pub fn observe(&mut self, customer: &Customer<'_>) {
        self.population.customers += 1;
        let group = customer.access_group.as_deref().unwrap_or_default();
        if !self.population.access_groups.contains(group) {
            self.population.access_groups.insert(group.to_owned());
        }
        self.tags.see(&customer.group_tags);
        if let Some(provided_id) = customer.provided_id.as_deref() {
            let probe = self.compared.index.probe(customer);
            self.see(customer, provided_id, probe);
        }
    }

    fn see(&mut self, customer: &Customer<'_>, provided_id: &str, probe: Probe) {
        self.tokens.see(customer, provided_id);
        match probe {
            Probe::Orphan => return self.population.orphans.push(provided_id.to_owned()),
            Probe::Ignored => {}
            Probe::Equal(row) => self.remember(row, customer, provided_id, true),
            Probe::Differs(row) => {
                self.remember(row, customer, provided_id, false);
                let seen = self.seen(row, customer);
                self.take(seen);
            }
            Probe::Doubled(row) => self.see_again(row, provided_id),
            Probe::Previous(rows) => {
                let seen = rows.into_iter().map(|row| self.seen(row, customer)).collect();
                return self.former.push(Former::new(customer, provided_id, seen, false));
            }
        }
        self.population.with_tenant += 1;
    }

    fn see_again(&mut self, row: RowNumber, provided_id: &str) {
        self.tokens.find(provided_id);
        self.doubled.insert(row);
    }

    fn remember(&mut self, row: RowNumber, customer: &Customer<'_>, provided_id: &str, is_equal: bool) {
        let Compared { index, memory, extent, .. } = &self.compared;
        let is_hidden = *extent == Extent::Some && memory.is_hidden(provided_id);
        if is_hidden || !memory.lacks(customer, provided_id, is_equal) {
            return;
        }
        self.tokens.find(provided_id);
        let tenant = index.tenant(row);
        self.listed.push(Listed {
            provided_id: provided_id.to_owned(),
            token: Token::shown(&customer.token),
            seen: lasting_fingerprint_of(customer, &tenant),
            equal: is_equal.then(|| lasting_fingerprint(&tenant)),
        });
    }

    /// Takes what a look at one tenant's customer showed. Without a listing, what is remembered is the only evidence that the
    /// customer is the tenant's.
    pub fn observe_alone(&mut self, customer: &Customer<'_>) {
        let Compared { index, memory, rules, .. } = &self.compared;
        let provided_id = customer.provided_id.as_deref().unwrap_or_default();
        let doubt = index.row(provided_id).and_then(|row| {
            let is_equal = || compare(&index.tenant(row), customer, *rules).is_empty();
            Some((row, memory.doubts(customer, provided_id, is_equal)?))
        });
        let claimants = self.claimants_in_doubt(customer, provided_id);
        match doubt {
            _ if !claimants.is_empty() => {
                for row in claimants {
                    self.compared.reject(row, FORMER_UNKNOWN);
                }
            }
            Some((row, reason)) => self.compared.reject(row, reason),
            None => self.observe(customer),
        }
    }

    /// The tenants that would take over a customer of which the ledger does not know that it is theirs.
    fn claimants_in_doubt(&self, customer: &Customer<'_>, provided_id: &str) -> Vec<RowNumber> {
        let Compared { index, memory, .. } = &self.compared;
        let is_known = memory.has_token(customer, provided_id);
        if is_known || !memory.keeps_rows() || index.has(provided_id) {
            return Vec::new();
        }
        index.claimants(provided_id).collect()
    }

    /// There is neither a tenant nor a customer with this id.
    pub fn lack(&mut self, provided_id: String) {
        self.population.absent.insert(provided_id);
    }

    fn seen(&self, row: RowNumber, customer: &Customer<'_>) -> Seen {
        let Compared { index, rules, memory, .. } = &self.compared;
        Seen::new(row, &index.tenant(row), customer, *rules, memory)
    }

    fn take(&mut self, seen: Seen) {
        if seen.is_certain() {
            self.compared.conclude(seen, &Faults::new());
        } else {
            self.doubtful.push(seen);
        }
    }

    /// All customers were given: decides who can't be planned, and which customers get another id.
    #[must_use]
    pub fn close(mut self) -> Draft<'m> {
        self.reject_doubled();
        self.reject_unread();
        let renamed = self.judge_renames();
        let compared = &mut self.compared;
        for row in compared.index.with_previous_id().collect::<Vec<_>>() {
            if let Verdict::Invalid(reason) = rename::judge(&compared.index, row, false) {
                compared.reject(row, reason);
            }
        }
        let mut hidden = Vec::new();
        for row in compared.index.unlisted().collect::<Vec<_>>() {
            // One that was looked for in vain is not hidden any more.
            if compared.extent == Extent::All && compared.hidden_since(row).is_some() {
                compared.index.hide(row);
                hidden.push(row);
            } else {
                compared.require_name(row);
            }
        }
        self.population.orphans.sort_unstable();
        self.population.unreadable.sort_unstable();
        let extent = compared.extent;
        let hierarchy = Hierarchy::judge(&compared.index, |id| self.population.may_have(id, extent));
        for (row, reason) in hierarchy.invalid(&compared.index) {
            compared.reject(row, &reason);
        }
        self.doubtful.retain(|row| !compared.index.is_invalid(row));
        let untold = self.doubled.iter().chain(&self.unread).map(|row| compared.index.provided_id(*row));
        let news = self.tokens.lacking(self.population.customers, compared.now, untold);
        let news = News { listed: self.listed, ..news };
        Draft {
            compared: self.compared,
            population: self.population,
            tags: self.tags,
            doubtful: self.doubtful,
            hierarchy,
            renamed,
            hidden,
            news,
            stage: Stage::default(),
            placed: Placed::default(),
            below: BTreeMap::new(),
        }
    }
}
