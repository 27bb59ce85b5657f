//! The outcome of a change, and of a plan.

use crate::{compare::Unsettled, explo::Error};

/// The outcome of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged, and the answer shows what was wanted.
    Applied,
    /// Refused or given up.
    Failed {
        /// Why.
        reason: String,
        /// Whether the tenant is to blame.
        blame: Blame,
    },
    /// Acknowledged, but the answer differs in these fields; or not sent, because the answer would differ.
    Unsettled(Vec<Unsettled>),
    /// Not begun: left to the next run.
    Deferred,
    /// Not begun, because it failed before and its backoff has not ended; with the reason.
    Waiting(String),
}

/// Whether a failure is the tenant's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// It is: the tenant's backoff grows with each failure.
    Tenant,
    /// Explo's limit, which a stop did not let pass: the tenant comes last in the next run, and sits out none.
    Limit,
    /// It is not: the next run tries the tenant as usual.
    Nobody,
}

impl Outcome {
    pub(super) fn failed(reason: impl Into<String>, blame: Blame) -> Self {
        Self::Failed { reason: reason.into(), blame }
    }

    /// The name in reports and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Failed { .. } => "failed",
            Self::Unsettled(_) => "unsettled",
            Self::Deferred | Self::Waiting(_) => "deferred",
        }
    }
}

/// The outcome of a plan.
#[derive(Debug)]
pub struct Applied {
    /// One outcome for each change, in the order of the plan.
    pub outcomes: Vec<Outcome>,
    /// Ids whose create found a hidden customer.
    pub existing: Vec<String>,
    /// The error that ended the run early.
    pub end: Option<Error>,
}
