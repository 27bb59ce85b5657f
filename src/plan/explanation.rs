//! Both sides of one id, and what follows.

use super::Plan;
use crate::{
    memory::Failure,
    model::{Customer, Gap, Tenant},
};

/// Why nothing can be told of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// Its record can't be read.
    Unreadable(Gap),
    /// Explo refuses to show who has the id: in these words.
    Refused(String),
}

/// One tenant with its customer.
#[derive(Debug)]
pub struct Explanation {
    /// The id that was asked for.
    pub provided_id: String,
    /// What its row wants, where it has one.
    pub tenant: Option<Tenant<'static>>,
    /// What Explo has under the id or, if nothing, under the previous one.
    pub customer: Option<Customer<'static>>,
    /// Why the customer is not told though there may be one.
    pub unseen: Option<Unseen>,
    /// Of this tenant alone.
    pub plan: Plan,
    /// Why a run would not try it yet.
    pub failure: Option<Failure>,
}

impl Explanation {
    /// Whether its tenant is not as it should be: invalid, failed before, or of no row. A customer without a row is left alone.
    #[must_use]
    pub fn is_amiss(&self) -> bool {
        let is_orphan = self.plan.index.rows() == 0 && self.customer.is_some();
        !is_orphan && (!self.plan.invalid.is_empty() || self.failure.is_some())
    }
}
