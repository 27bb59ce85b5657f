//! `explain` of tenants that leave or left.

use rstest::rstest;
use serde_json::{Value, json};

use super::{deleting, locking_out, world};
use crate::support::{Kind, Program};

async fn explained(program: &Program, id: &str) -> (String, Value) {
    let text = program.run(&["explain", id]).await.stdout;
    let json = program.run(&["explain", id, "--output", "json"]).await.stdout;
    (text, serde_json::from_str(&json).unwrap())
}

#[rstest]
#[case::locked_out("lock_out", "Locked out at ", "orphan")]
#[case::deleted("delete", "A customer with this id was deleted at ", "unknown")]
#[tokio::test]
async fn who_left_is_said_with_its_row_and_without(
    #[case] action: &str,
    #[case] expected: &str,
    #[case] decision: &str,
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let (database, _sandbox, program) = world(kind, 10, 1).with_ledger().start().await;
    let program = if action == "delete" { deleting(program) } else { locking_out(program) };
    let (text, json) = explained(&program, "t0").await;
    assert!(text.contains("Its row says that its tenant leaves: its customer is "), "{text}");
    assert!(!text.contains("export --offboarded") && json["remembered"].is_null(), "{text}");
    assert_eq!(program.sync(&["--allow", "offboard=1"]).await.0, 0);
    assert_eq!(program.sync(&[]).await.0, 0);
    let (text, json) = explained(&program, "t0").await;
    assert!(text.contains("Its row says that its tenant leaves: its customer is "), "{text}");
    assert!(json["reason"].as_str().unwrap().contains("Its row says that its tenant leaves"), "{json}");
    assert!(text.contains(expected) && text.contains("explo-sync export --offboarded"), "{text}");
    database.execute("delete from tenants where id = 't0'").await;
    let (text, json) = explained(&program, "t0").await;
    assert_eq!(json["decision"], json!(decision));
    assert!(text.contains(expected) && !text.contains("Its row says"), "{text}");
    let offboarded = &json["remembered"]["offboarded"];
    let at = offboarded["at"].as_str().unwrap();
    assert_eq!((&offboarded["action"], at.len()), (&json!(action), "2026-02-28T10:00:00Z".len()), "{json}");
    assert!(text.contains(at), "{text}");
    let (text, json) = explained(&program, "t1").await;
    assert!(!text.contains("offboard") && json["remembered"]["offboarded"].is_null(), "{text}");
}

#[tokio::test]
async fn a_deletion_that_failed_is_no_deletion_and_one_that_returned_is_another_customer() {
    let (database, sandbox, program) = world(Kind::Sqlite, 10, 1).with_ledger().start().await;
    let program = deleting(program);
    assert_eq!(program.sync(&[]).await.0, 0);
    sandbox.adjust(|api| api.faults = vec!["status=409,endpoint=delete_customer".parse().unwrap()]);
    assert_eq!(program.sync(&[]).await.0, 3);
    let text = explained(&program, "t0").await.0;
    assert!(text.contains("Its deletion was begun at ") && text.contains("not known to be done"), "{text}");
    sandbox.adjust(|api| api.faults.clear());
    assert_eq!(program.sync(&["--retry-failed"]).await.0, 0);
    database.execute("update tenants set offboard = null").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let text = explained(&program, "t0").await.0;
    assert!(text.contains("A customer with this id was deleted at "), "{text}");
}
