//! Who leaves: customers whose row says so, and customers whose row is gone.

use std::collections::{BTreeMap, BTreeSet};

use super::Census;
use crate::{
    memory::{is_daily_due, token_hash},
    model::{Customer, Tenant},
    plan::{
        Extent,
        compared::{Compared, HIDDEN},
        offboard::{Leavers, Offboard, Reason, folded, leaving},
    },
    tenants::RowNumber,
};

impl Census<'_> {
    /// Observes the customer of a row that says that its tenant leaves.
    pub(super) fn observe_leaving(&mut self, row: RowNumber, customer: &Customer<'_>, provided_id: &str) {
        let Some(action) = self.compared.offboarding.action else { return };
        if self.leavers.said.contains_key(&row) {
            return self.observe_again(row, provided_id);
        }
        if self.compared.extent == Extent::Some && self.compared.memory.is_hidden(provided_id) {
            return self.compared.reject(row, HIDDEN);
        }
        let tenant = self.compared.index.tenant(row);
        let offboard = Offboard::of(&tenant, customer, (action, Reason::Said), self.compared.rules);
        self.remember(row, customer, provided_id, offboard.is_none());
        self.leavers.said.insert(row, offboard);
    }

    /// Observes a customer without a row, whose row may be gone for long enough.
    pub(super) fn observe_gone(&mut self, customer: &Customer<'_>, provided_id: &str) {
        let compared = &self.compared;
        let (memory, offboarding) = (compared.memory, compared.offboarding);
        let (Some(action), Extent::All, None) = (offboarding.action, compared.extent, &self.recalled) else { return };
        if !memory.is_row_gone_for(provided_id, offboarding.after, compared.now) {
            return;
        }
        // Two customers with one id, or one whose token is not the known one, may be another's.
        let is_known = memory.token(provided_id) == Some(token_hash(&customer.token));
        let tenant = leaving(&Tenant { provided_id: provided_id.into(), ..Tenant::default() }, action);
        let offboard = Offboard::of(&tenant, customer, (action, Reason::Gone), compared.rules);
        let is_first = !self.leavers.gone.contains_key(provided_id);
        self.leavers.gone.insert(provided_id.to_owned(), offboard.filter(|_| is_known && is_first));
    }

    /// Who leaves, once all customers are observed. If a row's id can't be read, it may be that of a gone row; so may one that
    /// differs in case or in spaces at its ends alone, where Explo takes both for the same.
    pub(super) fn leavers(&mut self) -> Leavers {
        let mut leavers = std::mem::take(&mut self.leavers);
        if self.compared.index.has_nameless() {
            leavers.gone.clear();
        }
        if !leavers.gone.is_empty() {
            let gone: BTreeSet<_> = leavers.gone.keys().map(|id| folded(id)).collect();
            let rows = self.compared.index.provided_ids().map(|id| folded(&id));
            let there: BTreeSet<_> = rows.filter(|id| gone.contains(id)).collect();
            leavers.gone.retain(|id, _| !there.contains(&folded(id)));
        }
        leavers
    }

    /// The time of this run, if its read and listing are complete and tell which rows are gone.
    pub(super) fn rows_told_at(&self) -> Option<u64> {
        let Compared { index, memory, extent, now, .. } = &self.compared;
        let is_complete = *extent == Extent::All && self.recalled.is_none() && !index.has_nameless();
        memory.later_clock(*now).filter(|_| is_complete)
    }

    /// The known customers that the listing lacks although their row says that the tenant leaves, or their deletion was begun:
    /// a look tells whether each is gone or hidden. A hidden one is looked up once a day, and its row is invalid.
    pub(super) fn missing_leavers(&mut self) -> BTreeSet<String> {
        let Compared { index, memory, extent, now, retry_failed, .. } = &self.compared;
        if *extent == Extent::Some || self.recalled.is_some() {
            return BTreeSet::new();
        }
        let leaves = |id: &&str| index.leaves(id) || memory.is_deleting(id);
        let is_listed = |id: &str| index.row(id).is_some_and(|row| self.leavers.said.contains_key(&row));
        let is_due = |id: &str| memory.looked_up_at(id).is_none_or(|at| *retry_failed || is_daily_due(at, *now));
        let missing = self.tokens.unseen().filter(leaves).filter(|id| !is_listed(id));
        let (due, hidden): (Vec<_>, Vec<_>) = missing.map(str::to_owned).partition(|id| is_due(id));
        let rows = hidden.iter().filter_map(|id| index.row(id)).filter(|row| index.is_leaving(*row));
        for row in rows.collect::<Vec<_>>() {
            self.compared.reject(row, HIDDEN);
        }
        due.into_iter().collect()
    }

    /// The customers known as a tenant's whose row is gone, and since when. Only a complete listing and a complete read say
    /// so; a row that another one names as its previous id is not gone.
    pub(super) fn rows_gone(&self) -> BTreeMap<String, u64> {
        let (index, memory) = (&self.compared.index, self.compared.memory);
        let Some(clock) = self.rows_told_at() else { return BTreeMap::new() };
        let candidates = self.population.orphans.iter().map(String::as_str).chain(self.tokens.unseen());
        let is_gone = |id: &&str| memory.token(id).is_some() && !index.has(id) && index.claimants(id).next().is_none();
        let since = |id: &str| memory.row_gone_since(id, self.compared.now).unwrap_or(clock);
        candidates.filter(is_gone).map(|id| (id.to_owned(), since(id))).collect()
    }

    /// The customers whose row was gone and is there, or is another one's previous id.
    pub(super) fn rows_back(&self) -> BTreeSet<String> {
        let index = &self.compared.index;
        let is_back = |id: &&str| index.has(id) || index.claimants(id).next().is_some();
        self.compared.memory.without_row().filter(is_back).map(str::to_owned).collect()
    }
}
