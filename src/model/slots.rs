//! A hash table of words whose upper half is a hash: eight bytes each and little free space, because it grows by a
//! quarter and does not double.
//!
//! The order of places is the order of hashes, so growing reads and writes memory from one end to the other.

/// Words whose upper half is a hash; 0 marks a free place.
#[derive(Debug, Default)]
pub struct Slots {
    words: Vec<u64>,
    count: usize,
}

impl Slots {
    /// The number of words.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first word with the upper half of `word` that `is_it` accepts.
    #[inline]
    pub fn find(&self, word: u64, mut is_it: impl FnMut(u64) -> bool) -> Option<u64> {
        if self.words.is_empty() {
            return None;
        }
        let mut place = self.home(word);
        loop {
            match self.words[place] {
                0 => return None,
                found if found >> 32 == word >> 32 && is_it(found) => return Some(found),
                _ => {}
            }
            place += 1;
            if place == self.words.len() {
                place = 0;
            }
        }
    }

    /// Adds a word that is not 0.
    pub fn insert(&mut self, word: u64) {
        if self.count >= self.words.len() / 8 * 7 {
            self.grow((self.words.len() / 4 * 5).max(64));
        }
        self.put(word);
        self.count += 1;
    }

    /// Makes room for this many words in all.
    pub fn reserve(&mut self, count: usize) {
        let room = count + count / 6;
        if room > self.words.len() {
            self.grow(room);
        }
    }

    fn put(&mut self, word: u64) {
        let mut place = self.home(word);
        while self.words[place] != 0 {
            place += 1;
            if place == self.words.len() {
                place = 0;
            }
        }
        self.words[place] = word;
    }

    fn grow(&mut self, room: usize) {
        let words = std::mem::replace(&mut self.words, vec![0; room.next_multiple_of(64)]);
        words.into_iter().filter(|word| *word != 0).for_each(|word| self.put(word));
    }

    /// The first place for a word: proportional to its upper half.
    #[inline]
    fn home(&self, word: u64) -> usize {
        (((word >> 32) * self.words.len() as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_word_is_found_and_no_other(words in prop::collection::btree_set(1_u64.., 0..2000), others in prop::collection::vec(1_u64.., 100)) {
            let mut slots = Slots::default();
            for word in &words {
                slots.insert(*word);
            }
            prop_assert_eq!(slots.count(), words.len());
            for word in words.iter().chain(&others) {
                prop_assert_eq!(slots.find(*word, |found| found == *word).is_some(), words.contains(word));
            }
        }

        #[test]
        fn hashes_that_agree_in_part_are_told_apart(low in prop::collection::btree_set(1_u64..5000, 0..300), high in 0_u64..3) {
            let high = high.wrapping_sub(1) << 32;
            let mut slots = Slots::default();
            for word in &low {
                slots.insert(high | word);
            }
            for word in 1..5000 {
                prop_assert_eq!(slots.find(high, |found| found == high | word).is_some(), low.contains(&word));
            }
        }
    }
}
