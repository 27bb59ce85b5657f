//! Detects that Explo is down while changes are applied: writes that were given up are evidence, one read decides.
//!
//! | writes given up in a row | then |
//! |---|---|
//! | fewer than ten | the other changes go on |
//! | ten | one cheap read; if it is not answered, the run ends |
//! | more, and the read was answered | the other changes go on with one attempt each, until a write is answered |
//! | sixty | the run ends |

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Mutex;

use crate::explo::{Attempts, Error, Reader};

/// Writes given up in a row after which a read decides.
const DOUBTFUL: u32 = 10;

/// Writes given up in a row after which the run ends.
const HOPELESS: u32 = DOUBTFUL + 50;

/// What the writes of a run showed.
#[derive(Debug, Default)]
pub(super) struct Outage {
    given_up_in_a_row: AtomicU32,
    /// Locked while the read is under way: no change begins meanwhile.
    asking: Mutex<()>,
}

impl Outage {
    /// Waits until no read is under way.
    pub(super) async fn passed(&self) {
        drop(self.asking.lock().await);
    }

    /// The attempts that a write gets: one of `attempts` while an outage is suspected, else all.
    pub(super) fn bounded(&self, attempts: Attempts) -> Attempts {
        let is_doubtful = self.given_up_in_a_row.load(Ordering::Relaxed) >= DOUBTFUL;
        if is_doubtful { Attempts { most: attempts.most.min(1), ..attempts } } else { attempts }
    }

    /// Counts the result of a write; gives the error that ends the run, if Explo is down.
    pub(super) async fn judge<T>(&self, written: &Result<T, Error>, reader: &impl Reader) -> Option<Error> {
        let Err(Error::GaveUp { endpoint, attempts, fault }) = written else {
            if !matches!(written, Err(Error::Stopped { .. } | Error::Cut { .. })) {
                self.given_up_in_a_row.store(0, Ordering::Relaxed);
            }
            return None;
        };
        let calls = self.given_up_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        let last = Box::new(Error::GaveUp { endpoint: *endpoint, attempts: *attempts, fault: fault.clone() });
        match calls {
            DOUBTFUL => {
                let _asking = self.asking.lock().await;
                tracing::warn!("{calls} writes in a row were given up: checking with one read whether Explo answers");
                match reader.ping().await {
                    Ok(()) => None,
                    Err(Error::GaveUp { .. }) => Some(Error::Outage { calls, last }),
                    Err(error) => Some(error),
                }
            }
            HOPELESS => Some(Error::Outage { calls, last }),
            _ => None,
        }
    }
}
