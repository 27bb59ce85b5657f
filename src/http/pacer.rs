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
//!
//! Calls wait in two [lanes](Lane) and take nothing while they wait. So an urgent call also passes a usual one that
//! waits for its slot or for the end of a pause, and a call that is given up while it waits leaves its slot to the next.

mod gate;

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gate::Gate;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// The timer's resolution: a shorter sleep would delay the call by more than its length.
const TICK: Duration = Duration::from_millis(1);

/// Which of the waiting calls go first; within a lane, the first that came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Before every usual call.
    Urgent,
    /// While no urgent call waits.
    #[default]
    Usual,
}

/// Paces calls; all calls share it.
#[derive(Debug)]
pub struct Pacer(Mutex<Queue>);

/// A call in flight, until this is dropped.
#[derive(Debug)]
#[must_use = "the call is in flight until this is dropped"]
pub struct InFlight<'a>(&'a Pacer);

#[derive(Debug)]
struct Queue {
    gate: Gate,
    max_in_flight: usize,
    in_flight: usize,
    /// The waiting calls; each looks again when it is notified.
    waiting: BTreeMap<Ticket, Arc<Notify>>,
    /// How many calls have come.
    tickets: u64,
    /// Since when the first waiting call may be in flight, if it may.
    ready: Option<Instant>,
}

/// The order of the waiting calls.
type Ticket = (Lane, u64);

/// A waiting call, until this is dropped.
struct Waiting<'a> {
    pacer: &'a Pacer,
    ticket: Ticket,
    notified: Arc<Notify>,
}

/// What a waiting call does next.
enum Turn {
    /// It begins.
    Now,
    /// It is the first, and looks again then.
    At(Instant),
    /// It looks again when it is notified.
    Later,
}

impl Pacer {
    /// A gate for this many calls per minute, and this many in flight.
    #[must_use]
    pub fn new(requests_per_minute: u32, max_in_flight: usize) -> Self {
        let interval = Duration::from_mins(1) / requests_per_minute.max(1);
        Self(Mutex::new(Queue {
            gate: Gate::new(interval, Instant::now()),
            max_in_flight: max_in_flight.max(1),
            in_flight: 0,
            waiting: BTreeMap::new(),
            tickets: 0,
            ready: None,
        }))
    }

    /// Waits for this call's turn.
    pub async fn pass(&self, lane: Lane) -> InFlight<'_> {
        let (ticket, notified) = self.lock().join(lane, Instant::now());
        let waiting = Waiting { pacer: self, ticket, notified };
        loop {
            let turn = self.lock().turn(ticket, Instant::now());
            let slot = match turn {
                Turn::Now => return InFlight(self),
                Turn::At(slot) => Some(slot),
                Turn::Later => None,
            };
            tokio::select! {
                () = waiting.notified.notified() => {}
                () = until(slot) => {}
            }
        }
    }

    /// Pauses all calls and slows down the later ones, because of the answer to a call that began at `began`. Answers
    /// to calls that were in flight together count once: returns false for the later ones.
    pub fn pause(&self, began: Instant, pause: Duration) -> bool {
        self.lock().gate.pause(began, Instant::now(), pause)
    }

    /// The current rate in calls per minute, without regard to a pause.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.lock().gate.rate(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn join(&mut self, lane: Lane, now: Instant) -> (Ticket, Arc<Notify>) {
        let (ticket, notified) = ((lane, self.tickets), Arc::default());
        self.tickets += 1;
        self.waiting.insert(ticket, Arc::clone(&notified));
        self.changed(now);
        (ticket, notified)
    }

    /// Begins this call if it is its turn.
    fn turn(&mut self, ticket: Ticket, now: Instant) -> Turn {
        let is_first = self.waiting.first_key_value().is_some_and(|(first, _)| *first == ticket);
        let Some(ready) = self.ready.filter(|_| is_first) else { return Turn::Later };
        let slot = self.gate.slot(ready);
        if slot > now + TICK {
            return Turn::At(slot);
        }
        self.gate.begin(slot, now);
        self.waiting.remove(&ticket);
        self.in_flight += 1;
        self.ready = None;
        self.changed(now);
        Turn::Now
    }

    fn leave(&mut self, ticket: Ticket, now: Instant) {
        if self.waiting.remove(&ticket).is_some() {
            self.changed(now);
        }
    }

    fn end(&mut self, now: Instant) {
        self.in_flight -= 1;
        self.changed(now);
    }

    /// Lets the first waiting call look again if it may be in flight. Pauses need no look: they only delay.
    fn changed(&mut self, now: Instant) {
        match self.waiting.first_key_value() {
            Some((_, first)) if self.in_flight < self.max_in_flight => {
                self.ready.get_or_insert(now);
                first.notify_one();
            }
            _ => self.ready = None,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.pacer.lock().leave(self.ticket, Instant::now());
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.lock().end(Instant::now());
    }
}

async fn until(slot: Option<Instant>) {
    match slot {
        Some(slot) => sleep_until(slot).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
