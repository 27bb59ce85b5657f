//! Databases: from a URL to a connection whose transactions have our settings, for the tenants, the lock and the ledger alike.
//!
//! Promises: what is given up is cancelled at the server, and a failure is told with the way out. Refuses parameters of a URL
//! that it does not know.

mod address;
pub(crate) mod causes;
mod kind;
pub mod mysql;
mod parameters;
pub mod postgres;
mod server;
mod session;
pub mod sqlite;
mod timezone;
mod transact;
pub(crate) mod words;

pub use causes::QueryFault;
pub use kind::Kind;
pub use server::Server;
pub use session::{Session, all_cancelled};
pub use timezone::Timezone;
pub use transact::Transact;
