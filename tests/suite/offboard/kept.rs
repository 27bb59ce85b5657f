//! The ledger's part: what it does not store as it is given is no reason to go on, and its times delay nobody for long.

use rstest::rstest;
use serde_json::json;

use super::{applied, deleting, locking_out, offboarded, world};
use crate::support::{Kind, endpoints, stored, writes};

#[rstest]
#[tokio::test]
async fn who_cannot_be_kept_as_it_is_is_not_offboarded(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
    #[values(true, false)] deletes: bool,
) {
    let (database, sandbox, program) = world(kind, 20, 1).with_ledger().start().await;
    let program = if deletes { deleting(program) } else { locking_out(program) };
    drop(program.sync(&[]).await);
    let short = "left(new.offboarded, 60)";
    let triggers = match kind {
        Kind::Postgres => {
            let body = format!("begin new.offboarded = {short}; return new; end");
            let function = format!("create function cut() returns trigger as $$ {body} $$ language plpgsql");
            let trigger = "create trigger cut before update on explo_customers for each row execute function cut()";
            vec![function, trigger.to_owned()]
        }
        Kind::MySql => {
            let begin = "create trigger cut before update on explo_customers for each row";
            vec![format!("{begin} set new.offboarded = {short}")]
        }
        Kind::Sqlite => {
            let update = "update explo_customers set offboarded = null where provided_id = new.provided_id";
            vec![format!("create trigger cut after update of offboarded on explo_customers begin {update}; end")]
        }
    };
    for trigger in triggers {
        database.execute(&trigger).await;
    }
    let _ = sandbox.take_calls();
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (3, vec![("t0".to_owned(), Some("failed".to_owned()))]), "{report}");
    assert!(report["changes"][0]["error"].as_str().unwrap().contains("does not store in `offboarded`"), "{report}");
    assert!(writes(&sandbox.take_calls()).is_empty());
    assert_ne!(stored(&sandbox, "t0")["emails"], json!([]));
}

/// A clock that was ahead wrote it.
#[rstest]
#[tokio::test]
async fn a_time_of_the_last_write_in_the_future_delays_nobody(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let (database, sandbox, program) = world(kind, 20, 0).with_ledger().start().await;
    let program = deleting(program);
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update explo_customers set synced_at = '2101-01-01 00:00:00'").await;
    if kind == Kind::Sqlite {
        database.execute("update explo_customers set synced_at = '2101-01-01T00:00:00.000Z'").await;
    }
    let is_true = if kind == Kind::Postgres { "true" } else { "1" };
    database.execute(&format!("update tenants set offboard = {is_true} where id = 't0'")).await;
    database.execute("update tenants set name = 'Another' where id = 't1'").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t0"])), "{report}");
    assert_eq!(stored(&sandbox, "t1")["name"], json!("Another"));
}

/// The ledger could not keep what it was.
#[rstest]
#[tokio::test]
async fn an_id_that_is_too_long_for_the_ledger_is_not_offboarded(#[values(true, false)] deletes: bool) {
    let id = "x".repeat(2100);
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 0).with_ledger().start().await;
    let program = if deletes { deleting(program) } else { locking_out(program) };
    database.execute(&format!("insert into tenants (id, name) values ('{id}', 'Long')")).await;
    drop(program.sync(&[]).await);
    database.execute(&format!("update tenants set offboard = 1 where id = '{id}'")).await;
    let _ = sandbox.take_calls();
    let (code, report) = program.sync(&[]).await;
    assert!(code == 3 && report["invalid"][0]["reason"].as_str().unwrap().contains("at most 2048 bytes"), "{report}");
    assert!(writes(&sandbox.take_calls()).is_empty());
}

/// The second attempt finds the customer as the first one left it.
#[tokio::test]
async fn an_attempt_keeps_what_the_one_before_emptied() {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 1).with_ledger().start().await;
    let program = locking_out(program).with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2");
    let fault = "drop-after,endpoint=update_customer,times=1".parse().unwrap();
    sandbox.adjust(|api| api.faults = vec![fault]);
    let (code, report) = program.sync(&["--allow", "offboard=1"]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t0"])), "{report}");
    let looks = endpoints(&sandbox.take_calls()).iter().filter(|one| **one == "get_customer").count();
    assert_eq!(looks, 2, "one before each attempt");
    database.execute("update tenants set offboard = null").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let returned = stored(&sandbox, "t0");
    assert_eq!((&returned["emails"], &returned["group_tags"]), (&json!(["boss@Tenant-0.example"]), &json!(["gold"])));
}
