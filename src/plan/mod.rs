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
mod candidates;
mod census;
mod change;
mod compared;
mod doubt;
mod draft;
mod due;
mod explanation;
mod guard;
mod hierarchy;
mod news;
mod offboard;
mod order;
mod population;
mod question;
mod recalled;
mod remember;
mod rename;
mod saved;
mod tags;

pub use beforehand::Open;
pub use candidates::{Candidate, Candidates};
pub use census::Census;
pub use change::{Change, Expected, Plan, Quiet, Update};
pub use draft::Draft;
pub use due::Due;
pub use explanation::{Comparison, Decision, Explanation, FieldSides, Recollection, Unseen};
pub use guard::{Allowance, Allowances, Class, Guard, Held, Spare};
pub use hierarchy::Placed;
pub use news::News;
pub use offboard::{Offboard, Offboarding, Reason};
pub(crate) use offboard::{folded, strict};
pub use population::{Extent, Population, Tags};
pub use question::{Answer, Found, Inquiry, Question};
pub use recalled::{Doubting, Recalled};
pub use remember::Remembering;
pub use saved::SavedPlan;
