//! Runs for single tenants: each is looked up by its id, and nothing is listed.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Error, Reconciler, Run, Writers};
use crate::{
    explo::{ListedTokens, Listing, Look, Reader, Writer},
    model::{Row, id_of},
    plan::{Census, Extent},
    progress::Progress,
    source::Source,
    tenants::Index,
};

const NO_ROW: &str = "the source has no row with this provided_id";

const STRAY: &str = "source.query_one returns a row with another provided_id, and none with this one: it must compare the id \
                     as the query prints it";

/// How a refusal to show a customer is understood, and what a customer is that is shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusals {
    /// As absence, without proof: creating a customer that exists does no harm. For what is shown there is no listing.
    Absence,
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
        let (census, _) = eager.look_up(tenants, provided_ids, Refusals::Absence).await?;
        let mut plan = census.close().finish();
        self.answer(&mut plan, None).await?;
        let (due, asked) = (eager.due(&plan), self.reader.asked());
        let applied = match writers {
            None => None,
            Some(writers) => {
                plan.beside(self.memory).entries_of_looks().for_each(writers.record);
                Some(self.apply(&plan, &due, &ListedTokens::default(), &writers, progress).await)
            }
        };
        Ok(Run {
            plan,
            due,
            listing: Listing::default(),
            asked,
            skipped: Vec::new(),
            limits: BTreeMap::new(),
            held: Vec::new(),
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
        refusals: Refusals,
    ) -> Result<(Census<'_>, Looks), Error> {
        let looks = self.look(provided_ids, refusals).await?;
        let mut looks: Looks = provided_ids.iter().cloned().zip(looks).collect();
        let absent = looks.iter().filter(|(_, look)| look.is_none());
        let previous = absent.filter_map(|(provided_id, _)| tenants.tenant_of(provided_id)?.previous_provided_id);
        let previous = previous.map(Cow::into_owned);
        let previous: BTreeSet<_> = previous.collect();
        if !previous.is_empty() {
            let mut insert = |row: &Row<'_>| tenants.insert_aside(row, &previous);
            self.read_again(async || self.source.read_some(&previous, &mut insert).await).await?;
            let found = self.look(&previous, refusals).await?;
            looks.extend(previous.into_iter().zip(found));
        }
        let mut census = self.census(tenants, Extent::Some);
        for (_, look) in &looks {
            match look {
                Some(Look::Found(customer)) => match refusals {
                    Refusals::Absence => census.observe_alone(customer),
                    Refusals::Proven => census.observe(customer),
                },
                Some(Look::Unreadable(partial)) => census.observe_partial(partial),
                Some(Look::Refused(_)) | None => {}
            }
        }
        Ok((census, looks))
    }

    async fn look(&self, provided_ids: &BTreeSet<String>, refusals: Refusals) -> Result<Vec<Option<Look>>, Error> {
        let look = async |provided_id: &String| match refusals {
            Refusals::Proven => self.proven(provided_id).await,
            Refusals::Absence => {
                let look = self.reader.customer(provided_id).await?;
                Ok(Some(look).filter(|look| !matches!(look, Look::Refused(_))))
            }
        };
        stream::iter(provided_ids).map(look).buffered(self.side_by_side).try_collect().await
    }

    /// Reads the rows with these ids; an id without a row is invalid.
    async fn read_some(&self, provided_ids: &BTreeSet<String>) -> Result<Index, Error> {
        let (mut index, strays) = self.read_rows(provided_ids).await?;
        for provided_id in provided_ids {
            if index.tenant_of(provided_id).is_none() {
                index.reject(provided_id, missing(&strays, provided_id));
            }
        }
        Ok(index)
    }

    /// Reads the rows with these ids; also gives the ids for which there are only rows with other ids.
    pub(super) async fn read_rows(&self, provided_ids: &BTreeSet<String>) -> Result<(Index, BTreeSet<String>), Error> {
        let is_asked_for = |row: &Row<'_>| id_of(row).is_some_and(|id| provided_ids.contains(id));
        let read = async || {
            let mut index = self.index();
            let mut insert = |row: &Row<'_>| {
                if is_asked_for(row) {
                    index.insert(row);
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
