//! Who there is, and which tags: as far as a listing, or some looks, tell.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
};

/// Which customers a census is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All.
    All,
    /// Some that were looked at one by one: nothing follows from the absence of another.
    Some,
}

/// Who there is.
#[derive(Debug, Clone, Default)]
pub struct Population {
    /// Customers listed.
    pub customers: usize,
    /// Customers listed that have a tenant, valid or not.
    pub with_tenant: usize,
    /// The ids of customers without a tenant, sorted; left alone.
    pub orphans: Vec<String>,
    /// The ids of customers whose records can't be read, sorted, `None` for an id that can't be read either; left alone.
    pub unreadable: Vec<Option<String>>,
    /// The data visibility groups of the customers; the empty one stands for none.
    pub access_groups: BTreeSet<String>,
    /// Ids that were looked for in vain: neither a tenant's nor a customer's.
    pub(super) absent: BTreeSet<String>,
}

impl Population {
    /// Whether an id that is no tenant's is a customer's.
    pub(super) fn may_have(&self, provided_id: &str, extent: Extent) -> bool {
        match extent {
            Extent::All => self.orphans.binary_search_by(|orphan| orphan.as_str().cmp(provided_id)).is_ok(),
            Extent::Some => !self.absent.contains(provided_id),
        }
    }
}

/// What is known of tags.
#[derive(Debug, Default)]
pub struct Tags {
    /// Those that customers have.
    pub(super) seen: HashSet<String>,
    /// Explo was asked which there are.
    pub(super) is_asked: bool,
    /// To be made before the changes that carry them.
    pub to_make: BTreeSet<String>,
    /// Tenants that are invalid for want of these tags, by id.
    pub(super) wanting: BTreeMap<String, BTreeSet<String>>,
}

impl Tags {
    /// Of a plan that was saved.
    pub(super) fn to_make(to_make: BTreeSet<String>) -> Self {
        Self { to_make, ..Self::default() }
    }

    /// Takes the tags that a customer has.
    pub(super) fn observe(&mut self, tags: &[Cow<'_, str>]) {
        for tag in tags {
            if !self.seen.contains(&**tag) {
                self.seen.insert(tag.clone().into_owned());
            }
        }
    }
}
