//! Databases: from a URL to a connection whose transactions have our settings, for the tenants and the ledger alike, and the
//! [`lock`] of a run.
//!
//! Promises: nobody waits longer than the server's timeout, what is given up is cancelled at the server, and a failure is told
//! with the way out. Refuses parameters of a URL that it does not know. Knows nothing of the source and the ledger.

mod address;
pub(crate) mod causes;
mod error;
mod kind;
pub mod lock;
pub(crate) mod mysql;
mod parameters;
mod postgres;
mod server;
mod session;
mod sqlite;
mod timezone;
mod transact;
pub(crate) mod words;

pub use causes::QueryFault;
pub use error::{CONNECTING, Error, is_late};
pub use kind::Kind;
pub use server::Server;
pub use session::{Session, all_cancelled};
pub use timezone::Timezone;
pub use transact::{Access, Transact};
