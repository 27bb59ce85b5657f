//! The stop signal in its two steps: no new call, then, after a grace, nothing more of those in flight.
//!
//! It is asked for by a signal, by the end of the time that a run was given, or by a lock that was lost.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

/// Passed to everything that waits.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    begun: CancellationToken,
    over: CancellationToken,
    reason: Arc<OnceLock<&'static str>>,
}

impl Stop {
    /// How long calls in flight may go on after a stop was asked for.
    pub const GRACE: Duration = Duration::from_secs(20);

    /// A stop of a part: it stops with the whole, and alone as well.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { begun: self.begun.child_token(), over: self.over.child_token(), reason: Arc::default() }
    }

    /// From now on no call begins; after [`Stop::GRACE`] those in flight are cut. Returns then. The first reason counts.
    pub async fn request(&self, reason: &'static str) {
        let _ = self.reason.set(reason);
        self.begun.cancel();
        tokio::time::sleep(Self::GRACE).await;
        self.over.cancel();
    }

    /// Nothing more of the calls in flight.
    pub fn cut(&self) {
        self.over.cancel();
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

    /// Returns when calls in flight are to be cut.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }
}
