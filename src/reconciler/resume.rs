//! Applies a saved plan: each change is compared with Explo again.
//!
//! | the customer is | then |
//! |---|---|
//! | as the plan found it | the change is applied |
//! | as the plan wants it | the change is done: nothing is sent |
//! | anything else | the change is skipped and named |

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Error, Reconciler, Run, Writers, departure::Leaving};
use crate::{
    compare::{Difference, compare, managed_differences, whole_fingerprint},
    explo::{Listing, Look, Reader, Writer},
    memory::{Action, token_hash},
    model::{Field, Gap, Partial, told_id},
    plan::{Answer, Change, Offboard, Placed, Plan, Question, Reason, Update, strict},
    progress::Progress,
    source::Source,
};

/// How a customer is found when a saved plan is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// As the plan found it.
    AsPlanned,
    /// As the plan wants it: it was applied before, or somebody did the same.
    Done,
    /// The same but for its parent, which no record shows.
    DoneIfBelow,
    /// Neither, or Explo does not show it, or the tenant's row says something else by now.
    Moved(&'static str),
}

const CHANGED: &str = "changed in Explo since the plan was made";

const RETURNED: &str = "its row is back, or the source can't tell any more that it is gone";

const STAYING: &str = "its row does not say any more that its tenant leaves";

const UNREAD: &str = "its row could not be read again";

const TOO_SOON: &str = "its row has not been gone for offboard.after in two complete runs: dry runs do not count";

