//! Explains one id: its row, its customer, and what a run would do. Nothing is listed but the children of its parent.

use std::collections::BTreeSet;

use super::{
    Error, Reconciler,
    single::{Refusals, missing},
};
use crate::{
    explo::{Look, Reader},
    model::Customer,
    plan::{Answer, Candidate, Candidates, Decision, Explanation, Inquiry, Plan, Question, Unseen},
    source::Source,
    tenants::Index,
};

/// At most this many tenants above one are read.
const HIGHEST: usize = 64;

/// A tenant and those above it.
struct Family {
    tenants: Index,
    /// Their ids.
    provided_ids: BTreeSet<String>,
    /// The parent of the topmost one, if no row has that id.
    outside: Option<String>,
    strays: BTreeSet<String>,
}

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// Explains one id.
    pub async fn explain(&self, provided_id: &str) -> Result<Explanation, Error> {
        let Family { tenants, provided_ids, outside, strays } = self.family(provided_id).await?;
        let has_row = tenants.has(provided_id);
        let (mut census, looks) = self.look_up(tenants, &provided_ids, None, Refusals::Proven).await?;
        let tenant = census.tenant_of(provided_id);
        let previous = tenant.as_ref().and_then(|tenant| tenant.previous_provided_id.clone());
        let own = |(id, look): (String, Option<Look>)| {
            Some(look?).filter(|_| id == provided_id || previous.as_deref() == Some(&id))
        };
        let (mut customer, unseen) = shown(looks.into_iter().find_map(own));
        let mut refused = None;
        if let Some(outside) = outside {
            match self.proven(&outside).await? {
                None => census.lack(outside),
                Some(Look::Refused(_)) => refused = Some(outside),
                Some(Look::Found(_) | Look::Unreadable(_)) => {}
            }
        }
        let mut draft = census.close();
        if let Some(parent) = draft.parent_to_ask(provided_id).filter(|parent| refused.as_ref() != Some(parent)) {
            let children = self.ask(Question::Children(parent)).await?;
            if let (Answer::Children(parent, Some(children)), Some(customer)) = (&children, &mut customer) {
                let is_below = draft.listed_id(provided_id).is_some_and(|id| children.contains(&id));
                customer.parent_provided_id = Some(if is_below { parent.clone() } else { String::new() }.into());
            }
            // Nothing is written, so nothing is remembered.
            let _ = draft.answer(children);
        }
        let mut plan = draft.finish();
        self.answer(&mut plan, None).await?;
        let (decision, candidates) = if has_row || strays.contains(provided_id) {
            (self.decision(&plan, provided_id, unseen.as_ref()), Vec::new())
        } else {
            self.decision_without_row(provided_id, customer.as_ref(), unseen.as_ref()).await?
        };
        let doubt = customer.as_ref().filter(|_| has_row).and_then(|customer| {
            let is_equal = || decision == Decision::Unchanged;
            self.memory.doubts(customer, customer.provided_id.as_deref()?, is_equal)
        });
        let remembered = self.memory.recollection(provided_id);
        let remembered = remembered.or_else(|| self.memory.recollection(previous.as_deref()?));
        Ok(Explanation {
            provided_id: provided_id.to_owned(),
            tenant: plan.index.tenant_of(provided_id),
            customer,
            unseen,
            plan,
            decision,
            doubt,
            guard: self.guard,
            offboarding: self.offboarding,
            has_ledger: self.memory.keeps_rows(),
            remembered,
            candidates,
        })
    }

    fn decision(&self, plan: &Plan, provided_id: &str, unseen: Option<&Unseen>) -> Decision {
        match (plan.decision(provided_id, &self.due(plan), self.memory), unseen) {
            (invalid @ Decision::Invalid(_), _) => invalid,
            (_, Some(Unseen::Refused(_))) => Decision::Undecided,
            (decision, _) => decision,
        }
    }

    /// The same for an id without a row, with the rows that may be meant.
    async fn decision_without_row(
        &self,
        provided_id: &str,
        customer: Option<&Customer<'_>>,
        unseen: Option<&Unseen>,
    ) -> Result<(Decision, Vec<Candidate>), Error> {
        let candidates = self.candidates(provided_id).await?;
        let claimants: Vec<_> = candidates.claimants().map(str::to_owned).collect();
        let decision = match (customer, unseen) {
            (None, None | Some(Unseen::Refused(_))) => Decision::Unknown,
            _ if claimants.is_empty() => Decision::Orphan(self.memory.row_gone_since(provided_id, self.now)),
            _ => Decision::Claimed(claimants),
        };
        Ok((decision, candidates.into_best()))
    }

    /// Reads a tenant, and those above it one by one.
    async fn family(&self, provided_id: &str) -> Result<Family, Error> {
        let mut provided_ids = BTreeSet::from([provided_id.to_owned()]);
        loop {
            let (mut tenants, strays) = self.read_rows(&provided_ids, || self.index()).await?;
            let parent = unread_parent(&tenants, provided_id);
            match parent.filter(|_| provided_ids.len() <= HIGHEST) {
                Some(parent) if !provided_ids.contains(&parent) => drop(provided_ids.insert(parent)),
                outside => {
                    if let Some(outside) = &outside {
                        provided_ids.remove(outside);
                    }
                    if !tenants.has(provided_id) {
                        tenants.reject(provided_id, missing(&strays, provided_id));
                    }
                    return Ok(Family { tenants, provided_ids, outside, strays });
                }
            }
        }
    }

    /// Reads all rows, and keeps those that may be meant.
    async fn candidates(&self, provided_id: &str) -> Result<Candidates, Error> {
        let read = async || {
            let mut candidates = Candidates::new(provided_id);
            self.source.read(&mut |row| candidates.observe(row)).await?;
            Ok(candidates)
        };
        self.read_again(read).await
    }
}

/// The first id above a tenant that no row read so far has.
fn unread_parent(tenants: &Index, provided_id: &str) -> Option<String> {
    let (mut at, mut below) = (provided_id.to_owned(), BTreeSet::new());
    while below.insert(at.clone()) {
        let parent = tenants.tenant_of(&at)?.parent_provided_id?.into_owned();
        if !tenants.has(&parent) {
            return Some(parent);
        }
        at = parent;
    }
    None
}

fn shown(look: Option<Look>) -> (Option<Customer<'static>>, Option<Unseen>) {
    match look {
        Some(Look::Found(found)) => (Some(*found), None),
        Some(Look::Unreadable(partial)) => (None, Some(Unseen::Unreadable(partial.gap))),
        Some(Look::Refused(refusal)) => (None, Some(Unseen::Refused(refusal.to_string()))),
        None => (None, None),
    }
}
