//! The comparison after the census: it asks Explo what the listing can't tell, then finishes the plan.
//!
//! | it asks for, in this order | because |
//! |---|---|
//! | hidden customers, once a day; those of tenants that leave that were listed before | no listing shows them |
//! | the children of parents | no record of a customer names its parent |
//! | customers in doubt, one by one | the listing alone may be at fault |
//!
//! If a question gets no answer, planning goes on as if Explo had none.

mod checks;
mod hidden;
mod leaving;
mod parents;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use super::{
    Answer, Change, Expected, Extent, Found, Inquiry, News, Plan, Population, Question, Quiet, Recalled, Tags,
    compared::Compared,
    doubt::{Doubt, Doubtful},
    hierarchy::{Hierarchy, Placed},
    offboard::Leavers,
};
use crate::{
    compare::{Difference, KeyStyle, compare},
    memory::Entry,
    tenants::RowNumber,
};

/// A plan that is not finished yet.
#[derive(Debug)]
pub struct Draft<'m> {
    pub(super) compared: Compared<'m>,
    pub(super) population: Population,
    pub(super) tags: Tags,
    pub(super) doubtful: Doubtful,
    pub(super) hierarchy: Hierarchy,
    /// Tenants whose customers get another id, with the hashes of their tokens.
    pub(super) renamed: BTreeMap<RowNumber, u64>,
    /// Tenants whose customer is known to be hidden, in the order of reading.
    pub(super) hidden: Vec<RowNumber>,
    pub(super) news: News,
    pub(super) recalled: Recalled,
    pub(super) leavers: Leavers,
    /// Customers of tenants that leave that may be gone or hidden.
    pub(super) missing: BTreeSet<String>,
    pub(super) stage: Stage,
    pub(super) placed: Placed,
    /// The customers below each parent whose children are to be listed.
    pub(super) below: BTreeMap<String, Vec<RowNumber>>,
}

/// The kind of question asked last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Nothing,
    Hidden,
    Parents,
    Doubts,
}

impl Inquiry for Draft<'_> {
    fn questions(&mut self) -> Option<Vec<Question>> {
        if self.compared.extent == Extent::Some {
            return None;
        }
        if self.stage == Stage::Nothing {
            self.stage = Stage::Hidden;
            let mut hidden = self.unasked();
            hidden.extend(self.missing.iter().cloned());
            if !hidden.is_empty() {
                return Some(hidden.into_iter().map(Question::Customer).collect());
            }
        }
        if self.stage == Stage::Hidden {
            self.stage = Stage::Parents;
            let parents = self.parents();
            if !parents.is_empty() {
                return Some(parents.into_iter().map(Question::Children).collect());
            }
        }
        self.stage = Stage::Doubts;
        let due = self.doubtful.due().map(|row| self.compared.index.listed_id(row)).min();
        due.map(|provided_id| vec![Question::Customer(provided_id.into_owned())])
    }

    fn answer(&mut self, answer: Answer) -> Vec<Entry> {
        match answer {
            Answer::Customer(id, found) if self.missing.contains(&id) => self.found_missing(id, &found),
            Answer::Customer(provided_id, found) if self.stage == Stage::Hidden => self.found(&provided_id, &found),
            Answer::Customer(provided_id, found) => self.look(&provided_id, &found),
            Answer::Children(parent, children) => {
                self.placed.observe(&self.compared.index, &parent, children.as_deref());
                return self.entries_below(&parent);
            }
            Answer::Tags(_) => {}
        }
        Vec::new()
    }
}

