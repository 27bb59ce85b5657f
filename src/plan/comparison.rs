//! The comparison while it lasts: tenants first, then customers one by one, in any order; the plan at the end.
//!
//! A difference is doubtful if it may be the listing's alone: keys in another style, or what the last run wrote and Explo
//! acknowledged. A few looks at single customers decide: that keys are restyled is proved by one; what came back is decided
//! for the customers looked at, and the others follow them if they agree.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Change, Difference, Findings, Index, KeyStyle, Known, Plan, Probe, RowNumber, Rules, Unsettled, Update, compare,
    compare::difference,
};
use crate::model::{Customer, Field, Invalid};

/// Customers looked at for each doubt.
const LOOKS: usize = 3;

/// Both sides, half compared.
#[derive(Debug)]
pub struct Comparison<'f> {
    index: Index,
    rules: Rules,
    findings: &'f Findings,
    updates: Vec<Update>,
    unsettled: Vec<(RowNumber, Unsettled)>,
    doubtful: Vec<Doubtful>,
    looks: usize,
    orphans: Vec<String>,
    access_groups: BTreeSet<String>,
    customers: usize,
    with_tenant: usize,
    unchanged: usize,
    unsettled_customers: usize,
    unlisted: Vec<RowNumber>,
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
    /// With what a look at this customer showed: whether the listing alone is at fault.
    doubts: BTreeMap<Doubt, Option<bool>>,
    /// It was looked at, be it in vain.
    is_looked_at: bool,
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
            looks: 0,
            orphans: Vec::new(),
            access_groups: BTreeSet::new(),
            customers: 0,
            with_tenant: 0,
            unchanged: 0,
            unsettled_customers: 0,
            unlisted: Vec::new(),
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
            Probe::Differs(row) => self.differs(row, customer, provided_id),
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

    fn differs(&mut self, row: RowNumber, customer: &Customer<'_>, provided_id: &str) {
        let tenant = self.index.tenant(row);
        let listed = compare(&tenant, customer, self.rules);
        let restyled = difference(&tenant, customer, Field::Properties, self.rules.with(KeyStyle::AsWanted));
        let came_back =
            listed.iter().chain(&restyled).filter(|difference| self.findings.came_back(provided_id, difference));
        let mut doubts: BTreeMap<_, _> = came_back.map(|one| (Doubt::CameBack(one.field), None)).collect();
        if of_field(&listed, Field::Properties) != restyled.as_ref() {
            doubts.insert(Doubt::KeyStyle, None);
        }
        if doubts.is_empty() {
            self.conclude(row, listed, Vec::new());
        } else {
            self.doubtful.push(Doubtful { row, listed, restyled, doubts, is_looked_at: false });
        }
    }

    /// A customer to look at, as long as a doubt is open.
    #[must_use]
    pub fn doubtful(&self) -> Option<&str> {
        let doubts: BTreeSet<_> = self.doubtful.iter().flat_map(|one| one.doubts.keys().copied()).collect();
        let open: BTreeSet<_> = doubts.into_iter().filter(|doubt| self.is_open(*doubt)).collect();
        let is_due = |one: &&Doubtful| !one.is_looked_at && one.doubts.keys().any(|doubt| open.contains(doubt));
        self.doubtful.iter().filter(is_due).map(|doubtful| self.index.provided_id(doubtful.row)).min()
    }

    fn is_open(&self, doubt: Doubt) -> bool {
        let looked_at = self.doubtful.iter().filter(|one| one.is_looked_at && one.doubts.contains_key(&doubt)).count();
        looked_at < LOOKS && !(doubt == Doubt::KeyStyle && self.is_listing(doubt))
    }

    /// Takes the look at the customer that was [`doubtful`](Self::doubtful): what it really holds, where that can be had.
    pub fn look(&mut self, provided_id: &str, customer: Option<&Customer<'_>>) {
        self.looks += 1;
        let Self { doubtful, index, findings, rules, .. } = self;
        let Some(one) = doubtful.iter_mut().find(|one| index.provided_id(one.row) == provided_id) else { return };
        one.is_looked_at = true;
        let Some(customer) = customer else { return };
        let held = compare(&index.tenant(one.row), customer, *rules);
        for (doubt, is_listing) in &mut one.doubts {
            *is_listing = Some(match doubt {
                Doubt::KeyStyle => of_field(&held, Field::Properties) != of_field(&one.listed, Field::Properties),
                Doubt::CameBack(field) => {
                    of_field(&held, *field).is_none_or(|difference| findings.rule(provided_id, difference).is_some())
                }
            });
        }
    }

    /// Whether the looks say that the listing alone is at fault: for the style of keys one is enough, else they must agree.
    fn is_listing(&self, doubt: Doubt) -> bool {
        let mut shown = self.doubtful.iter().filter_map(|one| one.doubts.get(&doubt).copied().flatten()).peekable();
        match doubt {
            Doubt::KeyStyle => shown.any(|is_listing| is_listing),
            Doubt::CameBack(_) => shown.peek().is_some() && shown.all(|is_listing| is_listing),
        }
    }

    /// What is to change. Sorted: creates, then updates, each by id.
    #[must_use]
    pub fn finish(mut self) -> Plan {
        let doubts: BTreeSet<_> = self.doubtful.iter().flat_map(|one| one.doubts.keys().copied()).collect();
        let listings: BTreeSet<_> = doubts.into_iter().filter(|doubt| self.is_listing(*doubt)).collect();
        for doubtful in std::mem::take(&mut self.doubtful) {
            self.decide(doubtful, &listings);
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
        creates.sort_unstable_by(|&a, &b| self.index.provided_id(a).cmp(self.index.provided_id(b)));
        self.updates.sort_unstable_by(|a, b| self.index.provided_id(a.row).cmp(self.index.provided_id(b.row)));
        self.unsettled.sort_by(|(a, _), (b, _)| self.index.provided_id(*a).cmp(self.index.provided_id(*b)));
        self.orphans.sort_unstable();
        let changes = creates.into_iter().map(Change::Create).chain(self.updates.into_iter().map(Change::Update));
        let invalid = self.index.invalid().iter();
        let keys = if listings.contains(&Doubt::KeyStyle) { KeyStyle::AsWanted } else { self.rules.keys };
        Plan {
            changes: changes.collect(),
            invalid: invalid.map(|(id, reason)| Invalid { provided_id: id.clone(), reason: reason.clone() }).collect(),
            orphans: self.orphans,
            unchanged: self.unchanged,
            unsettled: self.unsettled,
            unsettled_customers: self.unsettled_customers,
            unlisted: self.unlisted,
            looks: self.looks,
            customers: self.customers,
            with_tenant: self.with_tenant,
            access_groups: self.access_groups,
            rules: self.rules.with(keys),
            index: self.index,
        }
    }

    fn decide(&mut self, doubtful: Doubtful, listings: &BTreeSet<Doubt>) {
        let Doubtful { row, listed: mut differences, restyled, doubts, .. } = doubtful;
        if doubts.contains_key(&Doubt::KeyStyle) && listings.contains(&Doubt::KeyStyle) {
            differences.retain(|difference| difference.field != Field::Properties);
            differences.extend(restyled);
            differences.sort_by_key(|difference| difference.field);
        }
        let mut unsettled = Vec::new();
        differences.retain(|difference| {
            let doubt = Doubt::CameBack(difference.field);
            let known = match doubts.get(&doubt) {
                Some(Some(true)) => Known::Now,
                Some(None) if listings.contains(&doubt) => Known::Presumably,
                Some(Some(false) | None) | None => return true,
            };
            unsettled.push(Unsettled { known, ..Unsettled::new(difference.clone()) });
            false
        });
        self.conclude(row, differences, unsettled);
    }

    /// What is known not to settle is left out; what remains is an update.
    fn conclude(&mut self, row: RowNumber, differences: Vec<Difference>, mut unsettled: Vec<Unsettled>) {
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
            (true, false) => self.unsettled_customers += 1,
            (true, true) => self.unchanged += 1,
        }
        self.unsettled.extend(unsettled.into_iter().map(|unsettled| (row, unsettled)));
    }
}

fn of_field(differences: &[Difference], field: Field) -> Option<&Difference> {
    differences.iter().find(|difference| difference.field == field)
}
