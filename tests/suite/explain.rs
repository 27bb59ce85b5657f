//! `explain`: what is on both sides of one id, what a run would do, and why. Every reason is one that a reader understands alone.

use explo_sync::sandbox::{Endpoint, Fault, FaultKind, Sandbox};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, Kind, Output, Program, customer, endpoints, keys, sandbox, writes};

const QUERY: &str = "select id as provided_id, previous as previous_provided_id, parent as parent_provided_id, \
                     level as hierarchy_level_name, name, email as emails from tenants";

/// Rows: id, previous id, parent and name (empty: NULL); those with a parent are of a country, the others of a region.
async fn sides(rows: &[[&str; 4]], customers: &[&str]) -> (Database, Sandbox, Program) {
    let database = Database::new(Kind::Sqlite).await;
    database
        .execute("create table tenants (id text, previous text, parent text, level text, name text, email text)")
        .await;
    for [id, previous, parent, name] in rows {
        let level = if parent.is_empty() { "region" } else { "country" };
        let row = format!(
            "('{id}', nullif('{previous}', ''), nullif('{parent}', ''), '{level}', nullif('{name}', ''), '{id}@x.example')"
        );
        database.execute(&format!("insert into tenants values {row}")).await;
    }
    let held = customers.iter().map(|id| {
        customer(json!({"provided_id": id, "name": "Held", "emails": [format!("{id}@x.example")], "hierarchy_level": "region"}))
    });
    let sandbox = sandbox(held).await;
    sandbox.adjust(|api| api.behaviour.levels = ["region", "country", "site"].map(str::to_owned).into());
    let program = Program::between(&database, &sandbox, QUERY).with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    (database, sandbox, program)
}

async fn explained(program: &Program, id: &str) -> Output {
    program.run(&["explain", id, "--show-values"]).await
}

async fn as_json(program: &Program, id: &str) -> (i32, Value) {
    let output = program.run(&["explain", id, "--output", "json"]).await;
    (output.code, output.json())
}

/// The text says each of these, and the JSON has the decision; both have the exit code.
async fn assert_told(program: &Program, id: &str, code: i32, decision: &str, parts: &[&str]) {
    let output = explained(program, id).await;
    assert_eq!(output.code, code, "{output:?}");
    for part in parts {
        assert!(output.stdout.contains(part), "{part:?} is not in {}", output.stdout);
    }
    let (exit, json) = as_json(program, id).await;
    assert_eq!((exit, &json["exit"], &json["decision"]), (code, &json!(code), &json!(decision)), "{json}");
}

/// Explo refuses each write of this tenant.
fn refuse(sandbox: &Sandbox, endpoint: Endpoint, id: &'static str) {
    sandbox.adjust(|api| api.faults = vec![Fault::new(FaultKind::Status(400)).at(endpoint).of([id])]);
}

#[tokio::test]
async fn a_missing_customer_is_created_and_the_guard_is_named() {
    let (_database, sandbox, program) = sides(&[["a", "", "", "Ann"]], &[]).await;
    let told = [
        "a has a row, and Explo has no customer that this token sees with this provided_id.\n",
        "  + name                  wanted \"Ann\"\n",
        "To create: one call of create_customer.\n",
        "The guard holds a run with more than 100 creates, if they are more than 10 % of the customers listed; explain lists \
         no customers, so only sync --dry-run tells whether it holds this one.\n",
        "Nothing is remembered: there is no ledger.\n",
    ];
    assert_told(&program, "a", 0, "create", &told).await;
    assert!(writes(&sandbox.take_calls()).is_empty());
}

#[rstest]
#[case::of_updates("name", "more than 10 updates, if they are more than 10 % of the customers that have a tenant")]
#[case::of_the_mapping("name, '{\"40\": 7}' as mapping", "more than 3 updates of the mapping")]
#[tokio::test]
async fn the_guard_of_an_update_is_that_of_its_fields(#[case] columns: &str, #[case] told: &str) {
    let (_database, _sandbox, program) = sides(&[["a", "", "", "Ann"]], &["a"]).await;
    let query = format!("select id as provided_id, {columns} from tenants");
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", &query);
    assert_told(&program, "a", 0, "update", &[told, "  ~ name", "To update: one call of update_customer with name"])
        .await;
}

