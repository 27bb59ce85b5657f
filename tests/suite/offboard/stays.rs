//! Tenants that stay, or return, beside those that leave.

use serde_json::{Value, json};

use super::{deleting, locking_out, world};
use crate::support::{Kind, World, changes, stored, writes};

const COLUMNS: [&str; 3] = ["parent_provided_id", "hierarchy_level_name", "offboard"];

fn tenant(id: &str, parent: Option<&str>, leaves: bool) -> Value {
    json!({"provided_id": id, "name": id, "hierarchy_level_name": "a", "parent_provided_id": parent, "offboard": leaves})
}

#[tokio::test]
async fn one_that_moves_below_a_tenant_that_leaves_does_not_wait_until_that_has_left() {
    let tenants = [tenant("a", None, false), tenant("z", None, true), tenant("c", Some("a"), false)];
    let (database, sandbox, program) = World::of(tenants).columns(&COLUMNS).derived().with_ledger().start().await;
    drop(program.sync(&[]).await);
    database.execute("update tenants set parent_provided_id = 'z' where id = 'c'").await;
    let (code, report) = deleting(program).sync(&[]).await;
    assert_eq!((code, changes(&report)), (3, vec!["update c applied".to_owned(), "offboard z deferred".to_owned()]));
    assert_eq!(stored(&sandbox, "c")["parent_provided_id"], json!("z"));
}

#[tokio::test]
async fn one_that_leaves_needs_no_parent() {
    let tenants = [tenant("p", None, false), tenant("z", Some("p"), true), tenant("c", Some("z"), false)];
    let world = World::of(tenants).columns(&COLUMNS).derived().with_ledger();
    let world = world.but("z", |customer| customer.emails = vec!["z@x.example".to_owned()]);
    let (database, sandbox, program) = world.start().await;
    drop(program.sync(&[]).await);
    database.execute("update tenants set parent_provided_id = 'nobody' where id = 'z'").await;
    let (code, report) = locking_out(program).sync(&[]).await;
    assert_eq!((code, &report["invalid"], changes(&report)), (0, &json!([]), vec!["offboard z applied".to_owned()]));
    assert_eq!(stored(&sandbox, "z")["emails"], json!([]));
}

/// As if the run that emptied it had died before it could tell the ledger the token.
#[tokio::test]
async fn what_was_emptied_is_kept_until_it_can_be_put_back() {
    let (database, sandbox, program) = world(Kind::Sqlite, 10, 1).with_ledger().start().await;
    let program = locking_out(program);
    assert_eq!(program.sync(&["--allow", "offboard=1"]).await.0, 0);
    assert_eq!(stored(&sandbox, "t0")["emails"], json!([]));
    database.execute("update explo_customers set token = null where provided_id = 't0'").await;
    database.execute("update tenants set offboard = false").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(stored(&sandbox, "t0")["emails"], json!(["boss@Tenant-0.example"]));
    assert_eq!(stored(&sandbox, "t0")["group_tags"], json!(["gold"]));
}

#[tokio::test]
async fn nobody_is_made_below_a_tenant_that_left() {
    let tenants = [tenant("p", None, true), tenant("c", Some("p"), false)];
    let world = World::of(tenants).columns(&COLUMNS).derived().without(["p", "c"]).with_ledger();
    let (_database, sandbox, program) = world.start().await;
    let (code, report) = deleting(program.clone()).sync(&[]).await;
    assert_eq!((code, &report["invalid"][0]["provided_id"]), (3, &json!("c")), "{report}");
    assert!(report["invalid"][0]["reason"].as_str().unwrap().contains("a tenant that leaves and has no customer"));
    let (code, report) = deleting(program).with("EXPLO_SYNC__EXPLO__LIST_EVERY", "1h").sync(&[]).await;
    assert_eq!((code, &report["invalid"][0]["provided_id"]), (3, &json!("c")), "nor without a listing: {report}");
    assert!(writes(&sandbox.take_calls()).is_empty());
}
