//! Which changes are made in this run: the forecast counts them, and the applier makes them.
//!
//! | the change | then |
//! |---|---|
//! | is done, because Explo shows its values already | it is not due |
//! | belongs to a tenant that failed before with the same row, and too few runs have passed | it waits |
//! | needs a customer that such a change would rename or create | it is left for later, too |
//! | exceeds the number of changes allowed in this run | it is left for the next run |
//! | belongs to a tenant that failed before, or needs such a change | it is due after all others |
//! | is none of these | it is due |

use std::collections::{BTreeSet, HashSet};

use super::{Change, Plan, tags::by_row};
use crate::memory::{Failure, Memory};

/// The due changes of a plan, by number.
#[derive(Debug, Default)]
pub struct Due {
    /// In parts that are applied one after the other; changes of tenants that failed before come last.
    pub parts: Vec<Vec<usize>>,
    /// Changes that wait for their next try, each with its failure.
    pub waiting: Vec<(usize, Failure)>,
    /// How many more could start now but exceed the number allowed.
    pub left: usize,
}

impl Due {
    /// The changes in the order of application.
    pub fn changes<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = &'p Change> {
        self.parts.iter().flatten().map(|number| &plan.changes[*number])
    }

    /// The number of due changes.
    #[must_use]
    pub fn count(&self) -> usize {
        self.parts.iter().map(Vec::len).sum()
    }
}

impl Plan {
    /// The due changes, at most `most`; with `retry_failed` none waits. `now` is in seconds since 1970.
    #[must_use]
    pub fn due(&self, memory: &Memory, now: u64, retry_failed: bool, most: usize) -> Due {
        let mut due = Due::default();
        let (mut not_there, mut late_rows) = (HashSet::new(), HashSet::new());
        let (mut is_due, mut is_late) = (vec![true; self.changes.len()], vec![false; self.changes.len()]);
        // A change comes after the changes that it needs.
        for (number, change) in self.changes.iter().enumerate() {
            if self.is_done(change) {
                is_due[number] = false;
                continue;
            }
            let made = (!matches!(change, Change::Update(_))).then(|| change.row());
            let failure = self.beside(memory).failure(change, now).filter(|_| !retry_failed);
            due.waiting.extend(failure.map(|failure| (number, failure.clone())));
            if failure.is_some() || self.waits_for(change).any(|row| not_there.contains(&row)) {
                is_due[number] = false;
                not_there.extend(made);
            }
            if self.beside(memory).has_failed(change) || self.waits_for(change).any(|row| late_rows.contains(&row)) {
                is_late[number] = true;
                late_rows.extend(made);
            }
        }
        let (mut room, parts) = (most, self.parts());
        for late in [false, true] {
            for part in &parts {
                let of_part = |number: &usize| is_due[*number] && is_late[*number] == late;
                let mut part: Vec<_> = part.clone().filter(of_part).collect();
                due.left += part.len().saturating_sub(room);
                part.truncate(room);
                room -= part.len();
                due.parts.push(part);
            }
        }
        due
    }

    /// The missing tags that these changes send; they must be created first.
    #[must_use]
    pub fn tags_to_make(&self, due: &Due) -> BTreeSet<&str> {
        let to_make = &self.tags.to_make;
        if to_make.is_empty() {
            return BTreeSet::new();
        }
        let carried = by_row(due.changes(self)).into_iter().flat_map(|change| self.sent_tags(change));
        carried.filter_map(|tag| to_make.get(&*tag)).map(String::as_str).collect()
    }
}
