//! A tenant that is renamed and leaves between two runs.

use rstest::rstest;
use serde_json::json;

use super::{applied, deleting, locking_out, offboarded, told, world};
use crate::support::{Kind, changes};

#[rstest]
#[case::locked_out(false)]
#[case::deleted(true)]
#[tokio::test]
async fn it_is_renamed_first_and_leaves_with_the_next_run(#[case] deletes: bool) {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 0).with_ledger().start().await;
    database.execute("alter table tenants add column previous text").await;
    let query = "select id as provided_id, name, offboard, previous as previous_provided_id from tenants";
    let program = if deletes { deleting(program) } else { locking_out(program) };
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", query);
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set id = 'new', previous = 't0', offboard = 1 where id = 't0'").await;
    let text = program.run(&["sync", "--dry-run"]).await.stdout;
    assert!(text.contains("> t0 → new") && text.contains("- new  to offboard by the next run"), "{text}");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, changes(&report)), (0, told(&["rename new applied"])), "{report}");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["new"])), "{report}");
    assert_eq!(sandbox.customers().len(), if deletes { 19 } else { 20 });
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]), "once");
}

#[rstest]
#[case::locked_out(false)]
#[case::deleted(true)]
#[tokio::test]
async fn a_run_without_a_listing_renames_it_too(#[case] deletes: bool) {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 0).with_ledger().start().await;
    database.execute("alter table tenants add column previous text").await;
    let query = "select id as provided_id, name, offboard, previous as previous_provided_id from tenants";
    let program = if deletes { deleting(program) } else { locking_out(program) };
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", query).with("EXPLO_SYNC__EXPLO__LIST_EVERY", "1h");
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set id = 'new', previous = 't0', offboard = 1 where id = 't0'").await;
    assert_eq!(changes(&program.sync(&[]).await.1), told(&["rename new applied"]));
    assert_eq!(offboarded(&program.sync(&[]).await.1), applied(&["new"]));
    let _ = sandbox.take_calls();
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    assert!(sandbox.take_calls().is_empty(), "nothing is left to do");
}

/// The column counts for a row without a customer alone, and the own row's word for its customer.
#[rstest]
#[case::locked_out(false)]
#[case::deleted(true)]
#[tokio::test]
async fn a_row_whose_id_another_one_names_as_its_previous_one_says_so_all_the_same(#[case] deletes: bool) {
    let (database, _sandbox, program) = world(Kind::Sqlite, 20, 0).with_ledger().start().await;
    database.execute("alter table tenants add column previous text").await;
    let query = "select id as provided_id, name, offboard, previous as previous_provided_id from tenants";
    let program = if deletes { deleting(program) } else { locking_out(program) };
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", query);
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set previous = 't0' where id = 't1'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set offboard = 1 where id = 't0'").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t0"])), "{report}");
}
