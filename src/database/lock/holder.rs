//! What each kind of database does for a lock.

use std::{fmt, time::Duration};

/// The silence of a process after which the server frees its locks.
pub(super) const SILENCE: Duration = Duration::from_mins(1);

/// The name of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Name {
    /// Of all runs, or of all daemons.
    Whole(String),
    /// Of one id; many are held at once, each for a short time.
    One {
        /// The name of the lock of the runs.
        prefix: String,
        /// The id.
        id: String,
    },
}

/// The connections of locks to one kind of database. Dropping it releases all its locks.
pub(super) trait Holder: Send + 'static {
    /// Tries once for a lock that it does not have; false: another process has it. An error says that the database is
    /// gone, or refuses to lock.
    fn take(&mut self, name: &Name) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Releases one lock that it has, and keeps the others.
    fn give_back(&mut self, name: &Name) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Checks that its locks are still ours; the error is the reason if not.
    fn ping(&mut self) -> impl Future<Output = Result<(), String>> + Send;

    /// Releases all its locks, and closes the connections.
    fn release(self) -> impl Future<Output = ()> + Send;
}

/// The same in every version.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(name) => f.write_str(name),
            Self::One { prefix, id } => write!(f, "{prefix}#{id}"),
        }
    }
}
