//! Servers for one test, from the same programs as those of `tests/run`, with settings that would disturb other tests.
//! would suffer from.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::database::{Kind, note_use};

/// A server that ends with the test.
pub struct Server {
    /// The URL of its administrator, to the default database.
    pub url: String,
    port: u16,
    child: Child,
    directory: TempDir,
}

impl Server {
    /// PostgreSQL with these further settings, such as `ssl=on`.
    pub async fn postgres(settings: &[&str]) -> Self {
        let directory = directory();
        let data = directory.path().join("data");
        run("initdb", &["-D", path(&data), "-U", "postgres", "--auth=trust", "--locale=C.UTF-8", "-E", "UTF8", "-N"]);
        Self::postgres_of(directory, settings).await
    }

    /// A standby of this server, whose settings need `wal_level=replica` (the default).
    pub async fn standby(&self, settings: &[&str]) -> Self {
        let directory = directory();
        let (data, port) = (directory.path().join("data"), self.port.to_string());
        run(
            "pg_basebackup",
            &["-D", path(&data), "-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-R", "-c", "fast"],
        );
        Self::postgres_of(directory, settings).await
    }

    async fn postgres_of(directory: TempDir, settings: &[&str]) -> Self {
        note_use(Kind::Postgres);
        let (port, data) = (free_port(), directory.path().join("data"));
        let port_setting = format!("port={port}");
        let always = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", &port_setting];
        let mut command = Command::new("postgres");
        command.args(["-D", path(&data)]).args(always.iter().chain(settings).flat_map(|setting| ["-c", setting]));
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let is_closed = settings.contains(&"hot_standby=off");
        let ready = if is_closed { "consistent recovery state reached" } else { "ready to accept" };
        Self::started(command, ready, url, port, directory).await
    }

    /// MariaDB or MySQL, as `tests/run` chose, with these further options, such as `--read-only`, after these
    /// statements.
    pub async fn mysql(options: &[&str], statements: &str) -> Self {
        note_use(Kind::MySql);
        let (directory, port) = (directory(), free_port());
        let (data, accounts) = (directory.path().join("data"), directory.path().join("accounts.sql"));
        let server = mysql_program();
        let base = format!("--basedir={}", path(server.parent().unwrap().parent().unwrap()));
        let data = format!("--datadir={}", path(&data));
        // Each program begins by removing another one's files below /tmp.
        let within = |program: &str| {
            let mut command = Command::new(program);
            command.env("TMPDIR", directory.path()).args(["--no-defaults", &base, &data]);
            command
        };
        let (none, own): (_, &[&str]) = if Self::is_mariadb() {
            ran(within("mariadb-install-db").args(["--force", "--skip-test-db"]));
            ("DELETE FROM mysql.global_priv WHERE user <> 'mariadb.sys'; FLUSH PRIVILEGES;", &[])
        } else {
            ran(within("mysqld").arg("--initialize-insecure"));
            ("", &["--mysqlx=0", "--skip-log-bin", "--secure-file-priv=NULL"])
        };
        let text = format!(
            "{none}CREATE USER root@'%' IDENTIFIED BY 'my-secret'; GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;{statements}"
        );
        // The server reads one statement per line.
        fs::write(&accounts, text.replace(';', ";\n")).unwrap();
        let socket = format!("--socket={}", path(&directory.path().join("socket")));
        let mut command = within(server.file_name().unwrap().to_str().unwrap());
        command.args([&socket, "--bind-address=127.0.0.1", "--skip-name-resolve"]).args(own);
        command.args([format!("--port={port}"), format!("--init-file={}", path(&accounts))]).args(options);
        let url = format!("mysql://root:my-secret@127.0.0.1:{port}/mysql");
        Self::started(command, "ready for connections", url, port, directory).await
    }

    /// Whether `tests/run` started MariaDB, not MySQL.
    pub fn is_mariadb() -> bool {
        mysql_program().ends_with("mariadbd")
    }

    async fn started(mut command: Command, ready: &str, url: String, port: u16, directory: TempDir) -> Self {
        let log = fs::File::create(directory.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut server = Self { url, port, child: command.spawn().unwrap(), directory };
        while !server.log().contains(ready) {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "{}", server.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    /// Its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// A file in its data directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("data").join(name)
    }

    /// Sends it a signal, such as `-HUP`.
    pub fn signal(&self, signal: &str) {
        run("kill", &[signal, &self.child.id().to_string()]);
    }
}

/// Ends the server at once and removes its files.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// A directory in which the servers' user may make files.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o777)).unwrap();
    directory
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listener.local_addr().unwrap().port()
}

fn run(program: &str, arguments: &[&str]) {
    ran(Command::new(program).args(arguments));
}

fn ran(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The real program of MariaDB or MySQL, behind the wrapper script of `tests/run`.
fn mysql_program() -> PathBuf {
    env::var_os("TEST_MYSQL_SERVER").unwrap_or_else(|| panic!("run the tests with tests/run")).into()
}
