//! Tenants that leave: rows that say so, and those that stand for rows that are gone.

use super::{Index, RowNumber, State};
use crate::model::Tenant;

impl Index {
    /// Adds a tenant that leaves and has no row.
    pub(crate) fn insert_leaving(&mut self, tenant: &Tenant<'_>) -> Option<RowNumber> {
        self.insert_tenant(tenant, self.ids.of_id(&tenant.provided_id));
        self.row(&tenant.provided_id).filter(|row| self.is_leaving(*row))
    }

    /// Whether the tenant leaves, and can be planned.
    pub(crate) fn is_leaving(&self, row: RowNumber) -> bool {
        self.is(row, State::Leaving) || self.is(row, State::LeavingRenamed)
    }

    /// Whether a row has this id and its tenant leaves.
    #[must_use]
    pub fn leaves(&self, provided_id: &str) -> bool {
        self.row(provided_id).is_some_and(|row| self.is_leaving(row))
    }

    /// The tenants that leave, in the order of reading.
    pub(crate) fn leaving(&self) -> impl Iterator<Item = RowNumber> {
        self.numbers().filter(|row| self.is_leaving(*row))
    }
}
