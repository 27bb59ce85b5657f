//! What customers are to the tenants: probed a few at a time, so that nobody waits for the memory of one after the other.

use std::hint::black_box;

use super::{Index, State, number};
use crate::{model::Customer, plan::RowNumber};

/// What a customer is to the tenants.
#[derive(Debug, PartialEq, Eq)]
pub enum Probe {
    /// It holds what its tenant wants.
    Equal(RowNumber),
    /// It may differ from this tenant: compare.
    Differs(RowNumber),
    /// Another customer was seen under the same id before.
    Doubled(RowNumber),
    /// Its tenant is invalid, or it has no id.
    Ignored,
    /// It has the previous id of these tenants, and no row has this id.
    Previous(Vec<RowNumber>),
    /// It has no tenant.
    Orphan,
}

impl Index {
    /// Says of each customer what it is to the tenants, and marks its tenant as listed.
    pub fn probe(&mut self, customers: &[Customer<'_>]) -> Vec<Probe> {
        let id = |customer: &Customer<'_>| customer.provided_id.as_deref().map_or(0, |id| self.fingerprints.of_id(id));
        let ids: Vec<_> = customers.iter().map(id).collect();
        self.by_id.touch(ids.iter().copied());
        // Mostly it is the first that may be it.
        let rows: Vec<_> = ids.iter().map(|id| self.by_id.find(*id, |_| true).map(number)).collect();
        let read = rows
            .iter()
            .flatten()
            .map(|row| self.wanted[row.0 as usize] ^ u64::from(self.marks[row.0 as usize].is(State::Listed)));
        black_box(read.fold(0, u64::wrapping_add));
        let customers = customers.iter().zip(ids).zip(rows);
        customers.map(|((customer, id), row)| self.probe_one(customer, id, row)).collect()
    }

    fn probe_one(&mut self, customer: &Customer<'_>, id: u64, likely: Option<RowNumber>) -> Probe {
        let Some(provided_id) = customer.provided_id.as_deref() else { return Probe::Ignored };
        // Where the hash of the id and the fingerprint agree the id need not be looked at.
        if let Some(row) = likely.filter(|row| self.is(*row, State::Unlisted) && self.holds(customer, id, *row)) {
            self.mark(row, State::Listed);
            return Probe::Equal(row);
        }
        let Some(row) = self.find(id, provided_id) else {
            let claimants: Vec<_> = self.claimants(provided_id).collect();
            return if claimants.is_empty() { Probe::Orphan } else { Probe::Previous(claimants) };
        };
        match self.marks[row.0 as usize] {
            mark if mark.is(State::Listed) => return Probe::Doubled(row),
            mark if !mark.is(State::Unlisted) => return Probe::Ignored,
            _ => {}
        }
        self.mark(row, State::Listed);
        if likely != Some(row) && self.holds(customer, id, row) { Probe::Equal(row) } else { Probe::Differs(row) }
    }

    /// The customer, whose id has this hash, holds what the row wants.
    fn holds(&mut self, customer: &Customer<'_>, id: u64, row: RowNumber) -> bool {
        let managed = &self.shapes[self.marks[row.0 as usize].shape() as usize];
        self.fingerprints.of_customer(customer, managed, &mut self.layouts.1) ^ id == self.wanted[row.0 as usize]
    }
}
