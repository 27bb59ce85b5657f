//! Customers listed under the previous id of tenants, and customers that share an id: judged once all are known.

use std::collections::{BTreeMap, HashSet};

use super::{Census, unreadable::PREVIOUS_UNREADABLE};
use crate::{
    plan::{
        Extent,
        compared::{Compared, DOUBLED},
        rename::{self, Former, Verdict},
    },
    tenants::RowNumber,
};

const PREVIOUS_DOUBLED: &str =
    "Explo lists more than one customer with this previous_provided_id: delete the wrong one there";

impl Census<'_> {
    /// Decides which customers get another id, once all are observed; returns their tenants with the hashes of their
    /// tokens.
    pub(super) fn judge_renames(&mut self) -> BTreeMap<RowNumber, u64> {
        let mut renamed = BTreeMap::new();
        let compared = &self.compared;
        let formers = std::mem::take(&mut self.former);
        // The customer exists under its new id, although no listing shows it.
        let is_hidden = |row| compared.extent == Extent::All && compared.hidden_since(row).is_some();
        let is_known = |row| self.leavers.said.contains_key(&row) || is_hidden(row);
        let judge = |row| if is_known(row) { Verdict::Ignored } else { rename::judge(&compared.index, row, true) };
        let judged = |former: Former| {
            let verdicts = former.seen.into_iter().map(|seen| match judge(seen.row) {
                Verdict::Rename if former.is_unreadable => (Verdict::Invalid(PREVIOUS_UNREADABLE), seen),
                verdict => (verdict, seen),
            });
            (former.provided_id, former.token, verdicts.collect::<Vec<_>>())
        };
        let judged: Vec<_> = formers.into_iter().map(judged).collect();
        let mut met = HashSet::new();
        for (provided_id, token, verdicts) in judged {
            if !met.insert(provided_id.clone()) {
                self.population.doubled.insert(provided_id.clone());
            }
            let has_tenant = verdicts
                .iter()
                .any(|(verdict, seen)| *verdict != Verdict::Ignored || self.compared.index.is_invalid(seen.row));
            if !has_tenant {
                self.population.orphans.push(provided_id);
                continue;
            }
            self.population.with_tenant += 1;
            for (verdict, seen) in verdicts {
                match verdict {
                    Verdict::Rename if self.compared.index.is_unmet(seen.row) => {
                        self.compared.index.rename(seen.row);
                        renamed.insert(seen.row, token);
                        // The next run offboards one that leaves, and compares one that would get back what was emptied of
                        // another customer.
                        let Compared { index, memory, .. } = &self.compared;
                        let is_emptied = memory.locked_out(&provided_id).is_some();
                        let is_another = is_emptied && memory.token(&provided_id) != Some(token);
                        if !index.is_leaving(seen.row) && !is_another {
                            self.judge(seen);
                        }
                    }
                    Verdict::Rename => self.compared.reject(seen.row, PREVIOUS_DOUBLED),
                    Verdict::Ignored => {}
                    Verdict::Invalid(reason) => self.compared.reject(seen.row, reason),
                }
            }
        }
        renamed
    }

    /// Rejects the tenants with more than one customer; what is remembered of them stays.
    pub(super) fn reject_doubled(&mut self) {
        let doubled: HashSet<_> =
            self.doubled.iter().map(|row| self.compared.index.provided_id(*row).into_owned()).collect();
        self.listed.retain(|listed| !doubled.contains(&listed.provided_id));
        self.population.doubled = doubled.into_iter().collect();
        for row in self.doubled.clone() {
            self.compared.reject(row, DOUBLED);
        }
    }
}
