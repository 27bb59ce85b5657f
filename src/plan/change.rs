//! The plan: what one run would change, as data.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::{Difference, Index, Listed, RowNumber, Rules, Unsettled, compare, needs_current};
use crate::model::{Customer, Field, Invalid};

/// One change of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Make the customer of this tenant.
    Create(RowNumber),
    /// Change some of its fields.
    Update(Update),
}

/// The fields of one customer that are to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Its tenant.
    pub row: RowNumber,
    /// What differs; never empty.
    pub differences: Vec<Difference>,
}

/// What comparing gave.
#[derive(Debug)]
pub struct Plan {
    /// The tenants that the changes refer to.
    pub index: Index,
    /// In the order of carrying out: creates, then updates, each by id.
    pub changes: Vec<Change>,
    /// The ids of customers without a tenant, sorted; left alone.
    pub orphans: Vec<String>,
    /// The tenants that can't be planned, sorted by id.
    pub invalid: Vec<Invalid>,
    /// Customers that hold what is wanted.
    pub unchanged: usize,
    /// Differences that are known not to settle, by id: not written.
    pub unsettled: Vec<(RowNumber, Unsettled)>,
    /// Customers that have no other differences than those.
    pub unsettled_customers: usize,
    /// Customers of which the listing showed something to remember.
    pub listed: Vec<Listed>,
    /// Customers looked at one by one, to see whether the listing tells the truth.
    pub looks: usize,
    /// Customers listed.
    pub customers: usize,
    /// Customers listed that have a tenant, be it an invalid one.
    pub with_tenant: usize,
    /// The data visibility groups of the customers listed; the empty one stands for none.
    pub access_groups: BTreeSet<String>,
    /// How fields were compared.
    pub rules: Rules,
}

impl Change {
    /// The tenant's row.
    #[must_use]
    pub fn row(&self) -> RowNumber {
        match self {
            Self::Create(row) | Self::Update(Update { row, .. }) => *row,
        }
    }

    /// The kind, as reports name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update(_) => "update",
        }
    }
}

impl Update {
    /// The fields that differ, in order.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        self.differences.iter().map(|difference| difference.field).collect()
    }
}

impl Plan {
    /// The id of the tenant that a change is about.
    #[must_use]
    pub fn provided_id(&self, change: &Change) -> &str {
        self.index.provided_id(change.row())
    }

    /// What a change would change; of a create, what the new customer would hold beyond the defaults.
    #[must_use]
    pub fn differences<'p>(&'p self, change: &'p Change) -> Cow<'p, [Difference]> {
        match change {
            Change::Update(update) => Cow::Borrowed(&update.differences),
            Change::Create(row) => {
                Cow::Owned(compare(&self.index.tenant(*row), &Customer::default(), Rules::default()))
            }
        }
    }

    /// The updates alone.
    pub fn updates(&self) -> impl Iterator<Item = &Update> {
        self.changes.iter().filter_map(|change| match change {
            Change::Update(update) => Some(update),
            Change::Create(_) => None,
        })
    }

    /// How many customers are to be made.
    #[must_use]
    pub fn creates(&self) -> usize {
        self.changes.len() - self.updates().count()
    }

    /// How many updates touch each field.
    #[must_use]
    pub fn fields(&self) -> BTreeMap<Field, usize> {
        let mut fields = BTreeMap::new();
        for difference in self.updates().flat_map(|update| &update.differences) {
            *fields.entry(difference.field).or_insert(0) += 1;
        }
        fields
    }

    /// How many updates must read the customer first, because they carry others' values.
    #[must_use]
    pub fn carrying(&self) -> usize {
        let carries = |update: &&Update| needs_current(&self.index.tenant(update.row), &update.fields(), self.rules);
        self.updates().filter(carries).count()
    }
}
