//! A plan that was made before: each record is compared again, and what moved since is left alone.

use std::{borrow::Cow, collections::HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Error, Reconciler, Run};
use crate::{
    explo::{Listing, Reader, Writer},
    plan::{Change, Placed, Plan, compare},
    progress::Progress,
    source::Source,
};

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// Carries out a plan that was made before. Each record is compared again, and what moved is left alone.
    pub async fn resume<W: Writer>(&self, mut plan: Plan, writer: &W, progress: &dyn Progress) -> Result<Run, Error> {
        let (mut listing, mut placed) = (Listing::default(), Placed::default());
        let parents = plan.parents_of_moves();
        self.list_below(&parents, &mut listing, |parent, children| placed.take(&plan.index, parent, children)).await?;
        let is_unmoved = |change| self.is_unmoved(&plan, change, &placed);
        let unmoved = stream::iter(&plan.changes).map(is_unmoved).buffered(self.side_by_side);
        let unmoved: Vec<bool> = unmoved.try_collect().await?;
        // A rename looks at both ids.
        plan.looks = unmoved.len() + plan.renames().count();
        // Without its rename an update would be another customer's.
        let renames_that_moved: HashSet<_> =
            plan.renames().zip(&unmoved).filter(|(_, is_unmoved)| !**is_unmoved).map(|(row, _)| row).collect();
        let changes = std::mem::take(&mut plan.changes).into_iter().zip(unmoved);
        let (kept, moved): (Vec<_>, Vec<_>) =
            changes.partition(|(change, is_unmoved)| *is_unmoved && !renames_that_moved.contains(&change.row()));
        let mut skipped: Vec<_> = moved.iter().map(|(change, _)| plan.provided_id(change).into_owned()).collect();
        // A tenant may be renamed and updated.
        skipped.sort_unstable();
        skipped.dedup();
        plan.changes = kept.into_iter().map(|(change, _)| change).collect();
        let plan = self.check_tags(plan).await?;
        // Whoever names a change wants it now.
        let due = Self { retry_failed: true, ..*self }.due(&plan);
        let applied = Some(self.apply(&plan, &due, writer, progress).await);
        Ok(Run { plan, due, listing, skipped, held: Vec::new(), applied })
    }

    async fn is_unmoved(&self, plan: &Plan, change: &Change, placed: &Placed) -> Result<bool, Error> {
        let tenant = plan.index.tenant(change.row());
        let renames = matches!(change, Change::Rename(_));
        let is_taken = renames && self.held(&tenant.provided_id).await?.is_some();
        let current = self.held(&plan.listed_id(change)).await?;
        Ok(match (change, current) {
            _ if is_taken => false,
            (Change::Create(_), current) => current.is_none(),
            (Change::Rename(_), current) => current.is_some(),
            (Change::Update(_), None) => false,
            (Change::Update(update), Some(mut current)) => {
                let elsewhere = placed.elsewhere(&plan.index, update.row);
                current.parent_provided_id = elsewhere.and_then(|_| update.old_parent()).map(Cow::Owned);
                let mut differences = compare(&tenant, &current, plan.rules);
                differences.retain(|difference| update.fields().contains(&difference.field));
                differences == update.differences
            }
        })
    }
}
