//! Runs for single tenants: each is looked up by its id, and nothing is listed.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    slice,
};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Error, Reconciler, Run, Writers};
use crate::{
    explo::{ListedTokens, Listing, Look, Reader, Writer},
    model::{Row, id_of},
    plan::{Answer, Census, Explanation, Extent, Inquiry, Question, Unseen},
    progress::Progress,
    source::Source,
    tenants::Index,
};

const NO_ROW: &str = "the source has no row with this provided_id";

const STRAY: &str = "source.query_one returns a row with another provided_id, and none with this one: it must compare the id \
                     as the query prints it";

/// How a refusal to show a customer is understood.
#[derive(Debug, Clone, Copy)]
enum Refusals {
    /// As absence, without proof: creating a customer that exists does no harm.
    Absence,
    /// As a refusal, unless absence is proven.
    Proven,
}

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
        let (census, _) = eager.look_up(provided_ids, Refusals::Absence).await?;
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
            applied,
        })
    }

    /// Explains one id: its tenant, its customer, and what a run would do.
    pub async fn explain(&self, provided_id: &str) -> Result<Explanation, Error> {
        let provided_id = provided_id.to_owned();
        let only = BTreeSet::from([provided_id.clone()]);
        let (mut census, looks) = self.look_up(&only, Refusals::Proven).await?;
        let tenant = census.tenant_of(&provided_id);
        let (mut customer, mut unseen) = (None, None);
        match looks.into_iter().flatten().next() {
            Some(Look::Found(found)) => customer = Some(*found),
            Some(Look::Unreadable(partial)) => unseen = Some(Unseen::Unreadable(partial.gap)),
            Some(Look::Refused(refusal)) => unseen = Some(Unseen::Refused(refusal.to_string())),
            None => {}
        }
        let parent = tenant.as_ref().and_then(|tenant| tenant.parent_provided_id.as_deref());
        let mut children = None;
        if let Some(parent) = parent {
            match self.proven(parent).await? {
                Some(Look::Refused(_)) => {}
                Some(_) => children = Some(self.ask(Question::Children(parent.to_owned())).await?),
                None if self.read_some(&BTreeSet::from([parent.to_owned()])).await?.has(parent) => {}
                None => census.lack(parent.to_owned()),
            }
        }
        if let (Some(Answer::Children(parent, Some(children))), Some(customer)) = (&children, &mut customer) {
            let held = if children.contains(&provided_id) { parent } else { "" };
            customer.parent_provided_id = Some(held.to_owned().into());
        }
        let mut draft = census.close();
        if let Some(children) = children {
            // Nothing is written, so nothing is remembered.
            let _ = draft.answer(children);
        }
        let mut plan = draft.finish();
        self.answer(&mut plan, None).await?;
        let failure = self.due(&plan).waiting.into_iter().next().map(|(_, failure)| failure);
        Ok(Explanation { provided_id, tenant, customer, unseen, plan, failure })
    }

    /// Reads these tenants and looks up their customers (`None`: absent). If a customer is absent, its previous id is
    /// looked up too.
    async fn look_up(
        &self,
        provided_ids: &BTreeSet<String>,
        refusals: Refusals,
    ) -> Result<(Census<'_>, Vec<Option<Look>>), Error> {
        let mut tenants = self.read_some(provided_ids).await?;
        let mut looks = self.look(provided_ids, refusals).await?;
        let absent = provided_ids.iter().zip(&looks).filter(|(_, look)| look.is_none());
        let previous = absent.filter_map(|(provided_id, _)| tenants.tenant_of(provided_id)?.previous_provided_id);
        let previous = previous.map(Cow::into_owned);
        let previous: BTreeSet<_> = previous.collect();
        if !previous.is_empty() {
            let mut insert = |rows: &[Row<'_>]| rows.iter().for_each(|row| tenants.insert_aside(row, &previous));
            self.read_again(async || self.source.read_some(&previous, &mut insert).await).await?;
            looks.extend(self.look(&previous, refusals).await?);
        }
        let mut census = self.census(tenants, Extent::Some);
        for look in &looks {
            match look {
                Some(Look::Found(customer)) => census.observe_alone(customer),
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
        let is_asked_for = |row: &&Row<'_>| id_of(row).is_some_and(|id| provided_ids.contains(id));
        let read = async || {
            let mut index = self.index();
            let mut insert = |rows: &[Row<'_>]| {
                rows.iter().filter(is_asked_for).for_each(|row| index.insert(slice::from_ref(row)));
            };
            let strays = self.source.read_some(provided_ids, &mut insert).await?;
            Ok((index, strays))
        };
        let (mut index, strays) = self.read_again(read).await?;
        for provided_id in provided_ids {
            if index.tenant_of(provided_id).is_none() {
                let reason = if strays.contains(provided_id) { STRAY } else { NO_ROW };
                index.reject(provided_id, reason);
            }
        }
        Ok(index)
    }
}
