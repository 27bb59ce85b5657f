//! Carries out one wake: the lock of its id, its row and what is remembered, a plan of one tenant, the guard, the writes,
//! the ledger.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use secrecy::SecretString;

use super::{
    Error, Reconciler, Run, Writers,
    shared::Shared,
    single::{NO_ROW, Refusals},
    woken::{Origin, Outcome, Woken},
};
use crate::{
    applier::{self, Waking},
    compare::Fingerprints,
    database::lock::{IdLock, Permit},
    explo::{self, Reader},
    ledger::{self, Ledger},
    memory::{Entry, Memory, Note, Token},
    plan::{Doubting, Recalled},
    source::Source,
    tenants::Index,
};

/// How long a wake waits for another's write of its customer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many tenants above one are made together with it.
const ABOVE: usize = 4;

const HELD: &str = "the guard holds changes of single tenants until the next run";

const NEXT: &str = "it is offboarded by the next run: the ledger must know its customer by this id and token first";

const ELSEWHERE: &str = "another process is writing this customer";

/// Whether a wake was carried out.
#[derive(Debug)]
pub enum Carried {
    /// It was.
    Out(Woken),
    /// No complete listing is remembered yet.
    Parked,
}

/// A tenant, with those above it that may not exist yet.
struct Family<'s> {
    tenants: Index,
    memory: Memory,
    locks: Vec<IdLock>,
    /// Says that their rows are read.
    _reading: Vec<Waking<'s>>,
}

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// Carries out one wake. An error is that of a side that can't be read. The own memory is not used: what is
    /// remembered is read for each wake, since other processes write, too.
    pub async fn wake<W: explo::Writer>(
        &self,
        (provided_id, origin): (&str, Origin),
        shared: &Shared,
        explo: &W,
        (ledger, recorder): (&impl Ledger, &impl ledger::Writer),
    ) -> Result<Carried, Error> {
        let Some(lock) = shared.locks.acquire(provided_id, PATIENCE).await else {
            return Ok(Carried::Out(Woken::because(Outcome::Deferred, ELSEWHERE)));
        };
        let _reading = shared.superseded.wake_begins(provided_id);
        // What this process has written and not recorded yet is asked for.
        shared.journal.flush().await;
        let Some(family) = self.woken_family(provided_id, lock, shared, ledger).await? else {
            return Ok(Carried::Out(Woken::because(Outcome::Deferred, ELSEWHERE)));
        };
        let Family { tenants, memory, locks, .. } = family;
        let memory = shared.with_groups(memory);
        if !tenants.has(provided_id) {
            return Ok(Carried::Out(Woken::because(Outcome::Missing, NO_ROW)));
        }
        if memory.overview().is_none() {
            return Ok(Carried::Parked);
        }
        let (is_asked, leaves) = (origin == Origin::Post, tenants.leaves(provided_id));
        let is_in_sync = memory.is_in_sync(provided_id, tenants.wanted_of(provided_id).unwrap_or_default());
        if !is_asked && !is_in_sync && shared.is_stopped(!memory.is_made(provided_id)) {
            return Ok(Carried::Out(Woken::because(Outcome::Held, HELD)));
        }
        let notes = RefCell::new(Vec::new());
        let (record, permit) = (|note| notes.borrow_mut().push(note), Permit::Ids(locks));
        let writers = Writers::new(&permit, explo, &record).keeping(recorder);
        let reconciler = Reconciler { memory: &memory, retry_failed: is_asked, ..*self };
        let (run, looked_up) = reconciler.one(provided_id, tenants, shared, writers).await?;
        let notes = with_sync(notes.into_inner(), provided_id, &memory, &run);
        let token = token_in(&notes, provided_id).or(looked_up);
        shared.keep_tokens(&notes);
        if let Err(error) = shared.record(notes, recorder).await {
            tracing::warn!("the ledger lacks what a wake did, and the next run finds it out again: {error}");
        }
        let token = token.filter(|_| !leaves);
        Ok(Carried::Out(Woken { token, leaves, ..told(&run, provided_id) }))
    }

    /// Plans one tenant and those above it, lets the guard judge, and applies. Memory answers for those that it knows to be
    /// in sync, and knows which exist. Also returns the token of a customer that was looked up.
    async fn one<W: explo::Writer>(
        &self,
        provided_id: &str,
        tenants: Index,
        shared: &Shared,
        writers: Writers<'_, W>,
    ) -> Result<(Run, Option<SecretString>), Error> {
        let doubting = match self.memory.keeps_rows() {
            false => Doubting::All,
            true if self.retry_failed => Doubting::Open,
            true => Doubting::Unsettled,
        };
        let recalled = Recalled::of(&tenants, self.memory, self.now, doubting);
        let to_look_up = recalled.to_look_up(&tenants);
        let (census, looks) = self.look_up(tenants, &to_look_up, Some(recalled), Refusals::Doubted).await?;
        let token = looks.into_iter().find_map(|(id, look)| look.filter(|_| id == provided_id)?.found());
        let token = token.map(|customer| customer.token.into_owned()).filter(|token| !token.is_empty());
        let run = self.apply_some(census.close().finish(), Some(shared), Some(writers), &()).await?;
        Ok((run, token.map(Into::into)))
    }

    /// The rows of these tenants, to be compared with what is remembered.
    async fn rows_of(&self, provided_ids: &BTreeSet<String>) -> Result<Index, Error> {
        let lasting = || Index::lasting(Fingerprints::new(self.seed));
        self.read_rows(provided_ids, lasting).await.map(|(tenants, _)| tenants)
    }

    /// What is remembered of some customers, and the rows of some tenants. If tenants leave or return, what is remembered
    /// decides what their rows want, so the rows are read after it.
    async fn remembered_rows(
        &self,
        asked: &BTreeSet<String>,
        provided_ids: &BTreeSet<String>,
        ledger: &impl Ledger,
    ) -> Result<(Memory, Index), Error> {
        let recalling = async { ledger.recall(asked).await.map_err(Error::from) };
        let memory = if self.offboarding.action.is_some() {
            recalling.await?
        } else {
            let (memory, tenants) = tokio::try_join!(recalling, self.rows_of(provided_ids))?;
            if !memory.locks_out() {
                return Ok((memory, tenants));
            }
            memory
        };
        let tenants = Reconciler { memory: &memory, ..*self }.rows_of(provided_ids).await?;
        Ok((memory, tenants))
    }

    /// The tenant and what is remembered of it; with those above it of which nothing is remembered. `None`: another
    /// process writes one of them.
    async fn woken_family<'s>(
        &self,
        provided_id: &str,
        lock: IdLock,
        shared: &'s Shared,
        ledger: &impl Ledger,
    ) -> Result<Option<Family<'s>>, Error> {
        let mut provided_ids = BTreeSet::from([provided_id.to_owned()]);
        let (mut asked, mut locked) = (provided_ids.clone(), provided_ids.clone());
        let (mut locks, mut reading_all) = (vec![lock], Vec::new());
        loop {
            let (mut memory, tenants) = self.remembered_rows(&asked, &provided_ids, ledger).await?;
            let rows = || provided_ids.iter().filter_map(|id| tenants.tenant_of(id));
            let parents: BTreeSet<_> = rows().filter_map(|row| Some(row.parent_provided_id?.into_owned())).collect();
            if !parents.is_subset(&asked) {
                asked.extend(parents.iter().cloned());
                memory = ledger.recall(&asked).await?;
            }
            let unknown = parents.into_iter().filter(|id| !provided_ids.contains(id) && !memory.is_made(id));
            let unknown: BTreeSet<_> = unknown.take(ABOVE.saturating_sub(provided_ids.len() - 1)).collect();
            // A rename writes the customer of another id.
            let renamed = rows().filter(|row| !memory.is_made(&row.provided_id));
            let previous = renamed.filter_map(|row| Some(row.previous_provided_id?.into_owned()));
            let previous: BTreeSet<_> = previous.filter(|id| !locked.contains(id)).collect();
            if unknown.is_empty() && previous.is_empty() {
                return Ok(Some(Family { tenants, memory, locks, _reading: reading_all }));
            }
            for id in unknown.union(&previous) {
                if !locked.insert(id.clone()) {
                    continue;
                }
                match shared.locks.acquire(id, PATIENCE).await {
                    Some(lock) => locks.push(lock),
                    None => return Ok(None),
                }
                reading_all.push(shared.superseded.wake_begins(id));
            }
            provided_ids.extend(unknown);
            asked.extend(previous);
        }
    }
}

