//! A database server or file, and how to connect to it: for the tenants, the lock and the ledger.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio::{task::coop::consume_budget, time::timeout};
use url::Url;

use super::{address, causes::NO_FILE, error::LATE, kept::Kept, kind::Kind, timezone::Timezone};
use crate::files;

/// The default limit of a statement.
const LONGEST: Duration = Duration::from_mins(10);

/// The address of a database, and the settings of its connections.
#[derive(Clone)]
pub struct Server {
    pub(super) url: Url,
    pub(super) password: Option<SecretString>,
    pub(super) ca_file: Option<Vec<u8>>,
    pub(super) timeout: Duration,
    pub(crate) timezone: Timezone,
    pub(super) longest: Duration,
    /// Shared by all clones.
    pub(super) kept: Option<Arc<Kept>>,
}

impl Server {
    /// A server by its URL; does not connect. `timeout` is the longest silence.
    pub fn new(
        url: &SecretString,
        password: Option<SecretString>,
        ca_file: Option<Vec<u8>>,
        timeout: Duration,
    ) -> Result<Self, String> {
        let url = address::parse(url.expose_secret())?;
        Ok(Self { url, password, ca_file, timeout, timezone: Timezone::default(), longest: LONGEST, kept: None })
    }

    /// The same server, with sessions in this zone.
    #[must_use]
    pub fn in_timezone(self, timezone: Timezone) -> Self {
        Self { timezone, ..self }
    }

    /// The same server, with this limit of a statement in MySQL or MariaDB, which also ends statements of a client that
    /// is gone.
    #[must_use]
    pub fn no_longer_than(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// The same server, whose connections stay open for the next use. A file has none: another may take its place.
    #[must_use]
    pub fn keeping_connections(self) -> Self {
        let kept = (self.kind() != Kind::Sqlite).then(Arc::default);
        Self { kept, ..self }
    }

    /// The kind of database.
    #[must_use]
    pub fn kind(&self) -> Kind {
        Kind::of(self.url.scheme()).unwrap_or(Kind::Postgres)
    }

    /// The longest silence before a timeout.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Waits for an answer for at most the timeout. Yields to other tasks now and then, even if answers never have to
    /// be waited for, such as rows that have arrived already.
    pub(crate) async fn in_time<T>(&self, answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
        consume_budget().await;
        timeout(self.timeout, answer).await.unwrap_or(Err(LATE))
    }

    /// How long a statement may wait for a lock at the server. It is longer than the timeout, so the client gives up
    /// first.
    pub(super) fn lock_timeout(&self) -> Duration {
        self.timeout + Duration::from_secs(5)
    }

    /// How long SQLite waits for a lock. It is shorter than the timeout, so SQLite reports the lock first.
    #[must_use]
    pub fn busy_timeout(&self) -> Duration {
        self.timeout.mul_f32(0.75)
    }

    /// The role that connects, if the URL names one.
    #[must_use]
    pub fn role(&self) -> Option<String> {
        address::user(&self.url)
    }

    /// The path in the URL of a SQLite database.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        address::path(&self.url).into()
    }

    /// The file of a SQLite database; `None` for a server.
    #[must_use]
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        (self.kind() == Kind::Sqlite).then(|| self.file())
    }

    /// The file to open: refuses other kinds, such as a pipe, which could block for ever.
    pub(crate) fn database_file(&self) -> sqlx::Result<PathBuf> {
        let file = self.file();
        match files::other_kind(&file) {
            Some(kind) => Err(sqlx::Error::Configuration(format!("it is {kind}, and {NO_FILE}").into())),
            None => Ok(file),
        }
    }

    /// Host and database, for messages; without credentials.
    #[must_use]
    pub fn place(&self) -> String {
        match self.kind() {
            Kind::Sqlite => format!("sqlite:{}", address::path(&self.url)),
            Kind::Postgres | Kind::MySql => format!("{}://{}", self.url.scheme(), address::place(&self.url)),
        }
    }
}

/// The URL may hold a password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.place()).finish()
    }
}
