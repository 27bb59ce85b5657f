//! The current parents of customers: asked parent by parent, because no record names its parent, or known from a
//! ledger.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::Draft;
use crate::{
    compare::Difference,
    memory::{Entry, Remembered, Token, is_daily_due},
    model::{Field, json},
    plan::Update,
    tenants::RowNumber,
};

impl Draft<'_> {
    /// The parents whose children are to be listed. What a ledger knows of a parent is valid for a day.
    pub(super) fn parents(&mut self) -> Vec<String> {
        let is_due = |row: RowNumber, parent: &str| {
            let listed_at = self.compared.memory.children_listed_at(parent).filter(|at| *at <= self.compared.now);
            self.remembered_parent(row).is_none() || listed_at.is_none_or(|at| is_daily_due(at, self.compared.now))
        };
        let parent = |row| Some((row, self.compared.index.listed_parent(row)?));
        let parents = self.seen_with_parent().filter_map(parent);
        let due = parents.filter(|(row, parent)| is_due(*row, parent)).map(|(_, parent)| parent.into_owned());
        let mut below: BTreeMap<String, Vec<RowNumber>> = due.map(|parent| (parent, Vec::new())).collect();
        for row in self.seen_with_parent() {
            if let Some(children) = self.compared.index.listed_parent(row).and_then(|parent| below.get_mut(&*parent)) {
                children.push(row);
            }
        }
        let parents = below.keys().cloned().collect();
        self.below = below;
        parents
    }

    /// What to remember once a parent's children are listed, so that a stopped run continues from there.
    pub(super) fn entries_below(&self, parent: &str) -> Vec<Entry> {
        if !self.compared.memory.keeps_rows() {
            return Vec::new();
        }
        let asked = Remembered { children_listed_at: Some(self.compared.now), ..self.compared.memory.known(parent) };
        let mut entries = vec![Entry::new(parent, Token::Kept, asked)];
        for row in self.below.get(parent).into_iter().flatten() {
            if let Some((provided_id, parent)) = self.news_of_parent(*row) {
                let placed = Remembered { parent: Some(parent), ..self.compared.memory.known(&provided_id) };
                entries.push(Entry::new(&provided_id, Token::Kept, placed));
            }
        }
        entries
    }

    fn seen_with_parent(&self) -> impl Iterator<Item = RowNumber> {
        self.compared.index.with_parent().filter(|row| self.compared.index.is_seen(*row))
    }

    /// The current parent of a tenant's customer, if known; empty if it is only known not to be the wanted one.
    fn parent_of(&self, row: RowNumber) -> Option<Cow<'_, str>> {
        let wanted = self.compared.index.wanted_parent(row)?;
        if let Some(other) = self.placed.elsewhere(&self.compared.index, row) {
            return Some(Cow::Borrowed(other));
        }
        match self.compared.index.listed_parent(row).and_then(|parent| self.placed.lists(&parent)) {
            Some(true) => Some(wanted),
            // Explo did not list the children: no difference is assumed.
            Some(false) => self.remembered_parent(row).or(Some(wanted)),
            None => self.remembered_parent(row),
        }
    }

    /// The parent that a ledger knows, if that id still exists. An id that no longer exists may be the wanted parent's
    /// former id, because a rename takes the children along.
    fn remembered_parent(&self, row: RowNumber) -> Option<Cow<'_, str>> {
        let remembered = self.compared.memory.parent(&self.compared.index.listed_id(row))?;
        let is_wanted = Some(remembered) == self.compared.index.listed_parent(row).as_deref();
        let is_somebody = remembered.is_empty()
            || self.compared.index.has(remembered)
            || self.population.may_have(remembered, self.compared.extent);
        match (is_wanted, is_somebody) {
            (true, _) => self.compared.index.wanted_parent(row),
            (false, true) => Some(Cow::Borrowed(remembered)),
            (false, false) => self
                .compared
                .index
                .wanted_parent(row)
                .filter(|_| Some(remembered) == self.compared.index.former_parent(row).as_deref()),
        }
    }

    /// The difference of a customer's parent, if its parent is known.
    fn parent_difference(&self, row: RowNumber) -> Option<Difference> {
        let (current, wanted) = (self.parent_of(row)?, self.compared.index.wanted_parent(row)?);
        let difference = || Difference {
            field: Field::ParentProvidedId,
            current: json::quote(&current),
            wanted: json::quote(&wanted),
        };
        (current != wanted).then(difference)
    }

    /// The known parents of customers that differ from the remembered ones.
    pub(super) fn news_of_parents(&self) -> BTreeMap<String, String> {
        let rows = self.seen_with_parent().filter(|_| self.compared.memory.keeps_rows());
        rows.filter_map(|row| self.news_of_parent(row)).collect()
    }

    fn news_of_parent(&self, row: RowNumber) -> Option<(String, String)> {
        let (provided_id, parent) = (self.compared.index.provided_id(row), self.parent_of(row)?);
        let is_renamed = self.compared.index.parent(row).is_some_and(|parent| self.compared.index.is_renamed(parent));
        let is_news = self.compared.index.is_listed(row)
            && !is_renamed
            && self.compared.memory.parent(&provided_id) != Some(&*parent);
        is_news.then(|| (provided_id.into_owned(), parent.into_owned()))
    }

    /// Adds the differences of parents to all others; returns the tenants that an earlier run moved without effect.
    pub(super) fn compare_parents(&mut self) -> BTreeSet<RowNumber> {
        let mut moved_again = BTreeSet::new();
        let differences: Vec<_> =
            self.seen_with_parent().filter_map(|row| Some((row, self.parent_difference(row)?))).collect();
        let updates = self.compared.updates.iter().enumerate().map(|(place, update)| (update.row, place));
        let updates: HashMap<_, _> = updates.filter(|_| !differences.is_empty()).collect();
        for (row, difference) in differences {
            let provided_id = self.compared.index.provided_id(row);
            if self.compared.memory.came_back(&provided_id, &difference) {
                moved_again.insert(row);
            }
            match (self.compared.known(row, &difference), updates.get(&row)) {
                (Some(known), _) => self.compared.unsettled.push((row, known)),
                (None, Some(place)) => self.compared.updates[*place].differences.push(difference),
                (None, None) => self.compared.updates.push(Update { row, differences: vec![difference] }),
            }
        }
        moved_again
    }
}
