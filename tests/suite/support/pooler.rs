//! The installed PgBouncer, in front of the PostgreSQL that `tests/run` started.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};
use url::Url;

use super::Database;

/// A pooler in one mode.
pub struct Pooler {
    port: u16,
    _child: Child,
    _directory: TempDir,
}

impl Pooler {
    /// Starts one: `session`, `transaction` or `statement`.
    pub async fn start(server: &Database, mode: &str) -> Self {
        Self::start_with(server, &format!("pool_mode = {mode}")).await
    }

    /// Starts one with these lines in its settings.
    pub async fn start_with(server: &Database, lines: &str) -> Self {
        let server = Url::parse(&server.url).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let (settings, users) = (directory.path().join("pgbouncer.ini"), directory.path().join("users"));
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\n{lines}\n",
            server.port().unwrap(),
            users.display()
        );
        fs::write(&settings, text).unwrap();
        fs::write(&users, format!("\"{}\" \"{}\"\n", server.username(), server.password().unwrap())).unwrap();
        // PgBouncer refuses to run as root, so its user must be able to read this.
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let child = Command::new("pgbouncer").arg("-q").arg(&settings).kill_on_drop(true).spawn().unwrap();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { port, _child: child, _directory: directory }
    }

    /// The URL of a database through the pooler.
    pub fn to(&self, database: &Database) -> String {
        let mut url = Url::parse(&database.url).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.to_string()
    }
}
