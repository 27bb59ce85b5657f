//! Rows that are gone: only customers that this instance knew, only after two complete reads and listings, and only after a
//! time.

use rstest::rstest;
use serde_json::json;

use super::{applied, deleting, locking_out, offboarded, world};
use crate::support::{Database, Kind, customer, stored, writes};

/// Puts all times back by so many seconds.
async fn pass(database: &Database, seconds: u32) {
    let earlier = match database.kind {
        Kind::Postgres => format!("row_gone_since - interval '{seconds} seconds'"),
        Kind::MySql => format!("row_gone_since - interval {seconds} second"),
        Kind::Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%SZ', row_gone_since, '-{seconds} seconds')"),
    };
    database.execute(&format!("update explo_customers set row_gone_since = {earlier}")).await;
}

/// The ids that the ledger counts as gone.
async fn gone(database: &Database) -> Vec<String> {
    let sql = "select provided_id from explo_customers where row_gone_since is not null order by provided_id";
    database.rows(sql).await.into_iter().filter_map(|mut row| row.remove(0)).collect()
}

#[rstest]
#[tokio::test]
async fn a_customer_whose_row_is_gone_is_deleted_after_two_runs_and_the_time(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let stranger = json!({"provided_id": "stranger", "name": "Not ours", "access_group": "Production"});
    let (database, sandbox, program) = world(kind, 10, 0).and([stranger]).with_ledger().start().await;
    let program = deleting(program).with("EXPLO_SYNC__OFFBOARD__AFTER", "1h");
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("create table all_tenants as select * from tenants").await;
    database.execute("delete from tenants where id in ('t0', 't1')").await;
    // None of these counts.
    assert_eq!(program.sync(&["--dry-run"]).await.0, 0);
    assert_eq!(program.sync(&["--only", "t2"]).await.0, 0);
    assert_eq!(gone(&database).await, [""; 0]);
    // The first one.
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, vec![]));
    assert_eq!(gone(&database).await, ["t0", "t1"]);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, vec![]), "it is too early");
    pass(&database, 3000).await;
    assert_eq!(offboarded(&program.sync(&[]).await.1), vec![]);
    // One comes back, and starts anew.
    database.execute("insert into tenants select * from all_tenants where id = 't1'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(gone(&database).await, ["t0"]);
    database.execute("delete from tenants where id = 't1'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    pass(&database, 601).await;
    let _ = sandbox.take_calls();
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t0"])), "{report}");
    assert_eq!(writes(&sandbox.take_calls()).len(), 1);
    let left: Vec<_> = sandbox.customers().into_iter().filter_map(|customer| customer.provided_id).collect();
    assert_eq!(left.len(), 10, "{left:?}");
    assert!(left.contains(&"stranger".to_owned()) && left.contains(&"t1".to_owned()));
    assert_eq!(database.tokens("default").await["t0"], None);
}

#[tokio::test]
async fn a_time_in_the_future_starts_anew_and_two_runs_are_needed_even_without_a_wait() {
    let (database, sandbox, program) = world(Kind::Sqlite, 10, 0).with_ledger().start().await;
    let program = deleting(program).with("EXPLO_SYNC__OFFBOARD__AFTER", "0s");
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("delete from tenants where id = 't0'").await;
    database
        .execute("update explo_customers set row_gone_since = '2101-01-01T00:00:00Z' where provided_id = 't0'")
        .await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, vec![]), "one listing is no proof");
    let since = database.rows("select row_gone_since from explo_customers where provided_id = 't0'").await;
    assert!(!since[0][0].as_ref().unwrap().starts_with("2101"), "{since:?}");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t0"])));
    assert_eq!(sandbox.customers().len(), 9);
}

#[tokio::test]
async fn an_unreadable_id_a_previous_id_and_another_token_keep_a_customer() {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 0).with_ledger().start().await;
    let program = deleting(program).with("EXPLO_SYNC__OFFBOARD__AFTER", "0s");
    let query = "select id as provided_id, name, offboard, previous as previous_provided_id from tenants";
    database.execute("alter table tenants add column previous text").await;
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", query);
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("delete from tenants where id in ('t0', 't1', 't2')").await;
    database.execute("update tenants set previous = 't0' where id = 't5'").await;
    database.execute("insert into tenants (id, name) values (null, 'Nobody')").await;
    assert_eq!(program.sync(&[]).await.0, 3);
    assert_eq!(gone(&database).await, [""; 0], "the row without an id may be one of them");
    database.execute("delete from tenants where id is null").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(gone(&database).await, ["t1", "t2"], "t0 is a previous id");
    sandbox.change(|store| store.rotate_token("t1").unwrap());
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t2"])), "{report}");
    assert_eq!(sandbox.customers().len(), 19);
}

