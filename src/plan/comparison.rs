//! The comparison while it lasts: tenants first, then customers one by one, in any order; the plan at the end.
//!
//! A difference is doubtful if it may be the listing's alone: keys in another style, or what the last run wrote and Explo
//! acknowledged. One look at one customer answers for all with the same doubt.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Change, Difference, Findings, Index, KeyStyle, Listed, Plan, Probe, RowNumber, Rules, Unsettled, Update, compare,
    compare::difference, lasting_fingerprint, lasting_fingerprint_of,
};
use crate::model::{Customer, Field, Invalid};

/// Both sides, half compared.
#[derive(Debug)]
pub struct Comparison<'f> {
    index: Index,
    rules: Rules,
    findings: &'f Findings,
    updates: Vec<Update>,
    unsettled: Vec<(RowNumber, Unsettled)>,
    doubtful: Vec<Doubtful>,
    listed: Vec<Listed>,
    /// What was found out: whether the listing alone is at fault.
    answers: BTreeMap<Doubt, bool>,
    looks: usize,
    orphans: Vec<String>,
    access_groups: BTreeSet<String>,
    customers: usize,
    with_tenant: usize,
    unchanged: usize,
    unsettled_customers: usize,
}

/// Why a difference may be the listing's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doubt {
    /// Property keys differ in style.
    KeyStyle,
    /// The last run wrote it, and it was acknowledged.
    CameBack(Field),
}

