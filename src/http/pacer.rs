//! The one gate that every call to a server passes: it spaces calls evenly at the configured rate, limits how many are
//! in flight, and pauses all of them when the server answers that there are too many.
//!
//! | time after a pause | rate |
//! |---|---|
//! | at first | half of the rate R that was too fast |
//! | within three seconds | rises linearly to slightly below R |
//! | for one minute | stays there |
//! | then | rises linearly to the configured rate, within one minute |
//!
//! In this way an unknown limit is found and respected, and tested again from time to time. Lost time is never caught
//! up, because a burst after a pause would be throttled again. It uses tokio's clock.

use std::{sync::Mutex, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};

/// The timer's resolution: a shorter sleep would delay the call by more than its length.
const TICK: Duration = Duration::from_millis(1);

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

/// Paces calls; all calls share it.
#[derive(Debug)]
pub struct Pacer {
    gate: Mutex<Gate>,
    /// Locked by the first of the waiting calls; the others queue behind it.
    turn: tokio::sync::Mutex<()>,
    in_flight: Semaphore,
}

#[derive(Debug)]
struct Gate {
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

impl Pacer {
    /// A gate for this many calls per minute, and this many in flight.
    #[must_use]
    pub fn new(requests_per_minute: u32, max_in_flight: usize) -> Self {
        let now = Instant::now();
        let interval = Duration::from_mins(1) / requests_per_minute.max(1);
        Self {
            gate: Mutex::new(Gate { interval, next: now, paused_until: now, throttled: None, too_fast: f64::INFINITY }),
            turn: tokio::sync::Mutex::default(),
            in_flight: Semaphore::new(max_in_flight.max(1)),
        }
    }

    /// Waits for this call's turn; the call is in flight until the permit is dropped.
    pub async fn pass(&self) -> Option<SemaphorePermit<'_>> {
        let permit = self.in_flight.acquire().await.ok()?;
        let _turn = self.turn.lock().await;
        loop {
            let slot = self.lock().slot(Instant::now());
            if slot > Instant::now() + TICK {
                sleep_until(slot).await;
            }
            if self.lock().begin(slot, Instant::now()) {
                return Some(permit);
            }
        }
    }

    /// Pauses all calls and slows down the later ones, because of the answer to a call that began at `began`. Answers
    /// to calls that were in flight together count once: returns false for the later ones.
    pub fn pause(&self, began: Instant, pause: Duration) -> bool {
        self.lock().pause(began, Instant::now(), pause)
    }

    /// The current rate in calls per minute, without regard to a pause.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let gate = self.lock();
        gate.share_at(Instant::now()) * Duration::from_mins(1).div_duration_f64(gate.interval)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Gate {
    /// When the next call may begin.
    fn slot(&self, now: Instant) -> Instant {
        self.next.max(now).max(self.paused_until)
    }

    /// Begins a call at its slot, unless a pause has come in the meantime. A call that begins late delays all later
    /// ones.
    fn begin(&mut self, slot: Instant, now: Instant) -> bool {
        let may_begin = self.paused_until <= slot;
        if may_begin {
            let began = slot.max(now - LATE);
            self.next = began + self.interval.div_f64(self.share_at(began));
        }
        may_begin
    }

    fn pause(&mut self, began: Instant, now: Instant, pause: Duration) -> bool {
        let is_first = self.throttled.is_none_or(|throttled| began >= throttled);
        if is_first {
            self.too_fast = self.share_at(began).max(SLOWEST);
            self.throttled = Some(now);
        }
        self.paused_until = self.paused_until.max(now + pause);
        self.next = self.next.max(self.paused_until);
        is_first
    }

    fn share_at(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.paused_until);
        let returned = since.div_duration_f64(RETURN).min(1.0);
        let climbed = since.saturating_sub(RETURN + CAUTION).div_duration_f64(RECOVERY);
        (self.too_fast * (0.5 + (CAUTIOUS - 0.5) * returned) + climbed).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn times(pacer: &Pacer, calls: usize) -> Vec<Duration> {
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..calls {
            let _permit = pacer.pass().await;
            times.push(start.elapsed());
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_spaced_evenly_from_the_first_on() {
        let pacer = Pacer::new(120, 8);
        let expected: Vec<_> = (0..5).map(|n| Duration::from_millis(500 * n)).collect();
        assert_eq!(times(&pacer, 5).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_is_not_caught_up() {
        let pacer = Pacer::new(120, 8);
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(times(&pacer, 3).await[2], Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_stops_every_call_even_one_that_had_its_turn_assigned() {
        let pacer = Pacer::new(60, 8);
        times(&pacer, 1).await;
        let waiting = async {
            let _permit = pacer.pass().await;
            Instant::now()
        };
        let start = Instant::now();
        let pausing = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            pacer.pause(Instant::now(), Duration::from_secs(30));
        };
        let (went, ()) = tokio::join!(waiting, pausing);
        assert_eq!(went - start, Duration::from_millis(30_100));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_pause_the_rate_is_halved_once_and_climbs_back_to_the_configured_one() {
        let pacer = Pacer::new(600, 8);
        let began = Instant::now();
        tokio::time::advance(Duration::from_millis(20)).await;
        let counted = (0..8).filter(|_| pacer.pause(began, Duration::from_secs(10))).count();
        assert_eq!((counted, pacer.rate().round()), (1, 300.0));
        let mut rates = Vec::new();
        for seconds in [10.0, 1.5, 1.5, 59.0, 4.0, 60.0] {
            tokio::time::advance(Duration::from_secs_f64(seconds)).await;
            rates.push(pacer.rate().round());
        }
        assert_eq!(rates, [300.0, 432.0, 564.0, 564.0, 594.0, 600.0]);
        let times = times(&pacer, 3).await;
        assert_eq!(times[2].abs_diff(times[1]), Duration::from_millis(100), "no faster than configured");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_pause_calls_in_flight_together_count_once_and_a_later_one_again() {
        let pacer = Pacer::new(600, 8);
        let began = Instant::now();
        tokio::time::advance(Duration::from_millis(20)).await;
        let slowed = |began| (pacer.pause(began, Duration::ZERO), pacer.rate().round());
        assert_eq!([slowed(began), slowed(began)], [(true, 300.0), (false, 300.0)]);
        assert_eq!(slowed(Instant::now()), (true, 150.0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_nothing_lets_no_call_begin_before_its_time() {
        let pacer = Pacer::new(60, 8);
        let (start, mut begun) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_secs(10) {
            let _permit = pacer.pass().await;
            begun += 1;
            pacer.pause(Instant::now(), Duration::ZERO);
        }
        assert!(begun <= 10, "{begun} calls in ten seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_calls_are_in_flight_than_allowed() {
        let pacer = Pacer::new(6_000_000, 2);
        let (first, _second) = (pacer.pass().await, pacer.pass().await);
        let third = pacer.pass();
        tokio::pin!(third);
        assert!(tokio::time::timeout(Duration::from_secs(9), &mut third).await.is_err());
        drop(first);
        assert!(third.await.is_some());
    }
}
