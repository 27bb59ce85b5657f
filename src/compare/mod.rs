//! Comparing what a tenant wants with what its customer holds.
//!
//! Promises: pure, synchronous and deterministic. A value has one normal form; fingerprint, comparison and display share it.

mod fields;
mod fingerprint;
mod measure;
pub mod predict;
mod rules;
mod settling;

pub(crate) use fields::difference;
pub use fields::{Difference, compare, managed_differences, needs_current, sides, wanted};
pub use fingerprint::{Fingerprints, Layouts};
pub use measure::measure;
pub use rules::{EmailRule, KeyStyle, Rules, TagRule};
pub use settling::{Known, Rule, Strikes, Unsettled, likely_rule};
