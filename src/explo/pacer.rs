//! The one gate that every call to Explo passes: it spaces calls evenly at the configured rate, bounds how many are in
//! flight, and pauses all of them when the server says that they are too many.
//!
//! After a pause it goes on at half the rate and climbs back in a straight line. Time lost is never caught up: a burst
//! after a pause is the next throttling. It runs on tokio's clock.

use std::{sync::Mutex, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};

/// The timer's resolution: a shorter wait costs more than the call that it would delay.
const TICK: Duration = Duration::from_millis(1);

/// How long the climb from nothing to the configured rate takes.
const RECOVERY: Duration = Duration::from_mins(1);

/// The rate never falls below this share of the configured one.
const SLOWEST: f64 = 1.0 / 64.0;

/// Paces calls; shared by all of them.
#[derive(Debug)]
pub struct Pacer {
    gate: Mutex<Gate>,
    in_flight: Semaphore,
}

#[derive(Debug)]
struct Gate {
    /// Between two calls at the configured rate.
    interval: Duration,
    /// When the next call may begin, a pause aside.
    next: Instant,
    paused_until: Instant,
    /// The share of the configured rate at the end of the last pause.
    share: f64,
}

impl Pacer {
    /// A gate for so many calls a minute, so many at once.
    #[must_use]
    pub fn new(requests_per_minute: u32, max_in_flight: usize) -> Self {
        let now = Instant::now();
        let interval = Duration::from_mins(1) / requests_per_minute.max(1);
        Self {
            gate: Mutex::new(Gate { interval, next: now, paused_until: now, share: 1.0 }),
            in_flight: Semaphore::new(max_in_flight.max(1)),
        }
    }

    /// Waits for this call's turn; the call is in flight until the permit is dropped.
    pub async fn pass(&self) -> Option<SemaphorePermit<'_>> {
        let permit = self.in_flight.acquire().await.ok()?;
        loop {
            let slot = self.lock().reserve(Instant::now());
            if slot > Instant::now() + TICK {
                sleep_until(slot).await;
            }
            if self.lock().paused_until <= slot {
                return Some(permit);
            }
        }
    }

    /// Lets no call begin for so long, and all later ones more slowly. The answers of calls that were in flight together
    /// count once: false for the later ones.
    pub fn pause(&self, pause: Duration) -> bool {
        self.lock().pause(Instant::now(), pause)
    }

    /// Calls a minute as they may begin now, a pause aside.
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
    fn reserve(&mut self, now: Instant) -> Instant {
        let slot = self.next.max(now).max(self.paused_until);
        self.next = slot + self.interval.div_f64(self.share_at(slot));
        slot
    }

    fn pause(&mut self, now: Instant, pause: Duration) -> bool {
        let is_first = now >= self.paused_until;
        if is_first {
            self.share = (self.share_at(now) / 2.0).max(SLOWEST);
        }
        self.paused_until = self.paused_until.max(now + pause);
        self.next = self.paused_until;
        is_first
    }

    fn share_at(&self, now: Instant) -> f64 {
        let climbed = now.saturating_duration_since(self.paused_until).div_duration_f64(RECOVERY);
        (self.share + climbed).min(1.0)
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
            pacer.pause(Duration::from_secs(30));
        };
        let (went, ()) = tokio::join!(waiting, pausing);
        assert_eq!(went - start, Duration::from_millis(30_100));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_pause_the_rate_is_halved_once_and_climbs_back_in_a_line() {
        let pacer = Pacer::new(60, 8);
        let counted = (0..8).filter(|_| pacer.pause(Duration::from_secs(10))).count();
        assert_eq!((counted, pacer.rate().round()), (1, 30.0));
        let times = times(&pacer, 60).await;
        assert_eq!(times[0], Duration::from_secs(10));
        assert_eq!(times[1].abs_diff(times[0]), Duration::from_secs(2), "half the rate");
        let gaps: Vec<_> = times.windows(2).map(|pair| pair[1].abs_diff(pair[0])).collect();
        assert!(gaps.is_sorted_by(|a, b| a >= b), "faster and faster: {gaps:?}");
        assert_eq!(gaps[58], Duration::from_secs(1), "the configured rate again");
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
