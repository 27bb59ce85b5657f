//! The loop of the daemon on a paused clock: when it runs, and when it does not.

use std::{cell::Cell, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use explo_sync::{
    daemon::{self, Next, Surroundings, Timing, Work},
    schedule::Schedule,
    stop::Stop,
};
use tokio::{
    sync::mpsc::{Sender, channel},
    time::{Instant, sleep},
};

/// Remembers when it ran; each run takes as long as the next entry says.
struct Recorder<'c> {
    clock: &'c Clock,
    runs: Vec<String>,
    durations: Vec<u64>,
    next: Next,
    reloaded: Option<Timing>,
    beats: usize,
}

/// A wall clock over tokio's, which can be set.
struct Clock {
    start: Instant,
    origin: Cell<DateTime<Utc>>,
}

impl Clock {
    fn at(time: &str) -> Self {
        Self { start: Instant::now(), origin: Cell::new(time.parse().unwrap()) }
    }

    fn now(&self) -> DateTime<Utc> {
        self.origin.get() + self.start.elapsed()
    }

    fn jump(&self, by: TimeDelta) {
        self.origin.set(self.origin.get() + by);
    }
}

impl Work for Recorder<'_> {
    async fn run(&mut self, _: daemon::Kind, _: &Stop) -> Next {
        self.runs.push(self.clock.now().format("%H:%M:%S").to_string());
        let duration = if self.durations.is_empty() { 0 } else { self.durations.remove(0) };
        sleep(Duration::from_secs(duration)).await;
        std::mem::replace(&mut self.next, Next::AtSchedule)
    }

    fn reload(&mut self) -> Option<Timing> {
        self.reloaded.take()
    }

    fn beat(&mut self, _: Option<DateTime<Utc>>) {
        self.beats += 1;
    }
}

fn timing(cron: &str) -> Timing {
    Timing { schedule: Schedule::parse(cron, "UTC").unwrap(), jitter: Duration::ZERO, run_on_start: false }
}

/// Runs the daemon for so long, beside somebody who meddles; what it did.
async fn watched<'c>(
    clock: &'c Clock,
    timing: Timing,
    prepare: impl FnOnce(&mut Recorder<'c>),
    minutes: u64,
    meddle: impl AsyncFnOnce(Sender<()>),
) -> Recorder<'c> {
    let mut work =
        Recorder { clock, runs: Vec::new(), durations: Vec::new(), next: Next::AtSchedule, reloaded: None, beats: 0 };
    prepare(&mut work);
    let (stop, (sender, mut reloads)) = (Stop::default(), channel(1));
    let requests = daemon::Requests::default();
    let mut around =
        Surroundings { clock: || clock.now(), random: || 0.5, requests: &requests, reloads: &mut reloads, stop: &stop };
    let end = async {
        meddle(sender.clone()).await;
        sleep(Duration::from_secs(minutes * 60).saturating_sub(clock.start.elapsed())).await;
        let _ = tokio::time::timeout(Duration::ZERO, stop.request("the end")).await;
    };
    tokio::join!(daemon::run(&mut work, timing, &mut around), end);
    work
}

#[tokio::test(start_paused = true)]
async fn it_runs_at_each_instant_and_on_start_where_asked() {
    let clock = Clock::at("2026-11-20T10:02:00Z");
    let work = watched(&clock, timing("*/5 * * * *"), |_| {}, 14, async |_| {}).await;
    assert_eq!(work.runs, ["10:05:00", "10:10:00", "10:15:00"]);
    assert!(work.beats > 14 * 60 / 6, "it shows that it is alive: {}", work.beats);

    let clock = Clock::at("2026-11-20T10:02:00Z");
    let on_start = Timing { run_on_start: true, ..timing("*/5 * * * *") };
    assert_eq!(watched(&clock, on_start, |_| {}, 4, async |_| {}).await.runs, ["10:02:00", "10:05:00"]);
}

#[tokio::test(start_paused = true)]
async fn instants_that_pass_during_a_run_collapse_into_the_next_one() {
    let clock = Clock::at("2026-11-20T10:00:30Z");
    let work = watched(&clock, timing("* * * * *"), |work| work.durations = vec![200, 0], 6, async |_| {}).await;
    assert_eq!(work.runs, ["10:01:00", "10:05:00", "10:06:00"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ran_out_of_its_time_is_followed_at_once() {
    let clock = Clock::at("2026-11-20T10:00:30Z");
    let prepare = |work: &mut Recorder<'_>| (work.next, work.durations) = (Next::AtOnce, vec![15]);
    let work = watched(&clock, timing("*/5 * * * *"), prepare, 6, async |_| {}).await;
    assert_eq!(work.runs, ["10:05:00", "10:05:15"]);
}

#[tokio::test(start_paused = true)]
async fn jitter_makes_it_late_by_a_share() {
    let clock = Clock::at("2026-11-20T10:00:30Z");
    let jittered = Timing { jitter: Duration::from_secs(40), ..timing("*/5 * * * *") };
    assert_eq!(watched(&clock, jittered, |_| {}, 10, async |_| {}).await.runs, ["10:05:20", "10:10:20"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_neither_stalls_it_nor_makes_it_run_twice() {
    // Back by an hour: the instants of the repeated hour are served, not waited out.
    let clock = Clock::at("2026-11-20T10:02:00Z");
    let work = watched(
        &clock,
        timing("*/5 * * * *"),
        |_| {},
        9,
        async |_| {
            sleep(Duration::from_mins(4)).await;
            clock.jump(TimeDelta::hours(-1));
        },
    )
    .await;
    assert_eq!(work.runs, ["10:05:00", "09:10:00"]);
    // Ahead by three hours, as after a suspend: what was missed is one run.
    let clock = Clock::at("2026-11-20T10:02:00Z");
    let work = watched(
        &clock,
        timing("*/5 * * * *"),
        |_| {},
        9,
        async |_| {
            sleep(Duration::from_mins(1)).await;
            clock.jump(TimeDelta::hours(3));
        },
    )
    .await;
    assert_eq!(work.runs.len(), 3, "{:?}", work.runs);
    assert!(work.runs[0].starts_with("13:03:"), "soon after it woke: {:?}", work.runs);
    assert_eq!(work.runs[1..], ["13:05:00", "13:10:00"]);
}

#[tokio::test(start_paused = true)]
async fn a_reload_changes_the_times_and_a_refused_one_does_not() {
    let clock = Clock::at("2026-11-20T10:02:00Z");
    let prepare = |work: &mut Recorder<'_>| work.reloaded = Some(timing("3-59/10 * * * *"));
    let work = watched(&clock, timing("*/5 * * * *"), prepare, 30, async |reload| {
        sleep(Duration::from_mins(4)).await;
        reload.send(()).await.unwrap();
        sleep(Duration::from_mins(10)).await;
        reload.send(()).await.unwrap();
    })
    .await;
    assert_eq!(work.runs, ["10:05:00", "10:13:00", "10:23:00"]);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_never_fires_waits_for_the_stop() {
    let clock = Clock::at("2026-11-20T10:02:00Z");
    assert_eq!(watched(&clock, timing("0 0 31 2 *"), |_| {}, 90, async |_| {}).await.runs, Vec::<String>::new());
}
