//! Databases: from a URL to a connection whose transactions have our settings, for the tenants and the ledger, and the
//! [`lock`] of a run.
//!
//! Promises: no call waits longer than the timeout, an abandoned statement is cancelled at the server, and an error
//! says the way out. Refuses unknown parameters of a URL. Knows nothing of the source and the ledger.

mod address;
pub(crate) mod causes;
mod error;
mod kept;
mod kind;
mod listener;
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
pub(crate) use listener::{Heard, Listener, notification};
pub use server::Server;
pub use session::{Session, all_cancelled};
pub use timezone::Timezone;
pub use transact::{Access, Transact};
