//! Both sides of the comparison, as the census and the draft share them.

use std::collections::HashSet;

use super::{
    Extent, News, Offboarding, Update,
    doubt::{Faults, Match},
};
use crate::{
    compare::{Difference, Rules, Unsettled},
    memory::Memory,
    tenants::{Index, RowNumber},
};

const NAMELESS: &str = "name is NULL or not in the query, and a new customer needs one";

pub(super) const DOUBLED: &str = "Explo lists more than one customer with this provided_id: delete the wrong one there";

pub(super) const UNREADABLE: &str = "its customer's record in Explo can't be read";

pub(super) const HIDDEN: &str =
    "offboard is true, and its customer exists although no listing shows it: left alone until one does";

/// The tenants with what is known of their customers.
#[derive(Debug)]
pub(super) struct Compared<'m> {
    pub(super) index: Index,
    pub(super) rules: Rules,
    pub(super) memory: &'m Memory,
    pub(super) extent: Extent,
    /// When the run began, in seconds since 1970.
    pub(super) now: u64,
    /// Tenants that failed before are tried at once.
    pub(super) retry_failed: bool,
    /// How tenants leave.
    pub(super) offboarding: Offboarding,
    pub(super) updates: Vec<Update>,
    pub(super) unsettled: Vec<(RowNumber, Unsettled)>,
    /// Tenants whose customer has another fingerprint: there may be an update for them or not.
    pub(super) unlike: Vec<RowNumber>,
}

impl Compared<'_> {
    pub(super) fn reject(&mut self, row: RowNumber, reason: &str) {
        let provided_id = self.index.provided_id(row).into_owned();
        self.index.reject(&provided_id, reason);
    }

    /// Rejects a tenant without a name, because its customer is to be created.
    pub(super) fn require_name(&mut self, row: RowNumber) {
        if !self.index.has_name(row) {
            self.reject(row, NAMELESS);
        }
    }

    pub(super) fn conclude(&mut self, seen: Match, faults: &Faults) {
        let row = seen.row;
        let (differences, unsettled) = seen.decide(faults);
        self.decide(row, differences, unsettled);
    }

    /// Drops differences known not to settle. If others remain, they become an update; returns whether they do.
    pub(super) fn decide(
        &mut self,
        row: RowNumber,
        differences: Vec<Difference>,
        mut unsettled: Vec<Unsettled>,
    ) -> bool {
        let mut update = Vec::new();
        for difference in differences {
            match self.known(row, &difference) {
                Some(known) => unsettled.push(known),
                None => update.push(difference),
            }
        }
        let is_updated = !update.is_empty();
        if is_updated {
            self.updates.push(Update { row, differences: update });
        }
        self.unsettled.extend(unsettled.into_iter().map(|unsettled| (row, unsettled)));
        is_updated
    }

    /// What is known of this difference of a tenant, if that is a reason not to send it.
    pub(super) fn known(&self, row: RowNumber, difference: &Difference) -> Option<Unsettled> {
        let finding = self.memory.of(&self.index.provided_id(row), difference)?;
        // The user named this tenant, so the difference is sent in any case.
        let is_sent = finding.is_predicted && self.retry_failed && self.extent == Extent::Some;
        let known = || Unsettled { difference: difference.clone(), rule: finding.rule, known: finding.known() };
        (!is_sent).then(known)
    }

    /// Where memory of whether something is left to do is wrong by now: for the tenants whose customers have another
    /// fingerprint, and for those with an update.
    pub(super) fn news_of_rest(&self, news: &mut News) {
        if !self.memory.keeps_rows() {
            return;
        }
        let updated: HashSet<_> = self.updates.iter().map(|update| update.row).collect();
        for row in updated.iter().filter(|row| self.index.is_listed(**row)) {
            let provided_id = self.index.provided_id(*row);
            if self.memory.is_at_rest(&provided_id, self.index.lasting_fingerprint(*row, &provided_id)) {
                news.apart.insert(provided_id.into_owned());
            }
        }
        let is_at_rest = |row: &&RowNumber| self.index.is_listed(**row) && !updated.contains(*row);
        for row in self.unlike.iter().filter(is_at_rest) {
            let provided_id = self.index.provided_id(*row);
            let wanted = self.index.lasting_fingerprint(*row, &provided_id);
            if !self.memory.is_at_rest(&provided_id, wanted) {
                news.at_rest.insert(provided_id.into_owned(), wanted);
            }
        }
    }

    /// When a tenant's customer was last looked up, if it is known to be hidden.
    pub(super) fn hidden_since(&self, row: RowNumber) -> Option<u64> {
        self.memory.hidden(&self.index.provided_id(row), || self.index.tenant(row))
    }
}
