//! What a connection of each kind can do: it is made, and it begins transactions with our settings.

use sqlx::Connection;

use super::server::Server;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A SQLite file is only read.
    Read,
    /// It is written too.
    Write,
    /// It is made where it is missing.
    Create,
}

/// A connection to a database of one kind.
pub trait Transact: Connection + Sized {
    /// Connects, with TLS verified unless the host is this machine.
    fn open(server: &Server, access: Access) -> impl Future<Output = sqlx::Result<Self>> + Send;

    /// Begins a transaction with our settings; the result is the number by which a statement in it can be cancelled.
    fn start(&mut self, server: &Server, mode: &str) -> impl Future<Output = sqlx::Result<Option<String>>> + Send;
}
