//! The task that has the connections of locks: it pings them, takes and gives back locks of ids, and tells when the
//! locks are lost.

use std::{collections::HashSet, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::holder::{Holder, Name};
use crate::database::words;

/// Requests are answered in their order.
pub(super) type Requests = mpsc::UnboundedSender<Request>;

/// A request for the lock of an id.
pub(super) enum Request {
    /// Tries once; `None`: another process has it.
    Take(Name, oneshot::Sender<Option<Granted>>),
    GiveBack(Name),
}

/// A lock that was taken; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Granted {
    name: Name,
    requests: Requests,
}

/// The task's handle; dropping it drops the connections, and so releases all locks a moment later.
#[derive(Debug)]
pub(super) struct Keeper {
    lost: CancellationToken,
    released: CancellationToken,
    requests: Requests,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Starts the task; `place` is for its log.
    pub(super) fn start(holder: impl Holder, place: String, ping_every: Duration) -> Self {
        let (lost, released) = (CancellationToken::new(), CancellationToken::new());
        let (requests, received) = mpsc::unbounded_channel();
        let work = Work { holder, requests: requests.clone(), received, ids: HashSet::new(), ping_every };
        let task = tokio::spawn(keep(work, place, lost.clone(), released.clone()));
        Self { lost, released, requests, task }
    }

    /// Cancelled when the locks are lost.
    pub(super) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    pub(super) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Releases all locks; they are free when this returns.
    pub(super) async fn release(mut self) {
        self.released.cancel();
        // It fails only if the task has ended already.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        // It fails only if the task has ended, and released everything.
        let _ = self.requests.send(Request::GiveBack(self.name.clone()));
    }
}

struct Work<H> {
    holder: H,
    requests: Requests,
    received: mpsc::UnboundedReceiver<Request>,
    /// The ids whose locks it has.
    ids: HashSet<Name>,
    ping_every: Duration,
}

/// Keeps the locks until they are released, and cancels `lost` if they are lost.
async fn keep(mut work: Work<impl Holder>, place: String, lost: CancellationToken, released: CancellationToken) {
    let cause = tokio::select! {
        biased;
        () = released.cancelled() => None,
        cause = work.go_on() => Some(cause),
    };
    match cause {
        Some(cause) => {
            lost.cancel();
            tracing::warn!(place, cause, "the lock is lost");
        }
        None => drop(timeout(work.patience(), work.holder.release()).await),
    }
}

impl<H: Holder> Work<H> {
    /// How long an answer may take.
    fn patience(&self) -> Duration {
        self.ping_every * 3
    }

    /// Ends when the locks are lost: returns the reason.
    async fn go_on(&mut self) -> String {
        let mut ping_at = Instant::now() + self.ping_every;
        loop {
            let patience = self.patience();
            let done = tokio::select! {
                biased;
                () = sleep_until(ping_at) => {
                    let pinged = timeout(patience, self.holder.ping()).await;
                    ping_at = Instant::now() + self.ping_every;
                    pinged
                }
                Some(request) = self.received.recv() => timeout(patience, self.answer(request)).await,
            };
            match done {
                Ok(Ok(())) => {}
                Ok(Err(cause)) => return cause,
                Err(_) => return format!("no answer for {} s", patience.as_secs()),
            }
        }
    }

    async fn answer(&mut self, request: Request) -> Result<(), String> {
        let told = |error| words::of(&error);
        match request {
            Request::Take(name, answer) => {
                // A database grants a lock twice to one connection.
                let is_taken = !self.ids.contains(&name) && self.holder.take(&name).await.map_err(told)?;
                let granted = is_taken.then(|| {
                    self.ids.insert(name.clone());
                    Granted { name, requests: self.requests.clone() }
                });
                // If nobody waits for it any more, it is dropped, and so given back.
                let _ = answer.send(granted);
                Ok(())
            }
            Request::GiveBack(name) => {
                self.ids.remove(&name);
                self.holder.give_back(&name).await.map_err(told)
            }
        }
    }
}