#[tokio::test]
async fn a_customer_that_the_ledger_knows_and_explo_no_longer_has_is_created_within_the_lower_limit() {
    let (_database, sandbox, program) = sides(&[["a", "", "", "Held"]], &["a"]).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_told(
        &program,
        "a",
        0,
        "unchanged",
        &["Unchanged: nothing is sent.\n", "Remembered: a token, in sync at 20"],
    )
    .await;
    let token = sandbox.customers().remove(0).token;
    sandbox.change(|store| store.delete(&token).unwrap());
    let told = ["more than 3 creates of customers that it remembers", "Remembered: a token, in sync at 20"];
    assert_told(&program, "a", 0, "create", &told).await;
    assert!(!explained(&program, "a").await.stdout.contains(&token));
}

#[tokio::test]
async fn an_orphan_is_left_alone() {
    let (_database, _sandbox, program) = sides(&[["D", "", "", "Dan"]], &["d"]).await;
    let told = [
        "d has no row, and Explo has a customer with this provided_id.\n",
        "Orphan: no row has this id, so runs leave the customer alone.\nDid you mean: D (Dan)\n",
    ];
    assert_told(&program, "d", 0, "orphan", &told).await;
}

#[tokio::test]
async fn a_renamed_customer_is_explained_by_either_id() {
    let (_database, _sandbox, program) = sides(&[["new", "old", "", "Held"]], &["old"]).await;
    let told = [
        "new has a row, and Explo has a customer with its previous provided_id.\n",
        "To rename: one call of update_customer that gives old the new provided_id",
        "more than 3 renames",
    ];
    assert_told(&program, "new", 0, "rename", &told).await;
    let told = ["old has no row", "To rename: the row new names it as its previous_provided_id."];
    assert_told(&program, "old", 0, "rename", &told).await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_told(&program, "old", 3, "unknown", &["Unknown: no row has the id 'old'; did you mean: new (Held)\n"]).await;
}

#[tokio::test]
async fn a_row_that_cannot_be_planned_is_invalid() {
    let (_database, _sandbox, program) = sides(&[["a", "", "", ""]], &[]).await;
    assert_told(&program, "a", 3, "invalid", &["Invalid, so nothing is sent: name is NULL"]).await;
}

/// What is wrong above a tenant is found as far up as it is.
#[tokio::test]
async fn below_a_parent_that_is_invalid_or_not_there_a_tenant_is_invalid() {
    let rows = [
        ["lost", "", "nobody", "Lost"],
        ["nameless", "", "", ""],
        ["child", "", "nameless", "Child"],
        ["grandchild", "", "child", "Grandchild"],
        ["x", "", "y", "X"],
        ["y", "", "x", "Y"],
    ];
    let (_database, _sandbox, program) = sides(&rows, &[]).await;
    for (id, told) in [
        ("lost", "its parent_provided_id nobody names neither a tenant nor a listed customer"),
        ("child", "it is below an invalid tenant: nameless"),
        ("grandchild", "it is below an invalid tenant: child → nameless"),
        ("x", "its parents form a circle: y → x"),
    ] {
        assert_told(&program, id, 3, "invalid", &[&format!("Invalid, so nothing is sent: {told}\n")]).await;
    }
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!(code, 0);
    let reasons = report["invalid"].as_array().unwrap();
    assert!(
        reasons.contains(
            &json!({"provided_id": "grandchild", "reason": "it is below an invalid tenant: child → nameless"})
        ),
        "a run says the same: {report}"
    );
}

#[tokio::test]
async fn a_parent_that_is_made_first_is_named() {
    let (_database, sandbox, program) = sides(&[["p", "", "", "P"], ["c", "", "p", "C"]], &[]).await;
    let told = ["To create first: p, which is above it.\nTo create: one call of create_customer.\n"];
    assert_told(&program, "c", 0, "create", &told).await;
    assert_eq!(program.sync(&[]).await.0, 0);
    drop(sandbox.take_calls());
    assert_told(&program, "c", 0, "unchanged", &["= parent_provided_id    \"p\"", "Unchanged: nothing is sent.\n"])
        .await;
    let looks = ["get_customer", "get_customer", "customers"];
    assert_eq!(endpoints(&sandbox.take_calls()), [looks, looks].concat());
}

