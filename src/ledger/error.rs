//! What can go wrong with a ledger, by what the operator can do about it.

use super::Pair;

/// A ledger that can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("can't connect to the ledger in {place}: {cause}")]
    Connect {
        /// Host and database.
        place: String,
        /// The driver's words, and the way out.
        cause: String,
    },
    /// The role lacks a right.
    #[error("the ledger in {place} is closed to {role}: {cause}; {way_out}")]
    Denied {
        /// Host and database.
        place: String,
        /// Who asked.
        role: String,
        /// The database's words.
        cause: String,
        /// What to grant, or to run.
        way_out: String,
    },
    /// The table is somebody else's.
    #[error("{table} in {place} is no ledger: it has no column {column}; name another table in ledger.table")]
    Foreign {
        /// The table.
        table: String,
        /// Host and database.
        place: String,
        /// The column that every ledger has.
        column: &'static str,
    },
    /// The table is not as it must be.
    #[error(
        "{table} in {place} can't be the ledger: {cause}; let it be made as `explo-sync ledger --print-sql` prints it"
    )]
    Misfit {
        /// The table.
        table: String,
        /// Host and database.
        place: String,
        /// What is wrong with it.
        cause: String,
    },
    /// It is another pair's.
    #[error(
        "under the name {instance} the ledger in {place} belongs to {kept}, but this run is between {asked}: give one of the \
         two another `name`, or make the ledger this run's with `explo-sync ledger --adopt`; then the other one is refused"
    )]
    Another {
        /// Host, database and table.
        place: String,
        /// The name that both have.
        instance: String,
        /// Whose it is.
        kept: Box<Pair>,
        /// Who asked.
        asked: Box<Pair>,
    },
    /// It became another's while a run went on.
    #[error(
        "the ledger in {place} was adopted by `explo-sync ledger --adopt` since this run began, and takes nothing of it"
    )]
    Adopted {
        /// Host, database and table.
        place: String,
    },
    /// The database refuses a statement, or broke off.
    #[error("the ledger in {place} failed: {cause}")]
    Failed {
        /// Host, database and table.
        place: String,
        /// The database's words.
        cause: String,
    },
    /// It takes all but some rows, each of which was told.
    #[error("the ledger refuses or drops {rows} row(s), which the log names")]
    Refused {
        /// The number of these rows.
        rows: usize,
    },
    /// The run was stopped before everything was recorded.
    #[error("the ledger did not take all of it before the end of the stop")]
    Stopped,
    /// No answer for too long.
    #[error("the ledger in {place} did not answer within {seconds} s: it is out of reach, or the table is locked")]
    Timeout {
        /// Host, database and table.
        place: String,
        /// The limit.
        seconds: u64,
    },
}

impl Error {
    /// Whether the configuration is at fault: it names a ledger that is another's.
    #[must_use]
    pub fn is_about_config(&self) -> bool {
        matches!(self, Self::Another { .. })
    }

    /// Whether all other rows are there.
    #[must_use]
    pub fn is_about_rows(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Whether trying again is of no use, however long one waits.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Another { .. } | Self::Adopted { .. })
    }
}
