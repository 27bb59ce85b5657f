//! Previous ids: which tenants claim them, and which tenants are to be renamed.

use std::sync::PoisonError;

use super::{Index, RowNumber, State};
use crate::model::Tenant;

impl Index {
    /// Notes the previous id of a tenant; ignores one that is the tenant's own id.
    pub(super) fn claim(&mut self, tenant: &Tenant<'_>, row: RowNumber, kept: fn(&str) -> Option<Box<str>>) {
        let previous = tenant.previous_provided_id.as_deref().filter(|previous| *previous != tenant.provided_id);
        if let Some(previous) = previous {
            self.claims.forget_rivals();
            self.claims.by_hash.insert((self.ids.of_id(previous), row), kept(previous));
        }
    }

    /// The tenants with a previous id, in no order.
    pub(crate) fn with_previous_id(&self) -> impl Iterator<Item = RowNumber> {
        self.claims.by_hash.keys().map(|(_, row)| *row)
    }

    /// Whether the tenant's row names a previous id.
    pub(crate) fn has_previous_id(&self, row: RowNumber) -> bool {
        !self.claims.by_hash.is_empty() && self.previous_provided_id(row).is_some()
    }

    /// The tenants with this previous id.
    pub(crate) fn claimants(&self, previous: &str) -> impl Iterator<Item = RowNumber> {
        let claims = self.claims.by_hash.range(all_of(self.ids.of_id(previous)));
        let is_it = move |row: RowNumber, kept: Option<&str>| match kept {
            Some(kept) => kept == previous,
            None => self.previous_provided_id(row).as_deref() == Some(previous),
        };
        claims.filter(move |((_, row), kept)| is_it(*row, kept.as_deref())).map(|((_, row), _)| *row)
    }

    /// Whether no customer is known to be the tenant's, whether it stays or leaves.
    pub(crate) fn is_unmet(&self, row: RowNumber) -> bool {
        self.is_absent(row) || self.is(row, State::Leaving)
    }

    /// Whether another tenant has this previous id, and no customer was listed for that tenant.
    pub(crate) fn has_rival(&self, row: RowNumber, previous: &str) -> bool {
        let mut last = self.claims.rivals.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, rivals) = match last.take() {
            Some(known) if known.0 == previous => last.insert(known),
            _ => {
                let mut rivals = self.claimants(previous).filter(|rival| !self.is_listed(*rival));
                last.insert((previous.to_owned(), [rivals.next(), rivals.next()]))
            }
        };
        rivals.iter().flatten().any(|rival| *rival != row)
    }

    /// Notes that the tenant's customer is to get another id.
    pub(crate) fn rename(&mut self, row: RowNumber) {
        if let Some(previous) = self.previous_provided_id(row) {
            let hash = self.ids.of_id(&previous);
            self.claims.renamed.insert((hash, row));
        }
        self.mark(row, if self.is_leaving(row) { State::LeavingRenamed } else { State::Renamed });
    }

    /// The tenant that has this id, or that is to be renamed from it.
    pub(crate) fn of_id_or_previous(&self, provided_id: &str) -> Option<RowNumber> {
        self.row(provided_id).or_else(|| self.renamed_from(provided_id))
    }

    fn renamed_from(&self, previous: &str) -> Option<RowNumber> {
        if self.claims.renamed.is_empty() {
            return None;
        }
        let mut renamed = self.claims.renamed.range(all_of(self.ids.of_id(previous))).map(|(_, row)| *row);
        renamed.find(|row| self.is_renamed(*row) && self.previous_provided_id(*row).as_deref() == Some(previous))
    }
}

fn all_of(hash: u64) -> std::ops::RangeInclusive<(u64, RowNumber)> {
    (hash, RowNumber(0))..=(hash, RowNumber(u32::MAX))
}
