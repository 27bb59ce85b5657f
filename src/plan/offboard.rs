//! Tenants that leave: what happens to their customers, and when.

/// What happens to the customer of a tenant that leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Its addresses and tags are emptied, so that nobody gets in by magic link; the rest stays.
    LockOut,
    /// It is deleted.
    Delete,
}

/// How tenants leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offboarding {
    /// `None`: nobody is offboarded.
    pub action: Option<Action>,
    /// The seconds for which a row must be gone.
    pub after: u64,
}
