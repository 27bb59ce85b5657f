//! Where a wake comes from, and what it came to.

use secrecy::SecretString;

/// Where a wake comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A notification of PostgreSQL.
    Listen,
    /// `source.query_changed`.
    Poll,
    /// `POST /sync/{id}`.
    Post,
}

/// What a wake came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Explo acknowledged the change.
    Applied,
    /// There was nothing to do.
    Unchanged,
    /// The tenant can't be planned.
    Invalid,
    /// Explo refused the change, or gave no answer.
    Failed,
    /// It would change more than the guard allows.
    Held,
    /// It is left to a later wake or run.
    Deferred,
    /// The source has no such row.
    Missing,
    /// This daemon stands by.
    Standby,
}

/// What a wake came to, with what a caller wants to know.
#[derive(Debug, Clone)]
pub struct Woken {
    /// The outcome.
    pub outcome: Outcome,
    /// The customer's token, if it is known.
    pub token: Option<SecretString>,
    /// Why it did not come to more.
    pub error: Option<String>,
    /// Whether the tenant leaves: its token is not given away.
    pub leaves: bool,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::Applied,
        Self::Unchanged,
        Self::Invalid,
        Self::Failed,
        Self::Held,
        Self::Deferred,
        Self::Missing,
        Self::Standby,
    ];

    /// The name in answers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Invalid => "invalid",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Deferred => "deferred",
            Self::Missing => "missing",
            Self::Standby => "standby",
        }
    }
}

impl Origin {
    /// The name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Poll => "poll",
            Self::Post => "post",
        }
    }
}

impl Woken {
    /// This outcome and nothing else.
    #[must_use]
    pub fn of(outcome: Outcome) -> Self {
        Self { outcome, token: None, error: None, leaves: false }
    }

    /// This outcome, with the reason.
    #[must_use]
    pub fn because(outcome: Outcome, error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), ..Self::of(outcome) }
    }
}
