//! That a write failed by its tenant's own fault. It is tried again at the next run, then after 2, 4, 8 … runs.

/// A tenant that failed is tried again after so long at the latest: a run that comes daily tries it each time.
const LONGEST_WAIT_SECONDS: u64 = 23 * 3600;

/// Runs that a tenant waits for at the most.
const MOST_RUNS: u32 = 1 << 16;

/// Characters of an error that are kept.
const LONGEST_ERROR: usize = 1000;

/// Failures of one tenant, in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How many.
    pub times: u32,
    /// Runs to let pass before the next try.
    pub runs_to_wait: u32,
    /// Then it is tried whatever the runs, in seconds since 1970.
    pub next_try: u64,
    /// Why, the last time.
    pub error: String,
}

impl Failure {
    /// One more failure, after those before.
    #[must_use]
    pub fn after(before: Option<&Self>, error: &str, now: u64) -> Self {
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        let runs = 1_u32.checked_shl(times - 1).unwrap_or(MOST_RUNS).min(MOST_RUNS);
        let error = error.chars().take(LONGEST_ERROR).collect();
        Self { times, runs_to_wait: runs - 1, next_try: now + LONGEST_WAIT_SECONDS, error }
    }

    /// One run has passed.
    pub(super) fn pass(&mut self) {
        self.runs_to_wait = self.runs_to_wait.saturating_sub(1);
    }

    /// Whether it is time for another try.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.runs_to_wait == 0 || self.next_try <= now
    }
}
