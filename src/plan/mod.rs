//! What a run would change, and whether it may: comparing tenants with customers gives a [`Plan`], the guard judges it.
//!
//! Promises: pure, synchronous and deterministic. Nothing here waits, reads a clock, draws a random number or does I/O.
//!
//! ```text
//! tenants → Index ← Customer, page by page
//!             │
//!          Census → Draft ⇄ Questions → Plan → Guard: held or not
//! ```

mod beforehand;
mod census;
mod change;
mod compare;
mod compared;
mod doubt;
mod draft;
mod due;
mod entry;
mod explanation;
mod failure;
mod fingerprint;
mod guard;
mod hierarchy;
mod index;
mod measure;
mod memory;
mod news;
mod order;
mod population;
pub mod predict;
mod question;
mod remember;
mod remembered;
mod rename;
mod rows;
mod saved;
mod settle;
mod tags;
mod written;

pub use beforehand::Open;
pub use census::Census;
pub use change::{Change, Plan, Update};
pub use compare::{
    Difference, EmailRule, KeyStyle, Rules, TagRule, compare, managed_differences, needs_current, sides, wanted,
};
pub use draft::Draft;
pub use due::Due;
pub use entry::{Acknowledged, Entry, Listed, Token};
pub use explanation::{Explanation, Unseen};
pub use failure::Failure;
pub use fingerprint::{Fingerprints, Layouts};
pub use guard::{Allowance, Allowances, Class, Guard, Held, Spare};
pub use hierarchy::Placed;
pub use index::{Index, Probe};
pub use measure::measure;
pub use memory::Memory;
pub use news::News;
pub use population::{Extent, Population, Tags};
pub use question::{Answer, Found, Inquiry, Question};
pub use remember::Remembering;
pub use remembered::{
    FieldFindings, Finding, Remembered, Shown, TOO_LARGE, lasting_fingerprint, lasting_fingerprint_of, token_hash,
};
pub use rows::RowNumber;
pub use saved::SavedPlan;
pub use settle::{Known, Rule, Strikes, Unsettled, likely_rule};
