//! Changes at once beside a run, in the daemon and in processes of their own.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{process::Child, time::sleep};

use super::{Daemon, TOKEN, Woken};
use crate::support::{Database, Kind, Program, World};
use explo_sync::sandbox::{Call, Sandbox};

/// Tenants whose customers have other names by now; a run has seen them.
async fn outdated(tenants: usize, kind: Kind) -> (Database, Sandbox, Program) {
    let tenants = (0..tenants).map(|n| (format!("t{n:02}"), "Old"));
    let world = World::of(tenants).derived().on(kind).with_ledger().with("EXPLO_SYNC__GUARD__FLOOR", "1000");
    let (database, sandbox, program) = world.start().await;
    assert_eq!(program.run(&["sync"]).await.code, 0);
    drop(sandbox.take_calls());
    database.execute("update tenants set name = 'New'").await;
    (database, sandbox, program.with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "600"))
}

/// Waits until the sandbox has got this many calls to change a customer.
async fn written(sandbox: &Sandbox, most: usize) {
    let is_write = |call: &Call| call.path.contains("update_customer") || call.path.contains("create_customer");
    for _ in 0..2000 {
        if sandbox.adjust(|api| api.calls().iter().filter(|call| is_write(call)).count()) >= most {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was written");
}

fn name_of(sandbox: &Sandbox, id: &str) -> String {
    let customers = sandbox.customers();
    customers.into_iter().find(|one| one.provided_id.as_deref() == Some(id)).unwrap().name
}

fn is_about(call: &Call, id: &str) -> bool {
    call.body.contains(&format!("\"provided_id\":\"{id}\""))
}

/// How many calls change this customer.
fn writes_of(calls: &[Call], id: &str) -> usize {
    calls.iter().filter(|call| call.path.contains("update_customer") && is_about(call, id)).count()
}

async fn ended(child: Child) -> Value {
    let output = child.wait_with_output().await.unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn what_was_written_from_a_newer_row_is_not_written_again_by_the_run_that_goes_on() {
    let (database, sandbox, program) = outdated(30, Kind::Postgres).await;
    let starting = async {
        let woken = Woken::serving(database, sandbox, program).await;
        written(&woken.sandbox, 3).await;
        woken
    };
    let mut woken = starting.await;
    woken.database.execute("update tenants set name = 'Newest' where id = 't29'").await;
    let answer = woken.post("t29").await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("applied")), "{}", answer.body);
    let ended = woken.daemon.says("run ended").await;
    assert!(ended.contains(r#""applied":29"#) && ended.contains(r#""deferred":1"#), "{ended}");
    assert_eq!(name_of(&woken.sandbox, "t29"), "Newest");
    assert_eq!(writes_of(&woken.sandbox.take_calls(), "t29"), 1);
    woken.ends().await;
}

#[tokio::test]
async fn a_sign_up_goes_before_what_is_left_of_a_first_load() {
    let tenants = (0..40).map(|n| (format!("t{n:02}"), format!("Name {n}")));
    let world = World::of(tenants).with_ledger().with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "600");
    let (database, sandbox, program) = world.start().await;
    let mut woken = Woken::serving(database, sandbox, program).await;
    written(&woken.sandbox, 3).await;
    woken.database.execute("insert into tenants (id, name) values ('new', 'Nia')").await;
    assert_eq!(woken.post("new").await.status, 200);
    woken.daemon.says("run ended").await;
    let calls = woken.sandbox.take_calls();
    let created: Vec<_> = calls.iter().filter(|call| call.path.contains("create_customer")).collect();
    let place = created.iter().position(|call| is_about(call, "new")).unwrap();
    assert!((3..30).contains(&place), "it was number {place}");
    assert_eq!(created.len(), 41);
    woken.ends().await;
}

#[tokio::test]
async fn one_tenant_alone_needs_no_lock_of_runs_and_the_run_leaves_it_alone() {
    let (database, sandbox, program) = outdated(30, Kind::Sqlite).await;
    let run = program.start(&["sync", "--output", "json"]);
    written(&sandbox, 3).await;
    database.execute("update tenants set name = 'Newest' where id = 't29'").await;
    let only = program.run(&["sync", "--only", "t29", "--output", "json"]).await;
    assert_eq!(only.code, 0, "{only:?}");
    let report = ended(run).await;
    assert_eq!((&report["outcomes"]["deferred"], &report["exit"]), (&json!(1), &json!(0)), "{}", report["outcomes"]);
    assert_eq!(name_of(&sandbox, "t29"), "Newest");
    assert_eq!(writes_of(&sandbox.take_calls(), "t29"), 1);
}

#[tokio::test]
async fn without_a_ledger_one_tenant_alone_waits_for_the_run() {
    let (_database, sandbox, program) = outdated(30, Kind::Sqlite).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "");
    let run = program.start(&["sync", "--output", "json"]);
    written(&sandbox, 3).await;
    let only = program.run(&["sync", "--only", "t29", "--lock-timeout", "0s"]).await;
    assert_eq!(only.code, 5, "{only:?}");
    let only = program.run(&["sync", "--only", "t29"]).await;
    assert_eq!(only.code, 0, "it waits by default: {only:?}");
    assert_eq!(ended(run).await["exit"], 0);
}

#[tokio::test]
async fn several_tenants_alone_are_locked_together_and_in_one_order() {
    for kind in [Kind::Postgres, Kind::MySql, Kind::Sqlite] {
        let (_database, sandbox, program) = outdated(90, kind).await;
        let chosen: Vec<String> = (0..90).map(|n| format!("t{n:02}")).collect();
        let arguments = |chosen: Vec<String>| {
            let only = chosen.into_iter().flat_map(|id| ["--only".to_owned(), id]);
            ["sync".to_owned(), "--output".to_owned(), "json".to_owned()].into_iter().chain(only).collect::<Vec<_>>()
        };
        let start = |chosen| {
            let arguments: Vec<String> = arguments(chosen);
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            fast(&program).start(&arguments)
        };
        let forward = start(chosen.clone());
        let backward = start(chosen.into_iter().rev().collect());
        let reports = [ended(forward).await, ended(backward).await];
        let applied: u64 = reports.iter().map(|report| report["outcomes"]["applied"].as_u64().unwrap()).sum();
        assert_eq!(applied, 90, "{reports:?}");
        assert_eq!(sandbox.customers().iter().filter(|one| one.name == "Old").count(), 0);
    }
}

fn fast(program: &Program) -> Program {
    program.clone().with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "6000000")
}

