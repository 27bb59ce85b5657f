//! The tenants during a run: an index by id with a fingerprint each, and their rows in compact form.

mod index;
mod rows;

pub use index::{Index, Probe};
pub use rows::RowNumber;
