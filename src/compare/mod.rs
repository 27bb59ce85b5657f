//! Compares what a tenant wants with what its customer has.
//!
//! Promises: pure, synchronous and deterministic. A value has one normal form: fingerprint, comparison and display
//! share it.

mod fields;
mod fingerprint;
mod form;
mod measure;
mod number;
pub mod predict;
mod rules;
mod sending;
mod settling;
mod style;
mod whole;

pub(crate) use fields::difference;
pub use fields::{Difference, compare, managed_differences, sides};
pub use fingerprint::{Fingerprints, Layouts, lasting_fingerprint, lasting_fingerprint_of, with_parent};
pub use form::{as_text, canonical};
pub use measure::measure;
pub use rules::{EmailRule, KeyStyle, Rules, TagRule};
pub use sending::{needs_current, to_send};
pub use settling::{Known, Rule, Strikes, Unsettled, likely_rule};
pub use whole::whole_fingerprint;