const RECONFIGURED: &str = "offboard.action is another one than in the plan";

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// Applies a saved plan; the ids it skips are in [`Run::skipped`]. Without writers it only compares.
    pub async fn resume<W: Writer>(
        &self,
        mut plan: Plan,
        writers: Option<Writers<'_, W>>,
        progress: &dyn Progress,
    ) -> Result<Run, Error> {
        let states = self.states(&mut plan).await?;
        // If a tenant's rename is skipped, its update would reach another customer.
        let is_moved = |state: &State| matches!(state, State::Moved(_));
        let renames_that_moved: HashSet<_> =
            plan.renames().zip(&states).filter(|(_, state)| is_moved(state)).map(|(row, _)| row).collect();
        let changes = std::mem::take(&mut plan.changes).into_iter().zip(states);
        let (moved, kept): (Vec<_>, Vec<_>) =
            changes.partition(|(change, state)| is_moved(state) || renames_that_moved.contains(&change.row()));
        // A tenant may have a rename and an update.
        let skipped = moved.iter().map(|(change, state)| {
            let reason = if let State::Moved(reason) = state { reason } else { CHANGED };
            (plan.provided_id(change).into_owned(), reason)
        });
        let skipped = skipped.collect();
        let done = kept.iter().filter(|(_, state)| *state == State::Done);
        plan.quiet.done = done.map(|(change, _)| (change.row(), change.turn())).collect();
        plan.changes = kept.into_iter().map(|(change, _)| change).collect();
        self.answer(&mut plan, None).await?;
        // The user asked for these changes, so none of them waits.
        let (due, asked) = (Self { retry_failed: true, ..*self }.due(&plan), self.reader.asked());
        let applied = match writers {
            None => None,
            Some(writers) => {
                let spare = self.spare(&plan);
                let has_room = |fields: &[Field]| spare.borrow_mut().spend(fields);
                Some(self.apply(&plan, &due, (&|_, _| false, &has_room), &writers, progress).await)
            }
        };
        Ok(Run {
            plan,
            due,
            is_whole: false,
            listing: Listing::default(),
            asked,
            skipped,
            limits: BTreeMap::new(),
            held: Vec::new(),
            over: Vec::new(),
            held_next: Vec::new(),
            applied,
        })
    }

    /// The state of each change. Renames and creates are judged first: they decide which parents exist.
    async fn states(&self, plan: &mut Plan) -> Result<Vec<State>, Error> {
        let makes = plan.renames().count() + plan.creates();
        let mut states: Vec<_> = {
            let plan = &*plan;
            let state = |change| self.state_of_make(plan, change);
            stream::iter(&plan.changes[..makes]).map(state).buffered(self.side_by_side).try_collect().await?
        };
        let is_there = |(_, state): &(&Change, &State)| matches!(state, State::Done | State::DoneIfBelow);
        let there: Vec<_> = plan.changes.iter().zip(&states).filter(is_there).map(|(change, _)| change.row()).collect();
        for row in there {
            plan.index.list(row);
        }
        let plan = &*plan;
        let is_below = |(_, state): &(&Change, &State)| **state == State::DoneIfBelow;
        let below = plan.changes.iter().zip(&states).filter(is_below);
        let parents = below.filter_map(|(change, _)| plan.index.listed_parent(change.row())).map(Cow::into_owned);
        let placed = self.placed(plan, parents.chain(plan.parents_of_moves()).collect()).await?;
        for (change, state) in plan.changes.iter().zip(&mut states) {
            if *state == State::DoneIfBelow {
                *state = if placed.is_below_wanted(change.row()) { State::Done } else { State::Moved(CHANGED) };
            }
        }
        let state = |update| self.state_of_update(plan, update, &placed);
        let updates = stream::iter(plan.updates()).map(state).buffered(self.side_by_side);
        states.extend(updates.try_collect::<Vec<_>>().await?);
        let rows = Leaving::new(self, plan).reading_all();
        let state = |offboard| self.state_of_offboard(plan, offboard, &rows);
        let offboards = stream::iter(plan.offboards()).map(state).buffered(self.side_by_side);
        states.extend(offboards.try_collect::<Vec<_>>().await?);
        Ok(states)
    }

    /// Lists the children of these parents.
    async fn placed(&self, plan: &Plan, parents: BTreeSet<String>) -> Result<Placed, Error> {
        let mut placed = Placed::default();
        let answers = stream::iter(parents).map(|parent| self.ask(Question::Children(parent)));
        let answers: Vec<_> = answers.buffered(self.side_by_side).try_collect().await?;
        for answer in answers {
            if let Answer::Children(parent, children) = answer {
                placed.observe(&plan.index, &parent, children.as_deref());
            }
        }
        Ok(placed)
    }

    async fn state_of_make(&self, plan: &Plan, change: &Change) -> Result<State, Error> {
        let tenant = plan.index.tenant(change.row());
        let own = self.proven(&tenant.provided_id).await?;
        if let Change::Rename(_) = change {
            let former = self.proven(&plan.listed_id(change)).await?;
            return Ok(match (own, former) {
                (None, Some(Look::Found(_))) => State::AsPlanned,
                (Some(Look::Found(_)), None) => State::Done,
                _ => State::Moved(CHANGED),
            });
        }
        Ok(match own {
            None => State::AsPlanned,
            Some(Look::Found(current)) if !compare(&tenant, &current, plan.rules).is_empty() => State::Moved(CHANGED),
            Some(Look::Found(_)) if tenant.parent_provided_id.is_some() => State::DoneIfBelow,
            Some(Look::Found(_)) => State::Done,
            Some(Look::Unreadable(_) | Look::Refused(_)) => State::Moved(CHANGED),
        })
    }

    async fn state_of_update(&self, plan: &Plan, update: &Update, placed: &Placed) -> Result<State, Error> {
        let tenant = plan.index.tenant(update.row);
        Ok(match self.proven(&plan.index.listed_id(update.row)).await? {
            Some(Look::Found(mut current)) => {
                let elsewhere = placed.elsewhere(&plan.index, update.row);
                current.parent_provided_id = elsewhere.and_then(|_| update.old_parent()).map(Cow::Owned);
                let is_placed = update.old_parent().is_none() || placed.is_below_wanted(update.row);
                match left_of(update, compare(&tenant, &current, plan.rules)) {
                    left if left == update.differences => State::AsPlanned,
                    left if left.is_empty() && is_placed => State::Done,
                    _ => State::Moved(CHANGED),
                }
            }
            Some(Look::Unreadable(Partial { gap: Gap::TooLarge, .. }))
                if left_of(update, managed_differences(&tenant, plan.rules)) == update.differences =>
            {
                State::AsPlanned
            }
            Some(Look::Unreadable(_) | Look::Refused(_)) | None => State::Moved(CHANGED),
        })
    }

    /// A customer to offboard must be as it was planned, and its row still say so, or be gone for long enough.
    async fn state_of_offboard(
        &self,
        plan: &Plan,
        offboard: &Offboard,
        rows: &Leaving<'_, S, R>,
    ) -> Result<State, Error> {
        let tenant = plan.index.tenant(offboard.row);
        let id = &*tenant.provided_id;
        let customer = match self.proven(id).await? {
            None => return Ok(State::Done),
            Some(Look::Found(customer)) if token_hash(&customer.token) == offboard.token => customer,
            Some(Look::Found(_) | Look::Unreadable(_) | Look::Refused(_)) => return Ok(State::Moved(CHANGED)),
        };
        let differences = compare(&tenant, &customer, strict(plan.rules));
        if offboard.action == Action::LockOut && differences.is_empty() {
            return Ok(State::Done);
        }
        if self.offboarding.action != Some(offboard.action) {
            return Ok(State::Moved(RECONFIGURED));
        }
        let is_gone = || {
            self.memory.is_row_gone_for(id, self.offboarding.after, self.now)
                && self.memory.is_row_gone_twice(id, self.now)
        };
        match rows.still_leaves(id, offboard.reason, None).await {
            Ok(true) => {}
            Ok(false) if offboard.reason == Reason::Said => return Ok(State::Moved(STAYING)),
            Ok(false) => return Ok(State::Moved(RETURNED)),
            Err(error) => {
                tracing::warn!(tenant.id = &*told_id(id), "its row can't be read again: {error}");
                return Ok(State::Moved(UNREAD));
            }
        }
        if offboard.reason == Reason::Gone && !is_gone() {
            return Ok(State::Moved(TOO_SOON));
        }
        let is_same = offboard.customer == whole_fingerprint(&customer) && differences == offboard.differences;
        Ok(if is_same { State::AsPlanned } else { State::Moved(CHANGED) })
    }
}

/// The differences in the fields of the update.
fn left_of(update: &Update, mut differences: Vec<Difference>) -> Vec<Difference> {
    differences.retain(|difference| update.fields().contains(&difference.field));
    differences
}
