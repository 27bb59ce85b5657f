//! Which customers there are, beside those that tenants have.

use std::collections::BTreeSet;

use super::compared::Extent;

/// Who there is.
#[derive(Debug, Clone, Default)]
pub struct Population {
    /// Customers listed.
    pub customers: usize,
    /// Customers listed that have a tenant, be it an invalid one.
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
