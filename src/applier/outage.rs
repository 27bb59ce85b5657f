//! Whether Explo is down, found out while changes are made: given-up writes are evidence, and a read decides.
//!
//! | writes given up in a row | then |
//! |---|---|
//! | fewer than ten | the others go on |
//! | ten | one cheap read: where it is not answered, the run ends |
//! | more, and the read was answered | the others go on with one attempt each, until a write is answered |
//! | sixty | the run ends |

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Mutex;

use crate::explo::{Attempts, Error, Reader};

/// Then a read decides.
const DOUBTFUL: u32 = 10;

/// Then nothing more is tried.
const HOPELESS: u32 = DOUBTFUL + 50;

/// What the writes of a run showed.
#[derive(Debug, Default)]
pub(super) struct Outage {
    given_up_in_a_row: AtomicU32,
    /// Held while it is asked whether Explo answers: no other change begins meanwhile.
    asking: Mutex<()>,
}

impl Outage {
    /// Waits while it is asked whether Explo answers.
    pub(super) async fn passed(&self) {
        drop(self.asking.lock().await);
    }

    /// The attempts that a write gets now, of those that it may have.
    pub(super) fn bounded(&self, attempts: Attempts) -> Attempts {
        let is_doubtful = self.given_up_in_a_row.load(Ordering::Relaxed) >= DOUBTFUL;
        if is_doubtful { Attempts { most: attempts.most.min(1), ..attempts } } else { attempts }
    }

    /// Takes what became of a write; gives why the run is over, if it is.
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
                tracing::warn!("{calls} writes in a row were given up: asking whether Explo answers at all");
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
