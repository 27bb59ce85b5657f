//! The comparison while it lasts: tenants first, then customers one by one, in any order; the plan at the end.

mod checks;
mod hidden;
mod lacking;
mod observe;
mod parents;
mod renames;
mod unreadable;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use super::{
    Change, Difference, Findings, Index, KeyStyle, Listed, Plan, RowNumber, Rule, Rules, Tags, Unsettled, Update,
    compare,
    doubt::{Doubt, Doubtful, Seen},
    hierarchy::{Hierarchy, Placed},
    rename::{self, Verdict},
};
use crate::model::{Customer, Field, Tenant};

pub use hidden::Found;
use lacking::Lacking;
use renames::Former;

const NAMELESS: &str = "name is NULL or not in the query, and a new customer needs one";

/// Both sides, half compared.
#[derive(Debug)]
pub struct Comparison<'f> {
    index: Index,
    rules: Rules,
    findings: &'f Findings,
    updates: Vec<Update>,
    unsettled: Vec<(RowNumber, Unsettled)>,
    doubtful: Doubtful,
    /// Seen under the previous id of tenants: what that means shows at the end of the listing.
    former: Vec<Former>,
    /// More than one customer was seen for these.
    doubled: BTreeSet<RowNumber>,
    /// The customers of these can't be read.
    unread: BTreeSet<RowNumber>,
    /// The ids of customers that can't be read, as far as they can be.
    unreadable: Vec<Option<String>>,
    renames: Vec<RowNumber>,
    /// The hashes of their tokens.
    renamed_tokens: BTreeMap<RowNumber, u64>,
    /// Once all customers were given.
    hierarchy: Option<Hierarchy>,
    placed: Placed,
    /// The customers below each parent that is to be asked.
    below: BTreeMap<String, Vec<RowNumber>>,
    extent: Extent,
    /// Parents that were looked for in vain.
    lacking: BTreeSet<String>,
    /// Tenants whose customer is known to be hidden, in the order of reading.
    hidden: Vec<RowNumber>,
    /// When hidden customers were asked for in this run.
    asked_at: BTreeMap<String, u64>,
    /// Sent to see whether they settle by now.
    checks: BTreeMap<RowNumber, BTreeSet<(Field, Rule)>>,
    moved_again: BTreeSet<RowNumber>,
    /// When the run began, in seconds since 1970.
    now: u64,
    /// Nobody waits.
    retry_failed: bool,
    listed: Vec<Listed>,
    /// Ids with a remembered token that no customer was seen to have yet.
    stale: HashSet<&'f str>,
    /// How many there were at the beginning.
    remembered: usize,
    /// The same, with those of hidden customers.
    tokens: usize,
    /// Customers that were seen to have the token that is remembered.
    recognised: usize,
    /// Hashes of tokens that are not remembered under their customers' ids.
    strange: HashSet<u64>,
    orphans: Vec<String>,
    access_groups: BTreeSet<String>,
    tags: Tags,
    customers: usize,
    with_tenant: usize,
}

