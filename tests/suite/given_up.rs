//! What is given up ends at the server too.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, raw_sql};

use crate::support::{Database, Kind, Program, sandbox, signal};

const QUERY: &str = "select id as provided_id, name from tenants";

/// How long what was given up may go on.
const LONGEST: Duration = Duration::from_secs(15);

/// What a statement waits for.
#[derive(Debug, Clone, Copy)]
enum Wait {
    LockedTenants,
    LockedLedger,
    SlowQuery,
}

/// A lock on a table that lasts as long as this.
enum Locked {
    Postgres(PgConnection),
    MySql(MySqlConnection),
}

impl Locked {
    async fn table(database: &Database, name: &str) -> Self {
        if database.kind == Kind::Postgres {
            let mut connection = PgConnection::connect(&database.url).await.unwrap();
            let lock = format!("begin; lock table {name} in access exclusive mode");
            raw_sql(AssertSqlSafe(lock)).execute(&mut connection).await.unwrap();
            Self::Postgres(connection)
        } else {
            let mut connection = MySqlConnection::connect(&database.url).await.unwrap();
            let lock = format!("lock tables {name} write");
            raw_sql(AssertSqlSafe(lock)).execute(&mut connection).await.unwrap();
            Self::MySql(connection)
        }
    }

    async fn end(self) {
        match self {
            Self::Postgres(connection) => connection.close().await.unwrap(),
            Self::MySql(connection) => connection.close().await.unwrap(),
        }
    }
}

/// The number of the program's statements in a database.
async fn under_way(database: &Database) -> usize {
    let sql = match database.kind {
        Kind::Postgres => {
            "select pid::text from pg_stat_activity where datname = current_database() and state = 'active'
             and application_name = 'explo-sync'"
        }
        _ => {
            "select cast(id as char) from information_schema.processlist
             where db = database() and command <> 'Sleep' and id <> connection_id()"
        }
    };
    database.rows(sql).await.len()
}

/// Waits for this many statements of the program.
pub(super) async fn await_statements(database: &Database, count: usize, within: Duration) {
    let begun = Instant::now();
    loop {
        let found = under_way(database).await;
        if found == count {
            return;
        }
        assert!(begun.elapsed() < within, "{found} statements are under way, not {count}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The program before something that lasts, with that.
async fn before(database: &Database, wait: Wait, url: &str) -> (Program, Option<Locked>) {
    database.execute("create table tenants (id varchar(20), name varchar(20))").await;
    database.execute("insert into tenants values ('a', 'Ann')").await;
    let program = Program::at(&database.url, url, QUERY).with("EXPLO_SYNC__LEDGER__URL", "source");
    match wait {
        Wait::LockedTenants => (program, Some(Locked::table(database, "tenants").await)),
        Wait::LockedLedger => {
            assert_eq!(program.run(&["sync"]).await.code, 0);
            (program, Some(Locked::table(database, "explo_customers").await))
        }
        Wait::SlowQuery => {
            // In its sleep MariaDB would notice by itself that its client is gone.
            let slow = if database.kind == Kind::Postgres {
                "pg_sleep(600)::text"
            } else {
                "benchmark(1000000000000, crc32(name))"
            };
            let query = format!("select id as provided_id, concat(name, {slow}) as name from tenants");
            (program.with("EXPLO_SYNC__SOURCE__QUERY", &query), None)
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_statement_that_is_late_or_stopped_does_not_go_on(
    #[values(Kind::Postgres, Kind::MySql)] kind: Kind,
    #[values(Wait::LockedTenants, Wait::LockedLedger, Wait::SlowQuery)] wait: Wait,
    #[values("late", "-TERM", "-INT")] how: &str,
) {
    let (database, sandbox) = (Database::new(kind).await, sandbox([]).await);
    let (program, locked) = before(&database, wait, &sandbox.url()).await;
    let runs = 5;
    if how == "late" {
        let program = program.with("EXPLO_SYNC__SOURCE__TIMEOUT", "2s");
        let ended = join_all((0..runs).map(|_| program.run(&["sync", "--dry-run"]))).await;
        let is_late = |told: &str| told.contains("raise source.timeout") || told.contains("the table is locked");
        assert!(ended.iter().all(|output| output.code == 1 && is_late(&output.stderr)), "{ended:?}");
        if matches!(wait, Wait::LockedTenants) {
            assert!(ended.iter().all(|output| output.stderr.contains("a lock on what")), "{ended:?}");
        }
    } else {
        let mut children: Vec<_> = (0..runs).map(|_| program.start(&["sync", "--dry-run"])).collect();
        await_statements(&database, runs, Duration::from_mins(1)).await;
        for child in &mut children {
            signal(child, how).await;
            assert_eq!(child.wait().await.unwrap().code(), Some(75));
        }
    }
    await_statements(&database, 0, LONGEST).await;
    if let Some(locked) = locked {
        locked.end().await;
    }
}

#[rstest]
#[tokio::test]
async fn a_daemon_that_is_late_leaves_nothing_behind(#[values(Kind::Postgres, Kind::MySql)] kind: Kind) {
    let (database, sandbox) = (Database::new(kind).await, sandbox([]).await);
    let (program, locked) = before(&database, Wait::LockedTenants, &sandbox.url()).await;
    let program = program.with("EXPLO_SYNC__SOURCE__TIMEOUT", "2s").with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0");
    let mut child = program.start(&["run"]);
    await_statements(&database, 1, Duration::from_mins(1)).await;
    await_statements(&database, 0, LONGEST).await;
    signal(&child, "-TERM").await;
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    locked.unwrap().end().await;
}

/// The kernel closes the connection of a program that is killed: PostgreSQL looks whether it did. MySQL and MariaDB don't.
#[rstest]
#[tokio::test]
async fn a_statement_whose_program_was_killed_ends(
    #[values(Kind::Postgres, Kind::MySql)] kind: Kind,
    #[values(Wait::LockedTenants, Wait::LockedLedger, Wait::SlowQuery)] wait: Wait,
) {
    let (database, sandbox) = (Database::new(kind).await, sandbox([]).await);
    let (program, locked) = before(&database, wait, &sandbox.url()).await;
    let mut child = program.with("EXPLO_SYNC__SCHEDULE__MAX_RUN", "10s").start(&["sync", "--dry-run"]);
    await_statements(&database, 1, Duration::from_mins(1)).await;
    child.kill().await.unwrap();
    await_statements(&database, 0, LONGEST).await;
    if let Some(locked) = locked {
        locked.end().await;
    }
}
