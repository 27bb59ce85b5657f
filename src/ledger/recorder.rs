//! Records entries in batches while a run goes on: when there are enough, a few seconds after the first, and at the end.
//!
//! An outage costs little: what can't be recorded is kept, and tried again after pauses that grow.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
    time::Duration,
};

use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep, timeout_at},
};

use super::{Error, Refused, Writer};
use crate::{memory::Entry, model::shown};

/// Entries of a batch.
const ENOUGH: usize = 200;

/// Entries that are recorded at once: where that fails, so many are to be recorded again.
const MOST: usize = 2000;

/// How long an entry waits for others.
const LONGEST: Duration = Duration::from_secs(3);

/// How long to wait after the first failure; twice as long after each further one, up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often the last batch is tried again.
const LAST_TRIES: usize = 2;

/// Records all that comes, until there will be no more. What could not be recorded is tried again later, but for rows that are
/// refused for what they hold: they are told, once each. An error says that some of it is missing at the end.
pub async fn record_all(writer: &impl Writer, mut entries: UnboundedReceiver<Entry>) -> Result<(), Error> {
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
                    tracing::warn!(entries, "the ledger is tried again until it takes them: {error}");
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

/// What is not recorded yet.
#[derive(Default)]
struct Open {
    /// By customer: first all that keep their id, for what was to be written to a row is to be written before the row gets
    /// another id.
    entries: BTreeMap<(bool, String), Entry>,
    /// The ids of rows that were refused.
    refused: BTreeSet<String>,
}

impl Open {
    /// Takes entries until a batch is due; whether there will be no more.
    async fn collect(&mut self, entries: &mut UnboundedReceiver<Entry>) -> bool {
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

    /// Takes entries until there are enough or the time has come; whether there will be no more.
    async fn collect_until(&mut self, due: Instant, enough: usize, entries: &mut UnboundedReceiver<Entry>) -> bool {
        while self.entries.len() < enough {
            match timeout_at(due, entries.recv()).await {
                Ok(Some(entry)) => self.add(entry),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    /// Of several entries of one customer the last counts.
    fn add(&mut self, entry: Entry) {
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

    /// Records all, portion by portion: what is recorded is not tried again, whatever becomes of the rest.
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
        Ok(())
    }

    /// Tells which rows are refused, and were not before.
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
