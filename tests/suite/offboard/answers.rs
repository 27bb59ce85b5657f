//! What Explo answers to a deletion, in every way that its documents leave open.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use explo_sync::sandbox::{FaultKind, Sandbox};
use rstest::rstest;
use serde_json::json;

use super::{applied, deleting, locking_out, offboarded, world};
use crate::support::{Answer, Asked, Database, Kind, Program, behaviour, customer, endpoints, stored};

/// One customer to delete; the ledger knows its token.
async fn one(flags: &str) -> (Database, Sandbox, Program) {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 1).with_ledger().start().await;
    let program = deleting(program).with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2");
    assert_eq!(program.sync(&[]).await.0, 0);
    sandbox.adjust(|api| api.behaviour = behaviour(flags));
    let _ = sandbox.take_calls();
    (database, sandbox, program)
}

/// The calls after the listing, but those for nobody.
fn calls(sandbox: &Sandbox) -> String {
    let calls = sandbox.take_calls();
    let is_for_nobody = |body: &str| body.contains("explo-sync-asks-for-nobody");
    let told = endpoints(&calls).into_iter().zip(&calls).filter(|(_, call)| !is_for_nobody(&call.body));
    told.skip(1).map(|(endpoint, _)| endpoint.trim_end_matches("_customer")).collect::<Vec<_>>().join(" ")
}

#[rstest]
#[case::nothing_wrong("", "", "get customers delete")]
#[case::lost("drop-after", "", "get customers delete get")]
#[case::lost_where_an_unknown_id_gets_400("drop-after", "--unknown-id 400", "get customers delete get")]
#[case::lost_where_an_unknown_id_gets_200("drop-after", "--unknown-id 200", "get customers delete get")]
#[case::empty("empty", "", "get customers delete get")]
#[case::cut("cut", "", "get customers delete get")]
#[case::failed_after("status-after=504", "", "get customers delete get")]
#[case::refused_after("status-after=404", "", "get customers delete get")]
#[case::not_applied("drop-before", "", "get customers delete get get customers delete")]
#[case::busy("status=503", "", "get customers delete get get customers delete")]
#[case::page("html", "", "get customers delete get get customers delete")]
#[case::throttled("throttle=0", "", "get customers delete delete")]
#[tokio::test]
async fn an_answer_that_is_lost_is_looked_at_and_not_repeated_blindly(
    #[case] fault: &str,
    #[case] flags: &str,
    #[case] expected: &str,
) {
    let (database, sandbox, program) = one(flags).await;
    if !fault.is_empty() {
        sandbox.adjust(|api| api.faults = vec![format!("{fault},endpoint=delete_customer,times=1").parse().unwrap()]);
    }
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t0"])), "{report}");
    assert_eq!(calls(&sandbox), expected);
    assert_eq!(sandbox.customers().len(), 19);
    assert_eq!(database.tokens("default").await["t0"], None);
}

#[rstest]
#[case::as_others("")]
#[case::at_200("--parents 200")]
#[case::at_400("--parents 400")]
#[tokio::test]
async fn children_that_no_listing_shows_make_explo_refuse_and_that_is_named(#[case] flags: &str) {
    let (_database, sandbox, program) = one(flags).await;
    let below = json!({"provided_id": "below", "name": "Below", "parent_provided_id": "t0", "access_group": "Other"});
    sandbox.change(|store| {
        store.add(customer(below));
        store.hide(["below".to_owned()]);
    });
    let (code, report) = program.sync(&[]).await;
    assert_eq!(code, 3);
    assert_eq!(offboarded(&report), [("t0".to_owned(), Some("failed".to_owned()))]);
    assert!(report["changes"][0]["error"].as_str().unwrap().contains("children"), "{report}");
    assert_eq!(calls(&sandbox), "get customers delete get");
    assert_eq!(sandbox.customers().len(), 21);
    // Like any other failure: the next run tries again, the one after it does not.
    assert_eq!(program.sync(&[]).await.0, 3);
    assert_eq!(calls(&sandbox), "get customers delete get");
    assert_eq!(program.sync(&[]).await.0, 3);
    assert_eq!(calls(&sandbox), "");
}

#[rstest]
#[case(400, true)]
#[case(409, true)]
#[case(422, true)]
#[case(302, false)]
#[case(401, false)]
#[case(403, false)]
#[case(404, false)]
#[tokio::test]
async fn only_a_refusal_that_may_be_about_children_says_so(#[case] status: u16, #[case] may_be: bool) {
    let (_database, sandbox, program) = one("").await;
    sandbox.adjust(|api| api.faults = vec![format!("status={status},endpoint=delete_customer").parse().unwrap()]);
    let (_, report) = program.sync(&[]).await;
    let told = report.to_string();
    assert_eq!((told.contains(&status.to_string()), told.contains("has children")), (true, may_be), "{report}");
    assert_eq!(sandbox.customers().len(), 20);
}

