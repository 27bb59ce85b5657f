//! The queue of wakes: the word that a tenant may have changed, from whatever origin. A wake only says *look*: the row and
//! memory decide.
//!
//! | a wake comes | then |
//! |---|---|
//! | for an id that waits | the two become one |
//! | for an id that is carried out | it is carried out again: the row may have been read before |
//! | while very many wait | it becomes part of a run of all tenants, which begins once no more come. Until then those that wait are carried out, then the rest becomes part of it, too |
//! | while this daemon stands by | it is refused: the daemon that works hears of it, or its next run finds it |
//!
//! Promises: bounded, first come first served, and never the same id twice at once. A wake that is lost is found by the
//! next run.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use crate::reconciler::{Origin, WakeOutcome as Outcome, Woken};

/// A flood ends when no wake has come for this long …
const QUIET: Duration = Duration::from_millis(250);

/// … or after this time.
const LONGEST: Duration = Duration::from_secs(2);

const FLOOD: &str = "so many tenants may have changed at once that a run of all tenants takes this one along";

/// Requests over HTTP that may wait at once.
const REQUESTS: usize = 1000;

/// A wake to carry out.
#[derive(Debug)]
pub struct Wake {
    /// The tenant's id.
    pub provided_id: String,
    /// Where the word came from first.
    pub origin: Origin,
    /// When it came.
    pub since: Instant,
    /// Who waits for the outcome.
    pub replies: Vec<oneshot::Sender<Woken>>,
}

/// Why a wake is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// This daemon stands by.
    Standby,
    /// Too many requests wait.
    Full,
}

/// The queue; origins push on any thread, one loop takes.
#[derive(Debug, Default)]
pub struct Wakes {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Whether this daemon works.
    is_open: bool,
    /// At most this many may wait; more are a flood.
    most: usize,
    /// In the order of arrival.
    order: VecDeque<String>,
    waiting: HashMap<String, Wake>,
    /// Wait for a listing, which must come before they can be carried out.
    parked: Vec<Wake>,
    in_progress: HashSet<String>,
    /// Since when a flood comes, and when its last wake came.
    flood: Option<(Instant, Instant)>,
}

/// What the loop does next.
#[derive(Debug)]
pub enum Next {
    /// Carries out this wake; [`Wakes::ended`] must follow.
    Wake(Wake),
    /// Begins a run of all tenants: a flood of wakes became one.
    Flood,
}

impl Wake {
    /// Tells everyone who waits.
    pub fn reply(self, woken: &Woken) {
        for reply in self.replies {
            // A receiver that is gone waits no longer.
            let _ = reply.send(woken.clone());
        }
    }

    /// Adds the wake of the same id that came later.
    fn merge(&mut self, later: Self) {
        // The oldest word counts for the latency; the request for a reply counts for how it is carried out.
        if later.origin == Origin::Post {
            self.origin = Origin::Post;
        }
        self.replies.extend(later.replies);
    }
}

impl Wakes {
    /// This daemon works from now on; more than `most` waiting wakes are a flood.
    pub fn open(&self, most: usize) {
        let mut state = self.lock();
        (state.is_open, state.most) = (true, most);
    }

    /// This daemon stands by, or ends: all that waits is refused.
    pub fn close(&self) {
        let mut state = self.lock();
        state.is_open = false;
        state.flood = None;
        let left: Vec<_> = state.take_all().collect();
        drop(state);
        for wake in left {
            wake.reply(&Woken::of(Outcome::Standby));
        }
    }

    /// Adds a wake.
    pub fn push(
        &self,
        provided_id: &str,
        origin: Origin,
        reply: Option<oneshot::Sender<Woken>>,
    ) -> Result<(), Refusal> {
        let mut state = self.lock();
        if !state.is_open {
            return Err(Refusal::Standby);
        }
        let now = Instant::now();
        let replies = reply.into_iter().collect();
        let wake = Wake { provided_id: provided_id.to_owned(), origin, since: now, replies };
        let absorbed = state.add(wake, now)?;
        drop(state);
        absorb(absorbed);
        self.changed.notify_waiters();
        Ok(())
    }

