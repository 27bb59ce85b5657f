//! Values as bytes, one after the other.

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

/// Appends a value.
pub(super) fn encode(value: &impl Serialize, end: &mut Vec<u8>) {
    match postcard::serialize_with_flavor(value, End(end)) {
        Ok(()) => {}
        Err(error) => unreachable!("a vector takes any value: {error}"),
    }
}

/// Removes the first value and returns it.
pub(super) fn decode<'f, T: Deserialize<'f>>(bytes: &mut &'f [u8]) -> T {
    match postcard::take_from_bytes(bytes) {
        Ok((value, rest)) => {
            *bytes = rest;
            value
        }
        Err(error) => unreachable!("the bytes are what was encoded: {error}"),
    }
}

/// Appends whole slices at once.
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
