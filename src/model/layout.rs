//! The keys of objects that follow one another, most of them alike: then one comparison finds each key, and nothing is
//! scanned.

use super::{Scan, scan::JsonError};

/// Keys that are remembered.
const MOST: usize = 64;

/// What stood before each value of the object before, from the end of the value before that to the colon, and what the key
/// means. Whatever begins with the same bytes has the same key.
#[derive(Debug)]
pub struct Layout<K>(Vec<(String, K)>);

impl<K> Default for Layout<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Clone> Layout<K> {
    /// Inside an object, after so many members: goes past the next key and says what it means; `None` once it is left.
    #[inline]
    pub fn key(
        &mut self,
        scan: &mut Scan<'_>,
        place: usize,
        meaning: impl FnOnce(&str) -> K,
    ) -> Result<Option<K>, JsonError> {
        match self.0.get(place) {
            Some((before, key)) if scan.follow(before) => Ok(Some(key.clone())),
            Some(_) | None => self.learn(scan, place, meaning),
        }
    }

    fn learn(
        &mut self,
        scan: &mut Scan<'_>,
        place: usize,
        meaning: impl FnOnce(&str) -> K,
    ) -> Result<Option<K>, JsonError> {
        let start = scan.position();
        let Some(name) = scan.key(place == 0)? else { return Ok(None) };
        let key = meaning(&name);
        let before = scan.since(start);
        match self.0.get_mut(place) {
            Some(known) => {
                before.clone_into(&mut known.0);
                known.1 = key.clone();
            }
            None if place < MOST => self.0.push((before.to_owned(), key.clone())),
            None => {}
        }
        Ok(Some(key))
    }
}

impl Layout<()> {
    /// The text of the value here, whose arrays and objects are nested in at most so many levels; if it is an object, with
    /// keys that may be known.
    pub fn value<'a>(&mut self, scan: &mut Scan<'a>, levels: usize) -> Result<&'a str, JsonError> {
        if scan.ahead() != Some(b'{') {
            return scan.value(levels);
        }
        let (start, mut place) = (scan.position(), 0);
        let levels = levels.checked_sub(1).ok_or(JsonError::TooDeep)?;
        scan.enter(b'{')?;
        while self.key(scan, place, |_| ())?.is_some() {
            scan.value(levels)?;
            place += 1;
        }
        Ok(scan.since(start))
    }
}
