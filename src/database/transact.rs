//! What connections of each kind do: they are opened, and begin transactions with our settings.

use sqlx::Connection;

use super::server::Server;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A SQLite file is opened read-only.
    Read,
    /// A SQLite file is opened for writing too.
    Write,
    /// A SQLite file is created if it is missing.
    Create,
}

/// A connection to a database of one kind.
pub trait Transact: Connection + Sized + 'static {
    /// Connects, with TLS verified unless the host is this machine.
    fn open(server: &Server, access: Access) -> impl Future<Output = sqlx::Result<Self>> + Send;

    /// Begins a transaction with our settings; returns the number that cancels a statement in it, if there is one.
    fn start(&mut self, server: &Server, mode: &str) -> impl Future<Output = sqlx::Result<Option<String>>> + Send;

    /// Commits the transaction, or rolls it back.
    fn end(&mut self, how: &'static str) -> impl Future<Output = sqlx::Result<()>> + Send;
}
