//! Whoever fails, everybody else is begun; and a server that is down costs few calls.

use std::time::Duration;

use explo_sync::sandbox::{Endpoint, Fault, FaultKind, Sandbox};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, Program, World, body, writes};

fn id(number: usize) -> String {
    format!("t{number:03}")
}

/// So many tenants, none with a customer; an attempt more for each call, and eight calls in flight.
async fn sides(tenants: usize) -> (Database, Sandbox, Program) {
    let world = World::of((0..tenants).map(|number| (id(number), "Ann")));
    world.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2").start().await
}

/// The calls about these tenants fail so, for good.
fn break_off(sandbox: &Sandbox, kind: FaultKind, tenants: std::ops::Range<usize>) {
    sandbox.adjust(|api| api.faults.push(Fault::new(kind).of(tenants.map(id))));
}

fn outcomes(report: &Value) -> [u64; 3] {
    ["applied", "failed", "deferred"].map(|outcome| report["outcomes"][outcome].as_u64().unwrap())
}

#[rstest]
#[case::server_error(FaultKind::Status(500), "30s")]
#[case::no_answer(FaultKind::HangBefore, "300ms")]
#[case::broken(FaultKind::DropBefore, "30s")]
#[case::a_page_for_browsers(FaultKind::Html, "30s")]
#[case::conflict(FaultKind::Status(409), "30s")]
#[tokio::test]
async fn seventeen_tenants_that_always_fail_keep_nobody_else_waiting(#[case] kind: FaultKind, #[case] timeout: &str) {
    let (_database, sandbox, program) = sides(47).await;
    let program = program.with("EXPLO_SYNC__EXPLO__TIMEOUT", timeout);
    break_off(&sandbox, kind, 0..17);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, outcomes(&report)), (3, [30, 17, 0]), "{report}");
    let attempts = if kind == FaultKind::Status(409) { 1 } else { 2 };
    assert_eq!(report["calls"]["made"]["create_customer"], 17 * attempts + 30);
    assert_eq!(program.sync(&[]).await.1["counts"]["create"], 17);
}

#[tokio::test]
async fn nine_tenants_that_are_always_throttled_keep_nobody_else_waiting() {
    let (_database, sandbox, program) = sides(30).await;
    break_off(&sandbox, FaultKind::Throttle(Some(1)), 0..9);
    let (code, report) = program.sync(&["--max-duration", "10s"]).await;
    // Whose turn came, and who was then stopped, has failed.
    assert_eq!((code, outcomes(&report)), (75, [21, 9, 0]), "{report}");
    assert!(report["calls"]["made"]["create_customer"].as_u64() >= Some(2 * 9 + 21), "{report}");
}

#[tokio::test]
async fn who_is_throttled_to_the_end_of_a_run_comes_last_in_the_next() {
    let (_database, sandbox, program) = sides(6).await;
    break_off(&sandbox, FaultKind::Throttle(Some(30)), 0..2);
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source").with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1");
    for throttled in [1, 1] {
        let (code, report) = program.sync(&["--max-duration", "1s"]).await;
        assert_eq!((code, outcomes(&report)[1]), (75, throttled), "{report}");
    }
    program.sync(&["--max-duration", "1s"]).await;
    assert_eq!(sandbox.customers().len(), 4, "all others");
}

#[tokio::test]
async fn who_is_throttled_when_a_run_is_stopped_sits_out_no_run() {
    let (_database, sandbox, program) = sides(2).await;
    break_off(&sandbox, FaultKind::Throttle(Some(30)), 0..2);
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source").with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "2");
    for _ in 0..4 {
        assert_eq!(program.sync(&["--max-duration", "1s"]).await.0, 75);
    }
    sandbox.adjust(|api| api.faults.clear());
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, outcomes(&report)), (0, [2, 0, 0]), "{report}");
}

#[tokio::test]
async fn what_fails_at_first_goes_behind_all_others() {
    let (_database, sandbox, program) = sides(5).await;
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::Status(503)).of([id(0)]).times(1)));
    let program = program.with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1");
    assert_eq!(program.sync(&[]).await.0, 0);
    let calls = sandbox.take_calls();
    let order: Vec<_> = writes(&calls).into_iter().map(|call| body(call)["provided_id"].clone()).collect();
    assert_eq!(order, ["t000", "t001", "t002", "t003", "t004", "t000"]);
}

#[tokio::test]
async fn a_server_that_is_down_is_asked_once_more_and_then_left_alone() {
    let (_database, sandbox, program) = sides(40).await;
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::Status(503)).after(1)));
    let program = program.with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, outcomes(&report)), (1, [0, 10, 30]), "{report}");
    assert_eq!(report["calls"]["made"], json!({"customers": 1, "create_customer": 10, "group_tags": 2}));
    assert!(report["error"].as_str().unwrap().contains("10 calls in a row were given up"), "{report}");
}

