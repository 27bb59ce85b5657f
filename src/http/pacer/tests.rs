//! Calls on tokio's paused clock.

use std::cell::{Cell, RefCell};

use Lane::{Urgent, Usual};
use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rstest::rstest;
use tokio::time::{sleep, timeout};

use super::*;

async fn times(pacer: &Pacer, calls: usize) -> Vec<Duration> {
    let start = Instant::now();
    let mut times = Vec::new();
    for _ in 0..calls {
        let _permit = pacer.pass(Usual).await;
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
        let _permit = pacer.pass(Usual).await;
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
        let _permit = pacer.pass(Usual).await;
        begun += 1;
        pacer.pause(Instant::now(), Duration::ZERO);
    }
    assert!(begun <= 10, "{begun} calls in ten seconds");
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_are_in_flight_than_allowed() {
    let pacer = Pacer::new(6_000_000, 2);
    let (first, _second) = (pacer.pass(Usual).await, pacer.pass(Usual).await);
    let third = pacer.pass(Usual);
    tokio::pin!(third);
    assert!(tokio::time::timeout(Duration::from_secs(9), &mut third).await.is_err());
    drop(first);
    let _third = third.await;
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The names of calls in the order in which they begin, with the milliseconds since the start. Each comes after so
/// many milliseconds, and is given up if it does not begin within so many.
async fn begun(pacer: &Pacer, calls: &[(&'static str, Lane, u64, u64)]) -> Vec<(&'static str, u128)> {
    let (start, begun) = (Instant::now(), RefCell::new(Vec::new()));
    join_all(calls.iter().map(async |(name, lane, comes, patience)| {
        sleep(ms(*comes)).await;
        if timeout(ms(*patience), pacer.pass(*lane)).await.is_ok() {
            begun.borrow_mut().push((*name, start.elapsed().as_millis()));
        }
    }))
    .await;
    begun.into_inner()
}

#[tokio::test(start_paused = true)]
async fn urgent_calls_pass_the_usual_ones_in_their_order_and_the_rate_stays() {
    let calls = [
        ("a", Usual, 0, 9000),
        ("b", Usual, 10, 9000),
        ("c", Usual, 20, 9000),
        ("first", Urgent, 30, 9000),
        ("second", Urgent, 40, 9000),
        // When `b` alone sleeps for its slot.
        ("third", Urgent, 2900, 9000),
        ("d", Usual, 2950, 9000),
    ];
    let expected =
        [("a", 0), ("first", 1000), ("second", 2000), ("third", 3000), ("b", 4000), ("c", 5000), ("d", 6000)];
    assert_eq!(begun(&Pacer::new(60, 8), &calls).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_urgent_call_that_comes_during_a_pause_is_the_first_after_it() {
    let pacer = Pacer::new(600, 8);
    pacer.pause(Instant::now(), Duration::from_secs(10));
    let calls = [("usual", Usual, 0, 60_000), ("urgent", Urgent, 5000, 60_000)];
    assert_eq!(begun(&pacer, &calls).await, [("urgent", 10_000), ("usual", 10_200)]);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_leaves_its_slot_to_the_next(#[values(Urgent, Usual)] lane: Lane) {
    let calls = [
        ("a", lane, 0, 9000),
        // The first in the queue, which sleeps for its slot.
        ("given up", lane, 10, 500),
        ("given up too", lane, 20, 900),
        ("b", Usual, 30, 9000),
        ("never the first", Usual, 40, 20),
        ("c", Usual, 50, 9000),
    ];
    assert_eq!(begun(&Pacer::new(60, 8), &calls).await, [("a", 0), ("b", 1000), ("c", 2000)]);
}

#[tokio::test(start_paused = true)]
async fn calls_of_both_lanes_together_are_no_more_than_allowed_and_the_next_place_is_for_the_urgent_one() {
    let pacer = Pacer::new(6_000_000, 2);
    let (one, other) = (pacer.pass(Usual).await, pacer.pass(Urgent).await);
    let (usual, urgent) = (pacer.pass(Usual), pacer.pass(Urgent));
    tokio::pin!(usual, urgent);
    assert!(timeout(ms(9000), &mut usual).await.is_err());
    assert!(timeout(ms(9000), &mut urgent).await.is_err());
    drop(one);
    assert!(timeout(ms(9000), &mut usual).await.is_err(), "it goes to the urgent call, even while that one sleeps");
    let urgent = urgent.await;
    assert!(timeout(ms(9000), &mut usual).await.is_err());
    drop(other);
    let _usual = usual.await;
    drop(urgent);
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_when_nothing_hangs_and_no_slot_is_lost() {
    for seed in 0..200 {
        let (pacer, random) = (Pacer::new(6000, 3), RefCell::new(SmallRng::seed_from_u64(seed)));
        let (in_flight, begun) = (Cell::new(0), RefCell::new(Vec::new()));
        let any = |most: u64| ms(random.borrow_mut().random_range(0..most));
        let start = Instant::now();
        join_all((0..60).map(async |number| {
            sleep(any(200)).await;
            let lane = if number % 3 == 0 { Urgent } else { Usual };
            let patience = if number % 2 == 0 { any(300) } else { Duration::from_hours(1) };
            let Ok(permit) = timeout(patience, pacer.pass(lane)).await else { return };
            begun.borrow_mut().push(start.elapsed());
            in_flight.set(in_flight.get() + 1);
            assert!(in_flight.get() <= 3, "seed {seed}");
            sleep(any(20)).await;
            in_flight.set(in_flight.get() - 1);
            drop(permit);
        }))
        .await;
        let begun = begun.into_inner();
        assert!(begun.len() >= 30, "seed {seed}: those that are patient begin");
        for (first, later) in (0..begun.len()).flat_map(|first| (first..begun.len()).map(move |later| (first, later))) {
            let spaced = ms(10) * u32::try_from(later - first).unwrap();
            // One begins a tick early, another as late as is on time.
            assert!(begun[later] + ms(3) >= begun[first] + spaced, "seed {seed}: {first} {later} {begun:?}");
        }
        assert!(start.elapsed() < ms(1500), "seed {seed}: {:?}", start.elapsed());
    }
}
