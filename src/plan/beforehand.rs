//! Judges the rows alone, before any customer is listed, by the same rules as planning.
//!
//! | the tenant | result |
//! |---|---|
//! | its parents form a circle, it has a parent but no level, or one above it is invalid | always invalid |
//! | its parent is not a tenant | invalid unless the parent is a customer |
//! | its previous id is the id or the previous id of another row | may be invalid, unless its own customer is listed |
//! | it has no name | invalid unless its customer exists |
//! | it has tags, and missing tags are not created | invalid unless Explo has all of them |

use super::hierarchy::Hierarchy;
use crate::{
    compare::TagRule,
    model::Field,
    tenants::{Index, RowNumber},
};

/// Ids named per open question.
const NAMED: usize = 3;

/// A question that only a listing can answer: how many tenants it is about, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// What these tenants have in common, and what the listing must show.
    pub question: &'static str,
    /// Tenants.
    pub count: usize,
    /// The first ids, in the order of reading.
    pub provided_ids: Vec<String>,
}

impl Index {
    /// Rejects the tenants that are invalid whatever is listed; returns the questions that only a listing can answer.
    pub fn judge_beforehand(&mut self, tags: TagRule) -> Vec<Open> {
        let hierarchy = Hierarchy::judge(self, |_| true, |_| false);
        for (row, reason) in hierarchy.invalid(self) {
            let provided_id = self.provided_id(row).into_owned();
            self.reject(&provided_id, &reason);
        }
        let is_foster = |row: &RowNumber| self.parent(*row).is_none();
        let foster = self.with_parent().filter(is_foster);
        let is_disputed = |row: &RowNumber| {
            let previous = self.previous_provided_id(*row).unwrap_or_default();
            self.has(&previous) || self.claimants(&previous).nth(1).is_some()
        };
        let mut disputed: Vec<_> = self.with_previous_id().filter(is_disputed).collect();
        disputed.sort_unstable();
        let nameless = self.absent().filter(|row| !self.has_name(*row));
        let has_tags = |row: &RowNumber| self.filled(*row).any(|field| field == Field::GroupTags);
        let tagged = self.absent().filter(|row| tags == TagRule::Invalid && has_tags(row));
        let open = [
            self.open("have a parent_provided_id that no row has: it must be that of a listed customer", foster),
            self.open(
                "have a previous_provided_id that another row has as well: their own ids must be listed",
                disputed,
            ),
            self.open("have no name: their customers must exist", nameless),
            self.open("have group_tags: Explo must have them all, unless fields.create_missing_tags = true", tagged),
        ];
        open.into_iter().filter(|open| open.count > 0).collect()
    }

    fn open(&self, question: &'static str, rows: impl IntoIterator<Item = RowNumber>) -> Open {
        let mut open = Open { question, count: 0, provided_ids: Vec::new() };
        for row in rows.into_iter().filter(|row| !self.is_invalid(*row)) {
            open.count += 1;
            if open.count <= NAMED {
                open.provided_ids.push(self.provided_id(row).into_owned());
            }
        }
        open
    }
}
