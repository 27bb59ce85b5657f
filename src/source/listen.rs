//! `source.listen`: ids from the notifications of a PostgreSQL channel.
//!
//! Whether they arrive is tried, not assumed: behind a transaction pooler `LISTEN` succeeds, and nothing is ever heard.
//! Worse, the pooler's connection goes on listening, and other clients get notifications that they did not ask for. So
//! two connections find out first whether a pooler shares processes of the server between them. Then a notification on
//! a private channel goes out over the other connection, and must be heard before this says that it hears. Later ones
//! go over the connection itself, which nothing else would keep alive. After any failure the connection is made anew.

use std::{convert::Infallible, future::pending, time::Duration};

use sqlx::{Executor, PgConnection, Row, raw_sql};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use uuid::Uuid;

use super::{Error, Signal, Source as _, Sql, backoff::Backoff};
use crate::database::{
    Heard, Kind, Listener,
    causes::{self, Keys},
    is_late, notification, words,
};

/// How long it may take to find out about a pooler, and how long the first notification may take.
const FIRST: Duration = Duration::from_secs(5);

/// From one notification of our own to the next.
const EVERY: Duration = Duration::from_secs(15);

/// How long the connection may be silent while one of these is on its way.
const SILENCE: Duration = Duration::from_secs(10);

/// The longest wait before a new connection.
const LONGEST: Duration = Duration::from_secs(30);

/// Why no notifications are heard.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] Error),
    /// A standby takes no `LISTEN`.
    #[error(
        "{place} is a standby, which notifications don't reach: name the primary in source.url, or leave source.listen \
         empty"
    )]
    Standby {
        /// Host and database.
        place: String,
    },
    /// The server takes `LISTEN`, but nothing arrives.
    #[error(
        "{place} takes LISTEN, but notifications do not arrive: probably a transaction pooler stands between; give \
         source.url the server's own address, or leave source.listen empty"
    )]
    Unheard {
        /// Host and database.
        place: String,
    },
    /// The connection broke.
    #[error("the connection to {place} that listens broke: {cause}")]
    Lost {
        /// Host and database.
        place: String,
        /// The driver's words.
        cause: String,
    },
}

/// What the log said last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Hears,
    Lost,
    Standby,
    Unheard,
}

impl Said {
    fn of(error: &ListenError) -> Self {
        match error {
            ListenError::Connect(_) | ListenError::Lost { .. } => Self::Lost,
            ListenError::Standby { .. } => Self::Standby,
            ListenError::Unheard { .. } => Self::Unheard,
        }
    }
}

/// The channels, and what is known of the connection.
struct Ear<'s> {
    sql: &'s Sql,
    channel: &'s str,
    /// No one else knows it.
    private: String,
    said: Said,
    backoff: Backoff,
}

impl Sql {
    /// Tells the ids of notifications, until it is dropped; without `source.listen`, never tells anything. Says each
    /// time that it begins to hear, and logs when it begins and ceases to.
    pub async fn listen(self, mut tell: impl FnMut(Signal) + Send) -> Infallible {
        let Some(mut ear) = self.ear() else { return pending().await };
        loop {
            let Err(error) = ear.hear(&mut tell).await;
            if ear.said == Said::of(&error) {
                tracing::debug!("source.listen hears nothing: {error}");
            } else {
                tracing::warn!("source.listen hears nothing, and tries again until it does: {error}");
                ear.said = Said::of(&error);
            }
            sleep(ear.backoff.wait()).await;
        }
    }

    /// Finds out whether notifications of `source.listen` would be heard.
    pub async fn try_to_listen(&self) -> Result<(), ListenError> {
        if let Some(ear) = self.ear() {
            ear.connect(&mut |_| {}).await?.close().await;
        }
        Ok(())
    }

    fn ear(&self) -> Option<Ear<'_>> {
        let channel = self.channel().filter(|_| self.server.kind() == Kind::Postgres)?;
        let private = format!("explo_sync_{}", Uuid::now_v7().simple());
        Some(Ear { sql: self, channel, private, said: Said::Nothing, backoff: Backoff::up_to(LONGEST) })
    }
}

