//! Customers whose records can't be read completely.
//!
//! | the record | then |
//! |---|---|
//! | can't be read | its tenant is invalid, and its token is neither stored nor forgotten |
//! | is too large | all fields that its tenant manages count as different, and are sent once per change of the row |
//!
//! A record without an id is only counted.

use std::borrow::Cow;

use super::Census;
use crate::{
    compare::managed_differences,
    memory::{Listed, TOO_LARGE, Token},
    model::{Customer, Gap, Partial},
    plan::{
        Extent,
        compared::{Compared, UNREADABLE},
        doubt::{Faults, Match},
        rename::Former,
    },
    tenants::{Probe, RowNumber},
};

const WHOSE: &str = "its customer's record is too large to show whose it is: a run of all tenants decides";

pub(super) const PREVIOUS_UNREADABLE: &str =
    "the record of the customer with its previous_provided_id can't be read: left alone";

impl Census<'_> {
    /// Observes a customer whose record can't be read completely.
    pub fn observe_partial(&mut self, partial: &Partial<'_>) {
        self.population.customers += 1;
        let is_unreadable = partial.gap == Gap::Unreadable;
        if is_unreadable {
            self.population.unreadable.push(partial.provided_id.clone().map(Cow::into_owned));
        }
        let Some(provided_id) = partial.provided_id.as_deref() else { return };
        let shown = Customer {
            token: Cow::Borrowed(&*partial.token),
            provided_id: Some(Cow::Borrowed(provided_id)),
            ..Customer::default()
        };
        self.tokens.observe(&shown, provided_id);
        if is_unreadable {
            self.tokens.find(provided_id);
        }
        let probe = self.compared.index.probe(&shown);
        match probe {
            Probe::Orphan => return self.population.orphans.push(provided_id.to_owned()),
            Probe::Ignored => {}
            // What it was could not be kept.
            Probe::Leaving(row) => drop(self.unread.insert(row)),
            Probe::Doubled(row) => self.observe_again(row, provided_id),
            Probe::Equal(row) | Probe::Differs(row) if is_unreadable => drop(self.unread.insert(row)),
            Probe::Equal(row) | Probe::Differs(row) => self.observe_too_large(row, &shown, provided_id),
            Probe::Previous(rows) => {
                let seen = rows.into_iter().map(|row| self.matched_in_part(row)).collect();
                return self.former.push(Former::new(&shown, provided_id, seen, is_unreadable));
            }
        }
        self.population.with_tenant += 1;
    }

    /// Observes one that was looked up alone. What is too large to be read does not show its data visibility group, so
    /// only the ledger can prove whose it is.
    pub fn observe_partial_alone(&mut self, partial: &Partial<'_>) {
        let Compared { index, memory, .. } = &self.compared;
        let provided_id = partial.provided_id.as_deref().unwrap_or_default();
        let shown = Customer { token: Cow::Borrowed(&*partial.token), ..Customer::default() };
        let is_known = memory.keeps_rows() && memory.has_token(&shown, provided_id);
        if is_known || memory.overview().is_none() || partial.gap == Gap::Unreadable {
            return self.observe_partial(partial);
        }
        let rows: Vec<_> = index.row(provided_id).into_iter().chain(index.claimants(provided_id)).collect();
        for row in rows {
            self.compared.reject(row, WHOSE);
        }
    }

    fn observe_too_large(&mut self, row: RowNumber, shown: &Customer<'_>, provided_id: &str) {
        let Compared { index, memory, extent, .. } = &self.compared;
        let is_hidden = *extent == Extent::Some && memory.is_hidden(provided_id);
        let lacks = !is_hidden && memory.lacks_too_large(shown, provided_id);
        if !memory.is_sent_too_large(provided_id, || index.tenant(row)) {
            let seen = self.matched_in_part(row);
            self.compared.conclude(seen, &Faults::new());
        }
        if lacks {
            self.tokens.find(provided_id);
            let token = Token::shown(&shown.token);
            self.listed.push(Listed { provided_id: provided_id.to_owned(), token, seen: TOO_LARGE, equal: None });
        }
    }

    /// A match in which all fields that the tenant manages differ.
    fn matched_in_part(&self, row: RowNumber) -> Match {
        Match::certain(row, managed_differences(&self.compared.index.tenant(row), self.compared.rules))
    }

    /// Rejects the tenants whose customer's record can't be read; what is remembered of them stays.
    pub(super) fn reject_unread(&mut self) {
        for row in self.unread.clone() {
            self.compared.reject(row, UNREADABLE);
        }
    }
}
