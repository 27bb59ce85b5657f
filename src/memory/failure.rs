//! That a write failed by its tenant's own fault. It is tried again at the next run, then after 2, 4, 8 … runs.

/// Nothing that is remembered makes anybody wait longer than this: what is due once a day is due in each daily run.
pub(crate) const A_DAY: u64 = 23 * 3600;

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
        Self { times, runs_to_wait: runs - 1, next_try: now.saturating_add(A_DAY), error }
    }

    /// Explo's limit did not let a write through: the tenant comes last in the next run, and sits out none.
    #[must_use]
    pub fn by_limit(before: Option<&Self>, error: &str, now: u64) -> Self {
        let times = before.map_or(1, |before| before.times);
        Self { times, runs_to_wait: 0, ..Self::after(before, error, now) }
    }

    /// One run has passed.
    pub(crate) fn pass(&mut self) {
        self.runs_to_wait = self.runs_to_wait.saturating_sub(1);
    }

    /// Whether it is time for another try.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        self.runs_to_wait == 0 || is_due(self.next_try, now)
    }
}

/// Whether a remembered time has come. One that is further away than anybody waits was written by a clock that was ahead.
pub(crate) fn is_due(at: u64, now: u64) -> bool {
    at <= now || at - now > A_DAY
}

/// Whether what was done then is to be done again, once a day.
pub(crate) fn is_daily_due(done_at: u64, now: u64) -> bool {
    is_due(done_at.saturating_add(A_DAY), now)
}
