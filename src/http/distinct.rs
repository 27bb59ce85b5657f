//! Telling what was there before.

use std::{
    hash::{BuildHasher, RandomState},
    mem,
};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::model::Slots;

/// Records for which room is made because a server promises them.
const BELIEVED: u64 = 4 << 20;

/// Tells what was there before, by hashes: what tells records apart may be long, or secret.
#[derive(Debug)]
pub struct Distinct {
    /// Nobody can choose keys that collide.
    seed: u64,
    seen: Slots,
    /// Of the hashes of all that was told since it was asked for.
    sum: u64,
}

impl Default for Distinct {
    fn default() -> Self {
        Self { seed: RandomState::new().hash_one(()), seen: Slots::default(), sum: 0 }
    }
}

impl Distinct {
    /// Whether this was not there before; from now on it was.
    pub fn insert(&mut self, key: &str) -> bool {
        let hash = self.hash(key);
        self.sum = self.sum.wrapping_add(hash);
        let is_new = self.seen.find(hash, |known| known == hash).is_none();
        if is_new {
            self.seen.insert(hash);
        }
        is_new
    }

    /// Whether this was there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        let hash = self.hash(key);
        self.seen.find(hash, |known| known == hash).is_some()
    }

    /// Makes room for so many, as far as that is believable.
    pub fn expect(&mut self, total: u64) {
        self.seen.reserve(usize::try_from(total.min(BELIEVED)).unwrap_or(0));
    }

    fn hash(&self, key: &str) -> u64 {
        xxh3_64_with_seed(key.as_bytes(), self.seed).max(1)
    }

    /// What was told since this was asked for, as one number: the same keys give the same, in any order.
    pub fn sum(&mut self) -> u64 {
        mem::take(&mut self.sum)
    }

    /// How many there were.
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
