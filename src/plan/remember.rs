//! What a plan remembers of each customer: what the listing showed, and how each change ended.

use std::{borrow::Cow, collections::BTreeSet};

use xxhash_rust::xxh3::xxh3_64;

use super::{Change, News, Offboard, Plan};
use crate::{
    compare::{Unsettled, lasting_fingerprint},
    memory::{Acknowledged, Entry, Failure, Memory, Overview, Remembered, Seen, TOO_LARGE, Token},
    model::Field,
    tenants::RowNumber,
};

/// A plan with the memory of earlier runs.
#[derive(Debug, Clone, Copy)]
pub struct Remembering<'r> {
    plan: &'r Plan,
    memory: &'r Memory,
}

impl Plan {
    /// Notes that the guard holds the plan. The listing may be wrong, so no token is forgotten, except one that now
    /// belongs to another customer.
    pub fn hold(&mut self) {
        self.news.gone.clear();
    }

    /// The plan with the memory of earlier runs: gives what to remember now.
    #[must_use]
    pub fn beside<'r>(&'r self, memory: &'r Memory) -> Remembering<'r> {
        Remembering { plan: self, memory }
    }
}

impl<'r> Remembering<'r> {
    /// What to remember before the first write: what the listing showed and, unless the guard holds the plan, what was
    /// found out about earlier writes.
    #[must_use]
    pub fn entries(&self, is_held: bool) -> Vec<Entry> {
        let listed = self.plan.news.listed.iter().map(|listed| &listed.provided_id);
        let mut shown: BTreeSet<_> = listed
            .chain(&self.plan.news.gone)
            .chain(&self.plan.news.deleted)
            .chain(&self.plan.news.moved)
            .map(|id| Cow::Borrowed(id.as_str()))
            .collect();
        let remembered = |provided_id: &str| {
            if is_held { self.as_listed(provided_id) } else { self.known(provided_id) }
        };
        let mut entries: Vec<_> =
            shown.iter().map(|provided_id| self.entry(provided_id, remembered(provided_id))).collect();
        let placed = self.plan.news.parents.keys().chain(self.plan.news.children_listed_at.keys());
        let looked_for = self.plan.news.lacking.keys().chain(self.plan.news.asked_at.keys());
        let compared = self.plan.news.at_rest.keys().chain(&self.plan.news.apart);
        let rows = self.plan.news.rows_gone.keys().chain(&self.plan.news.rows_back);
        let met = placed.chain(looked_for).chain(compared).chain(rows).map(|id| Cow::Borrowed(id.as_str()));
        // A customer to be renamed has no row under its new id yet.
        let unsettled = self.plan.quiet.unsettled.iter().filter(|(row, _)| !self.plan.index.is_renamed(*row));
        let unsettled = unsettled.map(|(row, _)| self.plan.index.provided_id(*row));
        let found_out = self.memory.open().map(Cow::Borrowed).chain(unsettled).filter(|_| !is_held);
        for provided_id in met.chain(found_out).filter(|provided_id| shown.insert(provided_id.clone())) {
            let remembered = remembered(&provided_id);
            if self.memory.is_news(&provided_id, &remembered) {
                entries.push(Entry::new(&provided_id, Token::Kept, remembered));
            }
        }
        entries
    }

    /// What a complete listing of this many pages showed as a whole.
    #[must_use]
    pub fn overview(&self, pages: usize) -> Option<Overview> {
        let Plan { population, tags, news, now, .. } = self.plan;
        let told_before = || self.memory.overview().and_then(|before| before.rows_told_at);
        let overview = Overview {
            at: *now,
            pages,
            rows_told_at: news.rows_told_at.or_else(told_before),
            customers: population.customers,
            with_tenant: population.with_tenant,
            access_groups: population.access_groups.clone(),
            doubled: population.doubled(),
            unreadable: population.unreadable.iter().flatten().cloned().collect(),
            tags: tags.seen.iter().cloned().collect(),
        };
        overview.bounded()
    }

