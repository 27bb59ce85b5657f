//! Tenants that return after a `lock_out`, where Explo or the row is not as it was.

use rstest::rstest;
use serde_json::json;

use super::{locking_out, offboarded, world};
use crate::support::{Kind, changes, customer, endpoints, stored};

/// One is locked out, and meanwhile nobody has this tag any more.
#[rstest]
#[case::it_is_left_out(false, json!(["gold"]))]
#[case::it_is_created(true, json!(["gold", "rare"]))]
#[tokio::test]
async fn a_tag_that_explo_no_longer_has_keeps_nothing_else_back(
    #[case] creates: bool,
    #[case] expected: serde_json::Value,
) {
    let world = world(Kind::Sqlite, 10, 1).but("t0", |customer| customer.group_tags.push("rare".to_owned()));
    let (database, sandbox, program) = world.with_ledger().start().await;
    let program = locking_out(program).with("EXPLO_SYNC__FIELDS__CREATE_MISSING_TAGS", &creates.to_string());
    assert_eq!(program.sync(&["--allow", "offboard=1"]).await.0, 0);
    assert_eq!(stored(&sandbox, "t0")["group_tags"], json!([]));
    sandbox.change(|store| store.remove_tag("rare"));
    database.execute("update tenants set offboard = null").await;
    let explained = program.run(&["explain", "t0", "--output", "json", "--show-values"]).await;
    let explained: serde_json::Value = serde_json::from_str(&explained.stdout).unwrap();
    assert_eq!((&explained["decision"], &explained["wanted"]["group_tags"]), (&json!("update"), &expected));
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, changes(&report)), (0, vec!["update t0 applied".to_owned()]), "{report}");
    assert_eq!(stored(&sandbox, "t0")["emails"], json!(["boss@Tenant-0.example"]));
    assert_eq!(stored(&sandbox, "t0")["group_tags"], expected);
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
}

#[tokio::test]
async fn of_one_with_nothing_but_missing_tags_nothing_is_put_back() {
    let world = world(Kind::Sqlite, 10, 1).but("t0", |customer| {
        (customer.emails, customer.group_tags) = (vec![], vec!["rare".to_owned()]);
    });
    let (database, sandbox, program) = world.with_ledger().start().await;
    let program = locking_out(program);
    assert_eq!(program.sync(&["--allow", "offboard=1"]).await.0, 0);
    sandbox.change(|store| store.remove_tag("rare"));
    database.execute("update tenants set offboard = null").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["changes"], &report["counts"]["unchanged"]), (0, &json!([]), &json!(10)), "{report}");
}

#[tokio::test]
async fn one_that_returns_under_another_id_gets_all_back_in_one_run() {
    let world = world(Kind::Sqlite, 10, 0).but("t0", |customer| customer.group_tags.push("rare".to_owned()));
    let (database, sandbox, program) = world.with_ledger().start().await;
    database.execute("alter table tenants add column previous text").await;
    let query = "select id as provided_id, name, offboard, previous as previous_provided_id from tenants";
    let program = locking_out(program).with("EXPLO_SYNC__SOURCE__QUERY", query);
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set offboard = true where id = 't0'").await;
    assert_eq!(offboarded(&program.sync(&[]).await.1), super::applied(&["t0"]));
    database.execute("update tenants set offboard = null, previous = 't0', id = 'new' where id = 't0'").await;
    sandbox.change(|store| store.remove_tag("rare"));
    let _ = sandbox.take_calls();
    let (code, report) = program.sync(&[]).await;
    let both = ["rename new applied", "update new applied"].map(str::to_owned);
    assert_eq!((code, changes(&report)), (0, both.to_vec()), "{report}");
    assert_eq!(endpoints(&sandbox.take_calls())[1..], ["group_tags", "update_customer", "update_customer"]);
    let returned = stored(&sandbox, "new");
    assert_eq!((&returned["emails"], &returned["group_tags"]), (&json!(["boss@Tenant-0.example"]), &json!(["gold"])));
    let kept = "select provided_id from explo_customers where offboarded is not null";
    assert!(database.rows(kept).await.is_empty(), "from now on they are Explo's own again");
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
}

/// No run saw it, so nothing else has it.
#[tokio::test]
async fn what_somebody_added_while_it_was_locked_out_stays_beside_what_comes_back() {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 1)
        .but("t1", |other| other.group_tags.push("silver".to_owned()))
        .with_ledger()
        .start()
        .await;
    let program = locking_out(program);
    assert_eq!(program.sync(&["--allow", "offboard=1"]).await.0, 0);
    sandbox.change(|store| {
        let one = store.customer("t0").unwrap();
        (one.emails, one.group_tags) = (vec!["new@x.example".to_owned()], vec!["silver".to_owned()]);
    });
    database.execute("update tenants set offboard = null").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!(code, 0, "{report}");
    let after = stored(&sandbox, "t0");
    let sorted = |value: &serde_json::Value| {
        let mut all: Vec<_> = value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    assert_eq!(sorted(&after["emails"]), ["boss@Tenant-0.example", "new@x.example"]);
    assert_eq!(sorted(&after["group_tags"]), ["gold", "silver"]);
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
}

#[tokio::test]
async fn a_customer_of_its_own_gets_nothing_of_the_one_with_its_previous_id() {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 0).with_ledger().start().await;
    database.execute("alter table tenants add column previous text").await;
    let query = "select id as provided_id, name, offboard, previous as previous_provided_id from tenants";
    let program = locking_out(program).with("EXPLO_SYNC__SOURCE__QUERY", query);
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set offboard = true where id = 't0'").await;
    assert_eq!(offboarded(&program.sync(&[]).await.1), super::applied(&["t0"]));
    let other = json!({"provided_id": "z", "name": "Z", "emails": ["z@x.example"], "access_group": "Production"});
    sandbox.change(|store| store.add(customer(other)));
    database.execute("insert into tenants (id, name, previous) values ('z', 'Z', 't0')").await;
    for _ in 0..3 {
        drop(program.sync(&[]).await);
        assert_eq!(stored(&sandbox, "z")["emails"], json!(["z@x.example"]));
    }
}

#[tokio::test]
async fn one_whose_customer_was_deleted_by_hand_is_made_with_what_was_emptied() {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 1).with_ledger().start().await;
    let program = locking_out(program);
    assert_eq!(program.sync(&["--allow", "offboard=1"]).await.0, 0);
    sandbox.change(|store| {
        let token = store.get("t0").unwrap().token.clone();
        store.delete(&token).unwrap();
    });
    assert_eq!(program.sync(&[]).await.0, 0, "a look shows that it is gone");
    database.execute("update tenants set offboard = null").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, changes(&report)), (0, vec!["create t0 applied".to_owned()]), "{report}");
    assert_eq!(stored(&sandbox, "t0")["emails"], json!(["boss@Tenant-0.example"]));
}
