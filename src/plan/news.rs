//! What a run found out and is to remember, whatever becomes of its changes; times in seconds since 1970.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::memory::Listed;

/// By the ids of customers.
#[derive(Debug, Default)]
pub struct News {
    /// Customers of which the listing showed something to remember, sorted by id.
    pub(super) listed: Vec<Listed>,
    /// Whose remembered token the listing lacks, and since when listings do.
    pub(super) lacking: BTreeMap<String, u64>,
    /// Those of them whose token has been lacking for so long that it is forgotten.
    pub(super) gone: BTreeSet<String>,
    /// Whose remembered token another customer has by now: forgotten at once.
    pub(super) moved: BTreeSet<String>,
    /// The parents, where they differ from what is remembered; empty for one that is not the wanted one.
    pub(super) parents: BTreeMap<String, String>,
    /// Whose children were listed, and when.
    pub(super) children_listed_at: BTreeMap<String, u64>,
    /// Hidden customers that were asked for, and when.
    pub(super) asked_at: BTreeMap<String, u64>,
}

impl News {
    /// All differences are known by now: a customer that is to be updated does not hold what is wanted, even if only its parent
    /// differs.
    pub(super) fn settle_listed<'i>(&mut self, updated: impl Iterator<Item = Cow<'i, str>>) {
        self.listed.sort_unstable_by(|a, b| a.provided_id.cmp(&b.provided_id));
        for provided_id in updated {
            if let Some(place) = self.place(&provided_id) {
                self.listed[place].equal = None;
            }
        }
    }

    /// What the listing showed of a customer.
    pub(super) fn listed(&self, provided_id: &str) -> Option<&Listed> {
        self.place(provided_id).map(|place| &self.listed[place])
    }

    fn place(&self, provided_id: &str) -> Option<usize> {
        self.listed.binary_search_by(|listed| listed.provided_id.as_str().cmp(provided_id)).ok()
    }
}
