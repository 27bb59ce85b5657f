//! How one run goes, and how it ends.

use std::time::Duration;

use explo_sync::{explo::Error, plan::Guard, reconciler, report::Report};

/// How one run goes.
pub struct Course {
    pub seed: u64,
    /// When it begins, in seconds since 1970.
    pub now: u64,
    pub guard: Guard,
    pub dry_run: bool,
    pub max_changes: usize,
    /// Tenants that failed are tried whenever they are met.
    pub retry_failed: bool,
    /// The process dies after so many steps.
    pub dies_after: Option<usize>,
    /// SIGTERM.
    pub stops_after: Option<Duration>,
    /// The clock jumps so far, then.
    pub jump: Option<(Duration, Duration)>,
}

/// What became of a run.
pub enum Ended {
    Planned(Box<Report>),
    Failed(reconciler::Error),
    Died,
}

/// Nothing is held.
pub const FREE: Guard = Guard { floor: 1_000_000, create_floor: 1_000_000, percent: 100, max_orphan_percent: 100 };

impl Course {
    pub fn quiet(seed: u64) -> Self {
        Self {
            seed,
            now: 0,
            guard: FREE,
            dry_run: false,
            max_changes: usize::MAX,
            retry_failed: true,
            dies_after: None,
            stops_after: None,
            jump: None,
        }
    }

    /// Whether the guard holds nothing.
    pub fn is_free(&self) -> bool {
        self.guard.floor == FREE.floor
    }

    /// Whether nothing keeps the run from beginning all that is due.
    pub fn is_whole(&self) -> bool {
        !self.dry_run && self.max_changes == usize::MAX && self.dies_after.is_none() && self.stops_after.is_none()
    }
}

impl Ended {
    /// What it reported.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Planned(report) => Some(report),
            Self::Failed(_) | Self::Died => None,
        }
    }

    /// Whether the listing could not be shown to be complete.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Failed(reconciler::Error::Explo(Error::Incomplete(_))))
    }

    /// Whether the listing was taken for another team's.
    pub fn is_of_strangers(&self) -> bool {
        matches!(self, Self::Failed(reconciler::Error::Strangers { .. }))
    }
}
