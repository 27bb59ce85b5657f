//! A saved plan with offboardings: each is looked at again, and one that moved is left alone.

use serde_json::{Value, json};

use super::{applied, deleting, locking_out, offboarded, world};
use crate::support::{Kind, customer, stored, writes};

#[tokio::test]
async fn a_saved_plan_deletes_children_first_and_whom_it_named_alone() {
    let below =
        json!({"provided_id": "below", "name": "Below", "parent_provided_id": "t1", "access_group": "Production"});
    let (database, sandbox, program) = world(Kind::Sqlite, 30, 4)
        .but("t1", |child| child.parent_provided_id = Some("t0".to_owned()))
        .with_ledger()
        .start()
        .await;
    let query = "select id as provided_id, name, offboard, case id when 't1' then 't0' end as parent_provided_id, 'L' as \
                 hierarchy_level_name from tenants";
    let program = deleting(program).with("EXPLO_SYNC__SOURCE__QUERY", query);
    assert_eq!(program.sync(&["--allow", "update=30", "--allow", "offboard=0"]).await.0, 0);
    let (directory, path) = program.saved().await;
    let saved = std::fs::read_to_string(&path).unwrap();
    assert!(saved.contains(r#""action":"delete""#), "{saved}");
    for customer in sandbox.customers() {
        assert!(!saved.contains(&customer.token), "no token is in a plan");
    }
    // Meanwhile one has another token, and one says no more that it leaves.
    sandbox.change(|store| store.rotate_token("t2").unwrap());
    database.execute("update tenants set offboard = null where id = 't3'").await;
    let _ = sandbox.take_calls();
    let (code, report) = program.sync(&["--plan", &path]).await;
    assert_eq!((code, &report["skipped"]), (3, &json!(["t2"])), "{report}");
    let expected = [applied(&["t1", "t0"]), vec![("t3".to_owned(), Some("deferred".to_owned()))]].concat();
    assert_eq!(offboarded(&report), expected, "{report}");
    assert_eq!(writes(&sandbox.take_calls()).len(), 2);
    assert_eq!(sandbox.customers().len(), 28);
    // Again: what is done is done.
    sandbox.change(|store| store.add(customer(below)));
    let (code, report) = program.sync(&["--plan", &path]).await;
    assert_eq!((code, report["outcomes"]["applied"].as_u64()), (3, Some(2)), "{report}");
    assert!(writes(&sandbox.take_calls()).is_empty());
    drop(directory);
}

#[tokio::test]
async fn a_saved_plan_locks_out_as_it_was_planned() {
    let (_database, sandbox, program) = world(Kind::Sqlite, 30, 2).with_ledger().start().await;
    let program = locking_out(program);
    assert_eq!(
        program.sync(&["--allow", "offboard=0", "--allow", "update=0"]).await.0,
        4,
        "the first run knows nobody"
    );
    let (_directory, path) = program.saved().await;
    sandbox.change(|store| store.customer("t1").unwrap().emails.push("new@x.example".to_owned()));
    let (code, report) = program.sync(&["--plan", &path]).await;
    assert_eq!((code, &report["skipped"], offboarded(&report)), (3, &json!(["t1"]), applied(&["t0"])), "{report}");
    assert_eq!(stored(&sandbox, "t0")["emails"], json!([]));
    assert_ne!(stored(&sandbox, "t1")["emails"], Value::Null);
    // With another action in the configuration, its offboardings are none of this plan's.
    let none = program.with("EXPLO_SYNC__OFFBOARD__ACTION", "none");
    assert_eq!(none.sync(&["--plan", &path]).await.1["skipped"], json!(["t0", "t1"]));
}
