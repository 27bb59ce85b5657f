//! One id: its tenant, its customer, and what follows.

use super::Plan;
use crate::{
    memory::Failure,
    model::{Customer, Gap, Tenant},
};

/// Why a customer can't be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// Its record can't be read.
    Unreadable(Gap),
    /// Explo refuses to show the customer with this id, in these words.
    Refused(String),
}

/// One tenant with its customer.
#[derive(Debug)]
pub struct Explanation {
    /// The id that was asked for.
    pub provided_id: String,
    /// What its row wants, if it has one.
    pub tenant: Option<Tenant<'static>>,
    /// The customer with this id in Explo or, if there is none, the one with the previous id.
    pub customer: Option<Customer<'static>>,
    /// Why the customer is not shown although it may exist.
    pub unseen: Option<Unseen>,
    /// The plan for this tenant alone.
    pub plan: Plan,
    /// The failure because of which a run would not try it yet.
    pub failure: Option<Failure>,
}

impl Explanation {
    /// Whether the tenant needs attention: invalid, failed before, or without a row. An orphan is left alone and needs
    /// none.
    #[must_use]
    pub fn is_amiss(&self) -> bool {
        let is_orphan = self.plan.index.rows() == 0 && self.customer.is_some();
        !is_orphan && (!self.plan.invalid.is_empty() || self.failure.is_some())
    }
}
