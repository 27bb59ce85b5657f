//! What is asked right before a customer is offboarded: whether its row, read again, is still gone or still says so; and what
//! the ledger keeps of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::future::LocalBoxFuture;
use tokio::{sync::Mutex, time::Instant};

use super::{Error, Reconciler};
use crate::{
    applier::Departure,
    explo::Reader,
    ledger::Keep,
    memory::Entry,
    model::{Row, id_of},
    plan::{Plan, Reason, folded},
    source::Source,
};

/// How long the rows of a source that can't read a single one count as just read.
const FRESH: Duration = Duration::from_secs(10);

/// What the rows of some ids say.
type Said = BTreeMap<String, Says>;

/// What the row of an id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// That its tenant leaves.
    Leaves,
    /// That it stays; or another row names the id as its previous one.
    Stays,
}

/// The rows of those who leave by one plan, read again.
pub(super) struct Leaving<'a, S, R> {
    reconciler: &'a Reconciler<'a, S, R>,
    provided_ids: BTreeSet<String>,
    /// Whether a single row is read alone, if the source can do that.
    reads_one: bool,
    /// The rows of all of them, and when they were read; `None` in place of rows that can't all be told apart.
    last: Mutex<Option<(Instant, Option<Said>)>>,
}

/// The same, with the ledger that keeps what their customers are.
pub(super) struct Departing<'a, S, R> {
    rows: Leaving<'a, S, R>,
    keep: &'a dyn Keep,
}

impl<'a, S: Source, R: Reader> Leaving<'a, S, R> {
    pub(super) fn new(reconciler: &'a Reconciler<'a, S, R>, plan: &Plan) -> Self {
        let ids = plan.offboards().map(|offboard| plan.index.provided_id(offboard.row).into_owned());
        let reads_one = reconciler.source.reads_one();
        Self { reconciler, provided_ids: ids.collect(), reads_one, last: Mutex::default() }
    }

    /// Reads every row, even if the source can read a single one: another row may name an id as its previous one.
    pub(super) fn reading_all(self) -> Self {
        Self { reads_one: false, ..self }
    }

    /// Keeps what their customers are in this ledger.
    pub(super) fn keeping(self, keep: &'a dyn Keep) -> Departing<'a, S, R> {
        Departing { rows: self, keep }
    }

    /// Whether a tenant still leaves, by a read that began just now, and not before `since` if that is given.
    pub(super) async fn still_leaves(
        &self,
        provided_id: &str,
        reason: Reason,
        since: Option<Instant>,
    ) -> Result<bool, Error> {
        Ok(match (self.said(provided_id, since).await?, reason) {
            (Some(None), Reason::Gone) | (Some(Some(Says::Leaves)), Reason::Said) => true,
            (None | Some(_), _) => false,
        })
    }

    async fn said(&self, provided_id: &str, since: Option<Instant>) -> Result<Option<Option<Says>>, Error> {
        if self.reads_one {
            let said = self.read(&BTreeSet::from([provided_id.to_owned()])).await?;
            return Ok(said.map(|said| said.get(provided_id).copied()));
        }
        let mut last = self.last.lock().await;
        if last.as_ref().is_none_or(|(at, _)| at.elapsed() > FRESH || Some(*at) < since) {
            // From before the read.
            let now = Instant::now();
            *last = Some((now, self.read(&self.provided_ids).await?));
        }
        let said = last.as_ref().and_then(|(_, said)| said.as_ref());
        Ok(said.map(|said| said.get(provided_id).copied()))
    }

    /// Reads the rows of these ids; `None` if a row's id can't be read, which may be one of them.
    async fn read(&self, provided_ids: &BTreeSet<String>) -> Result<Option<Said>, Error> {
        let Reconciler { source, offboarding, memory, rules, now, .. } = self.reconciler;
        let alike: BTreeMap<_, _> = provided_ids.iter().map(|id| (folded(id), id)).collect();
        let read = async || {
            let (mut said, mut claimed, mut is_whole, mut rows) = (Said::new(), BTreeSet::new(), true, 0);
            let mut take = |row: &Row<'_>| {
                rows += 1;
                let leaves = offboarding.leaves(row, memory, *rules, *now);
                match id_of(row) {
                    None => is_whole = false,
                    Some(id) if provided_ids.contains(id) => {
                        // Two rows with one id say nothing.
                        let says = if leaves && !said.contains_key(id) { Says::Leaves } else { Says::Stays };
                        said.insert(id.to_owned(), says);
                    }
                    // Where Explo takes both for the same, it is the row of this id.
                    Some(id) => claimed.extend(alike.get(&folded(id)).map(|id| (*id).to_owned())),
                }
                let previous = match row {
                    Ok(tenant) => tenant.previous_provided_id.as_deref(),
                    Err(invalid) => invalid.previous_provided_id.as_deref(),
                };
                claimed.extend(previous.filter(|previous| id_of(row) != Some(previous)).map(str::to_owned));
            };
            if self.reads_one {
                source.read_some(provided_ids, &mut take).await?;
            } else {
                source.read(&mut take).await?;
            }
            // An own row's word counts.
            for id in claimed {
                said.entry(id).or_insert(Says::Stays);
            }
            // A source that has lost most of its rows says nothing.
            let usual = memory.overview().map_or(0, |overview| overview.with_tenant);
            is_whole &= self.reads_one || 2 * rows >= usual;
            Ok(is_whole.then_some(said))
        };
        self.reconciler.read_again(read).await
    }
}

impl<S: Source, R: Reader> Departure for Departing<'_, S, R> {
    fn still_leaves<'d>(
        &'d self,
        provided_id: &'d str,
        reason: Reason,
        since: Option<Instant>,
    ) -> LocalBoxFuture<'d, Result<bool, String>> {
        let asked = self.rows.still_leaves(provided_id, reason, since);
        Box::pin(async { asked.await.map_err(|error| error.to_string()) })
    }

    fn keep<'d>(&'d self, provided_id: &'d str, text: &'d str) -> LocalBoxFuture<'d, Result<bool, String>> {
        Box::pin(async move { self.keep.keep(provided_id, text).await.map_err(|error| error.to_string()) })
    }

    fn deleted(&self, entry: Entry) -> LocalBoxFuture<'_, ()> {
        Box::pin(async {
            // It is recorded with all others, too.
            if let Err(error) = self.keep.record_now(entry).await {
                tracing::debug!("a deletion is not recorded yet: {error}");
            }
        })
    }
}
