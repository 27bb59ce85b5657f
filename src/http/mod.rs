//! Calling an HTTP API: every call is paced, retried where that helps, and its answer checked; a listing is read page by
//! page, with evidence that it is complete.
//!
//! Explo and a source of records are both called in this way, and nothing here knows either.

mod caller;
pub(crate) mod causes;
mod distinct;
mod excerpt;
mod failure;
mod pacer;
mod passes;
mod proxy;
mod retry;
mod transport;

pub use caller::{Attempts, Call, Caller, Ending, Patience};
pub use distinct::Distinct;
pub use excerpt::excerpt;
pub use failure::{Failure, Fault, Unusable, times};
pub use pacer::Pacer;
pub use passes::{Incomplete, PageError, PageSummary, Pages, PassRules, Passes, Position, Walk, read_all};
pub use proxy::Proxy;
pub use retry::{backoff, retry_after};
pub use transport::{Header, Https, Incoming, Keys, LARGEST_ANSWER, Outgoing, Transport, share};

/// Told how many pages are listed, of how many.
pub type PageProgress<'a> = &'a (dyn Fn(usize, usize) + Sync);
