//! The loop of the daemon: one run at each instant of the schedule, never two at a time.
//!
//! Instants that pass during a run are skipped. The wall clock may jump and the machine may sleep, so the loop reads
//! the clock every few seconds; if the clock was set back, it asks the schedule again. A [request](Requests) begins a run
//! before its time. Beside the runs, [`Wakes`] are carried out one tenant each.

mod wakes;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, mpsc::Receiver};

use crate::{schedule::Schedule, stop::Stop};
pub use wakes::{Next as NextWake, Refusal, Wake, Wakes};

/// How often the loop reads the clock and shows that it is alive.
pub const BEAT: Duration = Duration::from_secs(5);

/// When to run.
#[derive(Debug, Clone)]
pub struct Timing {
    /// The instants.
    pub schedule: Schedule,
    /// Each run begins late by a random share of this.
    pub jitter: Duration,
    /// Whether to run once at the start, before the first instant.
    pub run_on_start: bool,
}

/// When to run after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// At once: the run reached its time limit and has more to do.
    AtOnce,
    /// At the next instant of the schedule.
    AtSchedule,
}

/// How a run finds out what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// As configured.
    Scheduled,
    /// By memory, if it can: some wakes may have been missed.
    Quick,
    /// By listing all customers: very many wakes came at once.
    Full,
}

/// Requests for a run before its time; several become one.
#[derive(Debug, Default)]
pub struct Requests {
    kind: Mutex<Option<Kind>>,
    came: Notify,
}

impl Requests {
    /// Asks for a run as soon as none goes on.
    pub fn ask(&self, kind: Kind) {
        let mut asked = self.kind.lock().unwrap_or_else(PoisonError::into_inner);
        *asked = asked.max(Some(kind));
        drop(asked);
        self.came.notify_one();
    }

    /// The requested run, which counts as begun from now on.
    pub fn take(&self) -> Option<Kind> {
        self.kind.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What the daemon calls.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so the futures need not be Send")]
pub trait Work {
    /// One run; it handles its own errors.
    async fn run(&mut self, kind: Kind, stop: &Stop) -> Next;

    /// Reads the configuration again; `None` keeps the old one.
    fn reload(&mut self) -> Option<Timing>;

    /// Called at every beat, with the time of the next run.
    fn beat(&mut self, next: Option<DateTime<Utc>>);
}

/// What the daemon needs from outside.
pub struct Surroundings<'a, C, R> {
    /// The wall clock.
    pub clock: C,
    /// A new random number from 0 to 1 for each call.
    pub random: R,
    /// Requests for runs.
    pub requests: &'a Requests,
    /// Each message is a request to reload.
    pub reloads: &'a mut Receiver<()>,
    /// Ends the daemon.
    pub stop: &'a Stop,
}

enum Event {
    Stop,
    Reload,
    Due(Kind),
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
            Event::Due(kind) => {
                let scheduled = next.filter(|_| kind != Kind::Scheduled);
                next = match work.run(kind, around.stop).await {
                    Next::AtOnce => Some((around.clock)()),
                    Next::AtSchedule => scheduled.or_else(|| upcoming(&timing, around)),
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
            // The next run stays, unless the schedule now has an earlier instant.
            let pending = *next;
            *next = pending.into_iter().chain(upcoming(timing, around)).min();
        }
        before = now;
        work.beat(*next);
        let left = next.map(|next| (next - now).to_std().unwrap_or_default());
        if let Some(kind) = around.requests.take() {
            return Event::Due(kind);
        }
        if left == Some(Duration::ZERO) {
            return Event::Due(Kind::Scheduled);
        }
        tokio::select! {
            () = around.stop.requested() => return Event::Stop,
            () = around.requests.came.notified() => {}
            Some(()) = around.reloads.recv() => return Event::Reload,
            () = tokio::time::sleep(left.unwrap_or(BEAT).min(BEAT)) => {}
        }
    }
}
