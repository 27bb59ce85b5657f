//! The comparison while it lasts: tenants first, then customers one by one, in any order; the plan at the end.

use std::collections::BTreeSet;

use super::{Change, Index, Plan, Probe, RowNumber, Rules, Update, compare};
use crate::model::{Customer, Invalid};

/// Both sides, half compared.
#[derive(Debug)]
pub struct Comparison {
    index: Index,
    rules: Rules,
    updates: Vec<Update>,
    orphans: Vec<String>,
    access_groups: BTreeSet<String>,
    customers: usize,
    with_tenant: usize,
    unchanged: usize,
}

impl Comparison {
    /// Begins with the tenants.
    #[must_use]
    pub fn new(index: Index, rules: Rules) -> Self {
        Self {
            index,
            rules,
            updates: Vec::new(),
            orphans: Vec::new(),
            access_groups: BTreeSet::new(),
            customers: 0,
            with_tenant: 0,
            unchanged: 0,
        }
    }

    /// Takes one listed customer; each is to be given once.
    pub fn observe(&mut self, customer: &Customer<'_>) {
        self.customers += 1;
        let group = customer.access_group.as_deref().unwrap_or_default();
        if !self.access_groups.contains(group) {
            self.access_groups.insert(group.to_owned());
        }
        let Some(provided_id) = customer.provided_id.as_deref() else { return };
        match self.index.probe(customer) {
            Probe::Orphan => return self.orphans.push(provided_id.to_owned()),
            Probe::Ignored => {}
            Probe::Equal => self.unchanged += 1,
            Probe::Differs(row) => {
                let differences = compare(&self.index.tenant(row), customer, self.rules);
                if differences.is_empty() {
                    self.unchanged += 1;
                } else {
                    self.updates.push(Update { row, differences });
                }
            }
        }
        self.with_tenant += 1;
    }

    /// What is to change. Sorted: creates, then updates, each by id.
    #[must_use]
    pub fn finish(mut self) -> Plan {
        let unlisted: Vec<RowNumber> = self.index.unlisted().collect();
        let (mut creates, nameless): (Vec<_>, Vec<_>) =
            unlisted.into_iter().partition(|&row| self.index.tenant(row).name.is_some());
        for row in nameless {
            let reason = "name is NULL or not in the query, and a new customer needs one";
            self.index.reject(Some(self.index.provided_id(row).to_owned()), reason);
        }
        creates.sort_unstable_by(|&a, &b| self.index.provided_id(a).cmp(self.index.provided_id(b)));
        self.updates.sort_unstable_by(|a, b| self.index.provided_id(a.row).cmp(self.index.provided_id(b.row)));
        self.orphans.sort_unstable();
        let changes = creates.into_iter().map(Change::Create).chain(self.updates.into_iter().map(Change::Update));
        let invalid = self.index.invalid().iter();
        Plan {
            changes: changes.collect(),
            invalid: invalid.map(|(id, reason)| Invalid { provided_id: id.clone(), reason: reason.clone() }).collect(),
            orphans: self.orphans,
            unchanged: self.unchanged,
            customers: self.customers,
            with_tenant: self.with_tenant,
            access_groups: self.access_groups,
            rules: self.rules,
            index: self.index,
        }
    }
}
