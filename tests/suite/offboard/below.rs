//! Tenants that leave in the middle of a hierarchy.

use rstest::rstest;
use serde_json::json;

use super::{deleting, locking_out, offboarded, world};
use crate::support::{Kind, World, changes, customer, stored};

/// A tenant between two others, with a parent and a child that stay.
#[rstest]
#[case::locked_out(false)]
#[case::deleted(true)]
#[tokio::test]
async fn one_between_others_that_stay_leaves_without_harm_to_them(#[case] deletes: bool) {
    let tenant = |id: &str, level: &str, parent: Option<&str>, leaves: bool| json!({"provided_id": id, "name": id, "hierarchy_level_name": level, "parent_provided_id": parent, "offboard": leaves});
    let tenants =
        [tenant("p", "a", None, false), tenant("c", "b", Some("p"), true), tenant("g", "c", Some("c"), false)];
    let world = World::of(tenants).columns(&["parent_provided_id", "hierarchy_level_name", "offboard"]).derived();
    let world = world.but("c", |customer| customer.emails = vec!["c@x.example".to_owned()]).with_ledger();
    let (database, sandbox, program) = world.start().await;
    let program = if deletes { deleting(program) } else { locking_out(program) };
    drop(program.sync(&[]).await);
    database.execute("update tenants set name = 'Grandchild' where id = 'g'").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!(report["invalid"], json!([]), "{report}");
    assert!(changes(&report).contains(&"update g applied".to_owned()), "{report}");
    if deletes {
        assert_eq!((code, offboarded(&report)), (3, vec![("c".to_owned(), Some("deferred".to_owned()))]), "{report}");
        let left = report["changes"].as_array().unwrap().iter().find(|change| change["kind"] == "offboard").unwrap();
        assert!(left["error"].as_str().unwrap().contains("the parent of a tenant that stays: g"), "{report}");
    } else {
        assert_eq!(stored(&sandbox, "c")["emails"], json!([]), "{report}");
    }
    assert_eq!(stored(&sandbox, "c")["parent_provided_id"], json!("p"));
}

/// A new child of one that leaves is created, and then named as the reason why its parent stays.
#[tokio::test]
async fn a_new_child_of_one_that_leaves_is_created_below_it() {
    let tenant = |id: &str, level: &str, parent: Option<&str>, leaves: bool| json!({"provided_id": id, "name": id, "hierarchy_level_name": level, "parent_provided_id": parent, "offboard": leaves});
    let tenants = [tenant("p", "a", None, true), tenant("c", "b", Some("p"), false)];
    let world = World::of(tenants).columns(&["parent_provided_id", "hierarchy_level_name", "offboard"]).derived();
    let (_database, sandbox, program) = world.without(["c"]).with_ledger().start().await;
    let program = deleting(program);
    drop(program.sync(&["--max-changes", "0"]).await);
    let (code, report) = program.sync(&[]).await;
    assert_eq!(
        (code, changes(&report)),
        (3, vec!["create c applied".to_owned(), "offboard p deferred".to_owned()]),
        "{report}"
    );
    assert!(
        report["changes"][1]["error"].as_str().unwrap().contains("the parent of a tenant that stays: c"),
        "{report}"
    );
    assert_eq!(stored(&sandbox, "c")["parent_provided_id"], json!("p"));
}

/// Its new child is not there yet, but its row names it.
#[tokio::test]
async fn one_that_gets_a_child_in_the_same_run_is_not_deleted_under_it() {
    let tenant = |id: &str, level: &str, parent: Option<&str>, leaves: bool| json!({"provided_id": id, "name": id, "hierarchy_level_name": level, "parent_provided_id": parent, "offboard": leaves});
    let tenants = [tenant("a", "a", None, false), tenant("z", "a", None, true), tenant("c", "b", Some("a"), false)];
    let world = World::of(tenants).columns(&["parent_provided_id", "hierarchy_level_name", "offboard"]).derived();
    let (database, sandbox, program) = world.with_ledger().start().await;
    drop(program.sync(&[]).await);
    database.execute("update tenants set parent_provided_id = 'z' where id = 'c'").await;
    let (code, report) = deleting(program).sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (3, vec![("z".to_owned(), Some("deferred".to_owned()))]), "{report}");
    assert_eq!(stored(&sandbox, "z")["name"], json!("z"), "{report}");
}

#[rstest]
#[case(&["x"], "because 1 customer is below it: x")]
#[case(&["x", "y"], "because 2 customers are below it: x, y")]
#[tokio::test]
async fn strangers_below_one_are_counted_and_named(#[case] below: &[&str], #[case] expected: &str) {
    let (_database, sandbox, program) = world(Kind::Sqlite, 20, 1).with_ledger().start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    sandbox.change(|store| {
        for id in below {
            store.add(customer(json!({"provided_id": id, "name": id, "parent_provided_id": "t0"})));
        }
    });
    let (code, report) = deleting(program).sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (3, vec![("t0".to_owned(), Some("deferred".to_owned()))]), "{report}");
    assert!(report["changes"][0]["error"].as_str().unwrap().ends_with(expected), "{report}");
}

/// Its row names the other one as its parent, and in Explo it is elsewhere.
#[tokio::test]
async fn one_that_cannot_be_deleted_holds_no_parent_that_it_is_not_below() {
    let tenant = |id: &str, level: &str, parent: Option<&str>, leaves: bool| json!({"provided_id": id, "name": id, "hierarchy_level_name": level, "parent_provided_id": parent, "offboard": leaves});
    let tenants = [tenant("p", "a", None, true), tenant("q", "a", None, false), tenant("c", "b", Some("p"), true)];
    let world = World::of(tenants).columns(&["parent_provided_id", "hierarchy_level_name", "offboard"]).derived();
    let world = world.but("c", |customer| customer.parent_provided_id = Some("q".to_owned())).with_ledger();
    let (_database, sandbox, program) = world.start().await;
    let program = deleting(program);
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 0);
    sandbox.change(|store| {
        store.add(customer(json!({"provided_id": "x", "name": "x", "parent_provided_id": "c"})));
    });
    let (code, report) = program.sync(&[]).await;
    let expected = [("c", "deferred"), ("p", "applied")].map(|(id, outcome)| (id.to_owned(), Some(outcome.to_owned())));
    assert_eq!((code, offboarded(&report)), (3, expected.to_vec()), "{report}");
}
