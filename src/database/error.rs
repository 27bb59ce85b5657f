//! A failure of a database, as far as this layer tells it: the part that asked makes a message of it that names its own keys.

/// The driver's or the database's error, with what was asked.
#[derive(Debug, thiserror::Error)]
#[error("a database failed while {doing}")]
pub struct Error {
    /// What was waited for.
    pub doing: &'static str,
    /// Why it did not come.
    #[source]
    pub cause: sqlx::Error,
}

/// What is done while no connection is there yet.
pub const CONNECTING: &str = "connecting";

/// The error of an answer that did not come in time; there is no pool that could say so.
pub(super) const LATE: sqlx::Error = sqlx::Error::PoolTimedOut;

/// Whether there was no answer in time: the connection is of no more use.
#[must_use]
pub fn is_late(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::PoolTimedOut)
}
