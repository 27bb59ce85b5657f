//! The tags that changes send: Explo accepts only existing ones.
//!
//! | a listed customer has the tag | `group_tags` shows it | `create_missing_tags` | then |
//! |---|---|---|---|
//! | yes | not asked for this tag | | it exists |
//! | no | yes | | it exists |
//! | no | no | false | the tenants that send it are invalid; if they only get it back, it is left out |
//! | no | no | true | it is created before the changes that send it |
//! | no | no answer | | it is assumed to exist |

use std::{borrow::Cow, collections::BTreeSet};

use super::{Answer, Change, Inquiry, Plan, Question};
use crate::{
    compare::{TagRule, sides},
    memory::Entry,
    model::{Customer, Field, Invalid, json, shown},
    tenants::RowNumber,
};

const WAY_OUT: &str = "create it there, or set fields.create_missing_tags = true";

/// How many tags a reason names.
const NAMED: usize = 5;

/// Changes in the order of their rows, so that no row is unpacked twice.
pub(super) fn by_row<'p>(changes: impl IntoIterator<Item = &'p Change>) -> Vec<&'p Change> {
    let mut changes: Vec<_> = changes.into_iter().collect();
    changes.sort_unstable_by_key(|change| change.row());
    changes
}

impl Inquiry for Plan {
    fn questions(&mut self) -> Option<Vec<Question>> {
        if std::mem::replace(&mut self.tags.is_asked, true) {
            return None;
        }
        if self.doubtful_tags().is_empty() {
            // An edited plan may have lost the changes that sent these tags.
            self.tags.to_make.clear();
            return None;
        }
        Some(vec![Question::Tags])
    }

    fn answer(&mut self, answer: Answer) -> Vec<Entry> {
        if let Answer::Tags(existing) = answer {
            self.settle_tags(existing.as_ref());
        }
        Vec::new()
    }
}

impl Plan {
    /// The tags that a change sends.
    #[must_use]
    pub fn sent_tags(&self, change: &Change) -> Vec<Cow<'static, str>> {
        let sends = match change {
            _ if self.is_done(change) => false,
            Change::Rename(_) | Change::Offboard(_) => false,
            Change::Create(row) => self.index.filled(*row).any(|field| field == Field::GroupTags),
            Change::Update(update) => update.fields().contains(&Field::GroupTags),
        };
        let tags = sends.then(|| self.index.tenant(change.row()).group_tags);
        tags.flatten().unwrap_or_default()
    }

    /// The tags that changes send and that no customer is known to have.
    fn doubtful_tags(&self) -> BTreeSet<String> {
        let mut doubtful = BTreeSet::new();
        for tag in by_row(&self.changes).into_iter().flat_map(|change| self.sent_tags(change)) {
            // A collect would sort all tags first, and a million changes have few different ones.
            if !self.tags.seen.contains(&*tag) && !doubtful.contains(&*tag) {
                doubtful.insert(tag.into_owned());
            }
        }
        doubtful
    }

    /// Applies the answer: the tags that exist; `None` if Explo gave no answer.
    fn settle_tags(&mut self, existing: Option<&BTreeSet<String>>) {
        let mut missing = self.doubtful_tags();
        match existing {
            Some(existing) => missing.retain(|tag| !existing.contains(tag)),
            None => missing.retain(|tag| self.tags.to_make.contains(tag)),
        }
        match self.rules.tags {
            TagRule::Create => self.tags.to_make = missing,
            TagRule::Invalid => self.reject_wanting(&missing),
        }
    }

    /// Leaves out tags that tenants would get back.
    fn leave_out(&mut self, missing: &BTreeSet<String>) {
        let Self { index, changes, rules, quiet, .. } = self;
        let rows: BTreeSet<_> = changes.iter().map(Change::row).filter(|row| index.leave_out(*row, missing)).collect();
        changes.retain_mut(|change| {
            let Change::Update(update) = change else { return true };
            if !rows.contains(&update.row) {
                return true;
            }
            let (wanted, _) = sides(&index.tenant(update.row), &Customer::none(), Field::GroupTags, *rules);
            let tags = update.differences.iter_mut().filter(|difference| difference.field == Field::GroupTags);
            tags.for_each(|difference| difference.wanted = wanted.clone().unwrap_or_default());
            update.differences.retain(|difference| difference.wanted != difference.current);
            let is_left = !update.differences.is_empty();
            quiet.unchanged += usize::from(!is_left && index.is_listed(update.row));
            is_left
        });
    }

    fn reject_wanting(&mut self, missing: &BTreeSet<String>) {
        self.leave_out(missing);
        let (mut rejected, needed) = (BTreeSet::<RowNumber>::new(), self.needed());
        for change in by_row(&self.changes) {
            let tags = self.sent_tags(change).into_iter().filter(|tag| missing.contains(&**tag)).map(Cow::into_owned);
            let tags: BTreeSet<_> = tags.collect();
            if !tags.is_empty() {
                rejected.insert(change.row());
                self.tags.wanting.insert(self.provided_id(change).into_owned(), tags);
            }
        }
        let mut below = Vec::new();
        // Parents come before children.
        for change in &self.changes {
            let is_gone = |row: &RowNumber| needed.contains(row) && rejected.contains(row);
            if let Some(above) = self.waits_for(change).find(is_gone).filter(|_| !rejected.contains(&change.row())) {
                rejected.insert(change.row());
                below.push((
                    change.row(),
                    format!("it is below an invalid tenant: {}", shown(&self.index.provided_id(above))),
                ));
            }
        }
        // A tenant may have both a rename and an update.
        self.changes.retain(|change| !rejected.contains(&change.row()));
        for provided_id in self.tags.wanting.keys() {
            self.index.reject(provided_id, &format!("one of its group_tags does not exist in Explo: {WAY_OUT}"));
        }
        for (row, reason) in below {
            let provided_id = self.index.provided_id(row).into_owned();
            self.index.reject(&provided_id, &reason);
        }
        self.invalid = self.index.invalid();
    }

    /// Why a tenant is invalid; its tags are named only with `values`.
    #[must_use]
    pub fn reason<'p>(&'p self, invalid: &'p Invalid, values: bool) -> Cow<'p, str> {
        let wanting = invalid.provided_id.as_ref().and_then(|id| self.tags.wanting.get(id));
        match wanting.filter(|_| values) {
            Some(tags) => {
                let named: Vec<_> = tags.iter().take(NAMED).map(|tag| shown(&json::quote(tag))).collect();
                let more = if tags.len() > NAMED { ", …" } else { "" };
                Cow::Owned(format!("Explo has no group tag {}{more}: {WAY_OUT}", named.join(", ")))
            }
            None => Cow::Borrowed(&invalid.reason),
        }
    }
}
