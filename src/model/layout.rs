//! The keys of consecutive objects. Most of these objects have the same keys: then one comparison finds each key,
//! without scanning.

use super::{Scan, scan::JsonError};

/// At most this many keys are remembered.
const MOST: usize = 64;

/// For each member of the previous object: the text from the end of the value before it to the colon, and the meaning
/// of its key. Text that starts with the same bytes has the same key.
#[derive(Debug)]
pub struct Layout<K>(Vec<(String, K)>);

impl<K> Default for Layout<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Clone> Layout<K> {
    /// Inside an object, after `place` members: passes the next key and returns its meaning; `None` at the object's
    /// end.
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
    /// The text of the next value, whose arrays and objects are nested in at most this many levels. The keys of an
    /// object are remembered.
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
