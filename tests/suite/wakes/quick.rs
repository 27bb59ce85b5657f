//! Quick runs: memory stands in for the listing.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, Kind, Program, World, endpoints};
use explo_sync::sandbox::Sandbox;

fn world(kind: Kind) -> World {
    let tenants = (0..30).map(|n| {
        json!({"provided_id": format!("t{n:02}"), "name": format!("Name {n}"), "emails": [format!("{n}@x.example")],
               "properties": {"n": n}})
    });
    World::of(tenants).on(kind).with_ledger().with("EXPLO_SYNC__EXPLO__LIST_EVERY", "1h")
}

/// Runs `sync`, and gives its report and the calls.
async fn sync(program: &Program, sandbox: &Sandbox, arguments: &[&str]) -> (Value, Vec<String>) {
    drop(sandbox.take_calls());
    let arguments = [&["sync", "--output", "json"], arguments].concat();
    let output = program.run(&arguments).await;
    let report = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (report, endpoints(&sandbox.take_calls()).into_iter().map(str::to_owned).collect())
}

async fn first_load(kind: Kind) -> (Database, Sandbox, Program) {
    let (database, sandbox, program) = world(kind).start().await;
    let (report, _) = sync(&program, &sandbox, &[]).await;
    assert_eq!((&report["outcomes"]["applied"], &report["listing"]["pages"]), (&json!(30), &json!(1)));
    (database, sandbox, program)
}

#[rstest]
#[tokio::test]
async fn between_listings_a_run_without_changes_makes_no_call(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let (_database, sandbox, program) = first_load(kind).await;
    for arguments in [&[][..], &["--dry-run"]] {
        let (report, calls) = sync(&program, &sandbox, arguments).await;
        assert!(calls.is_empty(), "{calls:?}");
        let listing = json!({"passes": 0, "pages": 0, "complete": false});
        assert_eq!((&report["exit"], &report["listing"], &report["tenants"]), (&json!(0), &listing, &json!(30)));
        assert_eq!(report["counts"]["unchanged"], 30, "{report}");
    }
}

#[tokio::test]
async fn what_differs_is_looked_up_or_created_and_nothing_else() {
    let (database, sandbox, program) = first_load(Kind::Sqlite).await;
    database.execute("update tenants set name = 'Nina' where id = 't03'").await;
    database.execute("insert into tenants (id, name) values ('new', 'Nia')").await;
    let (report, mut calls) = sync(&program, &sandbox, &[]).await;
    calls.sort_unstable();
    assert_eq!(calls, ["create_customer", "get_customer", "update_customer"]);
    assert_eq!((&report["outcomes"]["applied"], &report["exit"]), (&json!(2), &json!(0)), "{report}");
    let (_, calls) = sync(&program, &sandbox, &[]).await;
    assert!(calls.is_empty(), "{calls:?}");
}

#[tokio::test]
async fn what_somebody_changed_in_explo_is_found_by_the_next_listing() {
    let (_database, sandbox, program) = first_load(Kind::Sqlite).await;
    sandbox.change(|store| store.customer("t05").unwrap().name = "Somebody".to_owned());
    let (_, calls) = sync(&program, &sandbox, &[]).await;
    assert!(calls.is_empty(), "{calls:?}");
    let listing = program.clone().with("EXPLO_SYNC__EXPLO__LIST_EVERY", "0s");
    let (report, calls) = sync(&listing, &sandbox, &[]).await;
    assert_eq!(
        (calls, &report["counts"]["update"]),
        (vec!["customers".to_owned(), "update_customer".to_owned()], &json!(1))
    );
}

#[tokio::test]
async fn what_the_guard_held_is_still_due_for_a_run_by_memory() {
    let (_database, sandbox, program) = first_load(Kind::Sqlite).await;
    sandbox.change(|store| {
        for n in 0..12 {
            store.customer(&format!("t{n:02}")).unwrap().name = "Somebody".to_owned();
        }
    });
    let listing = program.clone().with("EXPLO_SYNC__EXPLO__LIST_EVERY", "0s");
    let (report, _) = sync(&listing, &sandbox, &[]).await;
    assert_eq!((&report["exit"], &report["held"][0]["count"]), (&json!(4), &json!(12)));
    let (report, calls) = sync(&program, &sandbox, &[]).await;
    assert_eq!((&report["exit"], &report["held"][0]["count"]), (&json!(4), &json!(12)), "{report}");
    assert_eq!(calls, vec!["get_customer"; 12]);
    let (report, _) = sync(&program, &sandbox, &["--allow", "update=12"]).await;
    assert_eq!((&report["exit"], &report["outcomes"]["applied"]), (&json!(0), &json!(12)));
    let (_, calls) = sync(&program, &sandbox, &[]).await;
    assert!(calls.is_empty(), "{calls:?}");
}

#[tokio::test]
async fn very_many_differences_are_a_listing() {
    let (database, sandbox, program) = first_load(Kind::Sqlite).await;
    for n in 0..101 {
        database.execute(&format!("insert into tenants (id, name) values ('n{n}', 'Nia')")).await;
    }
    let (report, calls) = sync(&program, &sandbox, &[]).await;
    assert_eq!((calls.len(), &report["exit"]), (1, &json!(4)), "it lists, and the guard holds 101 creates: {report}");
}

#[rstest]
#[case::added("--emails merge", "emails = 'new@x.example'")]
#[case::trimmed("--spaces trimmed", "name = 'Nina '")]
#[tokio::test]
async fn what_does_not_settle_costs_no_call_between_listings(#[case] behaviour: &str, #[case] change: &str) {
    let (database, sandbox, program) = world(Kind::Sqlite).behaving(behaviour).start().await;
    sync(&program, &sandbox, &[]).await;
    database.execute(&format!("update tenants set {change} where id = 't03'")).await;
    sync(&program, &sandbox, &[]).await;
    let (report, calls) = sync(&program, &sandbox, &[]).await;
    assert!(calls.is_empty(), "{calls:?}");
    assert_eq!(report["counts"]["unsettled"], 1, "{report}");
}
