//! Records entries in batches while a run goes on: when there are enough, a few seconds after the first, and at the end.

use std::{collections::BTreeMap, time::Duration};

use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};

use super::{Error, Writer};
use crate::plan::Entry;

/// Entries of a batch.
const ENOUGH: usize = 200;

/// Entries of a batch at the most, where they come faster than they are recorded.
const MOST: usize = 2000;

/// How long an entry waits for others.
const LONGEST: Duration = Duration::from_secs(3);

/// How often the last batch is tried again, and how long after.
const LAST_TRIES: usize = 2;
const PAUSE: Duration = Duration::from_secs(1);

/// Records all that comes, until there will be no more. What could not be recorded is tried again with the next batch; an
/// error says that some of it is missing at the end.
pub async fn record_all(writer: &impl Writer, mut entries: UnboundedReceiver<Entry>) -> Result<(), Error> {
    let (mut open, mut last_tries) = (BTreeMap::new(), LAST_TRIES);
    loop {
        let is_over = collect(&mut open, &mut entries).await;
        let batch: Vec<Entry> = open.values().cloned().collect();
        let recorded = if batch.is_empty() { Ok(()) } else { writer.record(&batch).await };
        match recorded {
            Ok(()) => open.clear(),
            Err(error) if is_over && last_tries == 0 => return Err(error),
            Err(error) => {
                tracing::warn!(entries = open.len(), "the ledger is tried again: {error}");
                last_tries -= usize::from(is_over);
                if is_over {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        if is_over && open.is_empty() {
            return Ok(());
        }
    }
}

/// Takes entries until a batch is due; whether there will be no more.
async fn collect(open: &mut BTreeMap<String, Entry>, entries: &mut UnboundedReceiver<Entry>) -> bool {
    let Some(first) = entries.recv().await else { return true };
    take(open, first);
    let (due, enough) = (Instant::now() + LONGEST, open.len() + ENOUGH - 1);
    while open.len() < enough {
        match tokio::time::timeout_at(due, entries.recv()).await {
            Ok(Some(entry)) => take(open, entry),
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
    while open.len() < MOST
        && let Ok(entry) = entries.try_recv()
    {
        take(open, entry);
    }
    false
}

/// Of several entries of one customer the last counts.
fn take(open: &mut BTreeMap<String, Entry>, entry: Entry) {
    let entry = match open.remove(&entry.provided_id) {
        Some(before) => entry.after(before),
        None => entry,
    };
    open.insert(entry.provided_id.clone(), entry);
}
