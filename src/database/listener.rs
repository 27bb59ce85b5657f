//! A connection to PostgreSQL that hears notifications.
//!
//! The driver's listener makes its lost connection anew without a word, keeps a broken one after some errors, and
//! panics at text that is not UTF-8. Here each of these is an error, after which the connection is thrown away.

use std::{io, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use sqlx::{
    AssertSqlSafe, Executor, PgPool, Row,
    postgres::{PgListener, PgPoolOptions},
    raw_sql,
};
use tokio::{task::coop::consume_budget, time::timeout};

use super::{postgres, server::Server};

/// The longest that closing may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// The connection.
pub(crate) struct Listener {
    listener: PgListener,
    /// Of this one connection: the driver takes it from a pool.
    pool: PgPool,
}

/// A notification.
pub(crate) struct Heard {
    pub(crate) channel: String,
    pub(crate) payload: String,
}

impl Listener {
    /// Connects. The pool waits as long as it can for a server that refuses connections, so find out first whether it
    /// takes one.
    pub(crate) async fn connect(server: &Server) -> sqlx::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(server.timeout())
            .connect_lazy_with(postgres::options(server, "explo-sync listen")?);
        let mut listener = server.in_time(PgListener::connect_with(&pool)).await?;
        listener.eager_reconnect(false);
        Ok(Self { listener, pool })
    }

    /// The number of the server's process that answers now; behind a pooler, another one may answer next.
    pub(crate) async fn process(&mut self) -> sqlx::Result<String> {
        let row = self.listener.fetch_one(raw_sql("SELECT CAST(pg_backend_pid() AS text)")).await?;
        row.try_get_unchecked(0)
    }

    /// Begins to listen.
    pub(crate) async fn listen(&mut self, channels: [&str; 2]) -> sqlx::Result<()> {
        self.listener.listen_all(channels).await
    }

    /// Waits for the next notification. Nothing is lost if the wait is given up.
    pub(crate) async fn next(&mut self) -> sqlx::Result<Heard> {
        consume_budget().await;
        let received = AssertUnwindSafe(receive(&mut self.listener)).catch_unwind().await;
        received.unwrap_or_else(|_| Err(sqlx::Error::Protocol("a message that the driver can't read".to_owned())))
    }

    /// Sends a notification over the connection itself; both texts are ours.
    pub(crate) async fn notify(&mut self, channel: &str, payload: &str) -> sqlx::Result<()> {
        self.listener.execute(notification(channel, payload)).await.map(drop)
    }

    /// Closes the connection, or leaves that to the driver if the server does not answer.
    pub(crate) async fn close(self) {
        drop(self.listener);
        let _ = timeout(FAREWELL, self.pool.close()).await;
    }
}

async fn receive(listener: &mut PgListener) -> sqlx::Result<Heard> {
    let Some(heard) = listener.try_recv().await? else {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    };
    Ok(Heard { channel: heard.channel().to_owned(), payload: heard.payload().to_owned() })
}

/// The statement that sends a notification; both texts are ours.
pub(crate) fn notification(channel: &str, payload: &str) -> sqlx::RawSql {
    raw_sql(AssertSqlSafe(format!("SELECT pg_notify('{channel}', '{payload}')")))
}
