//! Applies a saved plan: each change is compared with Explo again, and skipped if its customer has changed since.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Error, Reconciler, Run, Writers};
use crate::{
    compare::{Difference, compare, managed_differences},
    explo::{ListedTokens, Listing, Look, Reader, Writer},
    model::{Gap, Partial},
    plan::{Answer, Change, Placed, Plan, Question, Update},
    progress::Progress,
    source::Source,
};

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// Applies a saved plan; the ids it skips are in [`Run::skipped`]. Without writers it only compares.
    pub async fn resume<W: Writer>(
        &self,
        mut plan: Plan,
        writers: Option<Writers<'_, W>>,
        progress: &dyn Progress,
    ) -> Result<Run, Error> {
        let mut placed = Placed::default();
        let parents = stream::iter(plan.parents_of_moves()).map(|parent| self.ask(Question::Children(parent)));
        let parents: Vec<_> = parents.buffered(self.side_by_side).try_collect().await?;
        for answer in parents {
            if let Answer::Children(parent, children) = answer {
                placed.observe(&plan.index, &parent, children.as_deref());
            }
        }
        let is_unmoved = |change| self.is_unmoved(&plan, change, &placed);
        let unmoved = stream::iter(&plan.changes).map(is_unmoved).buffered(self.side_by_side);
        let unmoved: Vec<bool> = unmoved.try_collect().await?;
        // If a tenant's rename is skipped, its update would reach another customer.
        let renames_that_moved: HashSet<_> =
            plan.renames().zip(&unmoved).filter(|(_, is_unmoved)| !**is_unmoved).map(|(row, _)| row).collect();
        let changes = std::mem::take(&mut plan.changes).into_iter().zip(unmoved);
        let (kept, moved): (Vec<_>, Vec<_>) =
            changes.partition(|(change, is_unmoved)| *is_unmoved && !renames_that_moved.contains(&change.row()));
        let mut skipped: Vec<_> = moved.iter().map(|(change, _)| plan.provided_id(change).into_owned()).collect();
        // A tenant may have a rename and an update.
        skipped.sort_unstable();
        skipped.dedup();
        plan.changes = kept.into_iter().map(|(change, _)| change).collect();
        self.answer(&mut plan, None).await?;
        // The user asked for these changes, so none of them waits.
        let (due, asked) = (Self { retry_failed: true, ..*self }.due(&plan), self.reader.asked());
        let applied = match writers {
            None => None,
            Some(writers) => Some(self.apply(&plan, &due, &ListedTokens::default(), &writers, progress).await),
        };
        Ok(Run {
            plan,
            due,
            listing: Listing::default(),
            asked,
            skipped,
            limits: BTreeMap::new(),
            held: Vec::new(),
            applied,
        })
    }

    /// Whether the customer is as the plan found it; false if Explo does not show it.
    async fn is_unmoved(&self, plan: &Plan, change: &Change, placed: &Placed) -> Result<bool, Error> {
        let tenant = plan.index.tenant(change.row());
        let renames = matches!(change, Change::Rename(_));
        let is_free = !renames || self.proven(&tenant.provided_id).await?.is_none();
        let current = self.proven(&plan.listed_id(change)).await?;
        Ok(match (change, current) {
            _ if !is_free => false,
            (Change::Create(_), current) => current.is_none(),
            (Change::Rename(_), Some(Look::Found(_))) => true,
            (Change::Update(update), Some(Look::Found(mut current))) => {
                let elsewhere = placed.elsewhere(&plan.index, update.row);
                current.parent_provided_id = elsewhere.and_then(|_| update.old_parent()).map(Cow::Owned);
                is_of(update, compare(&tenant, &current, plan.rules))
            }
            (Change::Update(update), Some(Look::Unreadable(Partial { gap: Gap::TooLarge, .. }))) => {
                is_of(update, managed_differences(&tenant, plan.rules))
            }
            (Change::Rename(_) | Change::Update(_), Some(Look::Unreadable(_) | Look::Refused(_)) | None) => false,
        })
    }
}

/// Whether the customer differs from the tenant as the update says, in the update's fields.
fn is_of(update: &Update, mut differences: Vec<Difference>) -> bool {
    differences.retain(|difference| update.fields().contains(&difference.field));
    differences == update.differences
}
