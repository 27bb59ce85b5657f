//! Single tenants, by their ids: each is looked up, and nothing is listed.

use std::{borrow::Cow, collections::BTreeSet, slice};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Error, Reconciler, Run};
use crate::{
    explo::{Listing, Reader, Writer},
    model::{Customer, Row, id_of},
    plan::{Comparison, Explanation, Fingerprints, Index},
    progress::Progress,
    source::Source,
};

const NO_ROW: &str = "the source has no row with this provided_id";

const STRAY: &str = "source.query_one returns a row with another provided_id, and none with this one: it must compare the id \
                     as the query prints it";

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// These tenants alone: each is looked up, nothing is listed, and the guard does not apply.
    pub async fn only<W: Writer>(
        &self,
        provided_ids: &BTreeSet<String>,
        writer: Option<&W>,
        progress: &dyn Progress,
    ) -> Result<Run, Error> {
        // Whoever names a tenant wants it now.
        let eager = Self { retry_failed: true, ..*self };
        let (comparison, _) = eager.look_up(provided_ids).await?;
        let plan = self.check_tags(comparison.finish()).await?;
        let due = eager.due(&plan);
        let applied = match writer {
            None => None,
            Some(writer) => {
                plan.entries_of_looks(self.findings).for_each(self.record);
                Some(self.apply(&plan, &due, writer, progress).await)
            }
        };
        Ok(Run { plan, due, listing: Listing::default(), skipped: Vec::new(), held: Vec::new(), applied })
    }

    /// Both sides of one id.
    pub async fn explain(&self, provided_id: &str) -> Result<Explanation, Error> {
        let provided_id = provided_id.to_owned();
        let (mut comparison, customers) = self.look_up(&BTreeSet::from([provided_id.clone()])).await?;
        let tenant = comparison.tenant_of(&provided_id);
        let mut customer = customers.into_iter().flatten().next();
        let parent = tenant.as_ref().and_then(|tenant| tenant.parent_provided_id.as_deref());
        if let Some(parent) = parent {
            let is_child = self.look_above(&mut comparison, &provided_id, parent).await?;
            let held = is_child.map(|is_child| if is_child { parent.to_owned() } else { String::new() });
            customer = customer.map(|customer| Customer { parent_provided_id: held.map(Cow::Owned), ..customer });
        }
        let plan = self.check_tags(comparison.finish()).await?;
        let failure = self.due(&plan).waiting.into_iter().next().map(|(_, failure)| failure);
        Ok(Explanation { provided_id, tenant, customer, plan, failure })
    }

    /// Whether a tenant's customer is below its parent, where that can be had.
    async fn look_above(
        &self,
        comparison: &mut Comparison<'_>,
        provided_id: &str,
        parent: &str,
    ) -> Result<Option<bool>, Error> {
        if self.held(parent).await?.is_none() {
            let parent = parent.to_owned();
            if !self.read_some(&BTreeSet::from([parent.clone()])).await?.has(&parent) {
                comparison.lack(parent);
            }
            return Ok(None);
        }
        let (Some(children), _) = self.children(parent).await? else { return Ok(None) };
        comparison.place(parent, Some(&children));
        Ok(Some(children.iter().any(|child| child == provided_id)))
    }

    /// Some tenants and their customers; where one has none under its id, the previous id's is looked at too.
    async fn look_up(
        &self,
        provided_ids: &BTreeSet<String>,
    ) -> Result<(Comparison<'_>, Vec<Option<Customer<'static>>>), Error> {
        let mut tenants = self.read_some(provided_ids).await?;
        let mut customers = self.look(provided_ids).await?;
        let absent = provided_ids.iter().zip(&customers).filter(|(_, customer)| customer.is_none());
        let previous = absent.filter_map(|(provided_id, _)| tenants.tenant_of(provided_id)?.previous_provided_id);
        let previous = previous.map(Cow::into_owned);
        let previous: BTreeSet<_> = previous.collect();
        if !previous.is_empty() {
            let mut insert = |rows: &[Row<'_>]| rows.iter().for_each(|row| tenants.insert_aside(row, &previous));
            self.unless_stopped(self.source.read_some(&previous, &mut insert)).await?;
            customers.extend(self.look(&previous).await?);
        }
        let mut comparison = self.comparison(tenants);
        for customer in &customers {
            comparison.observe_alone(customer.as_ref());
        }
        Ok((comparison, customers))
    }

    async fn look(&self, provided_ids: &BTreeSet<String>) -> Result<Vec<Option<Customer<'static>>>, Error> {
        let looks = stream::iter(provided_ids).map(|provided_id| self.held(provided_id));
        looks.buffered(self.side_by_side).try_collect().await
    }

    /// The rows that are asked for, by their ids.
    async fn read_some(&self, provided_ids: &BTreeSet<String>) -> Result<Index, Error> {
        let mut index = Index::new(Fingerprints::new(self.seed));
        let is_asked_for = |row: &&Row<'_>| id_of(row).is_some_and(|id| provided_ids.contains(id));
        let mut insert = |rows: &[Row<'_>]| {
            rows.iter().filter(is_asked_for).for_each(|row| index.insert(slice::from_ref(row)));
        };
        let strays = self.unless_stopped(self.source.read_some(provided_ids, &mut insert)).await?;
        for provided_id in provided_ids {
            if index.tenant_of(provided_id).is_none() {
                let reason = if strays.contains(provided_id) { STRAY } else { NO_ROW };
                index.reject(Some(provided_id.clone()), reason);
            }
        }
        Ok(index)
    }
}
