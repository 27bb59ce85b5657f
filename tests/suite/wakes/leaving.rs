//! A tenant that leaves between runs: only if its row says so.

use serde_json::{Value, json};

use super::Woken;
use crate::support::{World, stored};

/// Twenty tenants with their customers; those that say so are deleted or locked out.
async fn woken(action: &str) -> Woken {
    let tenant = |n: usize| json!({"provided_id": format!("t{n:02}"), "name": format!("Tenant {n}")});
    let world = World::of((0..20).map(tenant)).columns(&["offboard"]).derived().with_ledger();
    let filled = world.each(|customer| customer.emails = vec!["boss@x.example".to_owned()]);
    let world = filled.with("EXPLO_SYNC__OFFBOARD__ACTION", action).with("EXPLO_SYNC__OFFBOARD__AFTER", "0s");
    Woken::start(world).await
}

async fn says_so(woken: &Woken, id: &str) {
    woken.database.execute(&format!("update tenants set offboard = true where id = '{id}'")).await;
}

#[tokio::test]
async fn a_row_that_says_so_is_deleted_at_once_and_its_token_is_not_answered() {
    let woken = woken("delete").await;
    says_so(&woken, "t00").await;
    let answer = woken.post("t00").await;
    assert_eq!((answer.status, &answer.body["outcome"], &answer.body["token"]), (200, &json!("applied"), &Value::Null));
    assert_eq!(woken.calls(), ["get_customer", "get_customer", "customers", "delete_customer"]);
    assert_eq!(woken.sandbox.customers().len(), 19);
    let answer = woken.post("t00").await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("unchanged")), "it is never created");
    assert!(woken.calls().is_empty());
    assert_eq!(woken.database.tokens("default").await["t00"], None);
    woken.ends().await;
}

#[tokio::test]
async fn one_that_is_locked_out_keeps_its_customer_and_is_let_in_again() {
    let woken = woken("lock_out").await;
    says_so(&woken, "t00").await;
    let answer = woken.post("t00").await;
    assert_eq!((answer.status, &answer.body["outcome"], &answer.body["token"]), (200, &json!("applied"), &Value::Null));
    assert_eq!(stored(&woken.sandbox, "t00")["emails"], json!([]));
    let _ = woken.calls();
    assert_eq!(woken.post("t00").await.body["token"], Value::Null, "nor is it later");
    assert!(woken.calls().is_empty());
    woken.database.execute("update tenants set offboard = null").await;
    let answer = woken.post("t00").await;
    assert_eq!((answer.status, answer.body["token"].is_string()), (200, true), "{}", answer.body);
    assert_eq!(stored(&woken.sandbox, "t00")["emails"], json!(["boss@x.example"]));
    woken.ends().await;
}

#[tokio::test]
async fn a_row_that_is_gone_is_no_order() {
    let woken = woken("delete").await;
    woken.database.execute("delete from tenants where id = 't00'").await;
    woken
        .database
        .execute("update explo_customers set row_gone_since = '2001-01-01T00:00:00Z' where provided_id = 't00'")
        .await;
    let answer = woken.post("t00").await;
    assert_eq!((answer.status, answer.body["outcome"].as_str()), (404, Some("invalid")), "{}", answer.body);
    assert!(woken.calls().is_empty());
    assert_eq!(woken.sandbox.customers().len(), 20);
    woken.ends().await;
}

#[tokio::test]
async fn the_guard_counts_who_leaves_within_an_hour() {
    let woken = woken("delete").await;
    let mut statuses = Vec::new();
    for n in 0..5 {
        let id = format!("t{n:02}");
        says_so(&woken, &id).await;
        statuses.push(woken.post(&id).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 409, 409]);
    assert_eq!(woken.sandbox.customers().len(), 17);
    woken.ends().await;
}
