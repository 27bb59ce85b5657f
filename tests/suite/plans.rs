//! Plans that outlive their run, and runs that end before their plan.

use std::{os::unix::fs::PermissionsExt, path::PathBuf};

use explo_sync::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::{Database, Kind, Program, World, body, customer, endpoints, ids, sandbox, stored, writes};

const QUERY: &str = "select id as provided_id, name from tenants";

/// Three tenants to create, and three customers with a name that is to change.
async fn sides() -> (Database, Sandbox, Program) {
    let world = World::of([("a", "Ann"), ("b", "Bob"), ("c", "Cat"), ("d", "Dan"), ("e", "Eve"), ("f", "Flo")]);
    world.derived().without(["a", "b", "c"]).each(|customer| customer.name = "Old".into()).start().await
}

async fn save(program: &Program) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plan.json");
    // Somebody left one that anybody may read.
    std::fs::write(&path, "an older plan, and a longer one than the next will be").unwrap();
    let (code, _) = program.sync(&["--dry-run", "--out", path.to_str().unwrap()]).await;
    assert_eq!(code, 0);
    (directory, path)
}

#[tokio::test]
async fn a_saved_plan_is_carried_out_and_nothing_else() {
    let (database, sandbox, program) = sides().await;
    let (_directory, path) = save(&program).await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "it holds values");
    drop(sandbox.take_calls());
    // What the source says now does not count: the plan does.
    database.execute("delete from tenants; insert into tenants values ('z', 'Zoe')").await;

    let (code, report) = program.sync(&["--plan", path.to_str().unwrap()]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(6)), "{report}");
    let calls = sandbox.take_calls();
    let mut made = endpoints(&calls);
    made.sort_unstable();
    let expected = [["create_customer"; 3].as_slice(), &["get_customer"; 7], &["update_customer"; 3]].concat();
    assert_eq!(made, expected, "each record is compared again, and what absence is is asked once; nothing is listed");
    assert_eq!((&stored(&sandbox, "a")["name"], &stored(&sandbox, "f")["name"]), (&json!("Ann"), &json!("Flo")));
}

#[tokio::test]
async fn what_moved_since_the_plan_was_made_is_left_alone_and_named() {
    let (_database, sandbox, program) = sides().await;
    let (_directory, path) = save(&program).await;
    sandbox.change(|store| {
        store.add(customer(json!({"provided_id": "b", "name": "Made by hand"})));
        store.customer("d").unwrap().name = "Somebody else's choice".to_owned();
        store.customer("e").unwrap().name = "Eve".to_owned();
    });
    drop(sandbox.take_calls());
    let (code, report) = program.sync(&["--plan", path.to_str().unwrap()]).await;
    assert_eq!((code, &report["skipped"]), (3, &json!(["b", "d"])), "{report}");
    assert_eq!(ids(&report["changes"]), ["a", "c", "e", "f"]);
    assert_eq!(report["outcomes"]["applied"], 4);
    let calls = sandbox.take_calls();
    let mut written: Vec<_> = writes(&calls).into_iter().map(|call| body(call)["provided_id"].clone()).collect();
    written.sort_by_key(Value::to_string);
    assert_eq!(written, ["a", "c", "f"], "e was done by hand");
    assert_eq!(stored(&sandbox, "b")["name"], "Made by hand");
    assert_eq!(stored(&sandbox, "d")["name"], "Somebody else's choice");
}

#[tokio::test]
async fn a_plan_for_another_explo_is_refused() {
    let (_database, explo, program) = World::of([("a", "Ann")]).start().await;
    let (_directory, path) = program.saved().await;
    let other = sandbox([]).await;
    let refused =
        program.clone().with("EXPLO_SYNC__EXPLO__BASE_URL", &other.url()).run(&["sync", "--plan", &path]).await;
    let told = format!("it is a plan for {}", explo.url());
    assert!(refused.code == 64 && refused.stderr.contains(told.trim_end_matches('/')), "{refused:?}");
    assert!(other.customers().is_empty());
    assert_eq!(program.sync(&["--plan", &path]).await.0, 0);
}

