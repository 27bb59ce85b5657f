//! What a listing, or single look-ups, showed: each customer is observed once, compared with its tenant, and dropped.

mod leaving;
mod renames;
mod tokens;
mod unreadable;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Draft, Extent, News, Offboarding, Population, Recalled, Tags,
    compared::{Compared, DOUBLED, HIDDEN, UNREADABLE},
    doubt::{Doubtful, Faults, Match},
    draft::Stage,
    hierarchy::{Hierarchy, Placed},
    offboard::Leavers,
    rename::{self, Former, Verdict},
};
use crate::{
    compare::{Rules, compare, lasting_fingerprint_of},
    memory::{Listed, Memory, Token},
    model::{Customer, Tenant},
    tenants::{Index, Probe, RowNumber},
};
use tokens::Tokens;

const FORMER_UNKNOWN: &str = "the ledger does not know the customer with its previous id, so it may be another \
                              tenant's: a run of all tenants decides";

const OUTSIDE: &str = "its customer is in a data visibility group that the last listing did not show: a run of all tenants \
                       decides";

/// The tenants, and what was observed of the customers so far.
#[derive(Debug)]
pub struct Census<'m> {
    compared: Compared<'m>,
    population: Population,
    tags: Tags,
    tokens: Tokens<'m>,
    /// What to remember of the observed customers.
    listed: Vec<Listed>,
    doubtful: Doubtful,
    /// Customers listed under the previous id of tenants: judged at the end of the listing.
    former: Vec<Former>,
    /// Tenants for which more than one customer was listed.
    doubled: BTreeSet<RowNumber>,
    /// Tenants whose customer's record can't be read.
    unread: BTreeSet<RowNumber>,
    /// What memory knows of the tenants, if it stands in for a listing.
    recalled: Option<Recalled>,
    /// Who leaves, of those observed.
    leavers: Leavers,
}

