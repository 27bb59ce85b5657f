//! PgBouncer between the program and PostgreSQL.

use std::time::Duration;

use explo_sync::source::{Source, Sql};
use rstest::rstest;
use serde_json::json;
use sqlx::{ConnectOptions, postgres::PgConnectOptions};

use crate::{
    given_up::await_statements,
    support::{Database, Kind, Pooler, Program, sandbox, settings, writes},
};

const QUERY: &str = "select id as provided_id, name, jsonb_build_object('share', share) as properties from tenants";

/// The program behind a pooler, with a ledger there too.
fn program(url: &str, explo: &str) -> Program {
    Program::at(url, explo, QUERY).with("EXPLO_SYNC__LEDGER__URL", "source")
}

async fn tenants() -> Database {
    let database = Database::new(Kind::Postgres).await;
    database.execute("create table tenants (id text, name text, share double precision)").await;
    database.execute("insert into tenants values ('a', 'Ann', 0.1), ('b', 'Bob', 1.0 / 3)").await;
    database
}

#[rstest]
#[tokio::test]
async fn everything_works_through_a_pooler(#[values("session", "transaction")] mode: &str) {
    let (database, sandbox) = (tenants().await, sandbox([]).await);
    let pooler = Pooler::start(&database, mode).await;
    let program = program(&pooler.to(&database), &sandbox.url());
    let check = program.run(&["check"]).await;
    assert!(check.code == 0 && !check.stdout.contains("warn"), "{check:?}");
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["counts"]["create"]), (0, &json!(2)), "{report}");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(2)), "{report}");
    let kept = database.rows("select provided_id from explo_customers where token is not null order by 1").await;
    assert_eq!(kept, [[Some("a".to_owned())], [Some("b".to_owned())]]);
    drop(sandbox.take_calls());
    assert_eq!(program.sync(&[]).await.0, 0);
    assert!(writes(&sandbox.take_calls()).is_empty(), "the second run writes nothing");
}

#[rstest]
#[tokio::test]
async fn what_is_given_up_ends_behind_a_pooler(
    #[values("session", "transaction")] mode: &str,
    #[values("late", "killed")] how: &str,
) {
    let (database, sandbox) = (tenants().await, sandbox([]).await);
    let pooler = Pooler::start(&database, mode).await;
    let slow = "select id as provided_id, name || pg_sleep(600) as name from tenants";
    let program = program(&pooler.to(&database), &sandbox.url()).with("EXPLO_SYNC__SOURCE__QUERY", slow);
    if how == "late" {
        assert_eq!(program.with("EXPLO_SYNC__SOURCE__TIMEOUT", "3s").run(&["sync", "--dry-run"]).await.code, 1);
    } else {
        let mut child = program.start(&["sync", "--dry-run"]);
        await_statements(&database, 1, Duration::from_mins(1)).await;
        child.kill().await.unwrap();
    }
    await_statements(&database, 0, Duration::from_secs(15)).await;
}

#[tokio::test]
async fn a_pooler_of_statements_is_refused_with_the_reason() {
    let (database, sandbox) = (tenants().await, sandbox([]).await);
    let pooler = Pooler::start(&database, "statement").await;
    let program = program(&pooler.to(&database), &sandbox.url());
    for arguments in [&["check"][..], &["sync", "--dry-run"], &["sync"]] {
        let output = program.run(arguments).await;
        let told = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, 1, "{output:?}");
        assert!(told.contains("set pool_mode = transaction (or session)"), "{arguments:?}: {told}");
    }
    assert!(writes(&sandbox.take_calls()).is_empty() && !database.has_table("explo_customers").await);
}

#[rstest]
#[tokio::test]
async fn a_pool_that_is_too_small_for_a_run_is_told(#[values(1, 2)] size: usize) {
    let (database, sandbox) = (tenants().await, sandbox([]).await);
    let lines = format!("pool_mode = transaction\ndefault_pool_size = {size}");
    let pooler = Pooler::start_with(&database, &lines).await;
    let program = program(&pooler.to(&database), &sandbox.url()).with("EXPLO_SYNC__SOURCE__TIMEOUT", "3s");
    let output = program.run(&["sync"]).await;
    assert!(output.code == 1 && output.stderr.contains("behind a pooler make its pool that large"), "{output:?}");
}

#[rstest]
#[case::a_parameter("", "options=-cgeqo%3Doff", 0, "name it in the pooler's ignore_startup_parameters")]
#[case::no_server_left("default_pool_size = 1\nquery_wait_timeout = 1", "", 1, "a run takes up to three connections")]
#[case::no_client_more("max_client_conn = 1", "", 1, "a run takes up to three connections")]
#[tokio::test]
async fn what_a_pooler_refuses_is_told(
    #[case] lines: &str,
    #[case] parameter: &str,
    #[case] held: usize,
    #[case] way_out: &str,
) {
    let database = tenants().await;
    let pooler = Pooler::start_with(&database, lines).await;
    let url = pooler.to(&database);
    let mut holding = Vec::new();
    for _ in 0..held {
        let options = url.parse::<PgConnectOptions>().unwrap().extra_float_digits(None);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql("begin").execute(&mut connection).await.unwrap();
        holding.push(connection);
    }
    let source = Sql::new(settings(&format!("{url}?{parameter}"), QUERY)).unwrap();
    let told = source.columns().await.unwrap_err().to_string();
    assert!(told.contains(way_out), "{told}");
}
