//! Quick runs: all tenants are read, and memory stands in for the listing. A tenant is looked up only if it differs from
//! what memory knows, so a run in which nothing changed makes no call.

use super::{Error, Reconciler, single::Refusals};
use crate::{
    explo::Reader,
    memory::Overview,
    plan::{Doubting, Plan, Recalled},
    source::Source,
    tenants::Index,
};

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// What memory knows of the tenants; `None` if customers must be listed: it is time, or so many tenants differ that a
    /// listing is cheaper and safer.
    pub(super) fn recalled(&self, tenants: &Index) -> Option<Recalled> {
        let overview = self.memory.overview().filter(|overview| !overview.is_due(self.list_every, self.now))?;
        if !self.memory.keeps_rows() || self.retry_failed {
            return None;
        }
        let recalled = Recalled::of(tenants, self.memory, self.now, Doubting::Nobody);
        tracing::debug!(due = recalled.due(), "compared the tenants with what is remembered");
        (recalled.due() <= Overview::most(overview.pages)).then_some(recalled)
    }

    /// Compares the tenants with what memory knows, and looks up the others; gives the tenants back if one of them can't
    /// be looked up.
    pub(super) async fn plan_by_memory(
        &self,
        mut tenants: Index,
        recalled: Recalled,
    ) -> Result<Result<Plan, Index>, Error> {
        let to_look_up = recalled.to_look_up(&tenants);
        let looks = match self.looks(&mut tenants, &to_look_up, Refusals::Doubted).await {
            Ok(looks) => looks,
            Err(Error::Explo(error)) if !error.ends_run() => {
                tracing::warn!("listing the customers, because one of them can't be looked up: {error}");
                return Ok(Err(tenants));
            }
            Err(error) => return Err(error),
        };
        let census = self.looked_up(tenants, &looks, Some(recalled), Refusals::Doubted);
        Ok(Ok(census.close().finish()))
    }
}
