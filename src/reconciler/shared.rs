//! What the runs and the wakes of one process share.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc::UnboundedSender, oneshot, watch},
    time::timeout,
};

use xxhash_rust::xxh3::xxh3_64;

use super::window::Window;
use crate::{
    applier::{Superseded, View},
    database::lock::IdLocks,
    ledger::{self, ToRecord, Writer},
    memory::{Memory, Note, Overview, token_hash},
    model::{Field, shown},
    plan::{Class, Guard, Held, Plan},
};

/// How long a wake waits until what it did is recorded.
const RECORDING: Duration = Duration::from_secs(10);

/// What the runs and the wakes of one process share.
pub struct Shared {
    /// The locks of single ids.
    pub locks: IdLocks,
    /// The ids whose rows wakes read while a run goes on.
    pub superseded: Superseded,
    /// Where both record.
    pub journal: Journal,
    /// Hashes of all remembered tokens, sorted, each with a hash of its customer's id.
    tokens: RefCell<Vec<(u64, u64)>>,
    /// The data visibility groups in which this process created customers.
    made_in: RefCell<BTreeSet<String>>,
    /// The calls that the last listing took.
    pages: Cell<usize>,
    /// Whether there are wakes, so that tokens must be kept.
    has_wakes: bool,
    /// Notified when a listing is complete, and remembered.
    pub listed: Notify,
    /// What wakes made within the last hour.
    window: RefCell<Window>,
    /// The classes over their limit since the last run: the next one decides.
    stopped: RefCell<BTreeSet<Class>>,
    /// Whether the log says already that wakes are held.
    is_told: Cell<bool>,
}

/// Where entries are recorded: in the batches of the run that goes on, so that none overtakes another, else at once.
#[derive(Debug, Default)]
pub struct Journal {
    run: RefCell<Option<UnboundedSender<ToRecord>>>,
    /// Whether a run's recorder still has entries, or may get some.
    is_busy: watch::Sender<bool>,
}

/// The journal takes entries for the run until this is dropped.
pub struct Opened<'a>(&'a Journal);

/// The run's recorder has not recorded all its entries until this is dropped.
pub struct Recording<'a>(&'a Journal);

impl Shared {
    /// For a process without wakes.
    #[must_use]
    pub fn without_wakes(locks: IdLocks) -> Self {
        Self { has_wakes: false, ..Self::new(locks) }
    }

    /// For a process that carries out wakes.
    #[must_use]
    pub fn new(locks: IdLocks) -> Self {
        Self {
            locks,
            pages: Cell::default(),
            has_wakes: true,
            superseded: Superseded::default(),
            journal: Journal::default(),
            tokens: RefCell::default(),
            made_in: RefCell::default(),
            listed: Notify::default(),
            window: RefCell::default(),
            stopped: RefCell::default(),
            is_told: Cell::default(),
        }
    }

    /// Keeps the tokens that a run has loaded.
    pub fn loaded(&self, memory: &Memory) {
        if self.has_wakes {
            self.pages.set(memory.overview().map_or(0, |overview| overview.pages));
            let tokens = memory.tokens_by_id().map(|(provided_id, token)| (token, id_hash(provided_id)));
            let mut tokens: Vec<_> = tokens.collect();
            tokens.sort_unstable();
            *self.tokens.borrow_mut() = tokens;
        }
    }

    /// How many wakes may wait at once: more are a flood.
    pub fn most_wakes(&self) -> usize {
        Overview::most(self.pages.get())
    }

    /// Whether a token is remembered as that of another customer than this one.
    pub fn is_anothers(&self, token: &str, provided_id: &str) -> bool {
        let (tokens, token) = (self.tokens.borrow(), token_hash(token));
        let known = tokens.binary_search_by_key(&token, |(token, _)| *token);
        known.is_ok_and(|place| tokens[place].1 != id_hash(provided_id))
    }

    /// Keeps the tokens that notes show.
    pub fn keep_tokens(&self, notes: &[Note]) {
        let mut tokens = self.tokens.borrow_mut();
        for (provided_id, token) in notes.iter().filter_map(Note::token_hash) {
            let known = (token, id_hash(provided_id));
            match tokens.binary_search_by_key(&token, |(token, _)| *token) {
                Ok(place) => tokens[place] = known,
                Err(place) => tokens.insert(place, known),
            }
        }
    }

    /// What a run may note beside the wakes: what it knows of a customer may be older than what a wake knows.
    pub fn note_of_run(&self, note: Note) -> Option<Note> {
        match note {
            Note::Customer(entry) => match self.superseded.view(&entry.provided_id) {
                View::Own => Some(Note::Customer(entry)),
                View::Older => Some(entry.to_look_up().into()),
                View::Outdated => None,
            },
            Note::Group(group) => {
                self.made_in.borrow_mut().insert(group);
                None
            }
            Note::Overview(_) => Some(note),
        }
    }

    /// Records what a wake notes.
    pub async fn record(&self, notes: Vec<Note>, writer: &impl Writer) -> Result<(), ledger::Error> {
        for note in &notes {
            match note {
                Note::Customer(entry) => {
                    for id in [Some(&entry.provided_id), entry.former.as_ref()].into_iter().flatten() {
                        self.superseded.wake_tells(id);
                    }
                }
                Note::Group(group) => drop(self.made_in.borrow_mut().insert(group.clone())),
                Note::Overview(_) => {}
            }
        }
        self.journal.record(notes, writer).await
    }

