//! The comparison while it lasts: tenants first, then customers one by one, in any order; the plan at the end.

use std::collections::BTreeSet;

use super::{
    Change, Difference, Findings, Index, KeyStyle, Known, Plan, Probe, RowNumber, Rules, Tags, Unsettled, Update,
    compare,
    doubt::{Doubt, Doubtful, Seen},
    rename::{self, Verdict},
};
use crate::model::{Customer, Invalid};

/// Both sides, half compared.
#[derive(Debug)]
pub struct Comparison<'f> {
    index: Index,
    rules: Rules,
    findings: &'f Findings,
    updates: Vec<Update>,
    unsettled: Vec<(RowNumber, Unsettled)>,
    doubtful: Doubtful,
    /// Seen under the previous id of a tenant: what that means shows at the end of the listing.
    previous: Vec<Seen>,
    renames: Vec<RowNumber>,
    unlisted: Vec<RowNumber>,
    looks: usize,
    orphans: Vec<String>,
    access_groups: BTreeSet<String>,
    tags: Tags,
    customers: usize,
    with_tenant: usize,
    unchanged: usize,
    unsettled_customers: usize,
}

impl<'f> Comparison<'f> {
    /// Begins with the tenants, and with what earlier runs found out.
    #[must_use]
    pub fn new(index: Index, rules: Rules, findings: &'f Findings) -> Self {
        Self {
            index,
            rules,
            findings,
            updates: Vec::new(),
            unsettled: Vec::new(),
            doubtful: Doubtful::default(),
            previous: Vec::new(),
            renames: Vec::new(),
            unlisted: Vec::new(),
            looks: 0,
            orphans: Vec::new(),
            access_groups: BTreeSet::new(),
            tags: Tags::default(),
            customers: 0,
            with_tenant: 0,
            unchanged: 0,
            unsettled_customers: 0,
        }
    }

    /// Takes one listed customer; each is to be given once.
    pub fn observe(&mut self, customer: &Customer<'_>) {
        self.customers += 1;
        let group = customer.access_group.as_deref().unwrap_or_default();
        if !self.access_groups.contains(group) {
            self.access_groups.insert(group.to_owned());
        }
        self.tags.see(&customer.group_tags);
        let Some(provided_id) = customer.provided_id.as_deref() else { return };
        match self.index.probe(customer) {
            Probe::Orphan => return self.orphans.push(provided_id.to_owned()),
            Probe::Ignored => {}
            Probe::Equal => self.unchanged += 1,
            Probe::Differs(row) => {
                let seen = self.seen(row, customer);
                self.take(seen);
            }
            Probe::Previous(rows) => {
                let seen: Vec<_> = rows.into_iter().map(|row| self.seen(row, customer)).collect();
                self.previous.extend(seen);
            }
        }
        self.with_tenant += 1;
    }

    /// Takes what a look at one tenant's customer showed, in place of a listing; `None` where there is none.
    pub fn observe_alone(&mut self, customer: Option<&Customer<'_>>) {
        self.looks += 1;
        if let Some(customer) = customer {
            self.observe(customer);
        }
    }

    fn seen(&self, row: RowNumber, customer: &Customer<'_>) -> Seen {
        Seen::new(row, &self.index.tenant(row), customer, self.rules, self.findings)
    }

    fn take(&mut self, seen: Seen) {
        if seen.is_certain() {
            self.conclude(seen, &BTreeSet::new());
        } else {
            self.doubtful.push(seen);
        }
    }