#[tokio::test]
async fn a_plan_that_was_applied_before_is_done() {
    let (_database, sandbox, program) = sides().await;
    let (_directory, path) = save(&program).await;
    let arguments = ["sync", "--plan", path.to_str().unwrap()];
    let first = program.run(&arguments).await;
    assert!(first.code == 0 && !first.stdout.contains("already"), "{first:?}");
    drop(sandbox.take_calls());
    let second = program.run(&arguments).await;
    assert_eq!(second.code, 0, "{second:?}");
    for part in ["  = a  Explo has the planned values already: nothing was sent\n", "Applied 6, failed 0"] {
        assert!(second.stdout.contains(part), "{part} in {second:?}");
    }
    assert_eq!(endpoints(&sandbox.take_calls()), ["get_customer"; 6], "nothing is written");
}

#[tokio::test]
async fn a_plan_that_was_applied_in_part_is_carried_on() {
    let (_database, _sandbox, program) = sides().await;
    let (_directory, path) = save(&program).await;
    let path = path.to_str().unwrap();
    let mut codes = Vec::new();
    for _ in 0..3 {
        let (code, report) = program.sync(&["--plan", path, "--max-changes", "2"]).await;
        codes.push((code, report["outcomes"]["applied"].clone()));
    }
    assert_eq!(codes, [(75, json!(2)), (75, json!(4)), (0, json!(6))], "what is done counts as applied, not as begun");
}

#[tokio::test]
async fn a_plan_file_is_plain_json_with_every_digit() {
    let database = Database::new(Kind::Postgres).await;
    let wanted = r#"{"rate": 0.1000000000000000055511151231257827, "deep": {"list": [1, null]}}"#;
    database
        .execute(&format!(
            "create table tenants as select 'a' as id, 'Ann' as name, array['ann@a.example'] as emails, \
             '{wanted}'::json as properties, 123456789012345678901234567890.50 as seats, null::text as plan"
        ))
        .await;
    let old = json!({"provided_id": "a", "name": "Ann", "properties": {"seats": 1, "plan": "x", "theirs": 2}});
    let sandbox = sandbox([customer(old)]).await;
    let whole = "select id as provided_id, name, emails, properties, '{\"40\": 7}'::json as mapping from tenants";
    let dotted = "select id as provided_id, seats as \"properties.seats\", plan as \"properties.plan\" from tenants";
    let whole = Program::between(&database, &sandbox, whole);
    let (_directory, path) = save(&whole).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let plan: Value = serde_json::from_str(&text).unwrap();
    let change = &plan["changes"][0];
    assert_eq!((&plan["version"], &change["kind"]), (&json!(2), &json!("update")), "{text}");
    assert_eq!(change["tenant"]["emails"], json!(["ann@a.example"]));
    assert_eq!(change["tenant"]["properties"]["deep"], json!({"list": [1, null]}));
    assert_eq!(change["fields"]["emails"], json!({"old": [], "new": ["ann@a.example"]}));
    assert_eq!(change["fields"]["properties"]["old"], json!({"plan": "x", "seats": 1, "theirs": 2}));
    assert_eq!(change["fields"]["mapping"]["new"], json!({"40": "7"}));
    assert_eq!(text.matches("0.1000000000000000055511151231257827").count(), 2, "{text}");
    let dotted = Program::between(&database, &sandbox, dotted);
    let (_directory, path) = save(&dotted).await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#""properties":{"seats":123456789012345678901234567890.50}"#), "{text}");
    let plan: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(plan["changes"][0]["tenant"]["properties_keys"], json!(["plan", "seats"]));
    // A program that prints it anew does no harm.
    std::fs::write(&path, text.replace('{', "{\n  ").replace('}', "\n}")).unwrap();
    let (code, report) = dotted.sync(&["--plan", path.to_str().unwrap()]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(1)), "{report}");
    let held = stored(&sandbox, "a")["properties"].clone();
    assert_eq!((&held["theirs"], held.get("plan")), (&json!(2), None), "{held}");
}

#[tokio::test]
async fn a_plan_of_another_version_is_to_be_made_again() {
    let (_database, sandbox, program) = sides().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("old.json");
    let older = r#"{"version":1,"instance":"default","rules":{"emails":"replace"},"bases":[3,3],"access_groups":[""],"changes":[
        {"tenant":{"provided_id":"a","properties":{"Whole":"{}"}},"change":"create"}]}"#;
    std::fs::write(&path, older).unwrap();
    let output = program.run(&["sync", "--plan", path.to_str().unwrap()]).await;
    assert!(output.code == 64 && output.stderr.contains("make it again with `sync --dry-run --out`"), "{output:?}");
    assert_eq!(sandbox.take_calls(), []);
}

