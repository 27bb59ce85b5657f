//! The stop signal in its two steps: no new call, and nothing more of those that only read; then, after a grace, nothing more
//! of the writes in flight.
//!
//! It is asked for by a signal, by the end of the time that a run was given, or by a lock that was lost.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

/// Passed to everything that waits, and to everything that writes: what is written is to be told of.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    begun: CancellationToken,
    over: CancellationToken,
    reason: Arc<OnceLock<&'static str>>,
    /// Of the whole, whichever part writes.
    is_writing: Arc<AtomicBool>,
    /// Of this part alone.
    first_write: CancellationToken,
}

impl Stop {
    /// How long writes in flight may go on after a stop was asked for.
    pub const GRACE: Duration = Duration::from_secs(20);

    /// A stop of a part: it stops with the whole, and alone as well.
    #[must_use]
    pub fn child(&self) -> Self {
        let (begun, over) = (self.begun.child_token(), self.over.child_token());
        let (is_writing, first_write) = (Arc::clone(&self.is_writing), CancellationToken::new());
        Self { begun, over, reason: Arc::default(), is_writing, first_write }
    }

    /// From now on no call begins; after [`Stop::GRACE`] writes in flight are cut. Returns then. The first reason counts.
    pub async fn request(&self, reason: &'static str) {
        let _ = self.reason.set(reason);
        self.begun.cancel();
        tokio::time::sleep(Self::GRACE).await;
        self.over.cancel();
    }

    /// From now on no call begins, and nothing more of those in flight.
    pub fn cut(&self) {
        self.begun.cancel();
        self.over.cancel();
    }

    /// A write begins: until its outcome is told, nobody may end in the middle.
    pub fn write_begins(&self) {
        self.is_writing.store(true, Ordering::SeqCst);
        self.first_write.cancel();
    }

    /// Returns when the first write of this part has begun.
    pub async fn first_write(&self) {
        self.first_write.cancelled().await;
    }

    /// Everything that was written is told.
    pub fn writes_are_told(&self) {
        self.is_writing.store(false, Ordering::SeqCst);
    }

    /// Whether something was written whose outcome is yet to be told.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.is_writing.load(Ordering::SeqCst)
    }

    /// What asked for it, for whoever is told that a call can't begin.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason.get().copied().unwrap_or("a signal")
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Returns when a stop is asked for.
    pub async fn requested(&self) {
        self.begun.cancelled().await;
    }

    /// Returns when writes in flight are to be cut.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }
}
