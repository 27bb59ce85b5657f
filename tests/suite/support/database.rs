//! Fresh databases: in the servers that `tests/run` started, or in a file.

use std::{
    collections::BTreeMap,
    env,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use explo_sync::{database::Timezone, source::SqlSettings};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, MySqlConnection, PgConnection, Row, raw_sql};
use tempfile::TempDir;
use url::Url;

/// The kinds of databases that tenants can come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    MySql,
    Sqlite,
}

/// A database of one test.
pub struct Database {
    pub kind: Kind,
    pub url: String,
    _directory: Option<TempDir>,
}

impl Database {
    /// An empty database.
    pub async fn new(kind: Kind) -> Self {
        explo_sync::install_crypto();
        if kind == Kind::Sqlite {
            let directory = tempfile::tempdir().unwrap();
            let url = format!("sqlite://{}", directory.path().join("tenants.db").display());
            let database = Self { kind, url, _directory: Some(directory) };
            database.execute("pragma journal_mode = wal").await;
            return database;
        }
        let server = server(kind);
        note_use(kind);
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        let create = format!("create database {name}");
        Self { kind, url: server.to_string(), _directory: None }.execute(&create).await;
        let mut url = server;
        url.set_path(&name);
        Self { kind, url: url.to_string(), _directory: None }
    }

    /// The database at a URL.
    pub fn at(kind: Kind, url: &str) -> Self {
        Self { kind, url: url.to_owned(), _directory: None }
    }

    /// Its URL without the password.
    pub fn bare_url(&self) -> String {
        let mut url: Url = self.url.parse().unwrap();
        url.set_password(None).unwrap();
        url.into()
    }

    /// The path of a SQLite database.
    pub fn file(&self) -> PathBuf {
        self.url.trim_start_matches("sqlite://").into()
    }

    /// Runs statements.
    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        let done = match self.kind {
            Kind::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                raw_sql(sql).execute(&mut connection).await.map(drop)
            }
            Kind::MySql => {
                let mut connection = MySqlConnection::connect(&self.url).await.unwrap();
                raw_sql(sql).execute(&mut connection).await.map(drop)
            }
            Kind::Sqlite => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file()).create_if_missing(true);
                let mut connection = options.connect().await.unwrap();
                let done = raw_sql(sql).execute(&mut connection).await.map(drop);
                connection.close().await.unwrap();
                done
            }
        };
        done.unwrap_or_else(|error| panic!("{:?} refuses a statement: {error}", self.kind));
    }

    /// The rows of a query, as text.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let query = || raw_sql(AssertSqlSafe(sql.to_owned()));
        match self.kind {
            Kind::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                texts(&query().fetch_all(&mut connection).await.unwrap())
            }
            Kind::MySql => {
                let mut connection = MySqlConnection::connect(&self.url).await.unwrap();
                texts(&query().fetch_all(&mut connection).await.unwrap())
            }
            Kind::Sqlite => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file());
                let mut connection = options.connect().await.unwrap();
                let rows = texts(&query().fetch_all(&mut connection).await.unwrap());
                connection.close().await.unwrap();
                rows
            }
        }
    }

    /// The tokens of an instance's ledger by id, as an application reads them.
    pub async fn tokens(&self, instance: &str) -> BTreeMap<String, Option<String>> {
        // The row without an id is no customer's.
        let sql = "select provided_id, token from explo_customers where provided_id <> '' and instance =";
        let rows = self.rows(&format!("{sql} '{instance}'")).await;
        rows.into_iter().map(|mut row| (row[0].take().unwrap(), row[1].take())).collect()
    }

    /// Whether the server of the MySQL kind is MariaDB.
    pub async fn is_mariadb(&self) -> bool {
        self.rows("select version()").await[0][0].as_ref().is_some_and(|version| version.contains("MariaDB"))
    }

    /// Whether there is such a table.
    pub async fn has_table(&self, name: &str) -> bool {
        let sql = match self.kind {
            Kind::Postgres => format!("select 1 from pg_class where relname = '{name}'"),
            Kind::MySql => format!(
                "select 1 from information_schema.tables where table_schema = database() and table_name = '{name}'"
            ),
            Kind::Sqlite => format!("select 1 from sqlite_master where name = '{name}'"),
        };
        !self.rows(&sql).await.is_empty()
    }

    /// A name with characters that need quoting, as this database quotes it.
    pub fn quoted(&self, name: &str) -> String {
        if self.kind == Kind::MySql { format!("`{name}`") } else { format!("\"{name}\"") }
    }
}

fn texts<R: Row>(rows: &[R]) -> Vec<Vec<Option<String>>>
where
    for<'r> Option<String>: sqlx::Decode<'r, R::Database>,
    usize: sqlx::ColumnIndex<R>,
{
    let cells = |row: &R| (0..row.len()).map(|n| row.try_get_unchecked(n).unwrap()).collect();
    rows.iter().map(cells).collect()
}

/// Settings with this URL and query, and defaults for the rest.
pub fn settings(url: &str, query: &str) -> SqlSettings {
    SqlSettings {
        url: url.to_owned().into(),
        password: None,
        ca_file: None,
        query: query.to_owned(),
        query_one: None,
        listen: None,
        changed: None,
        timeout: Duration::from_mins(1),
        timezone: Timezone::default(),
        longest: Duration::from_mins(10),
        leave_null: Vec::new(),
    }
}

/// Records which server a test uses, for `tests/servers`.
pub(super) fn note_use(kind: Kind) {
    let Some(directory) = env::var_os("TEST_USED") else { return };
    let file = Path::new(&directory).join(if kind == Kind::Postgres { "postgres" } else { "mysql" });
    let test = env::var("NEXTEST_TEST_NAME").ok().or_else(|| thread::current().name().map(str::to_owned));
    let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(format!("{}\n", test.unwrap()).as_bytes()).unwrap();
}

fn server(kind: Kind) -> Url {
    let name = if kind == Kind::Postgres { "TEST_POSTGRES_URL" } else { "TEST_MYSQL_URL" };
    let url = env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with tests/run"));
    url.parse().unwrap()
}
