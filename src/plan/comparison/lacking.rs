//! Remembered tokens that a listing does not show: nothing is unlearnt from one listing alone.
//!
//! | the token | then |
//! |---|---|
//! | is listed under another id | it leaves its row at once |
//! | is not listed, and was not by a run of at least ten minutes ago | it leaves its row |
//! | is not listed | the row remembers since when |
//!
//! A listing of less than half of what is remembered, or a plan that the guard holds, unlearns nothing of the second kind. One
//! that shows none of a few remembered tokens is another team's, or broken.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::Comparison;

/// Seconds between two listings that make sure.
const APART: u64 = 600;

/// So many remembered tokens, and none of them listed, is no accident.
const FEW: usize = 3;

/// What a listing lacks of what is remembered.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    /// Since when, by id, in seconds since 1970.
    pub(super) since: BTreeMap<String, u64>,
    /// Those of them that go.
    pub(super) gone: BTreeSet<String>,
    /// Ids whose token another customer has by now.
    pub(super) moved: BTreeSet<String>,
}

impl Comparison<'_> {
    /// How many tokens are remembered, where the listing shows none of them although they are more than a few.
    #[must_use]
    pub fn strangers(&self) -> Option<usize> {
        let is_none_listed = self.remembered >= FEW && self.recognised == 0;
        let is_any_moved = || self.findings.listed_tokens().any(|id| self.is_moved(id));
        (is_none_listed && !is_any_moved()).then_some(self.remembered)
    }

    fn is_moved(&self, provided_id: &str) -> bool {
        self.findings.token(provided_id).is_some_and(|token| self.strange.contains(&token))
    }

    pub(super) fn lacking(&self) -> Lacking {
        let mut lacking = Lacking::default();
        let is_large = 2 * self.customers >= self.remembered;
        for id in &self.stale {
            if self.is_moved(id) {
                lacking.moved.insert((*id).to_owned());
                continue;
            }
            // A clock that was ahead says nothing.
            let since = self.findings.customer_gone_since(id).filter(|since| *since <= self.now).unwrap_or(self.now);
            lacking.since.insert((*id).to_owned(), since);
            if is_large && self.now - since >= APART {
                lacking.gone.insert((*id).to_owned());
            }
        }
        // Whose customer can't be told, or is not listed, keeps its token, unless that is another's.
        let untold = self.doubled.iter().chain(&self.unread).map(|row| self.index.provided_id(*row));
        let untold = untold.chain(self.findings.hidden_tokens().map(Cow::Borrowed));
        lacking.moved.extend(untold.filter(|id| self.is_moved(id)).map(Cow::into_owned));
        lacking
    }
}
