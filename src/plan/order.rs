//! Which changes wait for which: a customer is renamed before it is updated, and exists before another moves under it.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
    ops::Range,
};

use super::{Change, Offboard, Plan, Update};
use crate::tenants::RowNumber;

impl Plan {
    /// The tenants that must be renamed or created before this change, if they are to be: its own, and its parent. Before a
    /// customer is deleted: those below it. Nothing waits for a parent that leaves: it stays as long as anybody is below it.
    pub fn waits_for<'c>(&self, change: &'c Change) -> impl Iterator<Item = RowNumber> + use<'c> {
        let (own, parent, below) = match change {
            Change::Rename(_) => (None, None, &[][..]),
            Change::Create(row) => (None, self.parent_to_come(*row), &[][..]),
            Change::Offboard(Offboard { children, .. }) => (None, None, &children[..]),
            Change::Update(Update { row, .. }) => {
                let parent = self.parent_to_come(*row).filter(|_| change.places());
                (self.index.is_renamed(*row).then_some(*row), parent, &[][..])
            }
        };
        own.into_iter().chain(parent).chain(below.iter().copied())
    }

    fn parent_to_come(&self, row: RowNumber) -> Option<RowNumber> {
        self.index.parent(row).filter(|parent| !self.index.is_leaving(*parent) || self.index.is_renamed(*parent))
    }

    /// The tenants to be renamed, created or deleted for which another change waits.
    #[must_use]
    pub fn needed(&self) -> HashSet<RowNumber> {
        let needed: HashSet<_> = self.changes.iter().flat_map(|change| self.waits_for(change)).collect();
        let makes = self.changes.iter().filter(|change| !matches!(change, Change::Update(_)) && !self.is_done(change));
        makes.map(Change::row).filter(|row| needed.contains(row)).collect()
    }

    /// The existing parents under which customers move, by the ids under which they are listed.
    #[must_use]
    pub fn parents_of_moves(&self) -> BTreeSet<String> {
        let moves = self.updates().filter(|update| update.old_parent().is_some());
        moves.filter_map(|update| self.index.listed_parent(update.row)).map(Cow::into_owned).collect()
    }

    /// The changes in parts that are applied one after the other: the renames, then parts in which no change waits for
    /// another.
    #[must_use]
    pub fn parts(&self) -> Vec<Range<usize>> {
        let (needed, renames) = (self.needed(), self.renames().count());
        let (mut parts, mut begin, mut in_part) = (Vec::new(), renames, HashSet::new());
        parts.push(0..renames);
        for (number, change) in self.changes.iter().enumerate().skip(renames) {
            if self.waits_for(change).any(|row| in_part.contains(&row)) {
                parts.push(begin..number);
                (begin, in_part) = (number, HashSet::new());
            }
            in_part.extend(Some(change.row()).filter(|row| needed.contains(row)));
        }
        parts.push(begin..self.changes.len());
        parts
    }
}
