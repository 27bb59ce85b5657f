//! Connections that stay open between two uses: to connect anew takes far longer than to read a row, and costs the server a
//! process.

use std::{
    any::Any,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How many are kept. More may be in use at once.
const MOST: usize = 2;

/// How long an unused one is kept: firewalls forget connections that are silent for longer.
const LONGEST: Duration = Duration::from_mins(5);

/// Connections to one server, which nobody uses.
#[derive(Default)]
pub(super) struct Kept(Mutex<Vec<(Instant, Box<dyn Any + Send>)>>);

impl Kept {
    /// The connection that was used last. The server may have ended it.
    pub(super) fn take<C: 'static>(&self) -> Option<C> {
        let mut kept = self.lock();
        kept.retain(|(since, _)| since.elapsed() < LONGEST);
        let (_, connection) = kept.pop()?;
        connection.downcast().ok().map(|connection| *connection)
    }

    /// Keeps a connection; gives it back if there are enough.
    pub(super) fn keep<C: Send + 'static>(&self, connection: C) -> Option<C> {
        let mut kept = self.lock();
        kept.retain(|(since, _)| since.elapsed() < LONGEST);
        if kept.len() >= MOST {
            return Some(connection);
        }
        kept.push((Instant::now(), Box::new(connection)));
        None
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Box<dyn Any + Send>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.lock().len()).finish()
    }
}
