//! What can be said of the tenants before any customer is listed, by the rules that hold afterwards as well.
//!
//! | of a tenant | then |
//! |---|---|
//! | its parents go round, or it has one and no level, or one above it is invalid | it is invalid, whatever is listed |
//! | its parent is no tenant | it is invalid unless that is a customer |
//! | its previous id is another row's, or also another's previous id | it may be invalid, unless its own customer is listed |
//! | it has no name | it is invalid unless its customer exists |
//! | it has tags, and missing ones are not made | it is invalid unless Explo has them all |

use super::hierarchy::Hierarchy;
use crate::{
    compare::TagRule,
    model::Field,
    tenants::{Index, RowNumber},
};

/// Ids that are told of each question.
const NAMED: usize = 3;

/// What only a listing tells: how many tenants it is about, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// What is so of the tenants, and what depends on the listing.
    pub question: &'static str,
    /// Tenants.
    pub count: usize,
    /// The ids of the first, in the order of reading.
    pub provided_ids: Vec<String>,
}

impl Index {
    /// Rejects who is invalid whatever is listed; the result is what only a listing tells.
    pub fn judge_beforehand(&mut self, tags: TagRule) -> Vec<Open> {
        let hierarchy = Hierarchy::judge(self, |_| true);
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
            self.open("have group_tags: Explo must have them all, for fields.create_missing_tags = false", tagged),
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
