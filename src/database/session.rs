//! A connection whose transactions have our settings. If a statement is abandoned, it also ends at the server.
//!
//! A server goes on with a statement whose client is gone: it waits for a lock, or computes, and uses one of its few
//! connections. So another connection cancels the statement. If that fails, a setting ends it:
//!
//! | | ends an abandoned statement | ends a statement of a killed program |
//! |---|---|---|
//! | PostgreSQL | a cancel request; `lock_timeout` | `client_connection_check_interval`, since version 14 |
//! | MySQL, MariaDB | `KILL QUERY`; `lock_wait_timeout` | `max_execution_time`, `max_statement_time` |
//!
//! A statement is cancelled by the number of its transaction: behind a pooler the next transaction may use another
//! connection to the server, and that number then belongs to another client.

use std::{
    ops::{Deref, DerefMut},
    sync::LazyLock,
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection, raw_sql};
use tokio::{runtime::Handle, sync::watch, time::timeout};

use super::{
    error::{CONNECTING, Error},
    kind::Kind,
    server::Server,
    transact::{Access, Transact},
};

/// The longest that a cancel request may take.
const LONGEST: Duration = Duration::from_secs(5);

/// The longest that the process waits for cancel requests at its end.
const FAREWELL: Duration = Duration::from_secs(1);

/// The longest that a connection that was kept may take to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// The number of cancel requests in progress.
static UNDER_WAY: LazyLock<watch::Sender<usize>> = LazyLock::new(watch::Sender::default);

/// The connection. Dropping it within a transaction cancels the running statement.
pub struct Session<C> {
    connection: C,
    cancel: Cancel,
}

struct Cancel {
    server: Server,
    number: Option<String>,
}

impl<C: Transact> Session<C> {
    /// Connects, to read only.
    pub async fn open(server: &Server) -> Result<Self, Error> {
        Self::open_for(Access::Read, server).await.map_err(|cause| Error { doing: CONNECTING, cause })
    }

    /// Connects with this access.
    pub async fn open_for(access: Access, server: &Server) -> sqlx::Result<Self> {
        let connection = match kept(server).await {
            Some(connection) => connection,
            None => server.in_time(C::open(server, access)).await?,
        };
        Ok(Self { connection, cancel: Cancel { server: server.clone(), number: None } })
    }

    /// Begins a transaction with our settings.
    pub async fn start(&mut self, mode: &str) -> sqlx::Result<()> {
        let Cancel { server, number } = &mut self.cancel;
        *number = server.in_time(self.connection.start(server, mode)).await?;
        Ok(())
    }

    /// Commits the transaction, or rolls it back.
    pub async fn end(&mut self, how: &'static str) -> sqlx::Result<()> {
        let Cancel { server, number } = &mut self.cancel;
        server.in_time(self.connection.end(how)).await?;
        *number = None;
        Ok(())
    }

    /// Closes the connection, or keeps it open if the server says so; every statement has its answer, so a failure here
    /// changes nothing.
    pub async fn close(mut self) {
        let server = self.cancel.server.clone();
        if let Some(kept) = &server.kept {
            let is_over = self.cancel.number.is_none() || self.end("ROLLBACK").await.is_ok();
            self.cancel.number = None;
            if is_over && let Some(left) = kept.keep(self.connection) {
                let _ = server.in_time(left.close()).await;
            }
            return;
        }
        self.cancel.number = None;
        let _ = server.in_time(self.connection.close()).await;
    }
}

/// A connection that was kept, and that the server has not ended meanwhile.
async fn kept<C: Transact>(server: &Server) -> Option<C> {
    loop {
        let mut connection = server.kept.as_ref()?.take::<C>()?;
        if matches!(timeout(ANSWER, connection.ping()).await, Ok(Ok(()))) {
            return Some(connection);
        }
    }
}

impl<C> Deref for Session<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.connection
    }
}

impl<C> DerefMut for Session<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.connection
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        let (Some(number), Ok(runtime)) = (self.number.take(), Handle::try_current()) else { return };
        let server = self.server.clone();
        UNDER_WAY.send_modify(|count| *count += 1);
        runtime.spawn(async move {
            match timeout(LONGEST, cancel(&server, &number)).await {
                Ok(Ok(())) => tracing::debug!(place = server.place(), "cancelled an abandoned statement"),
                Ok(Err(error)) => not_cancelled(&server, &super::words::of(&error)),
                Err(_) => not_cancelled(&server, "no answer"),
            }
            UNDER_WAY.send_modify(|count| *count -= 1);
        });
    }
}

fn not_cancelled(server: &Server, cause: &str) {
    tracing::debug!(place = server.place(), cause, "can't cancel an abandoned statement: the server ends it by itself");
}

async fn cancel(server: &Server, number: &str) -> sqlx::Result<()> {
    match server.kind() {
        Kind::Postgres => {
            let mut connection = PgConnection::open(server, Access::Read).await?;
            let cancel = AssertSqlSafe(format!("SELECT pg_cancel_backend({number})"));
            raw_sql(cancel).execute(&mut connection).await?;
            connection.close().await
        }
        Kind::MySql => {
            let mut connection = MySqlConnection::open(server, Access::Read).await?;
            raw_sql(AssertSqlSafe(format!("KILL QUERY {number}"))).execute(&mut connection).await?;
            connection.close().await
        }
        Kind::Sqlite => Ok(()),
    }
}

/// Waits a moment for the cancel requests in progress, before the process ends.
pub async fn all_cancelled() {
    // It fails only if the sender is gone, which is static.
    let _ = timeout(FAREWELL, UNDER_WAY.subscribe().wait_for(|count| *count == 0)).await;
}
