//! A database server, or a file, and how to connect to it; for the tenants, the lock and the ledger alike.

use std::{fmt, path::PathBuf, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{MySqlConnection, PgConnection};
use url::Url;

/// Where a database is, and what connecting takes.
#[derive(Clone)]
pub struct Server {
    pub(super) url: Url,
    pub(super) password: Option<SecretString>,
    pub(super) ca_file: Option<Vec<u8>>,
    pub(super) timeout: Duration,
}

/// The kinds of databases there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    MySql,
    /// A SQLite file.
    Sqlite,
}

impl Server {
    /// A server by its URL; nothing is connected yet. `timeout` is the longest silence.
    pub fn new(
        url: &SecretString,
        password: Option<SecretString>,
        ca_file: Option<Vec<u8>>,
        timeout: Duration,
    ) -> Result<Self, String> {
        let url = Url::parse(url.expose_secret()).map_err(|error| format!("is not a URL: {error}"))?;
        match kind(&url) {
            Some(_) => Ok(Self { url, password, ca_file, timeout }),
            None => Err(format!("begins with '{}:', not with postgres:, mysql:, mariadb: or sqlite:", url.scheme())),
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        kind(&self.url).unwrap_or(Kind::Postgres)
    }

    /// The longest silence.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The role that connects, where the URL names one.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        Some(self.url.username()).filter(|role| !role.is_empty())
    }

    /// The file of a SQLite database.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        super::sqlite::path(&self.url).into()
    }

    /// A connection to PostgreSQL.
    pub async fn postgres(&self) -> sqlx::Result<PgConnection> {
        super::postgres::connect(self).await
    }

    /// A connection to MySQL or MariaDB.
    pub async fn mysql(&self) -> sqlx::Result<MySqlConnection> {
        super::mysql::connect(self).await
    }

    /// Host and database, for messages; without credentials.
    #[must_use]
    pub fn place(&self) -> String {
        let port = self.url.port().map_or(String::new(), |port| format!(":{port}"));
        match self.kind() {
            Kind::Sqlite => format!("sqlite:{}", super::sqlite::path(&self.url)),
            Kind::Postgres | Kind::MySql => format!(
                "{}://{}{port}{}",
                self.url.scheme(),
                self.url.host_str().unwrap_or("localhost"),
                self.url.path()
            ),
        }
    }
}

/// The URL may hold a password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.place()).finish()
    }
}

fn kind(url: &Url) -> Option<Kind> {
    match url.scheme() {
        "postgres" | "postgresql" => Some(Kind::Postgres),
        "mysql" | "mariadb" => Some(Kind::MySql),
        "sqlite" => Some(Kind::Sqlite),
        _ => None,
    }
}
