//! What a run found out and must remember, whatever happens to its changes; times in seconds since 1970.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::memory::Listed;

/// What to remember, by customer id.
#[derive(Debug, Default)]
pub struct News {
    /// Customers of which the listing showed something to remember, sorted by id.
    pub(super) listed: Vec<Listed>,
    /// Customers whose remembered token the listing lacks, and since when.
    pub(super) lacking: BTreeMap<String, u64>,
    /// Those whose token has been missing long enough to be forgotten.
    pub(super) gone: BTreeSet<String>,
    /// Customers whose deletion was begun, and which a look shows to be gone.
    pub(super) deleted: BTreeSet<String>,
    /// Customers whose remembered token now belongs to another customer: forgotten at once.
    pub(super) moved: BTreeSet<String>,
    /// Customers whose row is gone, and since when by the ledger's own clock.
    pub(super) rows_gone: BTreeMap<String, u64>,
    /// The time of the run, if it told which rows are gone.
    pub(super) rows_told_at: Option<u64>,
    /// The ledger's own clock when the run began.
    pub(super) clock: u64,
    /// Customers whose row was gone and is there.
    pub(super) rows_back: BTreeSet<String>,
    /// Current parents that differ from the remembered ones; empty if only known not to be the wanted one.
    pub(super) parents: BTreeMap<String, String>,
    /// Parents whose children were listed, and when.
    pub(super) children_listed_at: BTreeMap<String, u64>,
    /// Hidden customers that were looked up, and when.
    pub(super) asked_at: BTreeMap<String, u64>,
    /// Customers for which nothing is left to do, with the lasting fingerprint of what their tenant wants; only where
    /// memory says otherwise.
    pub(super) at_rest: BTreeMap<String, u64>,
    /// Customers that are to change although memory says that nothing is left to do.
    pub(super) apart: BTreeSet<String>,
}

impl News {
    /// Call it when all differences are known: a customer with an update does not equal its tenant, even if only the
    /// parent differs.
    pub(super) fn settle_listed<'i>(&mut self, updated: impl Iterator<Item = Cow<'i, str>>) {
        self.listed.sort_unstable_by(|a, b| a.provided_id.cmp(&b.provided_id));
        for provided_id in updated {
            if let Some(place) = self.place(&provided_id) {
                self.listed[place].equal = None;
            }
        }
    }

    /// Whether memory of what is left to do for a customer is wrong.
    pub(super) fn is_compared(&self, provided_id: &str) -> bool {
        self.at_rest.contains_key(provided_id) || self.apart.contains(provided_id)
    }

    /// What the listing showed of a customer.
    pub(super) fn listed(&self, provided_id: &str) -> Option<&Listed> {
        self.place(provided_id).map(|place| &self.listed[place])
    }

    fn place(&self, provided_id: &str) -> Option<usize> {
        self.listed.binary_search_by(|listed| listed.provided_id.as_str().cmp(provided_id)).ok()
    }
}
