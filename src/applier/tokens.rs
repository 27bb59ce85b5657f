//! Which customer has which token: an answer that shows another customer's token is not believed, and the token not
//! kept.

use std::{
    cell::OnceCell,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::memory::{Memory, token_hash};

/// Whether a token is known as that of another customer than the one with this id.
pub(crate) type IsAnothers<'a> = &'a dyn Fn(&str, &str) -> bool;

/// The tokens that customers are known to have.
pub(super) struct KnownTokens<'a> {
    memory: &'a Memory,
    is_anothers: IsAnothers<'a>,
    /// The hashes of all remembered tokens, sorted; computed when first needed.
    remembered: OnceCell<Vec<u64>>,
    /// The tokens that answers of this run showed, with the customer's id.
    answered: Mutex<HashMap<u64, String>>,
}

impl<'a> KnownTokens<'a> {
    pub(super) fn new(memory: &'a Memory, is_anothers: IsAnothers<'a>) -> Self {
        Self { memory, is_anothers, remembered: OnceCell::new(), answered: Mutex::default() }
    }

    /// Whether a token in an answer can belong to the customer `provided_id`, whose known token is `own` (`None`: the
    /// customer is not listed). If so, the token is known as that customer's from now on.
    pub(super) fn accept(&self, provided_id: &str, token: &str, own: Option<u64>) -> bool {
        let hash = token_hash(token);
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let is_anothers = match answered.get(&hash) {
            Some(known) => known != provided_id,
            None => own != Some(hash) && ((self.is_anothers)(token, provided_id) || self.is_remembered(hash)),
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