/// Which customers were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    All,
    /// Those that somebody asked for: nothing follows from the absence of another.
    Some,
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
            former: Vec::new(),
            doubled: BTreeSet::new(),
            unread: BTreeSet::new(),
            unreadable: Vec::new(),
            renames: Vec::new(),
            renamed_tokens: BTreeMap::new(),
            hierarchy: None,
            placed: Placed::default(),
            below: BTreeMap::new(),
            extent: Extent::All,
            lacking: BTreeSet::new(),
            hidden: Vec::new(),
            asked_at: BTreeMap::new(),
            checks: BTreeMap::new(),
            moved_again: BTreeSet::new(),
            now: 0,
            retry_failed: false,
            listed: Vec::new(),
            stale: findings.listed_tokens().collect(),
            remembered: findings.listed_tokens().count(),
            tokens: findings.tokens().count(),
            recognised: 0,
            strange: HashSet::new(),
            orphans: Vec::new(),
            access_groups: BTreeSet::new(),
            tags: Tags::default(),
            customers: 0,
            with_tenant: 0,
        }
    }

    /// How many customers were given.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.customers
    }

    /// When the run begins, in seconds since 1970, and whether nobody waits in it.
    #[must_use]
    pub fn at(self, now: u64, retry_failed: bool) -> Self {
        Self { now, retry_failed, ..self }
    }

    fn reject(&mut self, row: RowNumber, reason: &str) {
        let provided_id = self.index.provided_id(row).into_owned();
        self.index.reject(&provided_id, reason);
    }

    /// Whether an id that is no tenant's is a customer's, as far as all were given.
    fn may_be_orphan(&self, provided_id: &str) -> bool {
        match self.extent {
            Extent::All => self.orphans.binary_search_by(|orphan| orphan.as_str().cmp(provided_id)).is_ok(),
            Extent::Some => !self.lacking.contains(provided_id),
        }
    }

    /// All customers were given: decides who can't be planned, and which customers get another id.
    fn judge(&mut self) {
        if self.hierarchy.is_some() {
            return;
        }
        self.reject_doubled();
        self.reject_unread();
        self.judge_renames();
        for row in self.index.with_previous_id().collect::<Vec<_>>() {
            if let Verdict::Invalid(reason) = rename::judge(&self.index, row, false) {
                self.reject(row, reason);
            }
        }
        for row in self.index.unlisted().collect::<Vec<_>>() {
            // One that was looked for in vain is not hidden any more.
            if self.extent == Extent::All && self.hidden_since(row).is_some() {
                self.index.hide(row);
                self.hidden.push(row);
            } else {
                self.require_name(row);
            }
        }
        self.orphans.sort_unstable();
        let hierarchy = Hierarchy::judge(&self.index, |id| self.may_be_orphan(id));
        for (row, reason) in hierarchy.invalid(&self.index) {
            self.reject(row, &reason);
        }
        self.doubtful.retain(|row| !self.index.is_invalid(row));
        self.hierarchy = Some(hierarchy);
    }

    fn require_name(&mut self, row: RowNumber) {
        if !self.index.has_name(row) {
            self.reject(row, NAMELESS);
        }
    }

    /// The tenant with this id.
    #[must_use]
    pub fn tenant_of(&self, provided_id: &str) -> Option<Tenant<'static>> {
        self.index.tenant_of(provided_id)
    }

    /// A customer to look at, after all were listed and as long as a doubt is open: the id under which it is listed.
    #[must_use]
    pub fn doubtful(&mut self) -> Option<Cow<'_, str>> {
        self.judge();
        self.doubtful.due().map(|row| self.index.listed_id(row)).min()
    }

    /// Takes the look at the customer that was [`doubtful`](Self::doubtful): what it really holds, where that can be had.
    pub fn look(&mut self, provided_id: &str, customer: Option<&Customer<'_>>) {
        let Some(row) = self.doubtful.due().find(|row| self.index.listed_id(*row) == provided_id) else { return };
        let (tenant, findings) = (self.index.tenant(row), self.findings);
        let held = customer.map(|customer| compare(&tenant, customer, self.rules));
        let is_unsettled = |difference: &Difference| findings.of(&tenant.provided_id, difference).is_some();
        self.doubtful.look(row, held.as_deref(), is_unsettled);
    }

    /// What is to change. Sorted: renames, creates, updates; parents before children, else by id.
    #[must_use]
    pub fn finish(mut self) -> Plan {
        self.judge();
        let faults = self.doubtful.faults();
        for seen in std::mem::take(&mut self.doubtful) {
            self.conclude(seen, &faults);
        }
        self.compare_parents();
        self.withdraw_invalid();
        self.send_checks();
        let mut creates: Vec<_> = self.index.unlisted().collect();
        let hierarchy = self.hierarchy.take().unwrap_or_default();
        self.index.sort(&mut self.renames, |row| (0, *row));
        self.index.sort(&mut creates, |row| (hierarchy.depth(*row), *row));
        let depth = |update: &Update| if update.moves() { hierarchy.depth(update.row) } else { 0 };
        self.index.sort(&mut self.updates, |update| (depth(update), update.row));
        self.index.sort(&mut self.unsettled, |(row, _)| (0, *row));
        let (unchanged, unsettled_customers) = self.quiet();
        self.listed.sort_unstable_by(|a, b| a.provided_id.cmp(&b.provided_id));
        for update in &self.updates {
            let provided_id = self.index.provided_id(update.row);
            // But for its parent it may be.
            if let Ok(place) = self.listed.binary_search_by(|listed| listed.provided_id.as_str().cmp(&provided_id)) {
                self.listed[place].equal = None;
            }
        }
        let Lacking { since: lacking, gone, moved } = self.lacking();
        self.unreadable.sort_unstable();
        let parents = self.news_of_parents();
        let keeps_rows = self.findings.keeps_rows();
        let asked = self.placed.asked().filter(|_| keeps_rows).map(|parent| (parent.to_owned(), self.now));
        let (renames, creates) =
            (self.renames.into_iter().map(Change::Rename), creates.into_iter().map(Change::Create));
        let changes = renames.chain(creates).chain(self.updates.into_iter().map(Change::Update));
        let keys = if faults.contains_key(&Doubt::KeyStyle) { KeyStyle::AsWanted } else { self.rules.keys };
        Plan {
            changes: changes.collect(),
            invalid: self.index.invalid(),
            orphans: self.orphans,
            unreadable: self.unreadable,
            unchanged,
            unsettled: self.unsettled,
            unsettled_customers,
            hidden: self.hidden,
            asked_at: self.asked_at,
            checks: self.checks,
            moved_again: self.moved_again,
            renamed_tokens: self.renamed_tokens,
            parents,
            children_listed_at: asked.collect(),
            listed: self.listed,
            lacking,
            gone,
            moved,
            customers: self.customers,
            with_tenant: self.with_tenant,
            access_groups: self.access_groups,
            tags: self.tags,
            rules: self.rules.with(keys),
            now: self.now,
            index: self.index,
        }
    }

    /// Nothing is done for those that turned out to be invalid.
    fn withdraw_invalid(&mut self) {
        let is_valid = |row: RowNumber| !self.index.is_invalid(row);
        self.renames.retain(|row| is_valid(*row));
        self.updates.retain(|update| is_valid(update.row));
        self.unsettled.retain(|(row, _)| is_valid(*row));
        self.moved_again.retain(|row| is_valid(*row));
    }

    /// How many customers are left as they are: those that hold what is wanted, and those that are known not to settle.
    fn quiet(&self) -> (usize, usize) {
        let updated: HashSet<_> = self.updates.iter().map(|update| update.row).collect();
        let unsettled: HashSet<_> = self.unsettled.iter().map(|(row, _)| *row).collect();
        // A customer that is renamed is none of them.
        let is_quiet = |row: &&RowNumber| self.index.is_listed(**row);
        let unsettled = unsettled.difference(&updated).filter(is_quiet).count();
        let updated = updated.iter().filter(is_quiet).count();
        (self.index.listed() - updated - unsettled + self.hidden.len(), unsettled)
    }
}
