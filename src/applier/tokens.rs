//! Whose token is whose: an answer that shows the token of another customer is not believed, and nobody gets it.

use std::{
    cell::OnceCell,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::memory::{Memory, token_hash};

/// The tokens that customers are known to have.
pub(super) struct KnownTokens<'a> {
    memory: &'a Memory,
    is_listed: &'a dyn Fn(&str) -> bool,
    /// Of all that are remembered, sorted; made when they are needed first.
    remembered: OnceCell<Vec<u64>>,
    /// Those that answers of this run showed, with the id of each.
    answered: Mutex<HashMap<u64, String>>,
}

impl<'a> KnownTokens<'a> {
    pub(super) fn new(memory: &'a Memory, is_listed: &'a dyn Fn(&str) -> bool) -> Self {
        Self { memory, is_listed, remembered: OnceCell::new(), answered: Mutex::default() }
    }

    /// Whether a token that an answer shows can be that of the customer with this id, which is known to have `own`; one of which
    /// none is known is not listed. From now on it is.
    pub(super) fn accept(&self, provided_id: &str, token: &str, own: Option<u64>) -> bool {
        let hash = token_hash(token);
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let is_anothers = match answered.get(&hash) {
            Some(known) => known != provided_id,
            None => own != Some(hash) && ((self.is_listed)(token) || self.is_remembered(hash)),
        };
        if !is_anothers && !token.is_empty() {
            answered.insert(hash, provided_id.to_owned());
        }
        token.is_empty() || !is_anothers
    }

    fn is_remembered(&self, hash: u64) -> bool {
        let sorted = || {
            let mut hashes: Vec<_> = self.memory.tokens().collect();
            hashes.sort_unstable();
            hashes
        };
        self.remembered.get_or_init(sorted).binary_search(&hash).is_ok()
    }
}
