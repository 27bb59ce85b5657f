//! Counts distinct keys.

use std::{
    hash::{BuildHasher, RandomState},
    mem,
};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::model::Slots;

/// At most this many records get room in advance because a server announces them.
const BELIEVED: u64 = 4 << 20;

/// Counts distinct keys by their hashes, because the keys may be long or secret.
#[derive(Debug)]
pub struct Distinct {
    /// Random, so that keys can't be chosen to collide.
    seed: u64,
    seen: Slots,
    /// The sum of the hashes of all keys since the last call of `sum`.
    sum: u64,
}

impl Default for Distinct {
    fn default() -> Self {
        Self { seed: RandomState::new().hash_one(()), seen: Slots::default(), sum: 0 }
    }
}

impl Distinct {
    /// Adds a key; returns whether it is new.
    pub fn insert(&mut self, key: &str) -> bool {
        let hash = self.hash(key);
        self.sum = self.sum.wrapping_add(hash);
        let is_new = self.seen.find(hash, |known| known == hash).is_none();
        if is_new {
            self.seen.insert(hash);
        }
        is_new
    }

    /// Whether this key was added.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        let hash = self.hash(key);
        self.seen.find(hash, |known| known == hash).is_some()
    }

    /// Makes room for this many keys, if the number is plausible.
    pub fn expect(&mut self, total: u64) {
        self.seen.reserve(usize::try_from(total.min(BELIEVED)).unwrap_or(0));
    }

    fn hash(&self, key: &str) -> u64 {
        xxh3_64_with_seed(key.as_bytes(), self.seed).max(1)
    }

    /// A checksum of the keys added since the last call: the same keys give the same number, in any order.
    pub fn sum(&mut self) -> u64 {
        mem::take(&mut self.sum)
    }

    /// The number of distinct keys.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seen.count()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn keys_are_new_once(keys in vec("[a-c]{0,3}", 0..100)) {
            let (mut distinct, mut before) = (Distinct::default(), HashSet::new());
            for key in keys {
                prop_assert_eq!(distinct.insert(&key), before.insert(key));
                prop_assert_eq!(distinct.count(), before.len());
            }
        }
    }
}
