//! The stop signal in its two steps: no new call, then, after a grace, nothing more of those in flight.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Passed to everything that waits.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    begun: CancellationToken,
    over: CancellationToken,
}

impl Stop {
    /// How long calls in flight may go on after a stop was asked for.
    pub const GRACE: Duration = Duration::from_secs(20);

    /// From now on no call begins; after [`Stop::GRACE`] those in flight are cut. Returns then.
    pub async fn request(&self) {
        self.begun.cancel();
        tokio::time::sleep(Self::GRACE).await;
        self.over.cancel();
    }

    /// Nothing more of the calls in flight.
    pub fn cut(&self) {
        self.over.cancel();
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
