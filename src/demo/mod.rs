//! Sample tenants in a SQLite file, and a sandbox with customers for most of them: all that a run needs, in one
//! process.

use std::{io, net::Ipv4Addr, path::PathBuf};

use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::{
    config::{Environment, Layers},
    sandbox::{Api, Sandbox, Store},
};

const TENANTS: &str = include_str!("tenants.sql");
const CUSTOMERS: &str = include_str!("customers.json");
const QUERY: &str = include_str!("query.sql");

/// Both sides of the demo; removed when dropped.
#[derive(Debug)]
pub struct Demo {
    directory: TempDir,
    sandbox: Sandbox,
}

impl Demo {
    /// Fills a database and starts a sandbox.
    pub async fn start() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let demo = |error: sqlx::Error| io::Error::other(format!("the demo's database: {error}"));
        let options = SqliteConnectOptions::new().filename(database(&directory)).create_if_missing(true);
        let mut connection = options.connect().await.map_err(demo)?;
        connection.execute(sqlx::raw_sql(TENANTS)).await.map_err(demo)?;
        connection.close().await.map_err(demo)?;
        let store = Store::parse(CUSTOMERS).map_err(io::Error::other)?;
        let sandbox = Sandbox::start((Ipv4Addr::LOCALHOST, 0).into(), Api::new(store, 0)).await?;
        Ok(Self { directory, sandbox })
    }

    /// The configuration that names both.
    #[must_use]
    pub fn layers(&self) -> Layers {
        let url = format!("sqlite://{}", database(&self.directory).display());
        let environment: Environment = [
            ("EXPLO_SYNC__NAME", "demo"),
            ("EXPLO_SYNC__SOURCE__URL", url.as_str()),
            ("EXPLO_SYNC__SOURCE__QUERY", QUERY),
            ("EXPLO_SYNC__EXPLO__BASE_URL", self.sandbox.url().as_str()),
            ("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "1200"),
            ("EXPLO_TOKEN", "any token will do"),
        ]
        .into_iter()
        .collect();
        Layers::of_environment(environment)
    }
}

fn database(directory: &TempDir) -> PathBuf {
    directory.path().join("tenants.db")
}
