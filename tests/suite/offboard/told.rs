//! What is told of customers whose row is gone: `explain`, and the metrics by age.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::json;

use super::{deleting, locking_out, world};
use crate::support::{Database, Kind, Program, writes};
use explo_sync::sandbox::Sandbox;

/// Thirty tenants and a stranger. Rows of tenants are gone, as the ledger knows, since these times.
async fn without_rows(since: &[&str]) -> (Database, Sandbox, Program) {
    let stranger = json!({"provided_id": "stranger", "name": "Not ours", "access_group": "Production"});
    let (database, sandbox, program) = world(Kind::Sqlite, 30, 0).and([stranger]).with_ledger().start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    for id in 0..since.len() {
        database.execute(&format!("delete from tenants where id = 't{id}'")).await;
    }
    assert_eq!(program.sync(&["--allow", "orphan=100"]).await.0, 0);
    for (id, since) in since.iter().enumerate() {
        let sql = format!("update explo_customers set row_gone_since = {since} where provided_id = 't{id}'");
        database.execute(&sql).await;
    }
    let _ = sandbox.take_calls();
    (database, sandbox, program)
}

fn ago(seconds: u32) -> String {
    format!("strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-{seconds} seconds')")
}

#[tokio::test]
async fn the_metrics_count_orphans_by_how_long_their_rows_are_gone() {
    let ages = [0, 86_000, 86_400, 604_000, 604_800, 604_801, 2_592_000].map(ago);
    let (_database, _sandbox, program) = without_rows(&ages.each_ref().map(String::as_str)).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metrics.prom");
    assert_eq!(program.sync(&["--allow", "orphan=100", "--metrics-file", path.to_str().unwrap()]).await.0, 0);
    let text = std::fs::read_to_string(path).unwrap();
    let told: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.strip_prefix("explo_sync_orphans_by_age{")?.split_once("age=\"")?.1.split_once("\"} "))
        .collect();
    let classes = [("over_30d", "1"), ("under_1d", "2"), ("under_30d", "2"), ("under_7d", "2"), ("unknown", "1")];
    assert_eq!(told, BTreeMap::from(classes), "{text}");
}

#[rstest]
#[case::none("none", "Runs leave the customer alone (offboard.action = \"none\").")]
#[case::locked_out("lock_out", "a run of all tenants offboards the customer")]
#[case::deleted("delete", "a run of all tenants offboards the customer")]
#[tokio::test]
async fn explain_tells_since_when_a_row_is_gone(#[case] action: &str, #[case] then: &str) {
    let (_database, sandbox, program) = without_rows(&["'2026-01-02T03:04:05Z'"]).await;
    let program = match action {
        "lock_out" => locking_out(program),
        "delete" => deleting(program),
        _ => program,
    };
    let explained = program.run(&["explain", "t0"]).await;
    assert_eq!(explained.code, 0, "{explained:?}");
    let told = "Orphan: no row has this id, since 2026-01-02T03:04:05Z. ";
    assert!(explained.stdout.contains(told) && explained.stdout.contains(then), "{}", explained.stdout);
    let json = program.run(&["explain", "t0", "--output", "json"]).await.json();
    assert_eq!((&json["exit"], &json["decision"]), (&json!(0), &json!("orphan")), "{json}");
    let stranger = program.run(&["explain", "stranger"]).await.stdout;
    assert!(stranger.contains("Orphan: no row has this id, so runs leave the customer alone."), "{stranger}");
    assert!(writes(&sandbox.take_calls()).is_empty());
}

#[tokio::test]
async fn explain_tells_nothing_of_a_customer_that_is_gone_with_its_row() {
    let (_database, sandbox, program) = without_rows(&["'2026-01-02T03:04:05Z'"]).await;
    sandbox.change(|store| {
        let token = store.get("t0").unwrap().token.clone();
        store.delete(&token).unwrap();
    });
    let explained = deleting(program).run(&["explain", "t0"]).await;
    assert!(explained.code == 3 && explained.stdout.contains("Unknown: "), "{explained:?}");
}

#[tokio::test]
async fn whoever_left_lacks_no_token_and_is_told_apart_in_counts_and_in_the_audit_file() {
    let (_database, _sandbox, program) = world(Kind::Sqlite, 20, 1).with_ledger().start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let warned = program.run(&["check"]).await.stdout;
    assert!(warned.contains("the column offboard has no effect"), "{warned}");
    let program = deleting(program).with("EXPLO_SYNC__LOG__AUDIT_FILE", &path);
    assert!(!program.run(&["check"]).await.stdout.contains("has no effect"));
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(program.sync(&[]).await.0, 0);
    let audit = std::fs::read_to_string(path).unwrap();
    assert!(audit.contains(r#""offboard":"to delete: its row says so""#), "{audit}");
    let text = program.run(&["sync"]).await.stdout;
    assert!(text.contains("19 unchanged, 1 left before, 0 orphaned"), "{text}");
    let missing = program.run(&["tokens", "--missing"]).await;
    assert_eq!((missing.code, missing.stdout.as_str()), (0, ""));
}

/// The condition of the README.
#[rstest]
#[tokio::test]
async fn an_application_is_not_given_the_token_of_whoever_is_locked_out(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let (database, _sandbox, program) = world(kind, 20, 1).with_ledger().start().await;
    let program = locking_out(program);
    let condition = "and (offboarded is null or offboarded not like '{\"action\":\"lock_out\"%')";
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(condition));
    let asked =
        format!("select provided_id from explo_customers where instance = 'default' and provided_id <> '' {condition}");
    assert_eq!(program.sync(&["--allow", "offboard=1"]).await.0, 0);
    assert_eq!(database.rows(&asked).await.len(), 19);
    database.execute("update tenants set offboard = null").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(database.rows(&asked).await.len(), 20);
}
