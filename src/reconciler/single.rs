//! Runs for single tenants: each is looked up by its id, and nothing is listed.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Error, Reconciler, Run, Writers, shared::Shared};
use crate::{
    explo::{self, Listing, Look, Reader, Writer},
    model::{Field, Row, id_of},
    plan::{Census, Extent, Plan, Recalled},
    progress::Progress,
    source::Source,
    tenants::Index,
};

pub(super) const NO_ROW: &str = "the source has no row with this provided_id";

const STRAY: &str = "source.query_one returns a row with another provided_id, and none with this one: it must compare the id \
                     as the query prints it";

/// How a refusal to show a customer is understood, and what a customer is that is shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusals {
    /// As absence, without proof: creating a customer that exists does no harm. For what is shown there is no listing.
    Absence,
    /// The same, unless memory knows that the customer exists, or knows nothing of customers: then an error, unless
    /// absence is proven.
    Doubted,
    /// As a refusal, unless absence is proven. What is shown counts as listed, because nothing is written.
    Proven,
}

/// The look-ups of customers, by the id asked for; `None` for an absent one.
pub(super) type Looks = Vec<(String, Option<Look>)>;

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// Plans and applies these tenants only: each is looked up, nothing is listed, and the guard does not apply.
    pub async fn only<W: Writer>(
        &self,
        provided_ids: &BTreeSet<String>,
        writers: Option<Writers<'_, W>>,
        progress: &dyn Progress,
    ) -> Result<Run, Error> {
        // The user named these tenants, so none of them waits.
        let eager = Self { retry_failed: true, ..*self };
        let tenants = eager.read_some(provided_ids).await?;
        let (census, _) = eager.look_up(tenants, provided_ids, None, Refusals::Absence).await?;
        let plan = census.close().finish();
        eager.apply_some(plan, None, writers, progress).await
    }

    /// Applies a plan of single tenants; one of a wake, unless what is shared with other wakes holds it.
    pub(super) async fn apply_some<W: Writer>(
        &self,
        mut plan: Plan,
        shared: Option<&Shared>,
        writers: Option<Writers<'_, W>>,
        progress: &dyn Progress,
    ) -> Result<Run, Error> {
        self.answer(&mut plan, None).await?;
        let (due, asked, held) = (
            self.due(&plan),
            self.reader.asked(),
            shared.map_or_else(Vec::new, |shared| shared.judge(&plan, self.guard)),
        );
        let applied = match writers {
            None => None,
            Some(writers) => {
                let entries = plan.beside(self.memory).entries_of_looks();
                for entry in entries {
                    (writers.record)(entry.into());
                }
                let spare = self.spare(&plan);
                let is_anothers = |token: &str, id: &str| shared.is_some_and(|shared| shared.is_anothers(token, id));
                let has_room = |fields: &[Field]| match shared {
                    Some(shared) => shared.has_room(&plan, self.guard, fields),
                    None => spare.borrow_mut().spend(fields),
                };
                let apply = async || self.apply(&plan, &due, (&is_anothers, &has_room), &writers, progress).await;
                if held.is_empty() { Some(apply().await) } else { None }
            }
        };
        Ok(Run {
            plan,
            due,
            is_whole: false,
            listing: Listing::default(),
            asked,
            skipped: BTreeMap::new(),
            limits: BTreeMap::new(),
            held,
            over: Vec::new(),
            held_next: Vec::new(),
            applied,
        })
    }

    /// Looks up the customers of these tenants (`None`: absent). If a customer is absent, its previous id is looked up
    /// too.
    pub(super) async fn look_up(
        &self,
        mut tenants: Index,
        provided_ids: &BTreeSet<String>,
        recalled: Option<Recalled>,
        refusals: Refusals,
    ) -> Result<(Census<'_>, Looks), Error> {
        let looks = self.looks(&mut tenants, provided_ids, refusals).await?;
        let census = self.looked_up(tenants, &looks, recalled, refusals);
        Ok((census, looks))
    }

    /// The look-ups of these tenants' customers.
    pub(super) async fn looks(
        &self,
        tenants: &mut Index,
        provided_ids: &BTreeSet<String>,
        refusals: Refusals,
    ) -> Result<Looks, Error> {
        let looks = self.look(provided_ids, refusals).await?;
        let mut looks: Looks = provided_ids.iter().cloned().zip(looks).collect();
        let absent = looks.iter().filter(|(_, look)| look.is_none());
        let previous = absent.filter_map(|(provided_id, _)| tenants.tenant_of(provided_id)?.previous_provided_id);
        // The customer of another row is that row's, whatever a look-up shows.
        let previous: BTreeSet<_> = previous.map(Cow::into_owned).filter(|previous| !tenants.has(previous)).collect();
        if !previous.is_empty() {
            let mut insert = |row: &Row<'_>| tenants.insert_aside(row, &previous);
            self.read_again(async || self.source.read_some(&previous, &mut insert).await).await?;
            let found = self.look(&previous, refusals).await?;
            looks.extend(previous.into_iter().zip(found));
        }
        Ok(looks)
    }

    /// The census of customers that were looked up.
    pub(super) fn looked_up(
        &self,
        tenants: Index,
        looks: &Looks,
        recalled: Option<Recalled>,
        refusals: Refusals,
    ) -> Census<'_> {
        let mut census = self.census(tenants, Extent::Some);
        if let Some(recalled) = recalled {
            census = census.recalling(recalled);
        }
        for (_, look) in looks {
            match look {
                Some(Look::Found(customer)) => match refusals {
                    Refusals::Absence | Refusals::Doubted => census.observe_alone(customer),
                    Refusals::Proven => census.observe(customer),
                },
                Some(Look::Unreadable(partial)) => match refusals {
                    Refusals::Absence | Refusals::Doubted => census.observe_partial_alone(partial),
                    Refusals::Proven => census.observe_partial(partial),
                },
                Some(Look::Refused(_)) | None => {}
            }
        }
        census
    }

    async fn look(&self, provided_ids: &BTreeSet<String>, refusals: Refusals) -> Result<Vec<Option<Look>>, Error> {
        let look = async |provided_id: &String| match refusals {
            Refusals::Proven => self.proven(provided_id).await,
            Refusals::Doubted if !self.memory.keeps_rows() || self.memory.is_made(provided_id) => {
                match self.proven(provided_id).await? {
                    Some(Look::Refused(refusal)) => Err(explo::Error::from(refusal).into()),
                    look => Ok(look),
                }
            }
            Refusals::Absence | Refusals::Doubted => {
                let look = self.reader.customer(provided_id).await?;
                Ok(Some(look).filter(|look| !matches!(look, Look::Refused(_))))
            }
        };
        stream::iter(provided_ids).map(look).buffered(self.side_by_side).try_collect().await
    }

    /// Reads the rows with these ids; an id without a row is invalid.
    async fn read_some(&self, provided_ids: &BTreeSet<String>) -> Result<Index, Error> {
        let (mut index, strays) = self.read_rows(provided_ids, || self.index()).await?;
        for provided_id in provided_ids {
            if index.tenant_of(provided_id).is_none() {
                index.reject(provided_id, missing(&strays, provided_id));
            }
        }
        Ok(index)
    }

    /// Reads the rows with these ids; also gives the ids for which there are only rows with other ids.
    pub(super) async fn read_rows(
        &self,
        provided_ids: &BTreeSet<String>,
        index: impl Fn() -> Index,
    ) -> Result<(Index, BTreeSet<String>), Error> {
        let is_asked_for = |row: &Row<'_>| id_of(row).is_some_and(|id| provided_ids.contains(id));
        let read = async || {
            let mut index = index();
            let mut insert = |row: &Row<'_>| {
                if is_asked_for(row) {
                    self.insert(&mut index, row);
                }
            };
            let strays = self.source.read_some(provided_ids, &mut insert).await?;
            Ok((index, strays))
        };
        self.read_again(read).await
    }
}

/// Why an id without a row is invalid.
pub(super) fn missing(strays: &BTreeSet<String>, provided_id: &str) -> &'static str {
    if strays.contains(provided_id) { STRAY } else { NO_ROW }
}