/// The notes, with one that the tenant was in sync now, so that a run in another process does not write an older row.
fn with_sync(mut notes: Vec<Note>, provided_id: &str, memory: &Memory, run: &Run) -> Vec<Note> {
    let is_left_alone = run.plan.changes.is_empty() && run.plan.invalid.is_empty() && memory.is_made(provided_id);
    if is_left_alone && !notes.iter().any(|note| note.of(provided_id).is_some()) {
        notes.push(Entry::still_in_sync(provided_id, memory).into());
    }
    notes
}

/// The token of this customer that the notes show last.
fn token_in(notes: &[Note], provided_id: &str) -> Option<SecretString> {
    notes.iter().rev().filter_map(|note| note.of(provided_id)).find_map(|entry| match &entry.token {
        Token::Shown(token) => Some(token.clone()),
        Token::Kept | Token::Gone => None,
    })
}

/// What the run of one tenant came to.
fn told(run: &Run, provided_id: &str) -> Woken {
    let plan = &run.plan;
    if let Some(invalid) = plan.invalid.iter().find(|invalid| invalid.provided_id.as_deref() == Some(provided_id)) {
        return Woken::because(Outcome::Invalid, invalid.reason.clone());
    }
    if !run.held.is_empty() {
        let classes: Vec<_> = run.held.iter().map(ToString::to_string).collect();
        return Woken::because(
            Outcome::Held,
            format!("held by the guard, with other changes of the last hour: {}", classes.join(", ")),
        );
    }
    let own = plan.changes.iter().enumerate().filter(|(_, change)| plan.provided_id(change) == provided_id);
    let mut woken = Woken::of(Outcome::Unchanged);
    for (number, _) in own {
        let outcome = run.applied.as_ref().and_then(|applied| applied.outcomes.get(number));
        match outcome {
            Some(applier::Outcome::Applied) => woken.outcome = Outcome::Applied,
            Some(applier::Outcome::Unsettled(unsettled)) => {
                let fields: Vec<_> = unsettled.iter().map(|one| one.difference.field.name()).collect();
                let error = format!("acknowledged, and Explo keeps another value of {}", fields.join(", "));
                woken = Woken::because(Outcome::Applied, error);
            }
            Some(applier::Outcome::Failed { reason, .. }) => return Woken::because(Outcome::Failed, reason.clone()),
            Some(applier::Outcome::Waiting(reason)) => return Woken::because(Outcome::Deferred, reason.clone()),
            Some(applier::Outcome::Deferred) | None => {
                let end = run.applied.as_ref().and_then(|applied| applied.end.as_ref());
                let error = end.map_or("it is left to the next run".to_owned(), explo::Error::to_string);
                return Woken::because(Outcome::Deferred, error);
            }
        }
    }
    if woken.outcome == Outcome::Unchanged && !plan.quiet.leaving_next.is_empty() {
        return Woken::because(Outcome::Deferred, NEXT);
    }
    if !plan.quiet.waiting.is_empty() {
        return Woken::because(Outcome::Deferred, "it failed before, and is left alone for a while");
    }
    woken
}

impl From<Error> for Woken {
    /// What a wake came to whose sides could not be read.
    fn from(error: Error) -> Self {
        let outcome = match error {
            Error::Explo(explo::Error::Stopped { .. }) => Outcome::Deferred,
            Error::Explo(_) | Error::Source(_) | Error::Ledger(_) | Error::Strangers { .. } => Outcome::Failed,
        };
        Self::because(outcome, error.to_string())
    }
}