/// A customer whose differences may not all be there.
#[derive(Debug)]
struct Doubtful {
    row: RowNumber,
    listed: Vec<Difference>,
    /// The properties' difference but for the style of keys.
    restyled: Option<Difference>,
    doubts: BTreeSet<Doubt>,
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
            doubtful: Vec::new(),
            listed: Vec::new(),
            answers: BTreeMap::new(),
            looks: 0,
            orphans: Vec::new(),
            access_groups: BTreeSet::new(),
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
        let Some(provided_id) = customer.provided_id.as_deref() else { return };
        match self.index.probe(customer) {
            Probe::Orphan => return self.orphans.push(provided_id.to_owned()),
            Probe::Ignored => {}
            Probe::Equal(row) => {
                self.unchanged += 1;
                self.remember(row, customer, provided_id, true);
            }
            Probe::Differs(row) => {
                self.remember(row, customer, provided_id, false);
                self.differs(row, customer, provided_id);
            }
        }
        self.with_tenant += 1;
    }

    fn remember(&mut self, row: RowNumber, customer: &Customer<'_>, provided_id: &str, is_equal: bool) {
        if !self.findings.lacks(customer, provided_id, is_equal) {
            return;
        }
        let tenant = self.index.tenant(row);
        self.listed.push(Listed {
            provided_id: provided_id.to_owned(),
            token: customer.token.clone().into_owned().into(),
            seen: lasting_fingerprint_of(customer, &tenant),
            equal: is_equal.then(|| lasting_fingerprint(&tenant)),
        });
    }

    /// Takes what a look at one tenant's customer showed, in place of a listing; `None` where there is none.
    pub fn observe_alone(&mut self, customer: Option<&Customer<'_>>) {
        self.looks += 1;
        if let Some(customer) = customer {
            self.observe(customer);
        }
    }

    fn differs(&mut self, row: RowNumber, customer: &Customer<'_>, provided_id: &str) {
        let tenant = self.index.tenant(row);
        let listed = compare(&tenant, customer, self.rules);
        let restyled = difference(&tenant, customer, Field::Properties, self.rules.with(KeyStyle::AsWanted));
        let came_back =
            listed.iter().chain(&restyled).filter(|difference| self.findings.came_back(provided_id, difference));
        let mut doubts: BTreeSet<_> = came_back.map(|difference| Doubt::CameBack(difference.field)).collect();
        if of_field(&listed, Field::Properties) != restyled.as_ref() {
            doubts.insert(Doubt::KeyStyle);
        }
        if doubts.is_empty() {
            self.conclude(row, listed, Vec::new());
        } else {
            self.doubtful.push(Doubtful { row, listed, restyled, doubts });
        }
    }

    /// A customer to look at: one for each doubt that is open.
    #[must_use]
    pub fn doubtful(&self) -> Option<&str> {
        let is_open = |doubtful: &&Doubtful| doubtful.doubts.iter().any(|doubt| !self.answers.contains_key(doubt));
        self.doubtful.iter().filter(is_open).map(|doubtful| self.index.provided_id(doubtful.row)).min()
    }

    /// Takes the look at the customer that was [`doubtful`](Self::doubtful): what it really holds; `None` if it is gone.
    pub fn look(&mut self, provided_id: &str, customer: Option<&Customer<'_>>) {
        self.looks += 1;
        let Some(position) = self.doubtful.iter().position(|one| self.index.provided_id(one.row) == provided_id) else {
            return;
        };
        let Some(customer) = customer else {
            let gone = self.doubtful.swap_remove(position);
            return self.conclude(gone.row, gone.listed, Vec::new());
        };
        let Doubtful { row, listed, doubts, .. } = &self.doubtful[position];
        let held = compare(&self.index.tenant(*row), customer, self.rules);
        for doubt in doubts {
            let is_listing = match doubt {
                Doubt::KeyStyle => of_field(&held, Field::Properties) != of_field(listed, Field::Properties),
                Doubt::CameBack(field) => of_field(&held, *field)
                    .is_none_or(|difference| self.findings.rule(provided_id, difference).is_some()),
            };
            self.answers.entry(*doubt).or_insert(is_listing);
        }
    }

    /// What is to change. Sorted: creates, then updates, each by id.
    #[must_use]
    pub fn finish(mut self) -> Plan {
        for doubtful in std::mem::take(&mut self.doubtful) {
            self.decide(doubtful);
        }
        let mut creates = Vec::new();
        for row in self.index.unlisted().collect::<Vec<_>>() {
            let tenant = self.index.tenant(row);
            if self.findings.is_unlisted(&tenant) {
                self.unchanged += 1;
            } else if tenant.name.is_some() {
                creates.push(row);
            } else {
                let reason = "name is NULL or not in the query, and a new customer needs one";
                self.index.reject(Some(tenant.provided_id), reason);
            }
        }
        creates.sort_unstable_by(|&a, &b| self.index.provided_id(a).cmp(self.index.provided_id(b)));
        self.updates.sort_unstable_by(|a, b| self.index.provided_id(a.row).cmp(self.index.provided_id(b.row)));
        self.unsettled.sort_by(|(a, _), (b, _)| self.index.provided_id(*a).cmp(self.index.provided_id(*b)));
        self.orphans.sort_unstable();
        let changes = creates.into_iter().map(Change::Create).chain(self.updates.into_iter().map(Change::Update));
        let invalid = self.index.invalid().iter();
        let keys = if self.answers.get(&Doubt::KeyStyle) == Some(&true) { KeyStyle::AsWanted } else { self.rules.keys };
        Plan {
            changes: changes.collect(),
            invalid: invalid.map(|(id, reason)| Invalid { provided_id: id.clone(), reason: reason.clone() }).collect(),
            orphans: self.orphans,
            unchanged: self.unchanged,
            unsettled: self.unsettled,
            unsettled_customers: self.unsettled_customers,
            listed: self.listed,
            looks: self.looks,
            customers: self.customers,
            with_tenant: self.with_tenant,
            access_groups: self.access_groups,
            rules: self.rules.with(keys),
            index: self.index,
        }
    }

    fn decide(&mut self, Doubtful { row, listed, restyled, doubts }: Doubtful) {
        let is_listing = |doubt| doubts.contains(&doubt) && self.answers.get(&doubt) == Some(&true);
        let mut differences = listed;
        if is_listing(Doubt::KeyStyle) {
            differences.retain(|difference| difference.field != Field::Properties);
            differences.extend(restyled);
        }
        let (unsettled, mut differences): (Vec<_>, Vec<_>) =
            differences.into_iter().partition(|difference| is_listing(Doubt::CameBack(difference.field)));
        differences.sort_by_key(|difference| difference.field);
        self.conclude(row, differences, unsettled.into_iter().map(Unsettled::new).collect());
    }

    /// What is known not to settle is left out; what remains is an update.
    fn conclude(&mut self, row: RowNumber, differences: Vec<Difference>, mut unsettled: Vec<Unsettled>) {
        let provided_id = self.index.provided_id(row);
        let mut update = Vec::new();
        for difference in differences {
            match self.findings.rule(provided_id, &difference) {
                Some(rule) => unsettled.push(Unsettled { difference, rule, is_new: false }),
                None => update.push(difference),
            }
        }
        match (update.is_empty(), unsettled.is_empty()) {
            (false, _) => self.updates.push(Update { row, differences: update }),
            (true, false) => self.unsettled_customers += 1,
            (true, true) => self.unchanged += 1,
        }
        self.unsettled.extend(unsettled.into_iter().map(|unsettled| (row, unsettled)));
    }
}

fn of_field(differences: &[Difference], field: Field) -> Option<&Difference> {
    differences.iter().find(|difference| difference.field == field)
}