impl<'m> Census<'m> {
    /// Starts with the tenants, and with what earlier runs remembered.
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
                offboarding: Offboarding::default(),
                updates: Vec::new(),
                unsettled: Vec::new(),
                unlike: Vec::new(),
            },
            population: Population::default(),
            tags: Tags::default(),
            tokens: Tokens::new(memory),
            listed: Vec::new(),
            doubtful: Doubtful::default(),
            former: Vec::new(),
            doubled: BTreeSet::new(),
            unread: BTreeSet::new(),
            recalled: None,
            leavers: Leavers::default(),
        }
    }

    /// Lets memory stand in for a listing: what it knows of these tenants counts as listed.
    #[must_use]
    pub fn recalling(mut self, recalled: Recalled) -> Self {
        recalled.mark(&mut self.compared.index);
        Self { recalled: Some(recalled), ..self }
    }

    /// Sets the start of the run, in seconds since 1970, and whether tenants that failed before are tried at once.
    #[must_use]
    pub fn at(mut self, now: u64, retry_failed: bool) -> Self {
        (self.compared.now, self.compared.retry_failed) = (now, retry_failed);
        self
    }

    /// Sets how tenants leave; nobody is offboarded otherwise.
    #[must_use]
    pub fn offboarding(mut self, offboarding: Offboarding) -> Self {
        self.compared.offboarding = offboarding;
        self
    }

    /// Customers observed so far.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.population.customers
    }

    /// The number of remembered tokens, if it is three or more and the listing shows none of them.
    #[must_use]
    pub fn strangers(&self) -> Option<usize> {
        self.tokens.strangers()
    }

    /// The tenant with this id.
    #[must_use]
    pub fn tenant_of(&self, provided_id: &str) -> Option<Tenant<'static>> {
        self.compared.index.tenant_of(provided_id)
    }

    /// Observes a customer; each must be given once.
    pub fn observe(&mut self, customer: &Customer<'_>) {
        self.population.customers += 1;
        let group = customer.access_group.as_deref().unwrap_or_default();
        if !self.population.access_groups.contains(group) {
            self.population.access_groups.insert(group.to_owned());
        }
        self.tags.observe(&customer.group_tags);
        if let Some(provided_id) = customer.provided_id.as_deref() {
            let probe = self.compared.index.probe(customer);
            self.observe_one(customer, provided_id, probe);
        }
    }

    fn observe_one(&mut self, customer: &Customer<'_>, provided_id: &str, probe: Probe) {
        self.tokens.observe(customer, provided_id);
        match probe {
            Probe::Orphan => {
                self.observe_gone(customer, provided_id);
                return self.population.orphans.push(provided_id.to_owned());
            }
            Probe::Leaving(row) => self.observe_leaving(row, customer, provided_id),
            Probe::Ignored => {}
            // What was emptied of an earlier customer with this id is wanted of no other one: the next run knows its token.
            Probe::Equal(row) | Probe::Differs(row) if self.is_put_back_wrongly(row, customer, provided_id) => {
                self.remember(row, customer, provided_id, false);
            }
            Probe::Equal(row) => self.remember(row, customer, provided_id, true),
            Probe::Differs(row) => {
                self.compared.index.keep_added(row, customer);
                self.remember(row, customer, provided_id, false);
                self.compared.unlike.extend(self.compared.memory.keeps_rows().then_some(row));
                let seen = self.matched(row, customer);
                self.judge(seen);
            }
            Probe::Doubled(row) => self.observe_again(row, provided_id),
            Probe::Previous(rows) => {
                let seen = rows.into_iter().map(|row| self.matched(row, customer)).collect();
                return self.former.push(Former::new(customer, provided_id, seen, false));
            }
        }
        self.population.with_tenant += 1;
    }

    /// Whether the row would get back what `lock_out` emptied of another customer: of one that had its id, or has its previous
    /// one.
    fn is_put_back_wrongly(&self, row: RowNumber, customer: &Customer<'_>, provided_id: &str) -> bool {
        let Compared { index, memory, .. } = &self.compared;
        index.gets_back(row) && (memory.locked_out(provided_id).is_none() || !memory.has_token(customer, provided_id))
    }

    fn observe_again(&mut self, row: RowNumber, provided_id: &str) {
        self.tokens.find(provided_id);
        self.doubled.insert(row);
    }

    fn remember(&mut self, row: RowNumber, customer: &Customer<'_>, provided_id: &str, is_equal: bool) {
        let Compared { index, memory, extent, .. } = &self.compared;
        let is_hidden = *extent == Extent::Some && memory.is_hidden(provided_id);
        let equal = is_equal.then_some(|| index.lasting_fingerprint(row, provided_id));
        if is_hidden || !memory.lacks(customer, provided_id, equal) {
            return;
        }
        self.tokens.find(provided_id);
        self.listed.push(Listed {
            provided_id: provided_id.to_owned(),
            token: Token::shown(&customer.token),
            seen: lasting_fingerprint_of(customer, &index.tenant(row)),
            equal: is_equal.then(|| index.lasting_fingerprint(row, provided_id)),
        });
    }

    /// Observes the customer of one tenant, looked up alone. Without a listing, only memory can prove that the customer
    /// is the tenant's.
    pub fn observe_alone(&mut self, customer: &Customer<'_>) {
        let Compared { index, memory, rules, .. } = &self.compared;
        let provided_id = customer.provided_id.as_deref().unwrap_or_default();
        let is_outside = self.is_outside(customer, provided_id);
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
            None if is_outside => {
                let rows: Vec<_> = index.row(provided_id).into_iter().chain(index.claimants(provided_id)).collect();
                for row in rows {
                    self.compared.reject(row, OUTSIDE);
                }
            }
            None => self.observe(customer),
        }
    }

    /// Whether the ledger does not know a customer, and its data visibility group is none that the last listing showed.
    fn is_outside(&self, customer: &Customer<'_>, provided_id: &str) -> bool {
        let memory = self.compared.memory;
        let is_known = memory.keeps_rows() && memory.has_token(customer, provided_id);
        let group = customer.access_group.as_deref().unwrap_or_default();
        !is_known && memory.overview().is_some_and(|overview| !overview.access_groups.contains(group))
    }

    /// The tenants that would rename this customer although the ledger does not prove that it is theirs.
    fn claimants_in_doubt(&self, customer: &Customer<'_>, provided_id: &str) -> Vec<RowNumber> {
        let Compared { index, memory, .. } = &self.compared;
        let is_known = memory.has_token(customer, provided_id);
        if is_known || !memory.keeps_rows() || index.has(provided_id) {
            return Vec::new();
        }
        index.claimants(provided_id).collect()
    }

    /// Notes that this id has neither a tenant nor a customer.
    pub fn lack(&mut self, provided_id: String) {
        self.population.absent.insert(provided_id);
    }

    fn matched(&self, row: RowNumber, customer: &Customer<'_>) -> Match {
        let Compared { index, rules, memory, .. } = &self.compared;
        Match::new(row, &index.tenant(row), customer, *rules, memory)
    }

    fn judge(&mut self, seen: Match) {
        if seen.is_certain() {
            self.compared.conclude(seen, &Faults::new());
        } else {
            self.doubtful.push(seen);
        }
    }

    /// Where nothing is listed: what the last complete listing showed as a whole. Of tenants that are only looked up it counts
    /// for those that leave.
    fn recall_overview(&mut self) {
        let (compared, is_recalled) = (&mut self.compared, self.recalled.is_some());
        let Some(overview) = compared.memory.overview().filter(|_| is_recalled || compared.extent == Extent::Some)
        else {
            return;
        };
        if is_recalled {
            self.population.remember(overview);
            self.tags.seen.extend(overview.tags.iter().cloned());
            let is_hidden = |row: &RowNumber| compared.memory.is_hidden(&compared.index.provided_id(*row));
            for row in compared.index.leaving().filter(is_hidden).collect::<Vec<_>>() {
                compared.reject(row, HIDDEN);
            }
        }
        for (ids, reason) in [(&overview.doubled, DOUBLED), (&overview.unreadable, UNREADABLE)] {
            let rows = ids.iter().filter_map(|id| compared.index.row(id));
            for row in rows.filter(|row| is_recalled || compared.index.is_leaving(*row)).collect::<Vec<_>>() {
                compared.reject(row, reason);
            }
        }
    }

    /// Ends the observation: decides which tenants can't be planned, and which customers get another id.
    #[must_use]
    pub fn close(mut self) -> Draft<'m> {
        self.reject_doubled();
        self.reject_unread();
        self.recall_overview();
        let renamed = self.judge_renames();
        let compared = &mut self.compared;
        let with_previous_id = compared.index.with_previous_id().filter(|row| !compared.index.is_leaving(*row));
        for row in with_previous_id.collect::<Vec<_>>() {
            if let Verdict::Invalid(reason) = rename::judge(&compared.index, row, false) {
                compared.reject(row, reason);
            }
        }
        self.population.is_blank = self.compared.memory.is_blank();
        let (rows_gone, rows_back) = (self.rows_gone(), self.rows_back());
        let rows_told_at = self.rows_told_at();
        let (missing, leavers) = (self.missing_leavers(), self.leavers());
        let compared = &mut self.compared;
        let is_recalled = self.recalled.is_some();
        let mut recalled = self.recalled.unwrap_or_default();
        let mut hidden = std::mem::take(&mut recalled.hidden);
        for row in compared.index.absent().collect::<Vec<_>>() {
            // With `Extent::Some`, the look-up found no customer, so it is no longer hidden.
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
        let is_complete = extent == Extent::All && !is_recalled;
        let index = &compared.index;
        let memory = compared.memory;
        let is_gone = |id: &str| if is_recalled { !memory.is_made(id) } else { is_complete && !memory.is_hidden(id) };
        let is_met = |row| !index.is_unmet(row) || leavers.said.contains_key(&row);
        let has_left = |row| index.is_leaving(row) && !is_met(row) && is_gone(&index.provided_id(row));
        let hierarchy = Hierarchy::judge(index, |id| self.population.may_have(id, extent), has_left);
        for (row, reason) in hierarchy.invalid(&compared.index) {
            compared.reject(row, &reason);
        }
        self.doubtful.retain(|row| !compared.index.is_invalid(row));
        let untold = self.doubled.iter().chain(&self.unread).map(|row| compared.index.provided_id(*row));
        let news = self.tokens.lacking(self.population.customers, compared.now, untold);
        let news = News {
            listed: self.listed,
            rows_gone,
            rows_back,
            rows_told_at,
            clock: self.compared.memory.clock().unwrap_or_default(),
            ..news
        };
        Draft {
            compared: self.compared,
            population: self.population,
            tags: self.tags,
            doubtful: self.doubtful,
            hierarchy,
            renamed,
            hidden,
            news,
            recalled,
            leavers,
            missing,
            stage: Stage::default(),
            placed: Placed::default(),
            below: BTreeMap::new(),
        }
    }
}
