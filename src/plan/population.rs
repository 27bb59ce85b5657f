//! The customers and tags that a listing, or single look-ups, showed.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use crate::memory::Overview;

/// Which customers a census covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All customers.
    All,
    /// Customers looked up one by one: another customer that is missing proves nothing.
    Some,
}

/// The customers of a census.
#[derive(Debug, Clone, Default)]
pub struct Population {
    /// Customers listed.
    pub customers: usize,
    /// Customers listed that have a tenant, valid or not.
    pub with_tenant: usize,
    /// The ids of customers without a tenant, sorted; left alone.
    pub orphans: Vec<String>,
    /// The ids of customers whose records can't be read, sorted, `None` for an id that can't be read either; left
    /// alone.
    pub unreadable: Vec<Option<String>>,
    /// The data visibility groups of the customers; the empty string stands for no group.
    pub access_groups: BTreeSet<String>,
    /// Whether the ledger knows no customer of this instance yet.
    pub(super) is_blank: bool,
    /// The ids of tenants for which more than one customer was listed.
    pub(super) doubled: BTreeSet<String>,
    /// Ids that were looked up and have neither a tenant nor a customer.
    pub(super) absent: BTreeSet<String>,
}

impl Population {
    /// The ids that more than one listed customer has, with a tenant or without.
    pub(super) fn doubled(&self) -> BTreeSet<String> {
        let orphans = self.orphans.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone());
        orphans.chain(self.doubled.iter().cloned()).collect()
    }

    /// What a listing showed before, in place of what single look-ups showed.
    pub(super) fn remember(&mut self, overview: &Overview) {
        (self.customers, self.with_tenant) = (overview.customers, overview.with_tenant);
        self.access_groups.extend(overview.access_groups.iter().cloned());
    }

    /// Whether an id without a tenant may be a customer's.
    pub(super) fn may_have(&self, provided_id: &str, extent: Extent) -> bool {
        match extent {
            Extent::All => self.orphans.binary_search_by(|orphan| orphan.as_str().cmp(provided_id)).is_ok(),
            Extent::Some => !self.absent.contains(provided_id),
        }
    }
}

/// What is known of group tags.
#[derive(Debug, Default)]
pub struct Tags {
    /// Tags that customers have.
    pub(super) seen: HashSet<String>,
    /// Explo was asked for its tags.
    pub(super) is_asked: bool,
    /// Tags to create before the changes that send them.
    pub to_make: BTreeSet<String>,
    /// The missing tags because of which tenants are invalid, by tenant id.
    pub(super) wanting: BTreeMap<String, BTreeSet<String>>,
}

impl Tags {
    /// The tags of a saved plan.
    pub(super) fn to_make(to_make: BTreeSet<String>) -> Self {
        Self { to_make, ..Self::default() }
    }

    /// Observes the tags of a customer.
    pub(super) fn observe(&mut self, tags: &[Cow<'_, str>]) {
        for tag in tags {
            if !self.seen.contains(&**tag) {
                self.seen.insert(tag.clone().into_owned());
            }
        }
    }
}
