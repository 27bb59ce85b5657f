//! A SQL database as a source: its server, its queries, and its errors.

use futures_util::{FutureExt, TryStreamExt, stream::BoxStream};
use tokio::task::coop::consume_budget;

use super::{
    Error, Source,
    dialect::{Changed, SqlSettings},
    error::READING,
};
use crate::database::{
    self, Kind, Server, Session, Transact,
    causes::{self, Keys},
    is_late, words,
};

/// A database as a source.
#[derive(Debug, Clone)]
pub struct Sql {
    pub(super) server: Server,
    pub(super) query: String,
    pub(super) query_one: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) changed: Option<Changed>,
    pub(super) leave_null: Vec<String>,
}

impl Sql {
    /// A source that connects when it is read.
    pub fn new(settings: SqlSettings) -> Result<Self, String> {
        let SqlSettings { url, password, ca_file, timeout, timezone, longest, .. } = settings;
        let SqlSettings { query, query_one, listen, changed, leave_null, .. } = settings;
        let server = Server::new(&url, password, ca_file, timeout)?.in_timezone(timezone).no_longer_than(longest);
        Ok(Self { server, query, query_one, listen, changed, leave_null })
    }

    /// The same source, whose connections stay open for the next reading.
    #[must_use]
    pub fn keeping_connections(self) -> Self {
        Self { server: self.server.keeping_connections(), ..self }
    }

    /// The database, for messages.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A database's failure as an error of this source.
    #[must_use]
    pub fn told(&self, error: &database::Error) -> Error {
        if is_late(&error.cause) { self.late(error.doing) } else { self.refused(&error.cause) }
    }

    /// Connects to the database.
    pub(super) async fn open<C: Transact>(&self) -> Result<Session<C>, Error> {
        Session::open(&self.server).await.map_err(|error| self.told(&error))
    }

    /// The error if no connection with our settings can be made.
    pub(super) fn refused(&self, error: &sqlx::Error) -> Error {
        let place = self.place();
        if causes::lacks_timezone(error) {
            return Error::Timezone { place, timezone: self.server.timezone.name().to_owned() };
        }
        if let (Kind::Sqlite, sqlx::Error::Io(error)) = (self.server.kind(), error) {
            return Error::Connect { place, cause: error.to_string() };
        }
        let mut cause = causes::unreachable(error, Keys::SOURCE);
        if self.server.role().is_none() && causes::is_about_user(error) {
            let used = if self.server.kind() == Kind::MySql { "root" } else { "that of PGUSER or of the system" };
            cause = format!("{cause}; source.url names no user, so {used} was used");
        }
        Error::Connect { place, cause }
    }

    /// The error if the database refuses a query before its first row.
    pub(super) fn failed(&self, key: &'static str, error: &sqlx::Error) -> Error {
        self.refused_query(key, &words::of(error), error)
    }

    /// The error if the rows of a query break off.
    pub(super) fn broke_off(&self, key: &'static str, query: &str, error: &sqlx::Error) -> Error {
        self.refused_query(key, &words::among_rows(error, query), error)
    }

    fn refused_query(&self, key: &'static str, words: &str, error: &sqlx::Error) -> Error {
        let cause = causes::told(words, error, Keys::SOURCE, &format!("check {key}"));
        Error::Query { key, place: self.place(), cause, fault: causes::fault(error) }
    }

    /// Whether there is a query for one id.
    #[must_use]
    pub fn has_query_one(&self) -> bool {
        self.query_one.is_some()
    }

    /// The channel whose notifications are ids, if there is one.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        self.listen.as_deref()
    }

    /// Whether there is a query for tenants that changed.
    #[must_use]
    pub fn has_query_changed(&self) -> bool {
        self.changed.is_some()
    }

    /// The next row; waits for it if it has not arrived.
    pub(super) async fn next<R>(
        &self,
        rows: &mut BoxStream<'_, sqlx::Result<R>>,
        told: impl Fn(&sqlx::Error) -> Error,
    ) -> Result<Option<R>, Error> {
        match rows.try_next().now_or_never() {
            Some(row) => {
                consume_budget().await;
                row.map_err(|error| told(&error))
            }
            None => self.in_time(READING, rows.try_next(), told).await,
        }
    }

    /// Waits for at most the timeout; `told` makes the error of any other failure. Lets other tasks run now and then, even if
    /// there is nothing to wait for.
    pub(super) async fn in_time<T>(
        &self,
        doing: &'static str,
        what: impl Future<Output = sqlx::Result<T>>,
        told: impl FnOnce(&sqlx::Error) -> Error,
    ) -> Result<T, Error> {
        consume_budget().await;
        let done = self.server.in_time(what).await;
        done.map_err(|error| if is_late(&error) { self.late(doing) } else { told(&error) })
    }

    fn late(&self, doing: &'static str) -> Error {
        Error::Timeout { place: self.place(), seconds: self.server.timeout().as_secs(), doing }
    }
}
