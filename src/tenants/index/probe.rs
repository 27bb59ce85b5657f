//! Finds the tenant of a customer, and compares their fingerprints.

use super::{Index, State, number};
use crate::{model::Customer, tenants::RowNumber};

/// The result of probing a customer.
#[derive(Debug, PartialEq, Eq)]
pub enum Probe {
    /// It equals this tenant.
    Equal(RowNumber),
    /// It may differ from this tenant: compare.
    Differs(RowNumber),
    /// Another customer with the same id was listed before.
    Doubled(RowNumber),
    /// Its tenant is invalid, or it has no id.
    Ignored,
    /// Its tenant leaves.
    Leaving(RowNumber),
    /// It has the previous id of these tenants, and no row has this id.
    Previous(Vec<RowNumber>),
    /// It has no tenant.
    Orphan,
}

impl Index {
    /// Finds the tenant of a customer, compares their fingerprints, and marks the tenant as listed.
    pub fn probe(&mut self, customer: &Customer<'_>) -> Probe {
        let Some(provided_id) = customer.provided_id.as_deref() else { return Probe::Ignored };
        let id = self.ids.of_id(provided_id);
        // If both the hash of the id and the fingerprint match, the id is not compared. Mostly the first candidate is
        // right.
        let likely = self.by_id.find(id, |_| true).map(number);
        if let Some(row) = likely.filter(|row| self.is(*row, State::Absent) && self.holds(customer, id, *row)) {
            self.mark(row, State::Listed);
            return Probe::Equal(row);
        }
        let Some(row) = self.find(id, provided_id) else {
            let claimants: Vec<_> = self.claimants(provided_id).collect();
            return if claimants.is_empty() { Probe::Orphan } else { Probe::Previous(claimants) };
        };
        match self.marks[row.0 as usize] {
            mark if mark.is(State::Listed) => return Probe::Doubled(row),
            mark if mark.is(State::Leaving) => return Probe::Leaving(row),
            mark if !mark.is(State::Absent) => return Probe::Ignored,
            _ => {}
        }
        self.mark(row, State::Listed);
        if likely != Some(row) && self.holds(customer, id, row) { Probe::Equal(row) } else { Probe::Differs(row) }
    }

    /// Whether the customer, whose id has this hash, equals what the row wants.
    fn holds(&mut self, customer: &Customer<'_>, id: u64, row: RowNumber) -> bool {
        let managed = &self.shapes[self.marks[row.0 as usize].shape() as usize];
        self.fingerprints.of_customer(customer, managed, &mut self.layouts.1) ^ id == self.wanted[row.0 as usize]
    }
}
