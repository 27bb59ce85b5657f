//! What the daemon's server knows and shows.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};

use super::troubles::Troubles;
use crate::{
    plan::Held,
    report::{Counts, Exit, Outcomes},
};

/// Number of runs that `/status` shows.
pub(super) const LAST_RUNS: usize = 20;

/// So many wakes the shown latency is of.
const LATENCIES: usize = 100;

/// What `/status` shows and the probes use.
#[derive(Debug, Serialize)]
pub(super) struct Known {
    pub(super) instance: String,
    pub(super) version: &'static str,
    pub(super) started_at: Time,
    /// Why this daemon stands by; `None`: it works.
    pub(super) standby: Option<String>,
    pub(super) running: Option<Running>,
    /// Known between runs.
    pub(super) next_run: Option<Time>,
    /// The newest first.
    pub(super) last_runs: VecDeque<LastRun>,
    pub(super) last_converged_at: Option<Time>,
    /// The classes of the last plan that were over their limit.
    pub(super) held: Vec<Held>,
    /// What lets the last plan through, if it is held.
    #[serde(skip)]
    pub(super) command: Option<String>,
    /// Of the last run with a plan.
    #[serde(skip)]
    pub(super) troubles: Troubles,
    pub(super) wakes: Woken,
    #[serde(skip)]
    pub(super) heartbeat: SystemTime,
    /// Whether both sides have answered in any run so far.
    #[serde(skip)]
    pub(super) answered: bool,
    /// Why the last run failed, if it did.
    #[serde(skip)]
    pub(super) failure: Option<String>,
}

/// Wakes since the start.
#[derive(Debug, Default, Serialize)]
pub(super) struct Woken {
    pub(super) waiting: usize,
    pub(super) in_progress: usize,
    /// By origin and outcome.
    pub(super) outcomes: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// From the word to the outcome.
    pub(super) last_took_ms: Option<u128>,
    #[serde(skip)]
    pub(super) latencies: Latencies,
}

#[derive(Debug, Serialize)]
pub(super) struct Running {
    pub(super) run_id: String,
    pub(super) started_at: Time,
    pub(super) listed: Step,
    pub(super) applied: Step,
}

/// Pages or changes done, of how many.
#[derive(Debug, Default, Serialize)]
pub(super) struct Step {
    pub(super) done: usize,
    pub(super) of: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct LastRun {
    pub(super) run_id: String,
    pub(super) started_at: Time,
    pub(super) ended_at: Time,
    pub(super) exit: Exit,
    /// `None` if the run has no plan, as are the outcomes.
    pub(super) counts: Option<Counts>,
    pub(super) outcomes: Option<Outcomes>,
    pub(super) held: Vec<Held>,
    pub(super) error: Option<String>,
}

/// A time, shown as RFC 3339.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) SystemTime);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_seconds(self.0))
    }
}

/// How long the last wakes took, the newest first.
#[derive(Debug, Default)]
pub(super) struct Latencies(VecDeque<Duration>);

impl Known {
    pub(super) fn push(&mut self, ended: LastRun) {
        self.last_runs.push_front(ended);
        self.last_runs.truncate(LAST_RUNS);
    }

    /// Decides from the last run's exit code whether it failed. A run that stopped early changes nothing.
    pub(super) fn judge(&mut self, exit: Exit) {
        match exit {
            Exit::Usage | Exit::Credentials | Exit::Config | Exit::Failed => {
                let error = self.last_runs.front().and_then(|ended| ended.error.clone());
                self.failure = Some(error.unwrap_or_else(|| format!("exit {}", exit as u8)));
            }
            Exit::Held | Exit::Partial | Exit::Pending | Exit::Success => self.failure = None,
            Exit::Stopped | Exit::Locked => {}
        }
    }
}

impl LastRun {
    pub(super) fn took(&self) -> Duration {
        self.ended_at.0.duration_since(self.started_at.0).unwrap_or_default()
    }
}

impl Latencies {
    pub(super) fn add(&mut self, took: Duration) {
        self.0.push_front(took);
        self.0.truncate(LATENCIES);
    }

    /// The median and the longest.
    pub(super) fn told(&self) -> Option<(Duration, Duration)> {
        let mut sorted: Vec<_> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        Some((*sorted.get(sorted.len() / 2)?, *sorted.last()?))
    }
}
