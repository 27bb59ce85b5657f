//! An error of a database as this layer knows it: the caller turns it into a message that names its own keys.

/// The driver's or the database's error, with what was done.
#[derive(Debug, thiserror::Error)]
#[error("a database failed while {doing}")]
pub struct Error {
    /// What was done.
    pub doing: &'static str,
    /// Why it failed.
    #[source]
    pub cause: sqlx::Error,
}

/// While there is no connection yet.
pub const CONNECTING: &str = "connecting";

/// The error if an answer is late; no pool exists that could return it for another reason.
pub(super) const LATE: sqlx::Error = sqlx::Error::PoolTimedOut;

/// Whether the answer was late: the connection is then unusable.
#[must_use]
pub fn is_late(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::PoolTimedOut)
}
