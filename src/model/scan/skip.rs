//! Skips a value of any depth that is not needed.

use super::{JsonError, Scan};

/// The arrays and objects around a position: one bit each, set for an object.
#[derive(Debug, Default)]
struct Levels {
    bits: Vec<u64>,
    count: usize,
}

impl Levels {
    fn push(&mut self, is_object: bool) {
        if self.count.is_multiple_of(64) {
            self.bits.push(0);
        }
        self.count += 1;
        if let Some(bits) = self.bits.last_mut() {
            *bits = *bits << 1 | u64::from(is_object);
        }
    }

    fn pop(&mut self) {
        self.count -= 1;
        if self.count.is_multiple_of(64) {
            self.bits.pop();
        } else if let Some(bits) = self.bits.last_mut() {
            *bits >>= 1;
        }
    }

    fn last(&self) -> Option<bool> {
        self.bits.last().map(|bits| bits & 1 == 1)
    }
}

impl<'a> Scan<'a> {
    /// The text of the next value, at any depth: without recursion, one bit per level.
    pub fn skip(&mut self) -> Result<&'a str, JsonError> {
        self.skip_space();
        let (start, mut open) = (self.at, Levels::default());
        loop {
            self.skip_space();
            let opened = match self.byte()? {
                b'{' => Some(true),
                b'[' => Some(false),
                _ => None,
            };
            match opened {
                Some(is_object) => {
                    self.at += 1;
                    open.push(is_object);
                }
                None => drop(self.value(0)?),
            }
            let mut is_first = opened.is_some();
            loop {
                let Some(is_object) = open.last() else { return Ok(self.since(start)) };
                if self.goes_on(is_first, if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.skip_string()?;
                        self.skip_colon()?;
                    }
                    break;
                }
                open.pop();
                is_first = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn skipped(text: &str) -> Result<(), JsonError> {
        let mut scan = Scan::new(text);
        scan.skip()?;
        scan.end()
    }

    proptest! {
        #[test]
        fn what_is_gone_past_is_what_would_be_read(
            parts in prop::collection::vec(prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"a\":", "\"b\"", "\\u00e9", " ", "0", "-1.5e3", "true", "{}", "[]", "[[", "]]", "{\"a\":[", "]}",
            ]), 0..14),
        ) {
            let text = parts.concat();
            let mut scan = Scan::new(&text);
            let is_read = scan.value(64).is_ok() && scan.end().is_ok();
            prop_assert_eq!(skipped(&text).is_ok(), is_read, "{}", text);
        }

        #[test]
        fn levels_come_back_in_the_order_in_which_they_went(kinds in prop::collection::vec(any::<bool>(), 0..300)) {
            let mut levels = Levels::default();
            for is_object in &kinds {
                levels.push(*is_object);
            }
            for is_object in kinds.into_iter().rev() {
                prop_assert_eq!(levels.last(), Some(is_object));
                levels.pop();
            }
            prop_assert_eq!(levels.last(), None);
        }
    }

    #[test]
    fn depth_does_not_matter() {
        let deep = "[{\"a\":".repeat(500_000) + "1" + &"}]".repeat(500_000);
        assert_eq!(skipped(&deep), Ok(()));
        assert_eq!(skipped(&deep[1..]), Err(JsonError::Malformed));
        assert_eq!(skipped(&deep[..deep.len() - 1]), Err(JsonError::Malformed));
        assert_eq!(skipped(&deep.replacen("}]", "]}", 1)), Err(JsonError::Malformed));
    }
}