    /// The same for customers looked up one by one: another customer that is missing proves nothing.
    #[must_use]
    pub fn entries_of_looks(&self) -> Vec<Entry> {
        let listed = self.plan.news.listed.iter().map(|listed| &*listed.provided_id);
        let listed = listed.map(|provided_id| self.entry(provided_id, self.known(provided_id)));
        let compared = self.plan.news.at_rest.keys().chain(&self.plan.news.apart);
        let back = self.plan.news.rows_back.iter().filter(|id| !self.plan.news.is_compared(id));
        let compared = compared.chain(back).filter(|provided_id| self.plan.news.listed(provided_id).is_none());
        let compared = compared.map(|provided_id| Entry::new(provided_id, Token::Kept, self.known(provided_id)));
        let waiting = self.plan.quiet.waiting.iter().map(|row| self.still_waiting(*row));
        listed.chain(compared).chain(waiting).collect()
    }

    /// With the listed token, or without one if none was listed.
    fn entry(&self, provided_id: &str, remembered: Remembered) -> Entry {
        let listed = self.plan.news.listed(provided_id);
        let token = listed.map_or(Token::Gone, |listed| listed.token.clone());
        let is_synced = listed.is_some_and(|listed| listed.equal.is_some());
        let is_back = is_synced && self.has_returned(provided_id, &token);
        let is_deleted = self.plan.news.deleted.contains(provided_id) || self.memory.is_replaced(provided_id, &token);
        Entry { is_synced, is_back, is_deleted, ..Entry::new(provided_id, token, remembered) }
    }

    /// Explo acknowledged a change, and all fields settled except the unsettled ones.
    #[must_use]
    pub fn acknowledged(&self, change: &Change, answer: Option<&Acknowledged>, unsettled: &[Unsettled]) -> Entry {
        let (provided_id, row) = (self.plan.provided_id(change), change.row());
        let mut remembered = self.inherited(row);
        let differences = self.plan.differences(change);
        remembered.fields.learn(&differences, unsettled, self.plan.now);
        remembered.failure = None;
        for (field, rule) in self.plan.expected.checks.get(&row).into_iter().flatten() {
            let left = unsettled.iter().find(|one| one.difference.field == *field);
            let before = differences.iter().find(|difference| difference.field == *field);
            let is_predicted =
                before.and_then(|before| self.memory.of(&provided_id, before)).is_some_and(|of| of.is_predicted);
            // The prediction was the same value as before; another value disproves it.
            if left.is_none_or(|left| {
                is_predicted && before.is_some_and(|before| before.current != left.difference.current)
            }) {
                remembered.fields.settled.insert(*field, (*rule, self.plan.now));
            }
        }
        if answer.is_some() {
            remembered.customer_gone_since = None;
        }
        let tenant = self.plan.index.tenant(row);
        if self.memory.keeps_rows()
            && change.places()
            && !unsettled.iter().any(|one| one.difference.field == Field::ParentProvidedId)
        {
            remembered.parent = tenant.parent_provided_id.clone().map(Cow::into_owned);
        }
        let wanted = lasting_fingerprint(&tenant);
        remembered.seen = match (answer, remembered.seen) {
            // An update does not make a hidden customer listed.
            (Some(_), Some(Seen::Hidden(_))) if matches!(change, Change::Update(_)) => {
                Some(Seen::Hidden(self.plan.now))
            }
            // "Too large" describes the listing: an answer contains less.
            (Some(_), seen @ Some(Seen::Listed(TOO_LARGE))) | (None, seen @ Some(Seen::Listed(_))) => seen,
            (Some(answer), _) => Some(answer.seen),
            (None, Some(Seen::Hidden(_)) | None) => Some(Seen::Listed(wanted)),
        };
        let former = match change {
            Change::Rename(_) => Some(self.plan.previous_provided_id(row).into_owned()),
            Change::Create(_) | Change::Update(_) | Change::Offboard(_) => None,
        };
        if former.is_none() {
            remembered.wanted = Some(wanted);
        }
        let token = answer.map_or(Token::Kept, |answer| answer.token.clone());
        // After a rename, an update may still put back what was emptied.
        let is_back = former.is_none() && self.has_returned(&provided_id, &token);
        let is_deleted = self.memory.is_replaced(&provided_id, &token);
        Entry { former, is_synced: true, is_back, is_deleted, ..Entry::new(&provided_id, token, remembered) }
    }

