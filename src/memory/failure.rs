//! A write that failed because of its tenant. It is retried in the next run, then after 2, 4, 8 … runs.

/// The longest wait in seconds, slightly less than a day, so that a run at the same hour each day is not too early.
pub(crate) const A_DAY: u64 = 23 * 3600;

/// A tenant waits for at most this many runs.
const MOST_RUNS: u32 = 1 << 16;

/// Characters of an error that are kept.
const LONGEST_ERROR: usize = 1000;

/// Consecutive failures of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Their number.
    pub times: u32,
    /// Runs to skip before the next try.
    pub runs_to_wait: u32,
    /// The time from which it is tried even if more runs should pass, in seconds since 1970.
    pub next_try: u64,
    /// The last error.
    pub error: String,
}

impl Failure {
    /// One more failure after the earlier ones.
    #[must_use]
    pub fn after(before: Option<&Self>, error: &str, now: u64) -> Self {
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        let runs = 1_u32.checked_shl(times - 1).unwrap_or(MOST_RUNS).min(MOST_RUNS);
        let error = error.chars().take(LONGEST_ERROR).collect();
        Self { times, runs_to_wait: runs - 1, next_try: now.saturating_add(A_DAY), error }
    }

    /// Explo's limit did not let a write through: the tenant comes last in the next run, and sits out none.
    #[must_use]
    pub fn by_limit(before: Option<&Self>, error: &str, now: u64) -> Self {
        let times = before.map_or(1, |before| before.times);
        Self { times, runs_to_wait: 0, ..Self::after(before, error, now) }
    }

    /// Counts one run.
    pub(crate) fn pass(&mut self) {
        self.runs_to_wait = self.runs_to_wait.saturating_sub(1);
    }

    /// Whether the wait is over.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        self.runs_to_wait == 0 || is_due(self.next_try, now)
    }
}

/// Whether a remembered time has come. A time further ahead than the longest wait comes from a wrong clock, and counts
/// as due.
pub(crate) fn is_due(at: u64, now: u64) -> bool {
    at <= now || at - now > A_DAY
}

/// Whether something that is done once a day is due again.
pub(crate) fn is_daily_due(done_at: u64, now: u64) -> bool {
    is_due(done_at.saturating_add(A_DAY), now)
}