impl Draft<'_> {
    /// The parent whose children show where a tenant's customer is now, if the tenant has a parent that exists.
    #[must_use]
    pub fn parent_to_ask(&self, provided_id: &str) -> Option<String> {
        let index = &self.compared.index;
        let row = index.row(provided_id).filter(|row| index.is_seen(*row))?;
        index.listed_parent(row).map(Cow::into_owned)
    }

    /// The id under which a tenant's customer is listed, if it is.
    #[must_use]
    pub fn listed_id(&self, provided_id: &str) -> Option<String> {
        let index = &self.compared.index;
        index.row(provided_id).map(|row| index.listed_id(row).into_owned())
    }

    /// Notes the look-up of a customer in doubt: what it really has, if Explo answered.
    fn look(&mut self, provided_id: &str, found: &Found) {
        let Compared { index, memory, rules, .. } = &self.compared;
        let Some(row) = self.doubtful.due().find(|row| index.listed_id(*row) == provided_id) else { return };
        let tenant = index.tenant(row);
        let current = match found {
            Found::Customer(customer) => Some(compare(&tenant, customer, *rules)),
            Found::Nobody | Found::Nothing => None,
        };
        let is_unsettled = |difference: &Difference| memory.of(&tenant.provided_id, difference).is_some();
        self.doubtful.look(row, current.as_deref(), is_unsettled);
    }

    /// Finishes the plan. The changes are sorted: renames, creates, updates, offboardings; parents before children (of those
    /// that are deleted, after them), otherwise by id.
    #[must_use]
    pub fn finish(mut self) -> Plan {
        let faults = self.doubtful.faults();
        for seen in std::mem::take(&mut self.doubtful) {
            self.compared.conclude(seen, &faults);
        }
        let mut moved_again = self.compare_parents();
        moved_again.retain(|row| !self.compared.index.is_invalid(*row));
        self.withdraw_invalid();
        let checks = self.compared.send_checks();
        let leavers = std::mem::take(&mut self.leavers);
        let (offboards, leaving_next) = self.compared.offboards(leavers);
        let parents = self.news_of_parents();
        self.compared.news_of_rest(&mut self.news);
        let (unchanged, unsettled_customers) = self.quiet();
        let Self { compared, population, tags, hierarchy, renamed, hidden, mut news, recalled, placed, .. } = self;
        let Compared { index, rules, memory, now, updates, mut unsettled, .. } = compared;
        index.sort(&mut unsettled, |(row, _)| (0, *row));
        news.parents = parents;
        let asked = placed.asked().filter(|_| memory.keeps_rows());
        news.children_listed_at = asked.map(|parent| (parent.to_owned(), now)).collect();
        news.settle_listed(updates.iter().map(|update| index.provided_id(update.row)));
        let mut renames: Vec<_> = renamed.keys().copied().collect();
        index.sort(&mut renames, |row| (0, *row));
        let mut creates: Vec<_> = index.absent().collect();
        index.sort(&mut creates, |row| (hierarchy.depth(*row), *row));
        let mut updates = updates;
        let depth = |update: &super::Update| if update.moves() { hierarchy.depth(update.row) } else { 0 };
        index.sort(&mut updates, |update| (depth(update), update.row));
        let changes = renames.into_iter().map(Change::Rename).chain(creates.into_iter().map(Change::Create));
        let keys = if faults.contains_key(&Doubt::KeyStyle) { KeyStyle::AsWanted } else { rules.keys };
        Plan {
            changes: changes
                .chain(updates.into_iter().map(Change::Update))
                .chain(offboards.into_iter().map(Change::Offboard))
                .collect(),
            invalid: index.invalid(),
            population,
            quiet: Quiet {
                unchanged,
                hidden,
                unsettled,
                unsettled_customers: unsettled_customers + recalled.unsettled.len(),
                waiting: recalled.waiting,
                leaving_next,
                ..Quiet::default()
            },
            expected: Expected { checks, moved_again, renamed_tokens: renamed },
            news,
            tags,
            rules: rules.with(keys),
            now,
            index,
        }
    }

    /// Drops the changes of tenants that turned out to be invalid.
    fn withdraw_invalid(&mut self) {
        let Compared { index, updates, unsettled, .. } = &mut self.compared;
        let is_valid = |row: RowNumber| !index.is_invalid(row);
        self.renamed.retain(|row, _| is_valid(*row));
        updates.retain(|update| is_valid(update.row));
        unsettled.retain(|(row, _)| is_valid(*row));
    }

    /// How many customers are left as they are: those with the wanted values, and those with only unsettled
    /// differences.
    fn quiet(&self) -> (usize, usize) {
        let Compared { index, updates, unsettled, .. } = &self.compared;
        let updated: HashSet<_> = updates.iter().map(|update| update.row).collect();
        let unsettled: HashSet<_> = unsettled.iter().map(|(row, _)| *row).collect();
        // A renamed customer counts as neither.
        let is_quiet = |row: &&RowNumber| index.is_listed(**row);
        let unsettled = unsettled.difference(&updated).filter(is_quiet).count();
        let updated = updated.iter().filter(is_quiet).count();
        (index.listed() - updated - unsettled + self.hidden.len(), unsettled)
    }
}
