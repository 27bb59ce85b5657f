//! Remembered tokens that a listing lacks: one listing alone is never enough to forget a token.
//!
//! | the token | then |
//! |---|---|
//! | is listed under another id | its row forgets it at once |
//! | is not listed, and a run at least ten minutes ago did not list it either | its row forgets it |
//! | is not listed | its row remembers since when |
//!
//! If the listing has fewer customers than half the remembered tokens, or the guard holds the plan, the second rule
//! does not apply. If it shows none of three or more remembered tokens, it is another team's listing, or a broken one.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use crate::{
    memory::{Memory, token_hash},
    model::Customer,
    plan::News,
};

/// Minimum seconds between the two listings that prove a token gone.
const APART: u64 = 600;

/// If at least this many tokens are remembered and none is listed, something is wrong.
const FEW: usize = 3;

/// The remembered tokens, compared with those of the customers observed so far.
#[derive(Debug)]
pub(super) struct Tokens<'m> {
    memory: &'m Memory,
    /// Ids with a remembered token that no observed customer has shown.
    stale: HashSet<&'m str>,
    /// The number of `stale` ids at the start.
    remembered: usize,
    /// The same, including hidden customers.
    all: usize,
    /// Customers that showed the token remembered under their id.
    recognised: usize,
    /// Hashes of tokens that are not remembered under their customers' ids.
    strange: HashSet<u64>,
    /// Hashes of tokens that are remembered under more than one id, because a process died before it recorded a rename.
    shared: HashSet<u64>,
    /// The customers that showed one of these.
    owners: HashSet<String>,
}

impl<'m> Tokens<'m> {
    pub(super) fn new(memory: &'m Memory) -> Self {
        let mut met = HashSet::new();
        Self {
            memory,
            stale: memory.listed_tokens().collect(),
            remembered: memory.listed_tokens().count(),
            all: memory.tokens().count(),
            recognised: 0,
            strange: HashSet::new(),
            owners: HashSet::new(),
            shared: memory.tokens().filter(|token| !met.insert(*token)).collect(),
        }
    }

    /// Observes a customer with this id.
    pub(super) fn observe(&mut self, customer: &Customer<'_>, provided_id: &str) {
        if self.memory.has_token(customer, provided_id) {
            self.recognised += 1;
            self.stale.remove(provided_id);
            let token = token_hash(&customer.token);
            if self.shared.contains(&token) {
                self.strange.insert(token);
                self.owners.insert(provided_id.to_owned());
            }
        } else if self.recognised < self.all {
            self.strange.insert(token_hash(&customer.token));
        }
    }

    /// Notes that the customer exists, whatever its token is.
    pub(super) fn find(&mut self, provided_id: &str) {
        self.stale.remove(provided_id);
    }

    /// The customers with a remembered token that were not observed, hidden ones included.
    pub(super) fn unseen(&self) -> impl Iterator<Item = &str> {
        self.stale.iter().copied().chain(self.memory.hidden_tokens())
    }

    /// The number of remembered tokens, if it is at least `FEW` and none of them was listed.
    pub(super) fn strangers(&self) -> Option<usize> {
        let is_none_listed = self.remembered >= FEW && self.recognised == 0;
        let is_any_moved = || self.memory.listed_tokens().any(|id| self.is_moved(id));
        (is_none_listed && !is_any_moved()).then_some(self.remembered)
    }

    fn is_moved(&self, provided_id: &str) -> bool {
        let is_strange = |token| self.strange.contains(&token);
        self.memory.token(provided_id).is_some_and(is_strange) && !self.owners.contains(provided_id)
    }

    /// What a listing of this many customers lacks of memory. `untold`: the ids whose customer can't be determined.
    pub(super) fn lacking<'i>(&self, customers: usize, now: u64, untold: impl Iterator<Item = Cow<'i, str>>) -> News {
        let (mut lacking, mut news) = (BTreeMap::new(), News::default());
        let is_large = 2 * customers >= self.remembered;
        for id in &self.stale {
            if self.is_moved(id) {
                news.moved.insert((*id).to_owned());
                continue;
            }
            // A time in the future comes from a wrong clock.
            let since = self.memory.customer_gone_since(id).filter(|since| *since <= now).unwrap_or(now);
            lacking.insert((*id).to_owned(), since);
            if is_large && now - since >= APART {
                news.gone.insert((*id).to_owned());
            }
        }
        // If an id's customer is hidden or can't be determined, its token stays, unless another customer has that
        // token.
        let untold = untold.map(Cow::into_owned).chain(self.memory.hidden_tokens().map(str::to_owned));
        news.moved.extend(untold.filter(|id| self.is_moved(id)));
        News { lacking, ..news }
    }
}
