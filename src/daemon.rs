//! Runs until it is stopped: at each instant of the schedule once, never two at a time.
//!
//! Instants that pass during a run collapse into the next one. The wall clock may jump, and the machine may sleep: the
//! loop looks at the clock every few seconds, and sees a jump back as a reason to ask the schedule again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::Receiver;

use crate::{schedule::Schedule, stop::Stop};

/// How often the loop looks at the clock, and shows that it is alive.
pub const BEAT: Duration = Duration::from_secs(5);

/// When to run.
#[derive(Debug, Clone)]
pub struct Timing {
    /// The instants.
    pub schedule: Schedule,
    /// Each is late by a random share of this.
    pub jitter: Duration,
    /// Whether to run once before the first of them.
    pub run_on_start: bool,
}

/// When to run after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// At once: it ran out of its time and has more to do.
    AtOnce,
    /// At the next instant of the schedule.
    AtSchedule,
}

/// What the daemon does, and whom it tells.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so nobody needs the futures to be Send")]
pub trait Work {
    /// One run; whatever goes wrong is its own matter.
    async fn run(&mut self, stop: &Stop) -> Next;

    /// Reads the configuration again; `None` keeps the old one.
    fn reload(&mut self) -> Option<Timing>;

    /// The loop moves, and this is when it will run.
    fn beat(&mut self, next: Option<DateTime<Utc>>);
}

/// What the world around a daemon gives it.
pub struct Surroundings<'a, C, R> {
    /// The wall clock.
    pub clock: C,
    /// A number from 0 to 1, another each time.
    pub random: R,
    /// A message is a request to reload.
    pub reloads: &'a mut Receiver<()>,
    /// Ends the daemon.
    pub stop: &'a Stop,
}

enum Event {
    Stop,
    Reload,
    Due,
}

/// Runs `work` at its times until a stop is requested.
pub async fn run(
    work: &mut impl Work,
    mut timing: Timing,
    around: &mut Surroundings<'_, impl Fn() -> DateTime<Utc>, impl FnMut() -> f64>,
) {
    let mut next = if timing.run_on_start { Some((around.clock)()) } else { upcoming(&timing, around) };
    loop {
        match wait(work, &timing, &mut next, around).await {
            Event::Stop => return,
            Event::Reload => {
                if let Some(new) = work.reload() {
                    timing = new;
                    next = upcoming(&timing, around);
                }
            }
            Event::Due => {
                next = match work.run(around.stop).await {
                    Next::AtOnce => Some((around.clock)()),
                    Next::AtSchedule => upcoming(&timing, around),
                };
            }
        }
    }
}

fn upcoming(
    timing: &Timing,
    around: &mut Surroundings<'_, impl Fn() -> DateTime<Utc>, impl FnMut() -> f64>,
) -> Option<DateTime<Utc>> {
    Some(timing.schedule.next_after((around.clock)())? + timing.jitter.mul_f64((around.random)().clamp(0.0, 1.0)))
}

async fn wait(
    work: &mut impl Work,
    timing: &Timing,
    next: &mut Option<DateTime<Utc>>,
    around: &mut Surroundings<'_, impl Fn() -> DateTime<Utc>, impl FnMut() -> f64>,
) -> Event {
    let mut before = (around.clock)();
    loop {
        if around.stop.is_requested() {
            return Event::Stop;
        }
        let now = (around.clock)();
        if now < before {
            // What was pending stays so, unless the schedule has an earlier instant now.
            let pending = *next;
            *next = pending.into_iter().chain(upcoming(timing, around)).min();
        }
        before = now;
        work.beat(*next);
        let left = next.map(|next| (next - now).to_std().unwrap_or_default());
        if left == Some(Duration::ZERO) {
            return Event::Due;
        }
        tokio::select! {
            () = around.stop.requested() => return Event::Stop,
            Some(()) = around.reloads.recv() => return Event::Reload,
            () = tokio::time::sleep(left.unwrap_or(BEAT).min(BEAT)) => {}
        }
    }
}
