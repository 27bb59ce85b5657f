//! What became of a change, and of a plan.

use crate::{compare::Unsettled, explo::Error};

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged, and the answer shows what was wanted.
    Applied,
    /// Refused or given up.
    Failed {
        /// Why.
        reason: String,
        /// Who is to blame.
        blame: Blame,
    },
    /// Acknowledged, but the answer shows something else in these fields; or spared, because it would.
    Unsettled(Vec<Unsettled>),
    /// Not begun: the next run takes it up.
    Deferred,
    /// Not begun either, for it failed before and it is too early to try again: why.
    Waiting(String),
}

/// Who is to blame for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The tenant, which waits longer after each failure.
    Tenant,
    /// Explo's limit, which a stop did not let pass: the tenant comes last in the next run, and sits out none.
    Limit,
    /// Nobody whom the next run should try later.
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

/// What became of a plan.
#[derive(Debug)]
pub struct Applied {
    /// One outcome for each change, in the order of the plan.
    pub outcomes: Vec<Outcome>,
    /// Ids that were to be created but existed, hidden.
    pub existing: Vec<String>,
    /// Why it ended before the end.
    pub end: Option<Error>,
}