    /// All customers were given: decides which of them get another id.
    fn judge_renames(&mut self) {
        let previous = std::mem::take(&mut self.previous);
        let judge = |seen: &Seen| {
            // It exists under its new id, though no listing shows it.
            let is_known = self.findings.is_unlisted(&self.index.tenant(seen.row));
            if is_known { Verdict::Ignored } else { rename::judge(&self.index, seen.row, true) }
        };
        let verdicts: Vec<_> = previous.iter().map(judge).collect();
        for (seen, verdict) in previous.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Rename if self.index.is_unlisted(seen.row) => {
                    self.index.rename(seen.row);
                    self.renames.push(seen.row);
                    self.take(seen);
                }
                // Another customer was seen under the same id.
                Verdict::Rename | Verdict::Ignored => {}
                Verdict::Invalid(reason) => self.reject(seen.row, reason),
            }
        }
    }

    fn reject(&mut self, row: RowNumber, reason: &str) {
        let provided_id = self.index.provided_id(row).to_owned();
        self.index.reject(Some(provided_id), reason);
    }

    /// The id under which a tenant's customer is listed.
    fn listed_id(&self, row: RowNumber) -> &str {
        let previous = self.index.previous_provided_id(row).filter(|_| self.index.is_renamed(row));
        previous.unwrap_or_else(|| self.index.provided_id(row))
    }

    /// A customer to look at, after all were listed and as long as a doubt is open: the id under which it is listed.
    #[must_use]
    pub fn doubtful(&mut self) -> Option<&str> {
        self.judge_renames();
        self.doubtful.due().map(|row| self.listed_id(row)).min()
    }

    /// Takes the look at the customer that was [`doubtful`](Self::doubtful): what it really holds, where that can be had.
    pub fn look(&mut self, provided_id: &str, customer: Option<&Customer<'_>>) {
        self.looks += 1;
        let Some(row) = self.doubtful.due().find(|row| self.listed_id(*row) == provided_id) else { return };
        let (tenant, findings) = (self.index.tenant(row), self.findings);
        let held = customer.map(|customer| compare(&tenant, customer, self.rules));
        let is_unsettled = |difference: &Difference| findings.rule(&tenant.provided_id, difference).is_some();
        self.doubtful.look(row, held.as_deref(), is_unsettled);
    }

    /// What is to change. Sorted: renames, creates, updates, each by id.
    #[must_use]
    pub fn finish(mut self) -> Plan {
        self.judge_renames();
        let listing = self.doubtful.listing();
        for seen in std::mem::take(&mut self.doubtful) {
            self.conclude(seen, &listing);
        }
        for row in self.index.with_previous_id().collect::<Vec<_>>() {
            if let Verdict::Invalid(reason) = rename::judge(&self.index, row, false) {
                self.reject(row, reason);
            }
        }
        let mut creates = Vec::new();
        for row in self.index.unlisted().collect::<Vec<_>>() {
            let tenant = self.index.tenant(row);
            if self.findings.is_unlisted(&tenant) {
                self.unchanged += 1;
                self.unlisted.push(row);
            } else if tenant.name.is_some() {
                creates.push(row);
            } else {
                let reason = "name is NULL or not in the query, and a new customer needs one";
                self.index.reject(Some(tenant.provided_id), reason);
            }
        }
        for rows in [&mut self.renames, &mut creates] {
            rows.sort_unstable_by(|&a, &b| self.index.provided_id(a).cmp(self.index.provided_id(b)));
        }
        self.updates.sort_unstable_by(|a, b| self.index.provided_id(a.row).cmp(self.index.provided_id(b.row)));
        self.unsettled.sort_by(|(a, _), (b, _)| self.index.provided_id(*a).cmp(self.index.provided_id(*b)));
        self.orphans.sort_unstable();
        let (renames, creates) =
            (self.renames.into_iter().map(Change::Rename), creates.into_iter().map(Change::Create));
        let changes = renames.chain(creates).chain(self.updates.into_iter().map(Change::Update));
        let keys = if listing.contains(&Doubt::KeyStyle) { KeyStyle::AsWanted } else { self.rules.keys };
        Plan {
            changes: changes.collect(),
            invalid: invalid_tenants(&self.index),
            orphans: self.orphans,
            unchanged: self.unchanged,
            unsettled: self.unsettled,
            unsettled_customers: self.unsettled_customers,
            unlisted: self.unlisted,
            looks: self.looks,
            customers: self.customers,
            with_tenant: self.with_tenant,
            access_groups: self.access_groups,
            tags: self.tags,
            rules: self.rules.with(keys),
            index: self.index,
        }
    }

    /// What is known not to settle is left out; what remains is an update.
    fn conclude(&mut self, seen: Seen, listing: &BTreeSet<Doubt>) {
        let row = seen.row;
        let (differences, mut unsettled) = seen.decide(listing);
        let provided_id = self.index.provided_id(row);
        let mut update = Vec::new();
        for difference in differences {
            match self.findings.rule(provided_id, &difference) {
                Some(rule) => unsettled.push(Unsettled { difference, rule, known: Known::Before }),
                None => update.push(difference),
            }
        }
        match (update.is_empty(), unsettled.is_empty()) {
            (false, _) => self.updates.push(Update { row, differences: update }),
            // A rename is no rest.
            (true, _) if self.index.is_renamed(row) => {}
            (true, false) => self.unsettled_customers += 1,
            (true, true) => self.unchanged += 1,
        }
        self.unsettled.extend(unsettled.into_iter().map(|unsettled| (row, unsettled)));
    }
}

/// The tenants that can't be planned, sorted by id.
pub(super) fn invalid_tenants(index: &Index) -> Vec<Invalid> {
    let invalid = |(provided_id, reason): (&Option<String>, &String)| Invalid {
        provided_id: provided_id.clone(),
        previous_provided_id: None,
        reason: reason.clone(),
    };
    index.invalid().iter().map(invalid).collect()
}