#[tokio::test]
async fn where_reads_are_answered_fifty_more_writes_are_tried_once_each() {
    let (_database, sandbox, program) = sides(100).await;
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::Status(500)).at(Endpoint::CreateCustomer)));
    let program = program.with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, outcomes(&report)), (1, [0, 60, 40]), "{report}");
    assert_eq!(report["calls"]["made"], json!({"customers": 1, "create_customer": 60, "group_tags": 1}));
}

#[tokio::test]
async fn the_run_after_an_outage_begins_with_others() {
    let (_database, sandbox, program) = sides(75).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source").with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    break_off(&sandbox, FaultKind::Status(500), 0..70);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, outcomes(&report)[0]), (1, 0), "sixty in a row: {report}");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, outcomes(&report)[0]), (1, 5), "{report}");
    assert_eq!(sandbox.customers().len(), 5);
}

#[tokio::test]
async fn children_of_a_parent_that_fails_at_first_come_after_it() {
    let tenants = [(id(0), None), (id(1), Some("t000")), (id(2), None)];
    let world = World::of(tenants.map(|(id, parent)| {
        json!({"provided_id": id, "parent_provided_id": parent, "hierarchy_level_name": "Level", "name": "Ann"})
    }));
    let world = world.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2").with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1");
    let (_database, sandbox, program) = world.start().await;
    sandbox.adjust(|api| {
        api.faults.push(Fault::new(FaultKind::Status(503)).of([id(0)]).at(Endpoint::CreateCustomer).times(1));
    });
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, outcomes(&report)), (0, [3, 0, 0]), "{report}");
    let calls = sandbox.take_calls();
    let order: Vec<_> = writes(&calls).into_iter().map(|call| body(call)["provided_id"].clone()).collect();
    assert_eq!(order, ["t000", "t002", "t000", "t001"]);
}

#[tokio::test]
async fn what_the_moment_is_to_blame_for_is_tried_again_and_not_before_the_server_says() {
    for status in [408, 421, 425, 503] {
        let (_database, sandbox, program) = sides(2).await;
        sandbox.adjust(|api| {
            api.faults.push(Fault::new(FaultKind::Status(status)).at(Endpoint::Customers).times(1));
            api.faults.push(Fault::new(FaultKind::Status(status)).at(Endpoint::CreateCustomer).times(1));
        });
        let (code, report) = program.sync(&[]).await;
        assert_eq!((code, outcomes(&report)), (0, [2, 0, 0]), "{status}: {report}");
        assert_eq!(report["calls"]["made"], json!({"customers": 2, "create_customer": 3}), "{status}");
    }
}

#[tokio::test]
async fn what_went_behind_all_others_is_not_tried_again_before_the_server_says() {
    let tenants = [
        json!({"provided_id": "new", "name": "Ann"}),
        json!({"provided_id": "tagged", "name": "Ann", "group_tags": ["silver"]}),
        json!({"provided_id": "known", "name": "Ann"}),
        json!({"provided_id": "renamed", "previous_provided_id": "former", "name": "Ann"}),
    ];
    let listed = ["known", "former"].map(|id| json!({"provided_id": id, "name": "Bob"}));
    let world = World::of(tenants).and(listed).with("EXPLO_SYNC__FIELDS__CREATE_MISSING_TAGS", "true");
    let (_database, sandbox, program) = world.start().await;
    let unavailable = |endpoint, id: &[&str]| {
        let fault = Fault::new(FaultKind::Unavailable(3)).at(endpoint).times(1);
        if id.is_empty() { fault } else { fault.of(id.iter().copied()) }
    };
    sandbox.adjust(|api| {
        api.faults = vec![
            unavailable(Endpoint::CreateGroupTag, &[]),
            unavailable(Endpoint::CreateCustomer, &["new"]),
            unavailable(Endpoint::UpdateCustomer, &["known"]),
            unavailable(Endpoint::UpdateCustomer, &["former"]),
        ];
    });
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, outcomes(&report)), (0, [5, 0, 0]), "{report}");
    let calls = sandbox.take_calls();
    let mut refused = 0;
    for (number, call) in calls.iter().enumerate().filter(|(_, call)| call.status == 503) {
        let again = calls[number + 1..].iter().find(|again| (&again.path, &again.body) == (&call.path, &call.body));
        let waited = again.unwrap().at - call.at;
        assert!(waited >= Duration::from_secs(3), "{call:?}: after {waited:?}");
        refused += 1;
    }
    assert_eq!(refused, 4, "{calls:?}");
}
