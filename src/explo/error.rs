//! What can go wrong with a call, grouped by what the caller can do about it.

use super::endpoint::Endpoint;
use crate::http::{Failure, Fault, Incomplete, PageError, times};

/// A call that gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token is wrong: nothing will work.
    #[error("Explo rejected the team token (401 on {endpoint}): check explo.token_file or EXPLO_TOKEN")]
    Unauthorized {
        /// The call.
        endpoint: Endpoint,
    },
    /// The token has no permission for this call.
    #[error("Explo does not allow this token to call {endpoint} (403): {excerpt}")]
    Forbidden {
        /// The call.
        endpoint: Endpoint,
        /// An excerpt of the answer, masked.
        excerpt: String,
    },
    /// The answer refuses this request; repeating it would not help.
    #[error("{endpoint} answered {status}: {excerpt}")]
    Rejected {
        /// The call.
        endpoint: Endpoint,
        /// The HTTP status.
        status: u16,
        /// An excerpt of the answer, masked, with a way out if one is known.
        excerpt: String,
    },
    /// The call was not made: its request can't be sent, or its effect could not be read afterwards.
    #[error("{endpoint} was not called: {reason}")]
    Unsent {
        /// The call.
        endpoint: Endpoint,
        /// The obstacle.
        reason: String,
    },
    /// It is unknown whether a rename or a deletion was applied.
    #[error("the answer to the {what} was lost, and now {found}")]
    Unclear {
        /// The name of the change.
        what: &'static str,
        /// What looking it up found.
        found: String,
    },
    /// All attempts failed.
    #[error("{endpoint} failed {}because {fault}{}", times(*.attempts), way_out(*.endpoint, .fault))]
    GaveUp {
        /// The call.
        endpoint: Endpoint,
        /// The number of attempts.
        attempts: u32,
        /// The last failure.
        fault: Fault,
    },
    /// Too many calls in a row were given up: Explo must be down.
    #[error("{calls} calls in a row were given up, so the run ends; the last: {last}")]
    Outage {
        /// Their number.
        calls: u32,
        /// The last failure.
        last: Box<Error>,
    },
    /// There is no evidence that the listing is complete, so nothing may be planned.
    #[error("the listing is not complete: {}", incomplete(.0))]
    Incomplete(Incomplete),
    /// A stop was requested before the call began, or during a call that only reads.
    #[error("stopped by {reason}: the next run carries on")]
    Stopped {
        /// What requested the stop.
        reason: &'static str,
    },
    /// The grace time after a stop ended during this call, which writes.
    #[error("cut off while waiting for the answer of {endpoint}: it may have been applied")]
    Cut {
        /// The call.
        endpoint: Endpoint,
    },
}

impl PageError for Error {
    fn is_too_large(&self) -> bool {
        matches!(self, Self::GaveUp { fault: Fault::TooLarge { .. }, .. })
    }
}

impl From<Incomplete> for Error {
    fn from(incomplete: Incomplete) -> Self {
        Self::Incomplete(incomplete)
    }
}

fn way_out(endpoint: Endpoint, fault: &Fault) -> &'static str {
    match (endpoint, fault) {
        (Endpoint::Customers, Fault::TooLarge { .. }) => {
            ": lower explo.page_size (a listing of v1 has no pages: see explo.listing)"
        }
        _ => "",
    }
}

fn incomplete(why: &Incomplete) -> String {
    match why {
        Incomplete::Short { distinct, passes, total } => format!(
            "{distinct} distinct customers in {passes} passes, but total_count says {total}. Nothing was planned. If Explo \
             counts customers that this token can't see, set explo.trust_total = false"
        ),
        Incomplete::Untold { distinct } => format!(
            "{distinct} distinct customers, but no total_count says how many there are. Nothing was planned. If this \
             Explo never sends one, set explo.trust_total = false"
        ),
        Incomplete::Falling { passes, total, later } => format!(
            "total_count falls from {total} to {later} while they are listed, in each of {passes} passes. Nothing was planned. \
             If it counts something else, set explo.trust_total = false"
        ),
        Incomplete::Endless { distinct } => format!(
            "after {distinct} distinct customers Explo repeats a page, where an empty one should end the listing. \
             Nothing was planned. If total_count is right, set explo.trust_total = true"
        ),
    }
}

impl Error {
    /// The meaning of a failed call at this endpoint. Only an answer that is certainly Explo's can reject the
    /// credentials.
    pub(super) fn of(endpoint: Endpoint, failure: Failure) -> Self {
        match failure {
            Failure::Status { status: 401, is_own: true, .. } => Self::Unauthorized { endpoint },
            Failure::Status { status: 403, is_own: true, excerpt } => Self::Forbidden { endpoint, excerpt },
            Failure::Status { status, excerpt, .. } => Self::Rejected { endpoint, status, excerpt },
            Failure::Unsent { reason } => Self::Unsent { endpoint, reason },
            Failure::GaveUp { attempts, fault } => Self::GaveUp { endpoint, attempts, fault },
            Failure::Stopped { reason } => Self::Stopped { reason },
            Failure::Cut => Self::Cut { endpoint },
        }
    }

    /// Whether no further call makes sense in this run.
    #[must_use]
    pub fn ends_run(&self) -> bool {
        match self {
            Self::Unauthorized { .. }
            | Self::Outage { .. }
            | Self::Incomplete(_)
            | Self::Stopped { .. }
            | Self::Cut { .. } => true,
            Self::Forbidden { .. }
            | Self::Rejected { .. }
            | Self::Unsent { .. }
            | Self::Unclear { .. }
            | Self::GaveUp { .. } => false,
        }
    }

    /// Whether the credentials are at fault.
    #[must_use]
    pub fn is_about_credentials(&self) -> bool {
        matches!(self, Self::Unauthorized { .. } | Self::Forbidden { .. })
    }
}