#[tokio::test]
async fn a_refused_tenant_comes_after_all_others_then_waits_and_its_children_are_deferred() {
    let (database, sandbox, program) = sides(&[["p", "", "", "P"], ["c", "", "p", "C"]], &[]).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    refuse(&sandbox, Endpoint::CreateCustomer, "p");
    assert_eq!(program.sync(&[]).await.0, 3);
    let told = [
        "To create: one call of create_customer.\nIt was refused before (once), so the next run tries it after all others. The \
         last answer: create_customer answered 400",
        "Remembered: no token, never in sync.\n",
    ];
    assert_told(&program, "p", 3, "create", &told).await;
    assert_eq!(program.sync(&[]).await.0, 3);
    let told = [
        "To create: one call of create_customer.\nNot yet: it failed before (2 times), and 1 more runs skip it, at most until 20",
        "unless --retry-failed is given. The last answer: create_customer answered 400",
    ];
    assert_told(&program, "p", 3, "waiting", &told).await;
    let told =
        ["Deferred: p above it comes first, failed before, and is skipped by 1 more runs. The last answer for p: \
         create_customer answered 400"];
    assert_told(&program, "c", 3, "deferred", &told).await;
    database.execute("update tenants set name = 'Another' where id = 'p'").await;
    assert_told(&program, "p", 0, "create", &["To create: one call of create_customer.\nThe guard"]).await;
    assert_told(&program, "c", 0, "create", &["To create first: p, which is above it."]).await;
}

#[tokio::test]
async fn a_hidden_customer_is_said_to_be_so() {
    let (_database, sandbox, program) = sides(&[["a", "", "", "Held"], ["b", "", "", "Held"]], &["a", "b"]).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    sandbox.change(|store| store.hide(["a".to_owned()]));
    assert_eq!(program.sync(&[]).await.0, 0);
    let told = [
        "Unchanged: nothing is sent.\nHidden: no listing shows this customer, so runs look it up once a day.\n",
        "Remembered: a token",
    ];
    assert_told(&program, "a", 0, "unchanged", &told).await;
    assert_eq!(as_json(&program, "a").await.1["remembered"]["hidden"], true);
}

#[tokio::test]
async fn what_does_not_settle_is_marked_and_not_sent_again() {
    let (database, sandbox, program) = sides(&[["a", "", "", "Held"]], &["a"]).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    sandbox.adjust(|api| api.behaviour.emails = explo_sync::sandbox::OnUpdate::Merge);
    database.execute("update tenants set email = 'new@x.example'").await;
    assert_eq!(program.sync(&[]).await.0, 3);
    let told = [
        "  ≠ emails                wanted [\"new@x.example\"], Explo has [\"a@x.example\",\"new@x.example\"]\n",
        "Not sent again: emails. It was sent, and Explo showed something else (added, not replaced).\n",
    ];
    assert_told(&program, "a", 0, "unsettled", &told).await;
}

#[rstest]
#[case::in_another_case("ACME", "acme (Acme Inc.)")]
#[case::with_spaces(" acme ", "acme (Acme Inc.)")]
#[case::by_name("acme inc.", "acme (Acme Inc.)")]
#[case::by_a_part_of_the_name("Söhne", "5 (Müller & Söhne)")]
#[case::by_a_part_of_the_id("cme", "acme (Acme Inc.)")]
#[tokio::test]
async fn an_id_in_another_case_or_a_name_finds_whom_somebody_means(
    #[case] asked: &str,
    #[case] found: &str,
    #[values(false, true)] one: bool,
) {
    let rows = [["acme", "", "", "Acme Inc."], ["5", "", "", "Müller & Söhne"], ["other", "", "", "Other"]];
    let (_database, sandbox, mut program) = sides(&rows, &[]).await;
    if one {
        program = program.with("EXPLO_SYNC__SOURCE__QUERY_ONE", &format!("{QUERY} where id = ?"));
    }
    let told = format!("Unknown: no row has the id '{asked}'; did you mean: {found}\n");
    assert_told(&program, asked, 3, "unknown", &[&told]).await;
    let id = found.split(' ').next().unwrap();
    let discreet = program.run(&["explain", asked]).await;
    assert!(discreet.stdout.contains(&format!("did you mean: {id}\n")), "{discreet:?}");
    assert_eq!(as_json(&program, asked).await.1["candidates"], json!([{"provided_id": id}]));
    assert!(writes(&sandbox.take_calls()).is_empty());
}