#[tokio::test]
async fn a_plan_of_another_instance_or_of_nobody_is_refused() {
    let (_database, sandbox, program) = sides().await;
    let (directory, path) = save(&program.clone().with("EXPLO_SYNC__NAME", "other")).await;
    drop(sandbox.take_calls());
    let other = program.run(&["sync", "--plan", path.to_str().unwrap()]).await;
    assert_eq!(
        (other.code, other.stderr.contains("instance other, and this is default")),
        (64, true),
        "{}",
        other.stderr
    );
    let text = std::fs::read_to_string(&path).unwrap();
    for (broken, name) in [
        ("{", "cut.json"),
        ("{\"version\":2}", "empty.json"),
        (&text.replace("\"version\":2", "\"version\":9"), "new.json"),
    ] {
        let path = directory.path().join(name);
        std::fs::write(&path, broken).unwrap();
        let output =
            program.clone().with("EXPLO_SYNC__NAME", "other").run(&["sync", "--plan", path.to_str().unwrap()]).await;
        assert_eq!((output.code, output.stderr.contains(name)), (64, true), "{}", output.stderr);
    }
    assert_eq!(sandbox.take_calls(), []);
}

#[tokio::test]
async fn no_more_changes_are_begun_than_asked_for_and_the_next_run_carries_on() {
    let (_database, sandbox, program) = sides().await;
    for expected in [2, 2, 2] {
        let (code, report) = program.sync(&["--max-changes", "2"]).await;
        let left = report["changes"].as_array().unwrap().len() - 2;
        assert_eq!(report["outcomes"], json!({"applied": expected, "failed": 0, "unsettled": 0, "deferred": left}));
        assert_eq!(code, if left > 0 { 75 } else { 0 });
    }
    let calls = sandbox.take_calls();
    let mut changed: Vec<Value> = writes(&calls).into_iter().map(|call| body(call)["provided_id"].clone()).collect();
    changed.sort_by_key(Value::to_string);
    assert_eq!(changed, ["a", "b", "c", "d", "e", "f"], "every tenant once");
    assert_eq!(program.clone().sync(&["--max-changes", "2", "--ok", "3,75"]).await.0, 0);
}

#[tokio::test]
async fn codes_that_are_ok_become_zero_and_the_report_keeps_them() {
    let (_database, _sandbox, program) = sides().await;
    let (code, report) = program.sync(&["--max-changes", "0", "--ok", "3,75"]).await;
    assert_eq!((code, &report["exit"]), (0, &json!(75)));
    assert_eq!(program.sync(&["--max-changes", "0", "--ok", "3"]).await.0, 75);
}

#[tokio::test]
async fn a_first_load_is_done_by_repeated_runs_of_a_few_seconds() {
    let database = Database::new(Kind::Postgres).await;
    database
        .execute(
            "create table tenants as select 't' || n as id, 'Tenant ' || n as name from generate_series(1, 3000) n",
        )
        .await;
    let sandbox = sandbox([]).await;
    // 18,000 a minute are 300 a second: a load of ten seconds.
    let program = Program::between(&database, &sandbox, QUERY).with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "18000");
    let mut runs = 0;
    loop {
        runs += 1;
        let (code, report) = program.sync(&["--allow", "create=3000", "--max-duration", "5s", "--ok", "75"]).await;
        assert_eq!(code, 0, "{}", report["error"]);
        let outcomes = &report["outcomes"];
        assert_eq!((&outcomes["failed"], &outcomes["unsettled"]), (&json!(0), &json!(0)));
        if report["exit"] == 0 {
            break;
        }
        assert!(runs < 10, "it does not come to an end");
    }
    let calls = sandbox.take_calls();
    let mut created: Vec<_> = writes(&calls).into_iter().map(|call| body(call)["provided_id"].to_string()).collect();
    created.sort_unstable();
    created.dedup();
    assert_eq!((created.len(), writes(&calls).len()), (3000, 3000), "every tenant once");
    let listings = endpoints(&calls).into_iter().filter(|endpoint| *endpoint == "customers").count();
    assert_eq!(calls.len(), 3000 + listings, "no call but the listings and the creates");
    assert!(runs >= 2, "it was cut at least once");
}