    /// The next thing to do, if fewer than `most` wakes are in progress.
    pub async fn next(&self, most: usize) -> Next {
        loop {
            let changed = self.changed.notified();
            let (next, absorbed, due) = self.lock().next(most, Instant::now());
            absorb(absorbed);
            if let Some(next) = next {
                return next;
            }
            tokio::select! {
                () = changed => {}
                () = until(due) => {}
            }
        }
    }

    /// A wake from [`next`](Self::next) was carried out.
    pub fn ended(&self, provided_id: &str) {
        self.lock().in_progress.remove(provided_id);
        self.changed.notify_waiters();
    }

    /// A wake can't be carried out before a listing: it waits for [`unpark`](Self::unpark), unless the queue is closed.
    pub fn park(&self, wake: Wake) {
        let mut state = self.lock();
        state.in_progress.remove(&wake.provided_id);
        if state.is_open {
            state.parked.push(wake);
        } else {
            drop(state);
            wake.reply(&Woken::of(Outcome::Standby));
        }
        self.changed.notify_waiters();
    }

    /// A run has ended: what waited for its listing is carried out now.
    pub fn unpark(&self) {
        let mut state = self.lock();
        let (parked, now) = (std::mem::take(&mut state.parked), Instant::now());
        let mut absorbed = Vec::new();
        for wake in parked {
            // Wakes that were accepted before are not refused now.
            absorbed.extend(state.add(wake, now).into_iter().flatten());
        }
        drop(state);
        absorb(absorbed);
        self.changed.notify_waiters();
    }

    /// How many wakes wait, and how many are carried out.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let state = self.lock();
        (state.waiting.len() + state.parked.len(), state.in_progress.len())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds a wake; returns it if it became part of a run of all tenants.
    fn add(&mut self, wake: Wake, now: Instant) -> Result<Option<Wake>, Refusal> {
        if let Some((_, last)) = &mut self.flood {
            *last = now;
        }
        if let Some(waiting) = self.waiting.get_mut(&wake.provided_id) {
            waiting.merge(wake);
            return Ok(None);
        }
        if self.flood.is_some() {
            return Ok(Some(wake));
        }
        let is_request = wake.origin == Origin::Post;
        let requests = || self.waiting.values().chain(&self.parked).filter(|wake| wake.origin == Origin::Post).count();
        if is_request && requests() >= REQUESTS {
            return Err(Refusal::Full);
        }
        self.order.push_back(wake.provided_id.clone());
        self.waiting.insert(wake.provided_id.clone(), wake);
        if self.waiting.len() + self.parked.len() > self.most {
            self.flood = Some((now, now));
        }
        Ok(None)
    }

    fn take_all(&mut self) -> impl Iterator<Item = Wake> {
        self.order.clear();
        let parked = std::mem::take(&mut self.parked);
        std::mem::take(&mut self.waiting).into_values().chain(parked)
    }

    /// The next thing to do with the wakes that became part of it, or when to look again.
    fn next(&mut self, most: usize, now: Instant) -> (Option<Next>, Vec<Wake>, Option<Instant>) {
        let due = self.flood.map(|(first, last)| (last + QUIET).min(first + LONGEST));
        if due.is_some_and(|due| due <= now) {
            self.flood = None;
            return (Some(Next::Flood), self.take_all().collect(), None);
        }
        (self.wake(most).map(Next::Wake), Vec::new(), due)
    }

    /// The first wake that can be carried out.
    fn wake(&mut self, most: usize) -> Option<Wake> {
        if self.in_progress.len() >= most {
            return None;
        }
        let place = self.order.iter().position(|id| !self.in_progress.contains(id))?;
        let wake = self.order.remove(place).and_then(|id| self.waiting.remove(&id))?;
        self.in_progress.insert(wake.provided_id.clone());
        Some(wake)
    }
}

