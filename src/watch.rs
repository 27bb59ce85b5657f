//! A second thread for all that must go on while the first one computes: signals, the ops server, the pings of the
//! lock, and the timers that request a stop.
//!
//! The first thread runs nothing else while it compares or sorts. Tasks that must respond meanwhile start here, and so
//! do their connections, because a connection belongs to the runtime that made it.

use std::{future::pending, io, panic::resume_unwind, thread};

use tokio::{
    runtime::{Builder, Handle},
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    runtime: Handle,
    _end: DropGuard,
}

/// A task of the other thread that ends when this is dropped.
#[derive(Debug)]
pub struct Task<T>(JoinHandle<T>);

impl Watch {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (handle, end) = (runtime.handle().clone(), CancellationToken::new());
        let ended = end.clone();
        thread::Builder::new().name("watch".to_owned()).spawn(move || runtime.block_on(ended.cancelled()))?;
        Ok(Self { runtime: handle, _end: end.drop_guard() })
    }

    /// Starts a task on the thread; it ends when the result is dropped.
    #[must_use]
    pub fn begin<T: Send + 'static>(&self, what: impl Future<Output = T> + Send + 'static) -> Task<T> {
        Task(self.runtime.spawn(what))
    }

    /// Starts a task on the thread; it runs to its end.
    pub fn spawn(&self, what: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(what));
    }

    /// Runs a task on the thread, and waits for its result.
    pub async fn run<T: Send + 'static>(&self, what: impl Future<Output = T> + Send + 'static) -> T {
        let mut task = self.begin(what);
        match (&mut task.0).await.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(done) => done,
            Err(Ok(panic)) => resume_unwind(panic),
            // The thread has ended, so the process is ending too.
            Err(Err(_)) => pending().await,
        }
    }

    /// Receives a signal from now on, in place of its default action.
    pub fn signal(&self, kind: SignalKind) -> io::Result<Signal> {
        let _there = self.runtime.enter();
        signal(kind)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
