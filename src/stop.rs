//! The stop signal, in two steps: first no new call begins and calls that only read end; after a grace time, writes in
//! flight are cut.
//!
//! A stop is requested by a signal, by the end of a run's time limit, or by a lost lock.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

/// Passed to everything that waits or writes. After a write, its outcome must be reported before the program may end.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    begun: CancellationToken,
    over: CancellationToken,
    reason: Arc<OnceLock<&'static str>>,
    /// For all parts: whether any of them writes.
    is_writing: Arc<AtomicBool>,
    /// For this part only.
    first_write: CancellationToken,
}

impl Stop {
    /// How long writes in flight may continue after a stop was requested.
    pub const GRACE: Duration = Duration::from_secs(20);

    /// The stop of a part: it stops with the whole, and can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        let (begun, over) = (self.begun.child_token(), self.over.child_token());
        let (is_writing, first_write) = (Arc::clone(&self.is_writing), CancellationToken::new());
        Self { begun, over, reason: Arc::default(), is_writing, first_write }
    }

    /// The stop of what must be put right even after a stop was requested: until the grace time is over.
    #[must_use]
    pub fn aftermath(&self) -> Self {
        Self { begun: self.over.child_token(), ..self.child() }
    }

    /// Requests a stop: from now on no call begins; after [`Stop::GRACE`] writes in flight are cut, and this returns.
    /// The first reason counts.
    pub async fn request(&self, reason: &'static str) {
        let _ = self.reason.set(reason);
        self.begun.cancel();
        tokio::time::sleep(Self::GRACE).await;
        self.over.cancel();
    }

    /// From now on no call begins, and all calls in flight are cut.
    pub fn cut(&self) {
        self.begun.cancel();
        self.over.cancel();
    }

    /// Notes that a write begins: until its outcome is reported, the program must not end.
    pub fn write_begins(&self) {
        self.is_writing.store(true, Ordering::SeqCst);
        self.first_write.cancel();
    }

    /// Returns when the first write of this part has begun.
    pub async fn first_write(&self) {
        self.first_write.cancelled().await;
    }

    /// Notes that the outcomes of all writes are reported.
    pub fn writes_are_told(&self) {
        self.is_writing.store(false, Ordering::SeqCst);
    }

    /// Whether there is a write whose outcome is not reported yet.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.is_writing.load(Ordering::SeqCst)
    }

    /// What requested the stop, for a message about a call that can't begin.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason.get().copied().unwrap_or("a signal")
    }

    /// Whether a stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Returns when a stop is requested.
    pub async fn requested(&self) {
        self.begun.cancelled().await;
    }

    /// Returns when writes in flight must be cut.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }
}
