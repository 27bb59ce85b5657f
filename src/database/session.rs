//! A connection whose transactions have our settings, and whose statement ends at the server as well when it is given up.
//!
//! A statement goes on at a server whose client went away: it waits for a lock, or computes, and holds a connection of the few
//! that there are. So it is cancelled over another connection. Where that can't be done, the settings see to it:
//!
//! | | ends what is given up | ends what a killed program left |
//! |---|---|---|
//! | PostgreSQL | a cancel request; `lock_timeout` | `client_connection_check_interval`, since version 14 |
//! | MySQL, MariaDB | `KILL QUERY`; `lock_wait_timeout` | `max_execution_time`, `max_statement_time` |
//!
//! The number by which a statement is cancelled is that of its transaction: behind a pooler the next one may be at another
//! connection to the server, and the number then another client's.

use std::{
    ops::{Deref, DerefMut},
    sync::LazyLock,
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection, raw_sql};
use tokio::{runtime::Handle, sync::watch, time::timeout};

use super::{
    error::{CONNECTING, Error},
    kind::Kind,
    server::Server,
    transact::{Access, Transact},
};

/// How long a cancel request may take.
const LONGEST: Duration = Duration::from_secs(5);

/// How long the end of the process may wait for them all.
const FAREWELL: Duration = Duration::from_secs(1);

/// The number of cancel requests under way.
static UNDER_WAY: LazyLock<watch::Sender<usize>> = LazyLock::new(watch::Sender::default);

/// The connection. Dropped within a transaction, it has what it does there cancelled.
pub struct Session<C> {
    connection: C,
    cancel: Cancel,
}

struct Cancel {
    server: Server,
    number: Option<String>,
}

impl<C: Transact> Session<C> {
    /// Connects, to read.
    pub async fn open(server: &Server) -> Result<Self, Error> {
        Self::open_for(Access::Read, server).await.map_err(|cause| Error { doing: CONNECTING, cause })
    }

    /// Connects for something.
    pub async fn open_for(access: Access, server: &Server) -> sqlx::Result<Self> {
        let connection = server.in_time(C::open(server, access)).await?;
        Ok(Self { connection, cancel: Cancel { server: server.clone(), number: None } })
    }

    /// Begins a transaction with our settings.
    pub async fn start(&mut self, mode: &str) -> sqlx::Result<()> {
        let Cancel { server, number } = &mut self.cancel;
        *number = server.in_time(self.connection.start(server, mode)).await?;
        Ok(())
    }

    /// Commits the transaction, or rolls it back.
    pub async fn end(&mut self, how: &'static str) -> sqlx::Result<()>
    where
        for<'c> &'c mut C: Executor<'c>,
    {
        let Cancel { server, number } = &mut self.cancel;
        server.in_time((&mut self.connection).execute(raw_sql(how))).await?;
        *number = None;
        Ok(())
    }

    /// Takes its leave: there was an answer to everything, so that the farewell fails changes nothing.
    pub async fn close(mut self) {
        self.cancel.number = None;
        let _ = self.cancel.server.in_time(self.connection.close()).await;
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
                Ok(Ok(())) => tracing::debug!(place = server.place(), "cancelled what was given up"),
                Ok(Err(error)) => not_cancelled(&server, &super::words::of(&error)),
                Err(_) => not_cancelled(&server, "no answer"),
            }
            UNDER_WAY.send_modify(|count| *count -= 1);
        });
    }
}

fn not_cancelled(server: &Server, cause: &str) {
    tracing::debug!(place = server.place(), cause, "what was given up is not cancelled: the server ends it by itself");
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

/// Waits a moment until everything that was given up is cancelled: the process ends.
pub async fn all_cancelled() {
    // It can only fail by having no sender any more.
    let _ = timeout(FAREWELL, UNDER_WAY.subscribe().wait_for(|count| *count == 0)).await;
}
