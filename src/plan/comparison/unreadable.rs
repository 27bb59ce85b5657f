//! Customers whose records can't be read whole.
//!
//! | the record | then |
//! |---|---|
//! | can't be read | its tenant is invalid, and its token is neither taken up nor forgotten |
//! | is too large | all that its tenant manages counts as different, and is sent once for each change of the row |
//!
//! Without an id it counts, and that is all.

use std::borrow::Cow;

use super::{Comparison, Extent, RowNumber, Seen};
use crate::{
    model::{Customer, Gap, Partial},
    plan::{Listed, Probe, TOO_LARGE, Token, compare::managed_differences, doubt::Faults},
};

pub(super) const UNREADABLE: &str = "its customer's record in Explo can't be read";

pub(super) const PREVIOUS_UNREADABLE: &str =
    "the record of the customer with its previous_provided_id can't be read: left alone";

impl Comparison<'_> {
    /// Takes a customer of which the listing can't be read whole.
    pub fn observe_partial(&mut self, partial: &Partial<'_>) {
        self.customers += 1;
        let is_unreadable = partial.gap == Gap::Unreadable;
        if is_unreadable {
            self.unreadable.push(partial.provided_id.clone().map(Cow::into_owned));
        }
        let Some(provided_id) = partial.provided_id.as_deref() else { return };
        let shown = Customer {
            token: Cow::Borrowed(&*partial.token),
            provided_id: Some(Cow::Borrowed(provided_id)),
            ..Customer::default()
        };
        self.see_token(&shown, provided_id);
        if is_unreadable {
            self.stale.remove(provided_id);
        }
        let probe = self.index.probe(std::slice::from_ref(&shown)).pop().unwrap_or(Probe::Ignored);
        match probe {
            Probe::Orphan => return self.orphans.push(provided_id.to_owned()),
            Probe::Ignored => {}
            Probe::Doubled(row) => self.see_again(row, provided_id),
            Probe::Equal(row) | Probe::Differs(row) if is_unreadable => drop(self.unread.insert(row)),
            Probe::Equal(row) | Probe::Differs(row) => self.see_too_large(row, &shown, provided_id),
            Probe::Previous(rows) => {
                let seen = rows.into_iter().map(|row| self.seen_partly(row)).collect();
                return self.see_former(&shown, provided_id, seen, is_unreadable);
            }
        }
        self.with_tenant += 1;
    }

    /// The same of a look at one tenant's customer, in place of a listing.
    pub fn observe_partial_alone(&mut self, partial: &Partial<'_>) {
        self.observe_alone(None);
        self.observe_partial(partial);
    }

    fn see_too_large(&mut self, row: RowNumber, shown: &Customer<'_>, provided_id: &str) {
        if !self.findings.is_sent_too_large(provided_id, || self.index.tenant(row)) {
            self.conclude(self.seen_partly(row), &Faults::new());
        }
        let is_hidden = self.extent == Extent::Some && self.findings.is_hidden(provided_id);
        if !is_hidden && self.findings.lacks_too_large(shown, provided_id) {
            self.stale.remove(provided_id);
            let token = Token::shown(&shown.token);
            self.listed.push(Listed { provided_id: provided_id.to_owned(), token, seen: TOO_LARGE, equal: None });
        }
    }

    /// All that a tenant manages, as different.
    fn seen_partly(&self, row: RowNumber) -> Seen {
        Seen::certain(row, managed_differences(&self.index.tenant(row), self.rules))
    }

    /// Their customers can't be told, and what was remembered stays.
    pub(super) fn reject_unread(&mut self) {
        for row in self.unread.clone() {
            self.reject(row, UNREADABLE);
        }
    }
}
