//! Records entries in batches during a run: when there are enough, a few seconds after the first, and at the end.
//!
//! During an outage the recorder keeps the entries, and retries with a growing pause.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
    time::Duration,
};

use tokio::{
    sync::{mpsc::UnboundedReceiver, oneshot},
    time::{Instant, sleep, timeout_at},
};

use super::{Error, Refused, Writer};
use crate::{
    memory::{Entry, Note, Overview},
    model::shown,
};

/// Entries that make a batch due.
const ENOUGH: usize = 200;

/// The most entries recorded at once: if that fails, they are all recorded again.
const MOST: usize = 2000;

/// The longest that an entry waits for others.
const LONGEST: Duration = Duration::from_secs(3);

/// The pause after the first failure; each further failure doubles it, up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often the last batch is retried.
const LAST_TRIES: usize = 2;

/// What a recorder receives.
#[derive(Debug)]
pub enum ToRecord {
    /// Something to record.
    Note(Note),
    /// Answered once everything before is recorded, which happens now.
    Flush(oneshot::Sender<()>),
}

impl<N: Into<Note>> From<N> for ToRecord {
    fn from(note: N) -> Self {
        Self::Note(note.into())
    }
}

/// Records all entries until the channel closes. Retries what could not be recorded, except rows whose values are
/// refused: the log names each of them once. An error means that some entries are missing at the end.
pub async fn record_all(writer: &impl Writer, mut entries: UnboundedReceiver<ToRecord>) -> Result<(), Error> {
    let (mut open, mut pause, mut last_tries) = (Open::default(), None, LAST_TRIES);
    loop {
        let is_over = match pause {
            None => open.collect(&mut entries).await,
            Some(pause) => open.collect_until(Instant::now() + pause, usize::MAX, &mut entries).await,
        };
        match open.record(writer).await {
            Ok(()) => {
                if pause.take().is_some() {
                    tracing::info!("the ledger takes entries again");
                }
                if is_over {
                    let rows = open.refused.len();
                    return if rows == 0 { Ok(()) } else { Err(Error::Refused { rows }) };
                }
            }
            Err(error) if is_over && last_tries == 0 || error.is_final() => return Err(error),
            Err(error) => {
                let entries = open.entries.len();
                if pause.is_none() {
                    tracing::warn!(entries, "the ledger failed, and is retried until it takes them: {error}");
                } else {
                    tracing::debug!(entries, "the ledger still does not take them: {error}");
                }
                pause = Some(pause.map_or(PAUSE, |pause| LONGEST_PAUSE.min(pause * 2)));
                if is_over {
                    last_tries -= 1;
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// The entries that are not recorded yet.
#[derive(Default)]
struct Open {
    /// By customer. Entries of customers that keep their id come first: a row's earlier entries must be written before
    /// the row gets another id.
    entries: BTreeMap<(bool, String), Entry>,
    /// Recorded after the entries.
    overview: Option<Overview>,
    /// The ids of rows that were refused.
    refused: BTreeSet<String>,
    /// Wait until everything is recorded.
    flushes: Vec<oneshot::Sender<()>>,
}

impl Open {
    /// Collects entries until a batch is due; true if the channel is closed.
    async fn collect(&mut self, entries: &mut UnboundedReceiver<ToRecord>) -> bool {
        let Some(first) = entries.recv().await else { return true };
        self.add(first);
        let is_over = self.collect_until(Instant::now() + LONGEST, ENOUGH, entries).await;
        while self.entries.len() < MOST
            && let Ok(entry) = entries.try_recv()
        {
            self.add(entry);
        }
        is_over
    }

    /// Collects entries until there are enough or `due` has come; true if the channel is closed.
    async fn collect_until(&mut self, due: Instant, enough: usize, entries: &mut UnboundedReceiver<ToRecord>) -> bool {
        while self.entries.len() < enough && self.flushes.is_empty() {
            match timeout_at(due, entries.recv()).await {
                Ok(Some(entry)) => self.add(entry),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    fn add(&mut self, what: ToRecord) {
        match what {
            ToRecord::Note(Note::Customer(entry)) => self.merge(*entry),
            ToRecord::Note(Note::Group(_)) => {}
            ToRecord::Note(Note::Overview(overview)) => self.overview = Some(*overview),
            ToRecord::Flush(flush) => self.flushes.push(flush),
        }
    }

    /// Merges an entry with the earlier one of its customer.
    fn merge(&mut self, entry: Entry) {
        let mut before = |is_renamed| self.entries.remove(&(is_renamed, entry.provided_id.clone()));
        let entry = match before(false).or_else(|| before(true)) {
            Some(before) => entry.after(before),
            None => entry,
        };
        self.insert(entry);
    }

    fn insert(&mut self, entry: Entry) {
        self.entries.insert((entry.former.is_some(), entry.provided_id.clone()), entry);
    }

    /// Records all entries, portion by portion: a portion that is recorded stays so, even if the next one fails.
    async fn record(&mut self, writer: &impl Writer) -> Result<(), Error> {
        while !self.entries.is_empty() {
            let portion: Vec<_> =
                iter::from_fn(|| self.entries.pop_first()).take(MOST).map(|(_, entry)| entry).collect();
            match writer.record(&portion).await {
                Ok(refused) => self.settle(&portion, &refused),
                Err(error) => {
                    for entry in portion {
                        self.insert(entry);
                    }
                    return Err(error);
                }
            }
        }
        if let Some(overview) = &self.overview {
            writer.overview(overview).await?;
            self.overview = None;
        }
        // A receiver that is gone waits no longer.
        self.flushes.drain(..).for_each(|flush| flush.send(()).unwrap_or_default());
        Ok(())
    }

    /// Logs the rows of a portion that are newly refused.
    fn settle(&mut self, portion: &[Entry], refused: &Refused) {
        for Entry { provided_id, .. } in portion {
            match refused.get(provided_id) {
                Some(cause) if self.refused.insert(provided_id.clone()) => {
                    tracing::warn!(tenant.id = shown(provided_id), "not kept in the ledger: {cause}");
                }
                Some(_) => {}
                None => drop(self.refused.remove(provided_id)),
            }
        }
    }
}
