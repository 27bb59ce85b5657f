//! Calls an HTTP API: every call is paced, retried if that helps, and its answer checked; a listing is read page by
//! page, with evidence that it is complete.
//!
//! Both Explo and a source of records are called this way; nothing here depends on either.

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
pub use pacer::{InFlight, Lane, Pacer};
pub use passes::{Incomplete, PageError, PageSummary, Pages, PassRules, Passes, Position, Walk, read_all};
pub use proxy::Proxy;
pub use retry::{backoff, retry_after};
pub use transport::{Header, Https, Incoming, Keys, LARGEST_ANSWER, Outgoing, Transport, share};

/// Called with the number of pages listed, and of all pages.
pub type PageProgress<'a> = &'a (dyn Fn(usize, usize) + Sync);
