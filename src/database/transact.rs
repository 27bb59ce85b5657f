//! Beginning transactions.

use sqlx::Connection;

use super::server::Server;

/// A connection that begins transactions.
pub trait Transact: Connection {
    /// Begins one with our settings; the result is the number by which a statement in it can be cancelled.
    fn start(&mut self, server: &Server, mode: &str) -> impl Future<Output = sqlx::Result<Option<String>>> + Send;
}
