//! Single tenants and plain listings: `sync --only`, `explain`, `export`.

use explo_sync::sandbox::{Sandbox, StoredCustomer};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, Program, World, customer, endpoints, ids, stored, writes};

/// `a` is to be made, `b` to be changed, `c` is as it should be, `e` has no name; nobody has a row for `d`.
async fn sides() -> (Database, Sandbox, Program) {
    let tenant = |(id, name): (&str, &str)| {
        let email = format!("{}@{id}.example", name.to_lowercase());
        json!({"provided_id": id, "name": name, "emails": [email]})
    };
    let world = World::of([("a", "Ann"), ("b", "Bob"), ("c", "Cat")].map(tenant)).derived().without(["a"]);
    let world = world.but("b", |customer| customer.name = "Robert".into()).and([tenant(("d", "Dan"))]);
    let world = world.each(|customer| customer.properties = serde_json::from_str(r#"{"seats": 1.50}"#).unwrap());
    let world = world.with("EXPLO_SYNC__GUARD__CREATE_FLOOR", "0").with("EXPLO_SYNC__GUARD__FLOOR", "0");
    let (database, sandbox, program) = world.start().await;
    database.execute("insert into tenants (id) values ('e')").await;
    (database, sandbox, program)
}

#[tokio::test]
async fn only_looks_at_each_tenant_and_writes_it_whatever_the_guard_would_say() {
    let (_database, sandbox, program) = sides().await;
    let arguments = ["--only", "a", "--only", "b", "--only", "c", "--only", "b"];
    let (code, report) = program.sync(&[&arguments[..], &["--dry-run"]].concat()).await;
    let planned = json!({"get_customer": 3, "create_customer": 1, "update_customer": 1});
    assert_eq!((code, &report["calls"]["planned"], &report["held"]), (0, &planned, &json!([])));
    assert_eq!(report["calls"]["made"], json!({"get_customer": 3}));
    assert_eq!(report["listing"], json!({"passes": 0, "pages": 0, "complete": false}));
    drop(sandbox.take_calls());
    let (code, report) = program.sync(&arguments).await;
    assert_eq!((code, &report["calls"]["made"], &report["outcomes"]["applied"]), (0, &planned, &json!(2)), "{report}");
    let calls = sandbox.take_calls();
    assert_eq!((endpoints(&calls).contains(&"customers"), writes(&calls).len()), (false, 2));
    assert_eq!((&stored(&sandbox, "a")["name"], &stored(&sandbox, "b")["name"]), (&json!("Ann"), &json!("Bob")));
    let (code, report) = program.sync(&arguments).await;
    assert_eq!((code, &report["changes"]), (0, &json!([])));
}

#[tokio::test]
async fn an_id_without_a_row_is_invalid_and_its_customer_is_left_alone() {
    let (_database, sandbox, program) = sides().await;
    let (code, report) = program.sync(&["--only", "d", "--only", "nobody", "--only", "e"]).await;
    assert_eq!((code, ids(&report["invalid"])), (3, vec!["d", "e", "nobody"]));
    assert!(report["invalid"][0]["reason"].as_str().unwrap().contains("has no row"), "{report}");
    assert_eq!(writes(&sandbox.take_calls()).len(), 0);
}

#[rstest]
#[case::with_a_plan(&["sync", "--only", "a", "--plan", "p.json"])]
#[case::with_an_allowance(&["sync", "--only", "a", "--allow", "create=1"])]
#[tokio::test]
async fn only_goes_with_neither_a_plan_nor_an_allowance(#[case] arguments: &[&str]) {
    assert_eq!(Program::default().run(arguments).await.code, 64);
}

#[rstest]
#[case::to_create("a", &["has a row", "no customer", "+ name", "wanted \"Ann\"", "To create"])]
#[case::to_update("b", &["~ name", "wanted \"Bob\", Explo has \"Robert\"", "= emails", "update_customer with name"])]
#[case::unchanged("c", &["= name", "= emails", "  properties            left alone", "Unchanged"])]
#[case::without_a_row("d", &["no row", "a customer", "Orphan"])]
#[case::invalid("e", &["Invalid", "name is NULL"])]
#[tokio::test]
async fn explain_shows_both_sides_and_the_decision(#[case] id: &str, #[case] parts: &[&str]) {
    let (_database, sandbox, program) = sides().await;
    let output = program.run(&["explain", id, "--show-values"]).await;
    assert_eq!(output.code, if id == "e" { 3 } else { 0 }, "{output:?}");
    for part in parts {
        assert!(output.stdout.contains(part), "{part:?} is not in {}", output.stdout);
    }
    // That there is none is proven by a look at an id that nobody has.
    let looks = if ["a", "e"].contains(&id) { 2 } else { 1 };
    assert_eq!(endpoints(&sandbox.take_calls()), vec!["get_customer"; looks]);
    let discreet = program.run(&["explain", id]).await;
    let values = ["Ann", "Bob", "Robert", "@"];
    assert!(!values.iter().any(|value| discreet.stdout.contains(value)), "{}", discreet.stdout);
}

#[tokio::test]
async fn explain_says_nothing_of_the_fields_of_a_row_that_cannot_be_read() {
    let (_database, _sandbox, program) = World::of([("a", "Ann")]).start().await;
    let query = "select id as provided_id, name, '[1]' as properties from tenants";
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", query);
    let output = program.run(&["explain", "a", "--show-values"]).await;
    for part in ["a has a row that can't be read, and Explo has no customer", "Invalid, so nothing is sent: properties"]
    {
        assert!(output.code == 3 && output.stdout.contains(part), "{part}: {output:?}");
    }
    assert!(!output.stdout.contains("left alone"), "{output:?}");
}

#[tokio::test]
async fn explain_of_an_id_that_nobody_has_is_no_success() {
    let (_database, _sandbox, program) = sides().await;
    let output = program.run(&["explain", "nobody"]).await;
    assert!(output.code == 3 && output.stdout.contains("no row"), "{output:?}");
}

#[tokio::test]
async fn export_gives_every_customer_in_a_shape_that_the_sandbox_reads() {
    let (_database, sandbox, program) = sides().await;
    let lines = |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let output = program.run(&["export"]).await;
    let exported = lines(&output.stdout);
    assert_eq!((output.code, exported.len()), (0, 3), "{output:?}");
    assert!(exported.iter().all(|customer| customer.get("token").is_none()));
    assert_eq!(exported[0]["properties"].to_string(), r#"{"seats":1.5}"#);
    let with_tokens = lines(&program.run(&["export", "--with-tokens"]).await.stdout);
    let tokens: Vec<_> = sandbox.customers().into_iter().map(|customer| customer.token).collect();
    assert_eq!(with_tokens.iter().map(|customer| customer["token"].as_str().unwrap()).collect::<Vec<_>>(), tokens);
    let shown = |customer: &StoredCustomer| serde_json::to_value(customer).unwrap();
    let again: Vec<Value> = with_tokens.into_iter().map(|line| shown(&customer(line))).collect();
    let held = sandbox.customers().into_iter().map(|one| {
        let mut one = shown(&one);
        // An empty mapping and none are the same.
        one["parent_schema_datasource_mapping"] = json!({});
        one
    });
    assert_eq!(again, held.collect::<Vec<_>>());
}

#[tokio::test]
async fn an_export_that_is_not_complete_says_so() {
    let (_database, sandbox, program) = sides().await;
    sandbox.adjust(|api| api.faults = vec!["status=500,endpoint=customers".parse().unwrap()]);
    let output = program.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1").run(&["export"]).await;
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.contains("500"), "{}", output.stderr);
}