    /// A customer is deleted, or was gone already: its token is nobody's.
    #[must_use]
    pub fn deleted(&self, offboard: &Offboard) -> Entry {
        let entry = Entry::new(&self.plan.index.provided_id(offboard.row), Token::Gone, Remembered::default());
        Entry { is_deleted: true, ..entry }
    }

    /// Whether a tenant stays whose customer, with this token, has back what `lock_out` emptied, or was to be deleted.
    fn has_returned(&self, provided_id: &str, token: &Token) -> bool {
        let index = &self.plan.index;
        let row = index.row(provided_id).filter(|row| !index.is_leaving(*row) && !index.is_invalid(*row));
        let is_put_back = |id: &str| self.memory.is_put_back(id, token) || self.memory.is_spared(id, token);
        row.is_some_and(|row| is_put_back(provided_id) || is_put_back(&index.listed_id(row)))
    }

    /// A change failed, because of its tenant.
    #[must_use]
    pub fn failed(&self, change: &Change, answer: Option<&Acknowledged>, error: &str) -> Entry {
        self.after(change, answer, |before| Failure::after(before, error, self.plan.now))
    }

    /// A stop came while Explo throttled a change.
    #[must_use]
    pub fn throttled(&self, change: &Change, error: &str) -> Entry {
        self.after(change, None, |before| Failure::by_limit(before, error, self.plan.now))
    }

    /// A change failed: what is remembered of the failures before and of this one.
    fn after(
        &self,
        change: &Change,
        answer: Option<&Acknowledged>,
        failure: impl FnOnce(Option<&Failure>) -> Failure,
    ) -> Entry {
        let row = change.row();
        let (provided_id, mut remembered, wanted) = match change {
            // Until the customer has the new id, its memory is kept under the old one.
            Change::Rename(_) => {
                let former = self.plan.index.listed_id(row);
                let known = self.known(&former);
                (former, known, self.wanted(row))
            }
            Change::Create(_) | Change::Update(_) | Change::Offboard(_) => {
                (self.plan.provided_id(change), self.inherited(row), lasting_fingerprint(&self.plan.index.tenant(row)))
            }
        };
        let wanted = Some(wanted);
        // If the row has changed, the count of failures starts anew.
        let before = remembered.failure.as_ref().filter(|_| remembered.wanted == wanted);
        remembered.failure = Some(failure(before));
        remembered.wanted = wanted;
        remembered.seen = answer.map(|answer| answer.seen).or(remembered.seen);
        let token = answer.map_or(Token::Kept, |answer| answer.token.clone());
        Entry::new(&provided_id, token, remembered)
    }

    /// The hash of the token that the customer of a change is known to have: the listed one or, if the listing could
    /// not show it, the remembered one; that of its previous id if a process died before it recorded the rename.
    #[must_use]
    pub fn own_token(&self, change: &Change) -> Option<u64> {
        let index = &self.plan.index;
        let listed = self.plan.expected.renamed_tokens.get(&change.row()).copied();
        let own = listed.or_else(|| self.as_listed(&self.plan.listed_id(change)).token);
        let previous = || index.previous_provided_id(change.row()).filter(|previous| !index.has(previous));
        own.or_else(|| self.memory.token(&previous()?))
    }

    /// Whether the last write to a change's customer failed, even if the row has changed since.
    pub(super) fn has_failed(&self, change: &Change) -> bool {
        self.memory.has_failed(&self.plan.listed_id(change))
    }