#[tokio::test]
async fn a_look_that_shows_another_token_ends_it() {
    let (database, sandbox, program) = one("").await;
    let fault = "other-token,endpoint=get_customer";
    sandbox.adjust(|api| api.faults = vec![fault.parse().unwrap()]);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (3, vec![("t0".to_owned(), Some("failed".to_owned()))]), "{report}");
    assert_eq!(calls(&sandbox), "get");
    assert_eq!(sandbox.customers().len(), 20);
    assert!(database.tokens("default").await["t0"].is_some());
}

#[tokio::test]
async fn a_look_that_is_refused_is_no_absence() {
    let (_database, sandbox, program) = one("").await;
    sandbox.adjust(|api| {
        api.faults = vec!["status=409,endpoint=get_customer,id=t0".parse().unwrap()];
        assert!(matches!(api.faults[0].kind, FaultKind::Status(409)));
    });
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (3, vec![("t0".to_owned(), Some("failed".to_owned()))]), "{report}");
    assert_eq!(sandbox.customers().len(), 20);
}

#[tokio::test]
async fn a_look_that_shows_nobody_is_no_deletion_of_whom_the_listing_showed() {
    let (database, sandbox, program) = one("").await;
    sandbox.adjust(|api| api.faults = vec!["status=404,endpoint=get_customer".parse().unwrap()]);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (3, vec![("t0".to_owned(), Some("deferred".to_owned()))]), "{report}");
    assert!(report["changes"][0]["error"].as_str().unwrap().contains("next complete listing"), "{report}");
    assert_eq!(calls(&sandbox), "get");
    assert_eq!(sandbox.customers().len(), 20);
    assert!(database.tokens("default").await["t0"].is_some());
    sandbox.adjust(|api| api.faults.clear());
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t0"])), "{report}");
    assert_eq!(calls(&sandbox), "get customers delete");
}

#[tokio::test]
async fn a_filter_that_shows_everybody_deletes_nobody() {
    let (_database, sandbox, program) = one("--parent-filter ignored").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (3, vec![("t0".to_owned(), Some("deferred".to_owned()))]), "{report}");
    assert!(report["changes"][0]["error"].as_str().unwrap().contains("lists others as well"), "{report}");
    assert_eq!(calls(&sandbox), "get customers");
    assert_eq!(sandbox.customers().len(), 20);
}

#[tokio::test]
async fn a_row_that_is_back_right_before_keeps_its_customer() {
    // The query says so the first time it is asked in a run, and no more the second time.
    let (database, sandbox, program) = one("").await;
    let one = "select id as provided_id, name, null as offboard from tenants where id = ?";
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY_ONE", one);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, vec![("t0".to_owned(), Some("deferred".to_owned()))]), "{report}");
    assert_eq!(calls(&sandbox), "");
    assert_eq!(sandbox.customers().len(), 20);
    drop(database);
}

#[rstest]
#[case::after_the_look("get_customer", true, "get customers")]
#[case::after_the_children("customers", true, "get customers")]
#[case::after_a_429("write", true, "get customers")]
#[case::to_lock_out_after_the_look("get_customer", false, "get")]
#[case::to_lock_out_after_a_429("write", false, "get")]
#[tokio::test]
async fn a_row_that_comes_back_at_any_moment_keeps_its_customer(
    #[case] during: &'static str,
    #[case] deletes: bool,
    #[case] expected: &str,
    #[values(true, false)] reads_one: bool,
) {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 1).with_ledger().start().await;
    let (database, begins) = (Arc::new(database), Arc::new(AtomicBool::new(false)));
    let (returning, has_begun) = (Arc::clone(&database), Arc::clone(&begins));
    let answer = move |asked: &Asked<'_>| {
        let is_listing = asked.endpoint == "customers" && !asked.path.contains("parent_provided_id");
        let write = if deletes { "delete_customer" } else { "update_customer" };
        let is_write = during == "write" && asked.endpoint == write;
        if is_listing || !(is_write || asked.endpoint == during) || !has_begun.swap(false, Ordering::Relaxed) {
            return None;
        }
        let database = Arc::clone(&returning);
        let returns = async move { database.execute("update tenants set offboard = null where id = 't0'").await };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        thread::spawn(move || runtime.block_on(returns)).join().unwrap();
        if is_write { Answer::with(429, "retry-after", "0") } else { None }
    };
    let program = program.behind(&sandbox, answer).await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let _ = sandbox.take_calls();
    begins.store(true, Ordering::Relaxed);
    let program = if deletes { deleting(program) } else { locking_out(program) };
    let one = "select id as provided_id, name, offboard from tenants where id = ?";
    let program = if reads_one { program.with("EXPLO_SYNC__SOURCE__QUERY_ONE", one) } else { program };
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, vec![("t0".to_owned(), Some("deferred".to_owned()))]), "{report}");
    assert_eq!(calls(&sandbox), expected);
    assert_eq!(sandbox.customers().len(), 20);
    assert_eq!(stored(&sandbox, "t0")["group_tags"], json!(["gold"]));
}
