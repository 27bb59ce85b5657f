//! Statistics of the calls, as plain numbers. They outlive a client: consecutive clients count in the same place, so no
//! number ever decreases.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::endpoint::Endpoint;
use crate::http::Ending;

/// How long calls took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    /// Calls by the first of [`Latency::BOUNDS`] that is not below their duration; the last bucket is for longer calls.
    pub buckets: [u64; Latency::BOUNDS.len() + 1],
    /// The total of all calls.
    pub sum: Duration,
}

/// The statistics.
#[derive(Debug, Clone, Default)]
pub struct CallStats {
    /// Calls that ended, counting every attempt.
    pub calls: BTreeMap<(Endpoint, Ending), u64>,
    /// How long they took, without waiting for their turn.
    pub latency: BTreeMap<Endpoint, Latency>,
    /// How often a 429 made all calls pause.
    pub throttles: u64,
    /// How long calls waited for their turn, including pauses.
    pub waited: Duration,
    /// Calls per minute that the pacer allowed when the last call began; 0 before the first.
    pub rate: f64,
}

/// Counts the calls of clients.
#[derive(Debug, Default)]
pub struct Observed(Mutex<CallStats>);

impl Observed {
    /// The statistics so far.
    #[must_use]
    pub fn stats(&self) -> CallStats {
        self.lock().clone()
    }

    pub(super) fn passed(&self, waited: Duration, rate: f64) {
        let mut stats = self.lock();
        stats.waited += waited;
        stats.rate = rate;
    }

    pub(super) fn ended(&self, endpoint: Endpoint, ending: Ending, took: Duration) {
        let mut stats = self.lock();
        *stats.calls.entry((endpoint, ending)).or_insert(0) += 1;
        stats.latency.entry(endpoint).or_default().add(took);
    }

    pub(super) fn throttled(&self) {
        self.lock().throttles += 1;
    }

    fn lock(&self) -> MutexGuard<'_, CallStats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latency {
    /// The upper bounds of the buckets, in seconds.
    pub const BOUNDS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

    fn add(&mut self, took: Duration) {
        let bucket = Self::BOUNDS.partition_point(|bound| *bound < took.as_secs_f64());
        self.buckets[bucket] += 1;
        self.sum += took;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_in_the_first_bucket_whose_bound_it_keeps_to() {
        let mut latency = Latency::default();
        for millis in [0, 25, 26, 30_000, 30_001, 90_000] {
            latency.add(Duration::from_millis(millis));
        }
        assert_eq!(latency.buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(latency.sum, Duration::from_millis(150_052));
    }
}
