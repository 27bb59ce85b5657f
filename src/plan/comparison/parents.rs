//! Under whom customers are: asked for parent by parent, for no record names one, or known from a ledger.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::{Comparison, Difference, RowNumber, Update};
use crate::{
    model::{Field, json},
    plan::{Entry, Remembered, Token, failure::is_daily_due},
};

impl Comparison<'_> {
    /// The customers whose children are to be listed, after all were given, for no record names the parent. What a ledger
    /// knows of a parent is good for a day.
    #[must_use]
    pub fn parents(&mut self) -> BTreeSet<String> {
        self.judge();
        let is_due = |row: RowNumber, parent: &str| {
            let listed_at = self.findings.children_listed_at(parent).filter(|at| *at <= self.now);
            self.remembered_parent(row).is_none() || listed_at.is_none_or(|at| is_daily_due(at, self.now))
        };
        let parent = |row| Some((row, self.index.listed_parent(row)?));
        let parents = self.seen_with_parent().filter_map(parent);
        let due = parents.filter(|(row, parent)| is_due(*row, parent)).map(|(_, parent)| parent.into_owned());
        let mut below: BTreeMap<String, Vec<RowNumber>> = due.map(|parent| (parent, Vec::new())).collect();
        for row in self.seen_with_parent() {
            if let Some(children) = self.index.listed_parent(row).and_then(|parent| below.get_mut(&*parent)) {
                children.push(row);
            }
        }
        let parents = below.keys().cloned().collect();
        self.below = below;
        parents
    }

    /// Takes the children that Explo listed for one of the [`parents`](Self::parents), if it told them.
    pub fn place(&mut self, parent: &str, children: Option<&[String]>) {
        self.placed.take(&self.index, parent, children);
    }

    /// What is to be remembered as soon as a parent's children were listed: a run that is stopped goes on from there.
    #[must_use]
    pub fn entries_below(&self, parent: &str) -> Vec<Entry> {
        if !self.findings.keeps_rows() {
            return Vec::new();
        }
        let asked = Remembered { children_listed_at: Some(self.now), ..self.findings.known(parent) };
        let mut entries = vec![Entry::new(parent, Token::Kept, asked)];
        for row in self.below.get(parent).into_iter().flatten() {
            if let Some((provided_id, parent)) = self.news_of_parent(*row) {
                let placed = Remembered { parent: Some(parent), ..self.findings.known(&provided_id) };
                entries.push(Entry::new(&provided_id, Token::Kept, placed));
            }
        }
        entries
    }

    fn seen_with_parent(&self) -> impl Iterator<Item = RowNumber> {
        self.index.with_parent().filter(|row| self.index.is_seen(*row))
    }

    /// Under whom a tenant's customer is, as far as that is known; nothing where it is not under the one that is wanted.
    fn parent_of(&self, row: RowNumber) -> Option<Cow<'_, str>> {
        let wanted = self.index.wanted_parent(row)?;
        if let Some(other) = self.placed.elsewhere(&self.index, row) {
            return Some(Cow::Borrowed(other));
        }
        match self.index.listed_parent(row).and_then(|parent| self.placed.told(&parent)) {
            Some(true) => Some(wanted),
            // Nobody is blamed for that.
            Some(false) => self.remembered_parent(row).or(Some(wanted)),
            None => self.remembered_parent(row),
        }
    }

    /// The parent that a ledger knows, if that is still somebody: an id that nobody has any more may have been the wanted
    /// parent's own, for a rename takes the children along.
    fn remembered_parent(&self, row: RowNumber) -> Option<Cow<'_, str>> {
        let remembered = self.findings.parent(&self.index.listed_id(row))?;
        let is_wanted = Some(remembered) == self.index.listed_parent(row).as_deref();
        let is_somebody = remembered.is_empty() || self.index.has(remembered) || self.may_be_orphan(remembered);
        match (is_wanted, is_somebody) {
            (true, _) => self.index.wanted_parent(row),
            (false, true) => Some(Cow::Borrowed(remembered)),
            (false, false) => {
                self.index.wanted_parent(row).filter(|_| Some(remembered) == self.index.former_parent(row).as_deref())
            }
        }
    }

    /// How a customer's parent differs, as far as that is known.
    fn parent_difference(&self, row: RowNumber) -> Option<Difference> {
        let (old, new) = (self.parent_of(row)?, self.index.wanted_parent(row)?);
        let difference =
            || Difference { field: Field::ParentProvidedId, old: json::quote(&old), new: json::quote(&new) };
        (old != new).then(difference)
    }

    /// There is neither a tenant nor a customer with this id.
    pub fn lack(&mut self, parent: String) {
        self.lacking.insert(parent);
    }

    /// The parents of customers as they are known from now on, where that is another than is remembered.
    pub(super) fn news_of_parents(&self) -> BTreeMap<String, String> {
        let rows = self.seen_with_parent().filter(|_| self.findings.keeps_rows());
        rows.filter_map(|row| self.news_of_parent(row)).collect()
    }

    fn news_of_parent(&self, row: RowNumber) -> Option<(String, String)> {
        let (provided_id, parent) = (self.index.provided_id(row), self.parent_of(row)?);
        let is_renamed = self.index.parent(row).is_some_and(|parent| self.index.is_renamed(parent));
        let is_news = self.index.is_listed(row) && !is_renamed && self.findings.parent(&provided_id) != Some(&*parent);
        is_news.then(|| (provided_id.into_owned(), parent.into_owned()))
    }

    /// What differs in the parents, beside all other differences.
    pub(super) fn compare_parents(&mut self) {
        let differences: Vec<_> =
            self.seen_with_parent().filter_map(|row| Some((row, self.parent_difference(row)?))).collect();
        let updates = self.updates.iter().enumerate().map(|(place, update)| (update.row, place));
        let updates: HashMap<_, _> = updates.filter(|_| !differences.is_empty()).collect();
        for (row, difference) in differences {
            let provided_id = self.index.provided_id(row);
            if self.findings.came_back(&provided_id, &difference) {
                self.moved_again.insert(row);
            }
            match (self.known(row, &difference), updates.get(&row)) {
                (Some(known), _) => self.unsettled.push((row, known)),
                (None, Some(place)) => self.updates[*place].differences.push(difference),
                (None, None) => self.updates.push(Update { row, differences: vec![difference] }),
            }
        }
    }
}
