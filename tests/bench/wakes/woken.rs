//! A daemon that hears of each change of a table in PostgreSQL by its trigger, and the application that changes it.

use std::{process::Stdio, time::Duration};

use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::Instant,
};

use super::{
    database::{Database, Kind},
    explo::Explo,
    loopback::program,
};

const QUERY: &str = "select id as provided_id, name from tenants";

/// The id of a tenant that there is from the beginning, and of one that signs up. None is a part of another.
pub fn old_id(n: usize) -> String {
    format!("tenant-{n:06}.")
}

pub fn new_id(n: usize) -> String {
    format!("new-{n:06}.")
}

/// All of it.
pub struct Woken {
    pub explo: Explo,
    pub daemon: Daemon,
    application: PgConnection,
    _directory: TempDir,
}

/// How long a change took, and how much of that the server took for its calls.
pub struct Took {
    pub all: Duration,
    pub calls: Duration,
}

impl Woken {
    /// With so many tenants, of which the first have a customer already; in its first run.
    pub async fn start(tenants: usize, customers: usize, rate: u32, settings: &[(&str, &str)]) -> Self {
        let (database, explo) = (Database::new(Kind::Postgres).await, Explo::with(customers).await);
        let ids = "'tenant-' || lpad(n::text, 6, '0') || '.'";
        let rows = format!("select {ids}, 'Tenant ' || n from generate_series(0, {tenants} - 1) n");
        database.execute("create table tenants (id text primary key, name text not null)").await;
        database.execute(&format!("insert into tenants {rows}; analyze tenants")).await;
        let trigger = Command::new(env!("CARGO_BIN_EXE_explo-sync")).args(["init", "--trigger", "tenants"]).output();
        database.execute(&String::from_utf8(trigger.await.unwrap().stdout).unwrap()).await;
        let directory = tempfile::tempdir().unwrap();
        let mut command = program("run", directory.path(), QUERY, &explo.url);
        command
            .env("DATABASE_URL", &database.url)
            .env("EXPLO_SYNC__SOURCE__QUERY_ONE", format!("{QUERY} where id = $1"))
            .env("EXPLO_SYNC__SOURCE__LISTEN", "explo_sync")
            .env("EXPLO_SYNC__LEDGER__URL", "source")
            .env("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", rate.to_string())
            .env("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0")
            .env("EXPLO_SYNC__SCHEDULE__CRON", "0 0 1 1 *")
            .envs(settings.iter().copied());
        let application = PgConnection::connect(&database.url).await.unwrap();
        Self { explo, daemon: Daemon::start(command), application, _directory: directory }
    }

    /// Inserts a tenant; returns when this is committed.
    pub async fn insert(&mut self, id: &str) {
        self.commits(format!("insert into tenants values ('{id}', 'Newcomer')")).await;
    }

    /// Waits until this tenant that signs up has its customer.
    pub async fn sign_up(&mut self, n: usize) -> Took {
        let id = new_id(n);
        self.insert(&id).await;
        self.took(&id, "create_customer").await
    }

    /// Waits until the customer of this tenant has another name.
    pub async fn update(&mut self, n: usize) -> Took {
        let id = old_id(n);
        self.commits(format!("update tenants set name = 'Renamed' where id = '{id}'")).await;
        self.took(&id, "update_customer").await
    }

    async fn commits(&mut self, sql: String) {
        raw_sql(AssertSqlSafe(sql)).execute(&mut self.application).await.unwrap();
    }

    /// From now until the last call about a tenant is answered.
    async fn took(&self, id: &str, last: &str) -> Took {
        let committed = Instant::now();
        let ended = self.explo.answered(last, id).await.ended;
        let calls = self.explo.calls_of(id).iter().map(|call| call.ended - call.came).sum();
        Took { all: ended - committed, calls }
    }

    pub async fn end(self) {
        self.daemon.end().await;
    }
}

/// The process, and the lines of its log.
pub struct Daemon {
    child: Child,
    lines: UnboundedReceiver<String>,
}

impl Daemon {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, lines) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = log.next_line().await {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// Waits for a line that has this in it.
    pub async fn says(&mut self, part: &str) {
        while !self.lines.recv().await.unwrap().contains(part) {}
    }

    /// How many lines since the last have this in them.
    pub fn said(&mut self, part: &str) -> usize {
        std::iter::from_fn(|| self.lines.try_recv().ok()).filter(|line| line.contains(part)).count()
    }

    async fn end(mut self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        assert!(self.child.wait().await.unwrap().success());
    }
}