#[tokio::test]
async fn an_id_that_differs_from_a_rows_in_case_or_spaces_alone_is_not_gone() {
    let (database, sandbox, program) = world(Kind::Sqlite, 30, 0).with_ledger().start().await;
    let program = deleting(program).with("EXPLO_SYNC__OFFBOARD__AFTER", "0s");
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set id = 'T0' where id = 't0'; delete from tenants where id = 't2'").await;
    database.execute("update tenants set id = ' t1 ' where id = 't1'").await;
    let first = program.sync(&["--allow", "orphan=100"]).await;
    assert_eq!(offboarded(&first.1), vec![], "{first:?}");
    let second = program.sync(&["--allow", "orphan=100"]).await;
    assert_eq!(offboarded(&second.1), applied(&["t2"]), "{second:?}");
    let left: Vec<_> = sandbox.customers().into_iter().filter_map(|customer| customer.provided_id).collect();
    assert!(["t0", "t1"].iter().all(|id| left.contains(&(*id).to_owned())), "{left:?}");
}

#[tokio::test]
async fn another_instances_customer_is_never_offboarded() {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 0).with_ledger().start().await;
    let ours = deleting(program.clone())
        .with("EXPLO_SYNC__OFFBOARD__AFTER", "0s")
        .with("EXPLO_SYNC__SOURCE__QUERY", "select id as provided_id, name from tenants where name <> 'Theirs'");
    let query = "select id as provided_id, name from tenants where name = 'Theirs'";
    let theirs = program.with("EXPLO_SYNC__NAME", "theirs").with("EXPLO_SYNC__SOURCE__QUERY", query);
    assert_eq!(ours.sync(&[]).await.0, 0);
    database.execute("update tenants set name = 'Theirs' where id = 't3'").await;
    assert_eq!(theirs.sync(&["--allow", "orphan=100"]).await.0, 0);
    for _ in 0..3 {
        let (code, report) = ours.sync(&[]).await;
        assert_eq!((code, offboarded(&report)), (0, vec![]));
    }
    assert_eq!(gone(&database).await, ["t3"]);
    assert_eq!(sandbox.customers().len(), 20);
}

#[tokio::test]
async fn parents_are_deleted_after_their_children_and_not_at_all_while_others_are_below() {
    let below = |id: &str, parent: &str| {
        customer(json!({"provided_id": id, "name": id, "parent_provided_id": parent, "access_group": "Production"}))
    };
    let (database, sandbox, program) = world(Kind::Sqlite, 30, 0)
        .but("t1", |child| child.parent_provided_id = Some("t0".to_owned()))
        .but("t2", |child| child.parent_provided_id = Some("t1".to_owned()))
        .having([below("stranger", "t5")])
        .with_ledger()
        .start()
        .await;
    let query = "select id as provided_id, name, 'L' as hierarchy_level_name, case id when 't1' then 't0' when 't2' then 't1' end \
                 as parent_provided_id from tenants";
    let program = deleting(program).with("EXPLO_SYNC__OFFBOARD__AFTER", "0s").with("EXPLO_SYNC__SOURCE__QUERY", query);
    let (code, report) = program.sync(&["--allow", "update=100"]).await;
    assert_eq!(code, 0, "{report}");
    database.execute("delete from tenants where id in ('t0', 't1', 't2', 't5')").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let _ = sandbox.take_calls();
    let (code, report) = program.sync(&["--allow", "offboard=4"]).await;
    assert_eq!(code, 3, "{report}");
    let changes = offboarded(&report);
    let named = |id: &str| changes.iter().find(|(of, _)| of == id).unwrap().1.as_deref();
    assert_eq!(
        ["t0", "t1", "t2", "t5"].map(named),
        [Some("applied"), Some("applied"), Some("applied"), Some("deferred")]
    );
    let order: Vec<_> = changes.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(order, ["t2", "t1", "t0", "t5"]);
    let error = report["changes"].as_array().unwrap().iter().find(|change| change["provided_id"] == "t5").unwrap();
    assert!(error["error"].as_str().unwrap().contains("stranger"), "{error}");
    assert_eq!(stored(&sandbox, "t5")["name"], json!("Tenant 5"));
    assert_eq!(sandbox.customers().len(), 28);
}

#[tokio::test]
async fn who_is_locked_out_because_its_row_is_gone_is_let_in_again_when_the_row_returns() {
    let stranger =
        json!({"provided_id": "stranger", "name": "S", "emails": ["s@x.example"], "access_group": "Production"});
    let (database, sandbox, program) = world(Kind::Sqlite, 10, 0).and([stranger]).with_ledger().start().await;
    let program = locking_out(program).with("EXPLO_SYNC__OFFBOARD__AFTER", "0s");
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("create table all_tenants as select * from tenants; delete from tenants where id = 't0'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(offboarded(&program.sync(&[]).await.1), applied(&["t0"]));
    assert_eq!(stored(&sandbox, "t0")["emails"], json!([]));
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]), "once");
    sandbox.change(|store| store.customer("t0").unwrap().group_tags = vec!["gold".to_owned()]);
    assert_eq!(offboarded(&program.sync(&[]).await.1), applied(&["t0"]), "again");
    database.execute("insert into tenants select * from all_tenants where id = 't0'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(stored(&sandbox, "t0")["emails"], json!(["boss@Tenant-0.example"]));
    assert_eq!(stored(&sandbox, "t0")["group_tags"], json!(["gold"]));
    assert_eq!(stored(&sandbox, "stranger")["emails"], json!(["s@x.example"]));
}