#[tokio::test]
async fn a_daemon_that_stands_by_refuses_and_says_so() {
    let woken = Woken::start(super::world(Kind::Sqlite).with_ledger()).await;
    let mut standby = Daemon::start(&woken.program, &[]);
    let line: Value = serde_json::from_str(&standby.says("ops server listens").await).unwrap();
    standby.says("standing by").await;
    let url = format!("http://{}/sync/a", line["address"].as_str().unwrap());
    let request = reqwest::Client::new().post(url).header("authorization", format!("Bearer {TOKEN}"));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["outcome"], body["error"].as_str().is_some()), (&json!("deferred"), true), "{body}");
    woken.ends().await;
    standby.signal("-TERM").await;
    assert_eq!(standby.ends().await, Some(0));
}

#[tokio::test]
async fn more_requests_than_are_carried_out_at_once_become_a_run_of_all_tenants() {
    let world = World::of([("a", "Ann")]).with_ledger().with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "60");
    let woken = Arc::new(Woken::start(world.with("EXPLO_SYNC__GUARD__CREATE_FLOOR", "1000")).await);
    let rows: Vec<_> = (0..150).map(|n| format!("('n{n}', 'Nia')")).collect();
    woken.database.execute(&format!("insert into tenants (id, name) values {}", rows.join(", "))).await;
    let requests = (0..150).map(|n| {
        let woken = Arc::clone(&woken);
        tokio::spawn(async move { woken.post(&format!("n{n}")).await.status })
    });
    let requests: Vec<_> = requests.collect();
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(request.await.unwrap());
    }
    assert!(statuses.iter().filter(|status| **status == 202).count() >= 100, "{statuses:?}");
    let listings =
        || woken.sandbox.adjust(|api| api.calls().iter().filter(|call| call.path.contains("customers/")).count());
    for _ in 0..1000 {
        if listings() > 0 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(listings(), 1);
    let Ok(woken) = Arc::try_unwrap(woken) else { panic!("every request has its answer") };
    woken.daemon.signal("-TERM").await;
    woken.daemon.ends().await;
}
