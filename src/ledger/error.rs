//! Errors of a ledger, by what the operator can do about them.

use super::Pair;

/// Why a ledger can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection.
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
        /// The role that connected.
        role: String,
        /// The database's words.
        cause: String,
        /// What to grant, or to run.
        way_out: String,
    },
    /// The table belongs to something else.
    #[error("{table} in {place} is no ledger: it has no column {column}; name another table in ledger.table")]
    Foreign {
        /// The table.
        table: String,
        /// Host and database.
        place: String,
        /// The column that every ledger has.
        column: &'static str,
    },
    /// The table's definition is wrong.
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
    /// The ledger belongs to another pair.
    #[error(
        "under the name {instance} the ledger in {place} belongs to {kept}, but this run is between {asked}: give one of the \
         two another `name`, or make the ledger this run's with `explo-sync ledger --adopt`; then the other one is refused"
    )]
    Another {
        /// Host, database and table.
        place: String,
        /// The name that both pairs use.
        instance: String,
        /// The pair that the ledger belongs to.
        kept: Box<Pair>,
        /// The pair of this run.
        asked: Box<Pair>,
    },
    /// Another pair adopted the ledger during the run.
    #[error(
        "the ledger in {place} was adopted by `explo-sync ledger --adopt` since this run began, and refuses its entries"
    )]
    Adopted {
        /// Host, database and table.
        place: String,
    },
    /// The database refuses a statement, or broke it off.
    #[error("the ledger in {place} failed: {cause}")]
    Failed {
        /// Host, database and table.
        place: String,
        /// The database's words.
        cause: String,
    },
    /// The ledger stored something else than it was given, or nothing.
    #[error(
        "the ledger in {place} does not store in `offboarded` what it is given: a trigger, the column's type or its character set changes it"
    )]
    Unkept {
        /// Host, database and table.
        place: String,
    },
    /// The ledger took all except some rows, which the log names.
    #[error("the ledger refuses or drops {rows} row(s), which the log names")]
    Refused {
        /// The number of these rows.
        rows: usize,
    },
    /// The run was stopped before everything was recorded.
    #[error("the ledger did not take all entries before the stop ended")]
    Stopped,
    /// The database did not answer in time.
    #[error("the ledger in {place} did not answer within {seconds} s: it is out of reach, or the table is locked")]
    Timeout {
        /// Host, database and table.
        place: String,
        /// The limit.
        seconds: u64,
    },
}

impl Error {
    /// Whether the configuration is at fault: it names a ledger of another pair.
    #[must_use]
    pub fn is_about_config(&self) -> bool {
        matches!(self, Self::Another { .. })
    }

    /// Whether all rows except those refused are recorded.
    #[must_use]
    pub fn is_about_rows(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Whether no retry can succeed.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Another { .. } | Self::Adopted { .. })
    }
}
