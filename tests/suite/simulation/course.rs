//! The course of one run, and its end.

use std::time::Duration;

use explo_sync::{
    plan::{Allowances, Guard, Offboarding},
    reconciler,
    report::Report,
};

/// The course of one run.
#[derive(Clone)]
pub struct Course {
    pub seed: u64,
    /// When it begins, in seconds since 1970.
    pub now: u64,
    pub guard: Guard,
    /// What is allowed beyond the guard.
    pub allowances: Allowances,
    /// How tenants leave.
    pub offboarding: Offboarding,
    pub dry_run: bool,
    pub max_changes: usize,
    /// Whether failed tenants are retried before their next try is due.
    pub retry_failed: bool,
    /// Seconds after which customers are listed again.
    pub list_every: u64,
    /// The number of polls after which the process dies.
    pub dies_after: Option<usize>,
    /// The time until SIGTERM.
    pub stops_after: Option<Duration>,
    /// When the clock jumps, and by how much.
    pub jump: Option<(Duration, Duration)>,
}

/// The end of a run.
pub enum Ended {
    Planned(Box<Report>),
    Failed(reconciler::Error),
    Died,
}

/// A guard that holds nothing.
pub const FREE: Guard = Guard { floor: 1_000_000, create_floor: 1_000_000, percent: 100, max_orphan_percent: 100 };

impl Course {
    pub fn quiet(seed: u64) -> Self {
        Self {
            seed,
            now: 0,
            guard: FREE,
            allowances: Allowances::default(),
            offboarding: Offboarding::default(),
            dry_run: false,
            max_changes: usize::MAX,
            retry_failed: true,
            list_every: 0,
            dies_after: None,
            stops_after: None,
            jump: None,
        }
    }

    /// Whether the guard holds nothing.
    pub fn is_free(&self) -> bool {
        self.guard.floor == FREE.floor
    }

    /// Whether nothing keeps the run from beginning every due change.
    pub fn is_whole(&self) -> bool {
        !self.dry_run && self.max_changes == usize::MAX && self.dies_after.is_none() && self.stops_after.is_none()
    }
}

impl Ended {
    /// The report, if there is one.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Planned(report) => Some(report),
            Self::Failed(_) | Self::Died => None,
        }
    }

    /// Whether the run refused the listing as another team's.
    pub fn is_of_strangers(&self) -> bool {
        matches!(self, Self::Failed(reconciler::Error::Strangers { .. }))
    }
}
