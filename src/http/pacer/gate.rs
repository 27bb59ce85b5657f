//! When the next call may begin: evenly spaced, later after a pause. It is told the time.

use std::time::Duration;

use tokio::time::Instant;

/// A call that begins at most this much after its slot is on time.
const LATE: Duration = Duration::from_millis(2);

/// The time from half of the rate that was too fast to [`CAUTIOUS`] of it.
const RETURN: Duration = Duration::from_secs(3);

/// The share of the rate that was too fast which the server probably accepts.
const CAUTIOUS: f64 = 0.94;

/// How long that rate is kept.
const CAUTION: Duration = Duration::from_mins(1);

/// How long the last rise would take from zero to the configured rate.
const RECOVERY: Duration = Duration::from_mins(1);

/// The rate never falls below half of this share of the configured rate.
const SLOWEST: f64 = 1.0 / 32.0;

/// The rate, and the slot of the next call.
#[derive(Debug)]
pub(super) struct Gate {
    /// The time between two calls at the configured rate.
    interval: Duration,
    /// When the next call may begin, unless paused.
    next: Instant,
    paused_until: Instant,
    /// When the rate was last reduced; answers to calls that began earlier don't reduce it again.
    throttled: Option<Instant>,
    /// The share of the configured rate that was too fast then.
    too_fast: f64,
}

impl Gate {
    /// At this rate, from now on.
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, next: now, paused_until: now, throttled: None, too_fast: f64::INFINITY }
    }

    /// When the next call may begin that waits since then.
    pub(super) fn slot(&self, since: Instant) -> Instant {
        self.next.max(since).max(self.paused_until)
    }

    /// Begins a call at its slot. A call that begins late delays all later ones.
    pub(super) fn begin(&mut self, slot: Instant, now: Instant) {
        let began = slot.max(now - LATE);
        self.next = began + self.interval.div_f64(self.share_at(began));
    }

    /// See [`Pacer::pause`](super::Pacer::pause).
    pub(super) fn pause(&mut self, began: Instant, now: Instant, pause: Duration) -> bool {
        let is_first = self.throttled.is_none_or(|throttled| began >= throttled);
        if is_first {
            self.too_fast = self.share_at(began).max(SLOWEST);
            self.throttled = Some(now);
        }
        self.paused_until = self.paused_until.max(now + pause);
        self.next = self.next.max(self.paused_until);
        is_first
    }

    /// The rate in calls per minute, without regard to a pause.
    pub(super) fn rate(&self, now: Instant) -> f64 {
        self.share_at(now) * Duration::from_mins(1).div_duration_f64(self.interval)
    }

    fn share_at(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.paused_until);
        let returned = since.div_duration_f64(RETURN).min(1.0);
        let climbed = since.saturating_sub(RETURN + CAUTION).div_duration_f64(RECOVERY);
        (self.too_fast * (0.5 + (CAUTIOUS - 0.5) * returned) + climbed).min(1.0)
    }
}