    /// The failure because of which a change must not be tried yet: the row is the same, and too few runs have passed.
    pub(super) fn failure(&self, change: &Change, now: u64) -> Option<&'r Failure> {
        if !self.has_failed(change) {
            return None;
        }
        self.memory.waiting(&self.plan.listed_id(change), self.wanted(change.row()), now)
    }

    /// The failure of the last write to a change's customer, if the row is the same.
    pub(super) fn refused(&self, change: &Change) -> Option<&'r Failure> {
        self.memory.refused(&self.plan.listed_id(change), self.wanted(change.row()))
    }

    /// Counts a run in which a tenant that failed before was not tried.
    #[must_use]
    pub fn waited(&self, change: &Change) -> Entry {
        let provided_id = self.plan.listed_id(change);
        passed(&provided_id, self.known(&provided_id))
    }

    /// The same for a tenant that memory knows to wait.
    fn still_waiting(&self, row: RowNumber) -> Entry {
        let provided_id = self.plan.index.provided_id(row);
        passed(&provided_id, self.memory.known(&provided_id))
    }

    /// The fingerprint of what a row wants; before a rename it includes the new id.
    fn wanted(&self, row: RowNumber) -> u64 {
        let tenant = self.plan.index.tenant(row);
        let new_id = if self.plan.index.is_renamed(row) { xxh3_64(tenant.provided_id.as_bytes()) } else { 0 };
        lasting_fingerprint(&tenant) ^ new_id
    }

    /// What is remembered of a row's customer, also before a rename.
    fn inherited(&self, row: RowNumber) -> Remembered {
        let mut remembered = self.known(&self.plan.index.provided_id(row));
        if self.plan.index.is_renamed(row) {
            let Remembered { token, parent, children_listed_at, wanted, seen, .. } =
                self.known(&self.plan.index.listed_id(row));
            remembered = Remembered { token, parent, children_listed_at, wanted, seen, ..remembered };
        }
        remembered
    }

    /// What was known before this run, with what the plan found out. Earlier acknowledged values have been checked by
    /// now.
    fn known(&self, provided_id: &str) -> Remembered {
        let mut remembered = self.as_listed(provided_id);
        remembered.fields.acknowledged.clear();
        // If the guard holds the plan, the rows may be wrong: none counts as gone that did not before.
        remembered.row_gone_since = self.plan.news.rows_gone.get(provided_id).copied().or(remembered.row_gone_since);
        match self.plan.index.of_id_or_previous(provided_id) {
            None => remembered.forget_tenant(),
            // It was looked up again, so it may no longer have the values written last.
            Some(row) if remembered.is_settled_hidden() && self.plan.quiet.hidden.binary_search(&row).is_err() => {
                remembered.wanted = None;
            }
            Some(_) => {}
        }
        let begin =
            self.plan.quiet.unsettled.partition_point(|(row, _)| *self.plan.index.provided_id(*row) < *provided_id);
        let ours = self.plan.quiet.unsettled[begin..]
            .iter()
            .take_while(|(row, _)| self.plan.index.provided_id(*row) == provided_id);
        ours.for_each(|(_, unsettled)| remembered.fields.find(unsettled, self.plan.now));
        remembered
    }

    /// What was known before this run, corrected by what the listing showed.
    fn as_listed(&self, provided_id: &str) -> Remembered {
        let News { gone, deleted, moved, .. } = &self.plan.news;
        if [gone, deleted, moved].into_iter().any(|ids| ids.contains(provided_id)) {
            return Remembered::default();
        }
        let mut remembered = self.memory.known(provided_id);
        remembered.customer_gone_since =
            self.plan.news.lacking.get(provided_id).copied().or(remembered.customer_gone_since);
        if let Some(asked_at) = self.plan.news.asked_at.get(provided_id) {
            remembered.seen = Some(Seen::Hidden(*asked_at));
        }
        if self.plan.news.rows_back.contains(provided_id) {
            remembered.row_gone_since = None;
        }
        remembered.parent = self.plan.news.parents.get(provided_id).cloned().or(remembered.parent);
        remembered.children_listed_at =
            self.plan.news.children_listed_at.get(provided_id).copied().or(remembered.children_listed_at);
        if let Some(listed) = self.plan.news.listed(provided_id) {
            remembered.seen = Some(Seen::Listed(listed.seen));
            remembered.customer_gone_since = None;
            remembered.token = listed.token.hash(remembered.token);
            if listed.equal.is_some() {
                remembered.wanted = listed.equal;
                remembered.failure = None;
            }
        }
        if self.plan.news.apart.contains(provided_id) {
            remembered.wanted = None;
        }
        if let Some(wanted) = self.plan.news.at_rest.get(provided_id) {
            (remembered.wanted, remembered.failure) = (Some(*wanted), None);
        }
        remembered
    }
}

/// Counts a run in which a tenant that failed before was not tried.
fn passed(provided_id: &str, mut remembered: Remembered) -> Entry {
    if let Some(failure) = &mut remembered.failure {
        failure.pass();
    }
    Entry::new(provided_id, Token::Kept, remembered)
}