impl Ear<'_> {
    /// Hears until the connection fails.
    async fn hear(&mut self, tell: &mut (impl FnMut(Signal) + Send)) -> Result<Infallible, ListenError> {
        let mut listener = self.connect(tell).await?;
        tracing::info!(place = self.sql.place(), channel = self.channel, "source.listen hears");
        self.said = Said::Hears;
        tell(Signal::Hearing);
        let Err(error) = self.hear_on(&mut listener, tell).await;
        listener.close().await;
        Err(error)
    }

    /// A connection on which a first notification was heard.
    async fn connect(&self, tell: &mut (impl FnMut(Signal) + Send)) -> Result<Listener, ListenError> {
        let mut other = self.sql.open::<PgConnection>().await?;
        let mut listener = match Listener::connect(&self.sql.server).await {
            Ok(listener) => listener,
            Err(error) => {
                other.close().await;
                return Err(self.failed(&error));
            }
        };
        let begun = self.begin(&mut listener, &mut other, tell).await;
        other.close().await;
        match begun {
            Ok(()) => Ok(listener),
            Err(error) => {
                listener.close().await;
                Err(error)
            }
        }
    }

    /// Begins to listen, unless a pooler stands between.
    async fn begin(
        &self,
        listener: &mut Listener,
        other: &mut PgConnection,
        tell: &mut (impl FnMut(Signal) + Send),
    ) -> Result<(), ListenError> {
        let shared = timeout(FIRST, share_processes(listener, other)).await;
        if shared.unwrap_or(Ok(true)).map_err(|error| self.failed(&error))? {
            return Err(self.unheard());
        }
        self.sql
            .server
            .in_time(listener.listen([self.channel, &self.private]))
            .await
            .map_err(|error| self.failed(&error))?;
        let heard = async {
            other.execute(notification(&self.private, "")).await?;
            while !self.is_own(&listener.next().await?, "", tell) {}
            Ok(())
        };
        match timeout(FIRST, heard).await {
            Ok(heard) => heard.map_err(|error| self.failed(&error)),
            Err(_) => Err(self.unheard()),
        }
    }

    /// Hears on, and finds out now and then whether it still can.
    async fn hear_on(
        &mut self,
        listener: &mut Listener,
        tell: &mut (impl FnMut(Signal) + Send),
    ) -> Result<Infallible, ListenError> {
        let mut count = 0_u64;
        loop {
            count += 1;
            let (number, next) = (count.to_string(), Instant::now() + EVERY);
            while let Ok(heard) = timeout_at(next, listener.next()).await {
                self.is_own(&heard.map_err(|error| self.failed(&error))?, &number, tell);
            }
            let sent = timeout(SILENCE, listener.notify(&self.private, &number)).await;
            sent.map_err(|_| self.silent())?.map_err(|error| self.failed(&error))?;
            // As long as others arrive, the own one may still be behind them.
            loop {
                let heard = timeout(SILENCE, listener.next()).await.map_err(|_| self.silent())?;
                if self.is_own(&heard.map_err(|error| self.failed(&error))?, &number, tell) {
                    break;
                }
            }
            self.backoff.reset();
        }
    }

    /// Whether this is our own notification with this payload. Tells any other.
    fn is_own(&self, heard: &Heard, payload: &str, tell: &mut (impl FnMut(Signal) + Send)) -> bool {
        if heard.channel == self.private {
            return heard.payload == payload;
        }
        // No tenant has an empty id.
        if heard.channel == self.channel && !heard.payload.is_empty() {
            tell(Signal::Changed(heard.payload.clone()));
        }
        false
    }

    fn unheard(&self) -> ListenError {
        ListenError::Unheard { place: self.sql.place() }
    }

    fn silent(&self) -> ListenError {
        let cause = format!("it was silent for {} s", SILENCE.as_secs());
        ListenError::Lost { place: self.sql.place(), cause }
    }

    fn failed(&self, error: &sqlx::Error) -> ListenError {
        let place = self.sql.place();
        if causes::primary(error, Keys::SOURCE).is_some() {
            return ListenError::Standby { place };
        }
        let cause = if is_late(error) { "it did not answer in time".to_owned() } else { words::of(error) };
        ListenError::Lost { place, cause }
    }
}

/// Whether a pooler lets both connections use one process of the server, or one connection several. While the other
/// connection is in a transaction, its process is its own.
async fn share_processes(listener: &mut Listener, other: &mut PgConnection) -> sqlx::Result<bool> {
    let first = listener.process().await?;
    let begin = raw_sql("BEGIN READ ONLY; SELECT CAST(pg_backend_pid() AS text)");
    let Some(row) = other.fetch_all(begin).await?.pop() else { return Ok(false) };
    let others: String = row.try_get_unchecked(0)?;
    let second = listener.process().await?;
    other.execute(raw_sql("ROLLBACK")).await?;
    Ok(first != second || first == others)
}