#[tokio::test]
async fn ten_candidates_at_most_are_named_and_the_likeliest_first() {
    let mut rows: Vec<_> = (0..30).map(|n| [format!("acme-{n:02}"), format!("Branch {n}")]).collect();
    rows.push(["zz".to_owned(), "ACME".to_owned()]);
    rows.push(["Acme".to_owned(), "Z".to_owned()]);
    let rows: Vec<_> = rows.iter().map(|[id, name]| [id.as_str(), "", "", name.as_str()]).collect();
    let (_database, _sandbox, program) = sides(&rows, &[]).await;
    let (_, json) = as_json(&program, "acme").await;
    let ids: Vec<_> =
        json["candidates"].as_array().unwrap().iter().map(|one| one["provided_id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), &ids[..3]), (10, &["Acme", "zz", "acme-00"][..]));
    assert_told(
        &program,
        "nobody",
        3,
        "unknown",
        &["Unknown: no row has the id 'nobody', nor an id or a name like it. Nothing is sent.\n"],
    )
    .await;
}

#[tokio::test]
async fn the_json_has_both_sides_and_never_a_token() {
    let (_database, sandbox, program) = sides(&[["a", "", "", "Ann"]], &["a"]).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    sandbox.change(|store| {
        let held = store.customer("a").unwrap();
        held.properties = serde_json::from_value(json!({"seats": 5})).unwrap();
    });
    let told = "Not certain: it exists already, and no run has seen it in the listing yet";
    assert_told(&program, "a", 0, "update", &["To update: ", told]).await;
    let top = "version instance provided_id row wanted current fields decision reason remembered exit";
    let mut top: Vec<_> = top.split(' ').collect();
    top.sort_unstable();
    let (code, discreet) = as_json(&program, "a").await;
    assert_eq!((code, keys(&discreet)), (0, top), "{discreet}");
    assert_eq!((&discreet["wanted"], &discreet["current"], &discreet["row"]), (&json!({}), &json!({}), &json!(true)));
    assert_eq!(discreet["fields"][0], json!({"field": "name", "comparison": "differs"}));
    assert!(!discreet.to_string().contains("Ann") && !discreet.to_string().contains('@'), "{discreet}");
    let output = program.run(&["explain", "a", "--output", "json", "--show-values"]).await;
    let token = sandbox.customers().remove(0).token;
    assert!(!output.stdout.contains(&token), "{output:?}");
    let shown = output.json();
    assert_eq!(
        shown["fields"][0],
        json!({"field": "name", "comparison": "differs", "wanted": "Ann", "current": "Held"})
    );
    assert_eq!(shown["fields"][1]["comparison"], "equal");
    assert_eq!(
        (&shown["wanted"]["emails"], &shown["current"]["properties"]),
        (&json!(["a@x.example"]), &json!({"seats": 5}))
    );
    assert!(
        shown["reason"].as_str().unwrap().starts_with("To update: one call of update_customer with name."),
        "{shown}"
    );
    assert_eq!(shown["remembered"], Value::Null);
    assert_eq!(program.sync(&[]).await.0, 0);
    let remembered = as_json(&program, "a").await.1["remembered"].clone();
    assert_eq!(
        (&remembered["token"], &remembered["hidden"], &remembered["failures"]),
        (&json!(true), &json!(false), &json!(0))
    );
    assert!(remembered["synced_at"].as_str().unwrap().ends_with('Z'), "{remembered}");
    let (code, none) = as_json(&program, "nobody").await;
    assert_eq!((code, &none["wanted"], &none["current"], &none["fields"]), (3, &Value::Null, &Value::Null, &json!([])));
}

#[rstest]
#[case::postgres(Kind::Postgres)]
#[case::mysql(Kind::MySql)]
#[tokio::test]
async fn every_ledger_tells_when_a_customer_was_in_sync(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    database
        .execute("create table tenants (id varchar(9), name varchar(9)); insert into tenants values ('a', 'Ann')")
        .await;
    let sandbox = sandbox([]).await;
    let program = Program::between(&database, &sandbox, "select id as provided_id, name from tenants");
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    let output = explained(&program, "a").await;
    assert!(output.stdout.contains("Nothing is remembered of it.\n"), "there is no table yet: {output:?}");
    assert_eq!(program.sync(&[]).await.0, 0);
    let output = explained(&program, "a").await;
    assert!(output.stdout.contains("Remembered: a token, in sync at 20"), "{output:?}");
}

#[tokio::test]
async fn where_nothing_can_be_explained_the_json_has_the_error() {
    let (_database, _sandbox, program) = sides(&[], &[]).await;
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", "select 1 as nobody");
    let (code, json) = as_json(&program, "a").await;
    assert_eq!((code, keys(&json)), (78, vec!["error", "exit", "version"]), "{json}");
}
