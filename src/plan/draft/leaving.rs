//! The offboardings of a plan, children before parents.

use std::collections::BTreeMap;

use super::Draft;
use crate::{
    memory::Action,
    model::Tenant,
    plan::{
        Found,
        compared::{Compared, HIDDEN},
        offboard::{Leavers, Offboard, leaving},
    },
    tenants::RowNumber,
};

/// Parents above one customer that are followed: more than there can be levels.
const DEEPEST: usize = 64;

impl Draft<'_> {
    /// Notes the look-up of a customer that leaves and that no listing shows.
    pub(super) fn found_missing(&mut self, provided_id: String, found: &Found) {
        let Compared { index, memory, now, .. } = &self.compared;
        match found {
            Found::Nobody if memory.is_deleting(&provided_id) => drop(self.news.deleted.insert(provided_id)),
            Found::Nobody => drop(self.news.gone.insert(provided_id)),
            Found::Customer(customer) if memory.has_token(customer, &provided_id) => {
                let row = index.row(&provided_id).filter(|row| index.is_leaving(*row));
                self.news.asked_at.insert(provided_id, *now);
                if let Some(row) = row {
                    self.compared.reject(row, HIDDEN);
                }
            }
            Found::Customer(_) | Found::Nothing => {}
        }
    }
}

impl Compared<'_> {
    /// The offboardings, sorted; and who leaves with the next run: those renamed by this one and, if they are to be deleted,
    /// those whose token the ledger does not know yet.
    pub(super) fn offboards(&mut self, Leavers { said, gone }: Leavers) -> (Vec<Offboard>, Vec<RowNumber>) {
        let said = said.into_iter().filter_map(|(row, offboard)| Some((row, offboard?)));
        let said = said.filter(|(row, _)| self.index.is_leaving(*row));
        let mut all: Vec<_> = said.map(|(row, offboard)| Offboard { row, ..offboard }).collect();
        for (provided_id, offboard) in gone {
            let Some(offboard) = offboard else { continue };
            let tenant = leaving(&Tenant { provided_id: provided_id.into(), ..Tenant::default() }, offboard.action);
            all.extend(self.index.insert_leaving(&tenant).map(|row| Offboard { row, ..offboard }));
        }
        let mut next: Vec<_> = self.index.leaving().filter(|row| self.index.is_renamed(*row)).collect();
        all.retain_mut(|offboard| match offboard.action {
            Action::Delete => {
                let is_known = self.memory.token(&self.index.provided_id(offboard.row)) == Some(offboard.token);
                next.extend((!is_known).then_some(offboard.row));
                is_known
            }
            Action::LockOut => self.leaves_access(offboard),
        });
        self.put_children_first(&mut all);
        self.index.sort(&mut next, |row| (0, *row));
        (all, next)
    }

    /// Drops what is known not to settle; returns whether anything is left to empty.
    fn leaves_access(&mut self, offboard: &mut Offboard) -> bool {
        let row = offboard.row;
        for difference in std::mem::take(&mut offboard.differences) {
            match self.known(row, &difference) {
                Some(known) => self.unsettled.push((row, known)),
                None => offboard.differences.push(difference),
            }
        }
        !offboard.differences.is_empty()
    }

    /// Sorts by id, and the customers to delete so that each comes after those below it, as far as the rows or the ledger tell
    /// who is below whom.
    fn put_children_first(&self, all: &mut Vec<Offboard>) {
        let deleted = all.iter().filter(|offboard| offboard.action == Action::Delete);
        let rows: BTreeMap<_, _> =
            deleted.map(|offboard| (offboard.row, self.parent_of_leaving(offboard.row))).collect();
        let parent = |row: &RowNumber| rows.get(row).copied().flatten().filter(|parent| rows.contains_key(parent));
        let above = |row: RowNumber| std::iter::successors(parent(&row), parent).take(DEEPEST);
        let depth = |row: RowNumber| u32::try_from(above(row).count()).unwrap_or(u32::MAX);
        let depths: BTreeMap<_, _> = rows.keys().map(|row| (*row, depth(*row))).collect();
        let mut below = BTreeMap::<_, Vec<_>>::new();
        for (row, parent) in rows.keys().filter_map(|row| Some((*row, parent(row)?))) {
            // In a circle none is above the others.
            if depths[&row] > depths[&parent] {
                below.entry(parent).or_default().push(row);
            }
        }
        for offboard in all.iter_mut() {
            offboard.children = below.remove(&offboard.row).unwrap_or_default();
        }
        self.index.sort(all, |offboard| (u32::MAX - depths.get(&offboard.row).copied().unwrap_or(0), offboard.row));
    }

    fn parent_of_leaving(&self, row: RowNumber) -> Option<RowNumber> {
        let own = self.index.parent_provided_id(row);
        let own = own.as_deref().or_else(|| self.memory.parent(&self.index.provided_id(row)));
        self.index.row(own?)
    }
}
