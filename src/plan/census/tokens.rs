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
    collections::{BTreeMap, HashSet},
};

use crate::{
    memory::{Memory, token_hash},
    model::Customer,
    plan::News,
};

/// Seconds between two listings that make sure.
const APART: u64 = 600;

/// So many remembered tokens, and none of them listed, is no accident.
const FEW: usize = 3;

/// The remembered tokens, as far as customers were seen to have them.
#[derive(Debug)]
pub(super) struct Tokens<'m> {
    memory: &'m Memory,
    /// Ids with a remembered token that no customer was seen to have yet.
    stale: HashSet<&'m str>,
    /// How many there were at the beginning.
    remembered: usize,
    /// The same, with those of hidden customers.
    all: usize,
    /// Customers that were seen to have the token that is remembered.
    recognised: usize,
    /// Hashes of tokens that are not remembered under their customers' ids.
    strange: HashSet<u64>,
}

impl<'m> Tokens<'m> {
    pub(super) fn new(memory: &'m Memory) -> Self {
        Self {
            memory,
            stale: memory.listed_tokens().collect(),
            remembered: memory.listed_tokens().count(),
            all: memory.tokens().count(),
            recognised: 0,
            strange: HashSet::new(),
        }
    }

    /// A customer was seen under this id.
    pub(super) fn observe(&mut self, customer: &Customer<'_>, provided_id: &str) {
        if self.memory.has_token(customer, provided_id) {
            self.recognised += 1;
            self.stale.remove(provided_id);
        } else if self.recognised < self.all {
            self.strange.insert(token_hash(&customer.token));
        }
    }

    /// Whatever token it has, the customer is there.
    pub(super) fn find(&mut self, provided_id: &str) {
        self.stale.remove(provided_id);
    }

    /// How many are remembered, where none of them was seen although they are more than a few.
    pub(super) fn strangers(&self) -> Option<usize> {
        let is_none_listed = self.remembered >= FEW && self.recognised == 0;
        let is_any_moved = || self.memory.listed_tokens().any(|id| self.is_moved(id));
        (is_none_listed && !is_any_moved()).then_some(self.remembered)
    }

    fn is_moved(&self, provided_id: &str) -> bool {
        self.memory.token(provided_id).is_some_and(|token| self.strange.contains(&token))
    }

    /// What so many customers lack of what is remembered. `untold` are those of which it can't be told whose they are.
    pub(super) fn lacking<'i>(&self, customers: usize, now: u64, untold: impl Iterator<Item = Cow<'i, str>>) -> News {
        let (mut lacking, mut news) = (BTreeMap::new(), News::default());
        let is_large = 2 * customers >= self.remembered;
        for id in &self.stale {
            if self.is_moved(id) {
                news.moved.insert((*id).to_owned());
                continue;
            }
            // A clock that was ahead says nothing.
            let since = self.memory.customer_gone_since(id).filter(|since| *since <= now).unwrap_or(now);
            lacking.insert((*id).to_owned(), since);
            if is_large && now - since >= APART {
                news.gone.insert((*id).to_owned());
            }
        }
        // Whose customer can't be told, or is not listed, keeps its token, unless that is another's.
        let untold = untold.map(Cow::into_owned).chain(self.memory.hidden_tokens().map(str::to_owned));
        news.moved.extend(untold.filter(|id| self.is_moved(id)));
        News { lacking, ..news }
    }
}