/// Tells who waits that a run of all tenants takes these along.
fn absorb(wakes: impl IntoIterator<Item = Wake>) {
    for wake in wakes {
        wake.reply(&Woken::because(Outcome::Deferred, FLOOD));
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(most: usize) -> Wakes {
        let wakes = Wakes::default();
        wakes.open(most);
        wakes
    }

    async fn next(wakes: &Wakes) -> String {
        told(wakes.next(8).await)
    }

    fn told(next: Next) -> String {
        match next {
            Next::Wake(wake) => wake.provided_id,
            Next::Flood => "flood".to_owned(),
        }
    }

    async fn is_idle(wakes: &Wakes) -> bool {
        tokio::time::timeout(Duration::from_millis(1), wakes.next(8)).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn wakes_of_one_id_become_one_and_one_id_is_never_carried_out_twice_at_once() {
        let wakes = open(100);
        for id in ["a", "b", "a", "a"] {
            wakes.push(id, Origin::Listen, None).unwrap();
        }
        assert_eq!([next(&wakes).await, next(&wakes).await], ["a", "b"]);
        assert!(is_idle(&wakes).await);
        wakes.push("a", Origin::Poll, None).unwrap();
        wakes.push("c", Origin::Poll, None).unwrap();
        assert_eq!(next(&wakes).await, "c", "a is still carried out");
        assert!(is_idle(&wakes).await);
        wakes.ended("a");
        assert_eq!(next(&wakes).await, "a", "its row may have been read before the word came");
    }

    #[tokio::test(start_paused = true)]
    async fn very_many_become_one_run_that_begins_once_no_more_come() {
        let wakes = open(100);
        let ([first, last], mut replies) = ([0, 1].map(|_| oneshot::channel()), Vec::new());
        let start = Instant::now();
        for (n, reply) in (0..1000).zip([Some(first), Some(last)].into_iter().chain(std::iter::repeat_with(|| None))) {
            let (sender, receiver) = reply.unzip();
            replies.extend(receiver);
            wakes.push(&n.to_string(), Origin::Post, sender).unwrap();
            if n % 10 == 0 {
                tokio::time::advance(Duration::from_millis(1)).await;
            }
        }
        assert_eq!(next(&wakes).await, "0", "nobody waits for the run while there is something to do");
        assert_eq!(told(wakes.next(1).await), "flood");
        assert!(start.elapsed() < Duration::from_millis(400));
        let [carried_out, absorbed] = &mut replies[..] else { panic!("two") };
        assert!(carried_out.try_recv().is_err());
        assert_eq!(absorbed.try_recv().unwrap().outcome, Outcome::Deferred);
        assert!(is_idle(&wakes).await);
        wakes.push("later", Origin::Listen, None).unwrap();
        assert_eq!(next(&wakes).await, "later");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_that_does_not_end_begins_its_run_all_the_same() {
        let wakes = open(0);
        let start = Instant::now();
        let pushing = async {
            loop {
                wakes.push("id", Origin::Listen, None).unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let beginning = async { while next(&wakes).await != "flood" {} };
        tokio::select! {
            () = beginning => {}
            () = pushing => {}
        }
        assert_eq!(start.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_refused_beyond_a_thousand_and_all_wakes_while_standing_by() {
        let wakes = open(5000);
        let (sender, mut reply) = oneshot::channel();
        wakes.push("waits", Origin::Post, Some(sender)).unwrap();
        for n in 1..REQUESTS {
            wakes.push(&n.to_string(), Origin::Post, None).unwrap();
        }
        assert_eq!(wakes.push("one more", Origin::Post, None), Err(Refusal::Full));
        assert_eq!(wakes.push("waits", Origin::Post, None), Ok(()), "it waits already");
        assert_eq!(wakes.push("another", Origin::Listen, None), Ok(()));
        wakes.close();
        assert_eq!(reply.try_recv().unwrap().outcome, Outcome::Standby);
        assert_eq!(wakes.push("waits", Origin::Listen, None), Err(Refusal::Standby));
        assert_eq!(wakes.count(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_a_listing_comes_back_after_it() {
        let wakes = open(100);
        wakes.push("new", Origin::Post, None).unwrap();
        let Next::Wake(wake) = wakes.next(8).await else { panic!("no flood") };
        wakes.park(wake);
        assert!(is_idle(&wakes).await);
        assert_eq!(wakes.count(), (1, 0));
        wakes.unpark();
        assert_eq!(next(&wakes).await, "new");
    }
}
