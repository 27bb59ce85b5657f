//! Taking customers as a listing, or a look, shows them, and deciding what to change of each.

use std::slice;

use super::{Comparison, Difference, Extent, Former, Listed, RowNumber, Seen, Unsettled, Update};
use crate::{
    model::Customer,
    plan::{Probe, Token, compare, doubt::Faults, lasting_fingerprint, lasting_fingerprint_of, token_hash},
};

const FORMER_UNKNOWN: &str = "the customer with its previous id is none that the ledger knows, so it may be another tenant's: a \
                              run of all tenants tells";

impl Comparison<'_> {
    /// Takes some listed customers; each is to be given once.
    pub fn observe(&mut self, customers: &[Customer<'_>]) {
        let probes = self.index.probe(customers);
        for (customer, probe) in customers.iter().zip(probes) {
            self.customers += 1;
            let group = customer.access_group.as_deref().unwrap_or_default();
            if !self.access_groups.contains(group) {
                self.access_groups.insert(group.to_owned());
            }
            self.tags.see(&customer.group_tags);
            if let Some(provided_id) = customer.provided_id.as_deref() {
                self.see(customer, provided_id, probe);
            }
        }
    }

    fn see(&mut self, customer: &Customer<'_>, provided_id: &str, probe: Probe) {
        self.see_token(customer, provided_id);
        match probe {
            Probe::Orphan => return self.orphans.push(provided_id.to_owned()),
            Probe::Ignored => {}
            Probe::Equal(row) => self.remember(row, customer, provided_id, true),
            Probe::Differs(row) => {
                self.remember(row, customer, provided_id, false);
                let seen = self.seen(row, customer);
                self.take(seen);
            }
            Probe::Doubled(row) => self.see_again(row, provided_id),
            Probe::Previous(rows) => {
                let seen = rows.into_iter().map(|row| self.seen(row, customer)).collect();
                return self.see_former(customer, provided_id, seen, false);
            }
        }
        self.with_tenant += 1;
    }

    pub(super) fn see_token(&mut self, customer: &Customer<'_>, provided_id: &str) {
        if self.findings.has_token(customer, provided_id) {
            self.recognised += 1;
            self.stale.remove(provided_id);
        } else if self.recognised < self.tokens {
            self.strange.insert(token_hash(&customer.token));
        }
    }

    pub(super) fn see_again(&mut self, row: RowNumber, provided_id: &str) {
        self.stale.remove(provided_id);
        self.doubled.insert(row);
    }

    pub(super) fn see_former(
        &mut self,
        customer: &Customer<'_>,
        provided_id: &str,
        seen: Vec<Seen>,
        is_unreadable: bool,
    ) {
        let (provided_id, token) = (provided_id.to_owned(), token_hash(&customer.token));
        self.former.push(Former { provided_id, token, seen, is_unreadable });
    }

    fn remember(&mut self, row: RowNumber, customer: &Customer<'_>, provided_id: &str, is_equal: bool) {
        let is_hidden = self.extent == Extent::Some && self.findings.is_hidden(provided_id);
        if is_hidden || !self.findings.lacks(customer, provided_id, is_equal) {
            return;
        }
        self.stale.remove(provided_id);
        let tenant = self.index.tenant(row);
        self.listed.push(Listed {
            provided_id: provided_id.to_owned(),
            token: Token::shown(&customer.token),
            seen: lasting_fingerprint_of(customer, &tenant),
            equal: is_equal.then(|| lasting_fingerprint(&tenant)),
        });
    }

    /// Takes what a look at one tenant's customer showed, in place of a listing; `None` where there is none. Without a listing,
    /// what is remembered is the only evidence that the customer is the tenant's.
    pub fn observe_alone(&mut self, customer: Option<&Customer<'_>>) {
        self.extent = Extent::Some;
        let Some(customer) = customer else { return };
        let provided_id = customer.provided_id.as_deref().unwrap_or_default();
        let doubt = self.index.row(provided_id).and_then(|row| {
            let is_equal = || compare(&self.index.tenant(row), customer, self.rules).is_empty();
            Some((row, self.findings.doubts(customer, provided_id, is_equal)?))
        });
        let claimants = self.claimants_in_doubt(customer, provided_id);
        match doubt {
            _ if !claimants.is_empty() => claimants.into_iter().for_each(|row| self.reject(row, FORMER_UNKNOWN)),
            Some((row, reason)) => self.reject(row, reason),
            None => self.observe(slice::from_ref(customer)),
        }
    }

    /// The tenants that would take over a customer of which the ledger does not know that it is theirs.
    fn claimants_in_doubt(&self, customer: &Customer<'_>, provided_id: &str) -> Vec<RowNumber> {
        let is_known = self.findings.has_token(customer, provided_id);
        if is_known || !self.findings.keeps_rows() || self.index.has(provided_id) {
            return Vec::new();
        }
        self.index.claimants(provided_id).collect()
    }

    fn seen(&self, row: RowNumber, customer: &Customer<'_>) -> Seen {
        Seen::new(row, &self.index.tenant(row), customer, self.rules, self.findings)
    }

    pub(super) fn take(&mut self, seen: Seen) {
        if seen.is_certain() {
            self.conclude(seen, &Faults::new());
        } else {
            self.doubtful.push(seen);
        }
    }

    pub(super) fn conclude(&mut self, seen: Seen, faults: &Faults) {
        let row = seen.row;
        let (differences, unsettled) = seen.decide(faults);
        self.decide(row, differences, unsettled);
    }

    /// What is known not to settle is left out; what remains, if anything, is an update.
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

    /// What is known of this difference of a tenant, where that keeps it from being sent.
    pub(super) fn known(&self, row: RowNumber, difference: &Difference) -> Option<Unsettled> {
        let finding = self.findings.of(&self.index.provided_id(row), difference)?;
        // Whoever names a tenant wants to see.
        let is_sent = finding.is_predicted && self.retry_failed && self.extent == Extent::Some;
        let known = || Unsettled { difference: difference.clone(), rule: finding.rule, known: finding.known() };
        (!is_sent).then(known)
    }
}
