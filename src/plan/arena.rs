//! Values encoded one after the other, each found by where it begins.

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

/// Grows, and forgets nothing.
#[derive(Debug, Default)]
pub(super) struct Arena(Vec<u8>);

impl Arena {
    /// Puts a value at the end; tells where it begins.
    pub(super) fn encode(&mut self, value: &impl Serialize) -> usize {
        let offset = self.0.len();
        match postcard::serialize_with_flavor(value, End(&mut self.0)) {
            Ok(()) => offset,
            Err(error) => unreachable!("a vector takes any value: {error}"),
        }
    }

    /// The value that begins there, or the beginning of it.
    pub(super) fn decode<'a, T: Deserialize<'a>>(&'a self, offset: usize) -> T {
        match postcard::take_from_bytes(&self.0[offset..]) {
            Ok((value, _)) => value,
            Err(error) => unreachable!("the arena holds what was encoded: {error}"),
        }
    }
}

/// Whole slices are appended at once.
struct End<'v>(&'v mut Vec<u8>);

impl Flavor for End<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