    /// What is remembered, with the groups of the customers that this process made since the last listing.
    pub fn with_groups(&self, mut memory: Memory) -> Memory {
        self.made_in.borrow().iter().for_each(|group| memory.note(Note::Group(group.clone())));
        memory
    }

    /// Judges the plan of a wake together with the wakes of the last hour. If it passes, it counts from now on.
    pub fn judge(&self, plan: &Plan, guard: Guard) -> Vec<Held> {
        let mut window = self.window.borrow_mut();
        let held = guard.held_after(plan, &window.counts());
        if held.is_empty() {
            window.add(plan);
            return held;
        }
        self.stopped.borrow_mut().extend(held.iter().map(|held| held.class));
        if !self.is_told.replace(true) {
            let classes: Vec<_> = held.iter().map(ToString::to_string).collect();
            tracing::warn!(
                "changes of single tenants are held by the guard, and the next run decides: within an hour, {}",
                classes.join(", ")
            );
        }
        held
    }

    /// Whether there is room for an update of these fields beyond the plan of a wake. If so, it counts from now on.
    pub fn has_room(&self, plan: &Plan, guard: Guard, fields: &[Field]) -> bool {
        let mapping = usize::from(fields.contains(&Field::Mapping));
        let further = BTreeMap::from([(Class::Update, 1), (Class::Mapping, mapping)]);
        let mut window = self.window.borrow_mut();
        let has_room = guard.has_room(plan, &window.counts(), &further);
        if has_room {
            window.add_counts(&further);
        }
        has_room
    }

    /// Whether wakes of a new tenant, or of a known one, are held until the next run.
    pub fn is_stopped(&self, is_new: bool) -> bool {
        let of_known = &[Class::Update, Class::Rename, Class::Mapping, Class::Offboard];
        let classes: &[_] = if is_new { &[Class::Create] } else { of_known };
        let stopped = self.stopped.borrow();
        classes.iter().any(|class| stopped.contains(class))
    }

    /// A run has decided what was held.
    pub fn run_ended(&self) {
        self.stopped.borrow_mut().clear();
        if self.window.borrow_mut().counts().is_empty() {
            self.is_told.set(false);
        }
    }
}

fn id_hash(provided_id: &str) -> u64 {
    xxh3_64(provided_id.as_bytes())
}

impl Journal {
    /// The run's recorder takes what wakes record, too.
    pub fn open(&self, entries: UnboundedSender<ToRecord>) -> (Opened<'_>, Recording<'_>) {
        *self.run.borrow_mut() = Some(entries);
        self.is_busy.send_replace(true);
        (Opened(self), Recording(self))
    }

    /// Returns once all that was recorded so far is in the ledger, or could not be.
    pub async fn flush(&self) {
        let run = self.run.borrow().clone();
        let (done, recorded) = oneshot::channel();
        if run.is_some_and(|run| run.send(ToRecord::Flush(done)).is_ok()) {
            let _ = timeout(RECORDING, recorded).await;
        } else {
            self.end_of_run().await;
        }
    }

    /// Waits until the recorder of a run that has ended has recorded all.
    async fn end_of_run(&self) {
        let _ = timeout(RECORDING, self.is_busy.subscribe().wait_for(|is_busy| !is_busy)).await;
    }

    /// Records notes, and returns once they are recorded, or could not be.
    pub async fn record(&self, notes: Vec<Note>, writer: &impl Writer) -> Result<(), ledger::Error> {
        if notes.is_empty() {
            return Ok(());
        }
        let run = self.run.borrow().clone();
        let (done, recorded) = oneshot::channel();
        if let Some(run) = run {
            let sent = notes.iter().try_for_each(|note| run.send(ToRecord::Note(note.clone())));
            // Without the recorder, its run is ending.
            if sent.and_then(|()| run.send(ToRecord::Flush(done))).is_ok() {
                drop(run);
                if let Ok(Ok(())) = timeout(RECORDING, recorded).await {
                    return Ok(());
                }
            }
        }
        self.end_of_run().await;
        let entries = notes.into_iter().filter_map(|note| match note {
            Note::Customer(entry) => Some(*entry),
            Note::Group(_) | Note::Overview(_) => None,
        });
        let refused = writer.record(&entries.collect::<Vec<_>>()).await?;
        for (provided_id, cause) in refused {
            tracing::warn!(tenant.id = shown(&provided_id), "not kept in the ledger: {cause}");
        }
        Ok(())
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        *self.0.run.borrow_mut() = None;
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        self.0.is_busy.send_replace(false);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wake_waits_until_all_that_was_recorded_before_is_in_the_ledger_even_at_a_runs_end() {
        let journal = Journal::default();
        let is_flushed = async || timeout(Duration::from_secs(1), journal.flush()).await.is_ok();
        assert!(is_flushed().await);
        let (sender, mut entries) = unbounded_channel();
        let (opened, recording) = journal.open(sender);
        assert!(!is_flushed().await);
        assert!(matches!(entries.recv().await, Some(ToRecord::Flush(_))));
        drop(opened);
        assert!(!is_flushed().await);
        drop(recording);
        assert!(is_flushed().await);
    }
}
