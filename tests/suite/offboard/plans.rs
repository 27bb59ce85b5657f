//! A saved plan with offboardings: each is looked at again, and one that moved is left alone.

use rstest::rstest;
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
    assert_eq!((code, &report["skipped"]), (3, &json!(["t2", "t3"])), "{report}");
    assert_eq!(offboarded(&report), applied(&["t1", "t0"]), "{report}");
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
async fn a_saved_plan_leaves_alone_whoever_is_not_as_it_was_and_says_why() {
    let (database, sandbox, program) = world(Kind::Sqlite, 30, 3).with_ledger().start().await;
    let program = deleting(program);
    assert_eq!(program.sync(&[]).await.0, 0);
    let (_directory, path) = program.saved().await;
    sandbox.change(|store| store.customer("t0").unwrap().name = "Somebody works with it".to_owned());
    database.execute("update tenants set offboard = null where id = 't1'").await;
    database.execute("delete from tenants where id = 't2'").await;
    let _ = sandbox.take_calls();
    let output = program.run(&["sync", "--plan", &path, "--show-values"]).await;
    assert_eq!(output.code, 3, "{output:?}");
    for line in [
        "- t0  changed in Explo since the plan was made: left alone",
        "- t1  its row does not say any more that its tenant leaves: left alone",
        "- t2  its row does not say any more that its tenant leaves: left alone",
    ] {
        assert!(output.stdout.contains(line), "{}", output.stdout);
    }
    let locking = locking_out(program).run(&["sync", "--plan", &path]).await;
    assert!(
        locking.stdout.contains("- t0  offboard.action is another one than in the plan: left alone"),
        "{locking:?}"
    );
    assert!(writes(&sandbox.take_calls()).is_empty());
}

#[tokio::test]
async fn the_dry_run_of_a_saved_plan_is_not_the_second_run_that_a_gone_row_needs() {
    let (database, sandbox, program) = world(Kind::Sqlite, 30, 0).with_ledger().start().await;
    let program = deleting(program).with("EXPLO_SYNC__OFFBOARD__AFTER", "1h");
    assert_eq!(program.sync(&[]).await.0, 0);
    database
        .execute("create table all_tenants as select * from tenants; delete from tenants where id in ('t0', 't1')")
        .await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let pass = |to: &str| {
        let told = format!(
            "last_error = json_set(last_error, '$.rows_told_at', cast(strftime('%s', 'now', '{to}') as integer))"
        );
        [format!("update explo_customers set {told} where provided_id = ''"),
         "update explo_customers set row_gone_since = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-2 hours') where row_gone_since is not null".to_owned()]
    };
    for sql in pass("-2 hours") {
        database.execute(&sql).await;
    }
    let (_directory, path) = program.saved().await;
    let output = program.run(&["sync", "--plan", &path]).await;
    let told =
        "- t0  its row has not been gone for offboard.after in two complete runs: dry runs do not count: left alone";
    assert!(output.code == 3 && output.stdout.contains(told), "{output:?}");
    // A second run counts; the one whose row is back meanwhile stays.
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    database.execute("insert into tenants select * from all_tenants where id = 't1'").await;
    let (code, report) = program.sync(&["--plan", &path]).await;
    assert_eq!((code, &report["skipped"], offboarded(&report)), (3, &json!(["t1"]), applied(&["t0"])), "{report}");
    assert_eq!(sandbox.customers().len(), 29);
}

#[tokio::test]
async fn a_source_that_has_lost_its_rows_tells_nothing_of_a_gone_one() {
    let (database, sandbox, program) = world(Kind::Sqlite, 30, 0).with_ledger().start().await;
    let program = deleting(program).with("EXPLO_SYNC__OFFBOARD__AFTER", "0s");
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("delete from tenants where id = 't0'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    database
        .execute("update explo_customers set row_gone_since = '2026-01-01T00:00:00Z' where provided_id = 't0'")
        .await;
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    let (_directory, path) = program.saved().await;
    let half = program.clone().with(
        "EXPLO_SYNC__SOURCE__QUERY",
        "select id as provided_id, name, offboard from tenants where cast(substr(id, 2) as integer) < 15",
    );
    let (code, report) = half.sync(&["--plan", &path]).await;
    assert_eq!((code, &report["skipped"]), (3, &json!(["t0"])), "{report}");
    assert_eq!(sandbox.customers().len(), 30);
    assert_eq!(offboarded(&program.sync(&["--plan", &path]).await.1), applied(&["t0"]));
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
    assert_eq!(none.sync(&["--plan", &path]).await.1["skipped"], json!(["t1"]), "t0 is locked out already");
}

/// Whatever comes between a plan and its application: all rows are read, even if the source can read a single one.
#[rstest]
#[case::alike("insert into tenants (id, name) values (' T0', 'Twin')")]
#[case::renamed("insert into tenants (id, name, previous) values ('new', 'New', 't0')")]
#[case::emptied("delete from tenants")]
#[tokio::test]
async fn a_planned_deletion_of_a_gone_row_sees_every_row(
    #[case] meanwhile: &str,
    #[values(true, false)] reads_one: bool,
) {
    let (database, sandbox, program) = world(Kind::Sqlite, 30, 0).with_ledger().start().await;
    database.execute("alter table tenants add column previous text").await;
    let query = "select id as provided_id, name, offboard, previous as previous_provided_id from tenants";
    let program = deleting(program).with("EXPLO_SYNC__OFFBOARD__AFTER", "0s").with("EXPLO_SYNC__SOURCE__QUERY", query);
    let one = format!("{query} where id = ?");
    let program = if reads_one { program.with("EXPLO_SYNC__SOURCE__QUERY_ONE", &one) } else { program };
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("delete from tenants where id = 't0'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let long_ago = "update explo_customers set row_gone_since = '2026-01-01T00:00:00Z' where provided_id = 't0'";
    database.execute(long_ago).await;
    let (_directory, path) = program.saved().await;
    database.execute(meanwhile).await;
    let (code, report) = program.sync(&["--plan", &path]).await;
    assert_eq!((code, &report["skipped"]), (3, &json!(["t0"])), "{report}");
    assert_eq!(sandbox.customers().len(), 30);
}
