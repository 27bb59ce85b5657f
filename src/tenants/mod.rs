//! The tenants while a run lasts: all of them by id with a fingerprint each, and their rows, kept small.

mod index;
mod rows;

pub use index::{Index, Probe};
pub use rows::RowNumber;
