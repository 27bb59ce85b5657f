//! Customers of tenants that leave and that no listing shows: a look tells whether they are gone.

use serde_json::{Value, json};

use super::{applied, deleting, offboarded, world};
use crate::support::{Database, Kind, Program, customer, endpoints, writes};

/// What `export --offboarded` says of `t0`.
async fn was(program: &Program) -> Value {
    let exported = program.run(&["export", "--offboarded"]).await;
    serde_json::from_str(exported.stdout.lines().next().unwrap()).unwrap()
}

/// The ledger as a process leaves it that dies between the answer to a deletion and its record.
async fn forget_deletion(database: &Database) {
    let text = "offboarded = replace(offboarded, '\"gone\":true,', '')";
    database.execute(&format!("update explo_customers set token = 'a token', {text} where provided_id = 't0'")).await;
}

#[tokio::test]
async fn the_run_after_a_death_looks_once_and_forgets_the_token_at_once() {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 1).with_ledger().start().await;
    let program = deleting(program);
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(offboarded(&program.sync(&[]).await.1), applied(&["t0"]));
    assert_eq!(was(&program).await["gone"], json!(true));
    forget_deletion(&database).await;
    assert_eq!(was(&program).await["gone"], json!(false), "nobody said so");
    for is_row_there in [true, false] {
        if !is_row_there {
            database.execute("delete from tenants where id = 't0'").await;
            forget_deletion(&database).await;
        }
        let _ = sandbox.take_calls();
        assert_eq!(program.sync(&[]).await.0, 0);
        assert_eq!(endpoints(&sandbox.take_calls()).last(), Some(&"get_customer"));
        assert_eq!(
            (was(&program).await["gone"].clone(), database.tokens("default").await["t0"].clone()),
            (json!(true), None)
        );
        assert_eq!(program.sync(&[]).await.0, 0);
        assert!(!endpoints(&sandbox.take_calls()).contains(&"get_customer"), "once");
    }
}

#[tokio::test]
async fn one_that_is_hidden_is_named_keeps_its_token_and_is_not_told_as_gone() {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 1).with_ledger().start().await;
    let program = deleting(program);
    assert_eq!(program.sync(&[]).await.0, 0);
    sandbox.adjust(|api| api.faults = vec!["status=400,endpoint=delete_customer".parse().unwrap()]);
    assert_eq!(program.sync(&[]).await.0, 3, "Explo refuses the deletion");
    let mut listed = None;
    sandbox.adjust(|api| {
        api.faults.clear();
        listed = Some(api.store().clone());
        api.store_mut().hide(["t0".to_owned()]);
    });
    for looks in [1, 0] {
        let _ = sandbox.take_calls();
        let (code, report) = program.sync(&[]).await;
        assert_eq!((code, &report["invalid"][0]["provided_id"]), (3, &json!("t0")), "{report}");
        assert!(report["invalid"][0]["reason"].as_str().unwrap().contains("no listing shows it"), "{report}");
        let calls = sandbox.take_calls();
        assert_eq!(endpoints(&calls).iter().filter(|call| **call == "get_customer").count(), looks, "once a day");
        assert!(writes(&calls).is_empty());
        let (code, report) = program.sync(&["--only", "t0"]).await;
        assert_eq!((code, &report["invalid"][0]["provided_id"]), (3, &json!("t0")), "{report}");
        assert!(writes(&sandbox.take_calls()).is_empty(), "nor is it alone");
        database
            .execute("update explo_customers set customer_gone_since = '2001-01-01T00:00:00Z' where provided_id = 't0'")
            .await;
    }
    let quick = program.clone().with("EXPLO_SYNC__EXPLO__LIST_EVERY", "1h");
    let (code, report) = quick.sync(&[]).await;
    assert_eq!((code, &report["invalid"][0]["provided_id"]), (3, &json!("t0")), "{report}");
    assert!(sandbox.take_calls().is_empty(), "a run without a listing does not ask");
    assert_eq!(was(&program).await["gone"], json!(false));
    assert_ne!(database.tokens("default").await["t0"], None);
    // It is listed again, and leaves.
    sandbox.adjust(|api| *api.store_mut() = listed.unwrap());
    let (code, report) = program.sync(&["--retry-failed"]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t0"])), "{report}");
    assert_eq!(was(&program).await["gone"], json!(true));
}

#[tokio::test]
async fn a_deletion_that_was_begun_ends_when_the_tenant_is_back_or_another_customer_has_its_id() {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 2).with_ledger().start().await;
    let program = deleting(program);
    assert_eq!(program.sync(&[]).await.0, 0);
    sandbox.adjust(|api| api.faults = vec!["status=400,endpoint=delete_customer".parse().unwrap()]);
    assert_eq!(program.sync(&[]).await.0, 3, "Explo refuses both");
    sandbox.adjust(|api| api.faults.clear());
    database.execute("update tenants set offboard = null").await;
    sandbox.change(|store| {
        let one = store.get("t1").unwrap().clone();
        store.delete(&one.token).unwrap();
        store.add(customer(json!({"provided_id": "t1", "name": "Tenant 1", "access_group": "Production"})));
    });
    assert_eq!(program.sync(&[]).await.0, 0);
    let exported = program.run(&["export", "--offboarded"]).await.stdout;
    let lines: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines.iter().map(|line| (&line["provided_id"], &line["gone"])).collect();
    assert_eq!(told, [(&json!("t1"), &json!(true))], "t0 is a tenant like any other");
}
