//! What was emptied of one customer is not given to another one that has its id by now.

use explo_sync::sandbox::Sandbox;
use rstest::rstest;
use serde_json::json;

use super::{locking_out, world};
use crate::support::{Database, Kind, Program, changes, customer, stored};

/// One is locked out, a user deletes its customer and makes another one with its id, and it returns.
async fn replaced() -> (Database, Sandbox, Program) {
    let (database, sandbox, program) = world(Kind::Sqlite, 10, 1).with_ledger().start().await;
    let program = locking_out(program);
    assert_eq!(program.sync(&["--allow", "offboard=1"]).await.0, 0);
    let token = sandbox.customers().into_iter().find(|one| one.provided_id.as_deref() == Some("t0")).unwrap().token;
    let another =
        json!({"provided_id": "t0", "name": "Tenant 0", "emails": ["new@x.example"], "access_group": "Production"});
    sandbox.change(|store| {
        store.delete(&token).unwrap();
        store.add(customer(another));
    });
    database.execute("update tenants set offboard = null").await;
    (database, sandbox, program)
}

#[tokio::test]
async fn a_customer_that_is_listed_in_place_of_another_keeps_its_own_addresses() {
    let (database, sandbox, program) = replaced().await;
    for _ in 0..3 {
        assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    }
    assert_eq!(stored(&sandbox, "t0")["emails"], json!(["new@x.example"]));
    let kept = "select provided_id from explo_customers where offboarded is not null";
    assert!(database.rows(kept).await.is_empty(), "nothing is left to put back");
}

/// Where a listing lacks it, the answer to the create shows it.
#[rstest]
#[case::once(false)]
#[case::never(true)]
#[tokio::test]
async fn a_customer_that_is_not_listed_keeps_its_own_addresses(#[case] is_hidden: bool) {
    let (database, sandbox, program) = replaced().await;
    if is_hidden {
        sandbox.change(|store| store.hide(["t0".to_owned()]));
    } else {
        sandbox.adjust(|api| api.faults = vec!["fewer=1,endpoint=customers,times=1".parse().unwrap()]);
    }
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, changes(&report)), (3, vec!["create t0 failed".to_owned()]), "{report}");
    assert!(report["changes"][0]["error"].as_str().unwrap().contains("another customer than the one"), "{report}");
    database.execute("update tenants set name = 'Another' where id = 't0'").await;
    for _ in 0..3 {
        assert_eq!(program.sync(&["--retry-failed"]).await.0, 0);
    }
    let customer = stored(&sandbox, "t0");
    assert_eq!((&customer["name"], &customer["emails"]), (&json!("Another"), &json!(["new@x.example"])));
}
