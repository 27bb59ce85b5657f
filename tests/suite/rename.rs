//! Tenants whose id changed: their customers get the new id and keep their tokens.

use explo_sync::sandbox::{Call, Endpoint, Fault, FaultKind, Ids, Sandbox};
use rstest::rstest;
use serde_json::json;

use crate::support::{self, Database, Program, World, body, changes, customer, endpoints, keys, stored};

/// Tenants: id, previous id (empty: NULL) and name; customers: id and name.
async fn sides(tenants: &[[&str; 3]], customers: &[[&str; 2]]) -> (Database, Sandbox, Program) {
    let tenants = tenants.iter().map(|[id, previous, name]| {
        let previous = (!previous.is_empty()).then_some(previous);
        json!({"provided_id": id, "previous_provided_id": previous, "name": name})
    });
    let customers = customers.iter().map(|[id, name]| {
        json!({"provided_id": id, "name": name, "token": format!("token of {id}"), "emails": ["x@x.example"]})
    });
    let world = World::of(tenants).columns(&["previous_provided_id"]).and(customers);
    world.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "3").start().await
}

/// The calls but for the listing: what they ask, and of whom.
fn told(calls: &[Call]) -> Vec<String> {
    support::told(calls).into_iter().filter(|call| call != "customers").collect()
}

fn ids(sandbox: &Sandbox) -> Vec<String> {
    let mut ids: Vec<_> = sandbox.customers().into_iter().filter_map(|customer| customer.provided_id).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_customer_gets_the_new_id_in_one_call_and_keeps_everything_else() {
    let (_database, sandbox, program) = sides(&[["b", "a", "Ann"]], &[["a", "Ann"]]).await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, changes(&report)), (0, vec!["rename b applied".to_owned()]), "{report}");
    assert_eq!((&report["counts"]["rename"], &report["counts"]["unchanged"]), (&json!(1), &json!(0)));
    assert_eq!(report["calls"]["planned"], json!({"customers": 1, "update_customer": 1}));
    let calls = sandbox.take_calls();
    assert_eq!(told(&calls), ["update_customer a > b"]);
    assert_eq!(keys(&body(&calls[1])), ["new_provided_id", "provided_id"]);
    let customer = stored(&sandbox, "b");
    assert_eq!((&customer["token"], &customer["emails"]), (&json!("token of a"), &json!(["x@x.example"])));
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]), "the column stays, and is ignored");
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"]);
}

#[tokio::test]
async fn a_tenant_that_is_renamed_and_changed_is_two_changes() {
    let (_database, sandbox, program) = sides(&[["b", "a", "Anna"], ["z", "", "Zoe"]], &[["a", "Ann"]]).await;
    let (_, report) = program.sync(&["--dry-run", "--show-values"]).await;
    assert_eq!(changes(&report), ["rename b -", "create z -", "update b -"]);
    assert_eq!(report["changes"][0]["fields"], json!({"provided_id": {"old": "a", "new": "b"}}));
    assert_eq!(report["changes"][2]["fields"], json!({"name": {"old": "Ann", "new": "Anna"}}));
    assert_eq!(report["fields"], json!({"name": 1}), "the fields of updates");
    assert_eq!(program.sync(&["--dry-run"]).await.1["changes"][0]["fields"], json!({"provided_id": {}}));
    let text = program.run(&["sync", "--dry-run"]).await.stdout;
    for part in ["> a → b", "JWTs name the provided_id", "1 to rename, 1 to create, 1 to update", "2 update_customer"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    drop(sandbox.take_calls());
    assert_eq!(program.sync(&[]).await.0, 0);
    let mut calls = told(&sandbox.take_calls());
    assert_eq!(calls.remove(0), "update_customer a > b", "before all others");
    calls.sort();
    assert_eq!(calls, ["create_customer z", "update_customer b"]);
    assert_eq!((&stored(&sandbox, "b")["token"], ids(&sandbox)), (&json!("token of a"), vec!["b".into(), "z".into()]));
}

#[rstest]
#[case::new_id_is_listed(&[["b", "a", "Ann"]], &["a", "b"], &[], &[])]
#[case::old_id_is_a_row(&[["a", "", "Ann"], ["b", "a", "Ann"]], &["a"], &[], &["b"])]
#[case::old_id_is_a_row_without_a_customer(&[["a", "", "Ann"], ["b", "a", "Ann"]], &[], &["create a"], &["b"])]
#[case::old_id_is_not_listed(&[["b", "a", "Ann"]], &[], &["create b"], &[])]
#[case::own_id(&[["b", "b", "Ann"]], &["b"], &[], &[])]
#[case::own_id_without_a_customer(&[["b", "b", "Ann"]], &[], &["create b"], &[])]
#[case::chain(&[["b", "a", "Ann"], ["c", "b", "Ann"]], &["a"], &["rename b"], &["c"])]
#[case::chain_with_both(&[["b", "a", "Ann"], ["c", "b", "Ann"]], &["a", "b"], &[], &["c"])]
#[case::swap(&[["a", "b", "Ann"], ["b", "a", "Ann"]], &["a", "b"], &[], &[])]
#[case::swap_with_one(&[["a", "b", "Ann"], ["b", "a", "Ann"]], &["a"], &[], &["b"])]
#[case::two_from_one(&[["b", "a", "Ann"], ["c", "a", "Ann"]], &["a"], &[], &["b", "c"])]
#[case::two_from_one_that_is_not(&[["b", "a", "Ann"], ["c", "a", "Ann"]], &[], &["create b", "create c"], &[])]
#[case::two_from_one_and_one_is_listed(&[["b", "a", "Ann"], ["c", "a", "Ann"]], &["a", "b"], &["rename c"], &[])]
#[case::row_twice(&[["b", "a", "Ann"], ["b", "x", "Ann"]], &["a", "x"], &[], &["b"])]
#[tokio::test]
async fn a_previous_id_leads_to_a_rename_only_where_nothing_stands_against_it(
    #[case] tenants: &[[&str; 3]],
    #[case] listed: &[&str],
    #[case] planned: &[&str],
    #[case] invalid: &[&str],
) {
    let customers: Vec<_> = listed.iter().map(|id| [*id, "Ann"]).collect();
    let (_database, sandbox, program) = sides(tenants, &customers).await;
    let (_, report) = program.sync(&["--dry-run"]).await;
    let expected: Vec<_> = planned.iter().map(|change| format!("{change} -")).collect();
    assert_eq!(changes(&report), expected, "{report}");
    assert_eq!(support::ids(&report["invalid"]), invalid, "{report}");
    // With both ids listed, the old one is nobody's.
    let is_both = |tenant: &&[&str; 3]| listed.contains(&tenant[0]) && listed.contains(&tenant[1]);
    let is_a_tenants = |id: &&str| tenants.iter().any(|tenant| tenant[0] == *id);
    let old: Vec<_> = tenants.iter().filter(is_both).map(|tenant| tenant[1]).filter(|id| !is_a_tenants(id)).collect();
    let claimed = |id: &&str| tenants.iter().any(|tenant| tenant[1] == *id && !listed.contains(&tenant[0]));
    let orphans: Vec<_> = old.into_iter().filter(|id| !claimed(id)).collect();
    assert_eq!(report["orphans"], json!(orphans), "each other customer has a tenant");
    program.sync(&[]).await;
    assert_eq!(program.sync(&["--dry-run"]).await.1["changes"], json!([]), "nothing is left");
    for id in listed {
        assert!(sandbox.customers().iter().any(|one| one.token == format!("token of {id}")), "{id} was lost");
    }
}

#[rstest]
#[case::applied(FaultKind::DropAfter, &["get_customer b", "get_customer a", "get_customer nobody"])]
#[case::not_applied(FaultKind::DropBefore, &["get_customer b", "get_customer a", "get_customer nobody", "update_customer a > b"])]
#[case::unreadable(FaultKind::Half, &["get_customer b", "get_customer a", "get_customer nobody"])]
#[case::server_error_after(FaultKind::StatusAfter(504), &["get_customer b", "get_customer a", "get_customer nobody"])]
#[case::server_error(FaultKind::Status(503), &["get_customer b", "get_customer a", "get_customer nobody", "update_customer a > b"])]
#[case::throttled(FaultKind::Throttle(Some(0)), &["update_customer a > b"])]
#[tokio::test]
async fn an_answer_that_was_lost_is_found_out_by_looking(#[case] fault: FaultKind, #[case] then: &[&str]) {
    let (_database, sandbox, program) = sides(&[["b", "a", "Ann"]], &[["a", "Ann"]]).await;
    sandbox.adjust(|api| api.faults = vec![Fault::new(fault).at(Endpoint::UpdateCustomer).times(1)]);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, changes(&report)), (0, vec!["rename b applied".to_owned()]), "{report}");
    assert_eq!(told(&sandbox.take_calls()), [&["update_customer a > b"], then].concat());
    assert_eq!((&stored(&sandbox, "b")["token"], ids(&sandbox).len()), (&json!("token of a"), 1));
}

#[tokio::test]
async fn a_rename_that_fails_defers_the_update_and_the_next_run_does_both() {
    let (_database, sandbox, program) = sides(&[["b", "a", "Anna"]], &[["a", "Ann"]]).await;
    sandbox.adjust(|api| api.faults = vec![Fault::new(FaultKind::DropBefore).at(Endpoint::UpdateCustomer)]);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, changes(&report)), (3, vec!["rename b failed".to_owned(), "update b deferred".to_owned()]));
    let round = ["update_customer a > b", "get_customer b", "get_customer a"];
    let mut calls = [round; 3].concat();
    calls.insert(3, "get_customer nobody");
    assert_eq!(told(&sandbox.take_calls()), calls, "as often as is allowed, and what absence is once");
    sandbox.adjust(|api| api.faults.clear());
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(
        (&stored(&sandbox, "b")["name"], &stored(&sandbox, "b")["token"]),
        (&json!("Anna"), &json!("token of a"))
    );
}

#[tokio::test]
async fn renames_are_held_above_three_and_let_through_by_hand() {
    let tenants = ["e", "f", "g", "h"].map(|id| [id, ["a", "b", "c", "d"][usize::from(id.as_bytes()[0] - b'e')], "T"]);
    let (_database, sandbox, program) = sides(&tenants, &["a", "b", "c", "d"].map(|id| [id, "T"])).await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["held"]), (4, &json!([{"class": "rename", "count": 4, "limit": 3}])));
    let text = program.run(&["sync"]).await.stdout;
    for part in ["rename 4 is over the limit of 3", "for example e, f, g", "--allow rename=4"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(ids(&sandbox), ["a", "b", "c", "d"]);
    assert_eq!(program.sync(&["--allow", "rename=4"]).await.0, 0);
    assert_eq!(ids(&sandbox), ["e", "f", "g", "h"]);
}

#[tokio::test]
async fn a_saved_plan_renames_unless_something_moved() {
    let tenants = [["b", "a", "Anna"], ["d", "c", "Dan"], ["f", "e", "Flo"]];
    let (_database, sandbox, program) = sides(&tenants, &[["a", "Ann"], ["c", "Dan"], ["e", "Flora"]]).await;
    let (_directory, path) = program.saved().await;
    sandbox.change(|store| store.add(customer(json!({"provided_id": "f", "name": "Flora"}))));
    drop(sandbox.take_calls());
    let (code, report) = program.sync(&["--plan", &path]).await;
    assert_eq!((code, &report["skipped"]), (3, &json!(["f"])), "{report}");
    assert_eq!(changes(&report), ["rename b applied", "rename d applied", "update b applied"]);
    let calls = told(&sandbox.take_calls());
    let mut writes: Vec<_> = calls.iter().filter(|call| !call.starts_with("get")).map(String::as_str).collect();
    writes[..2].sort_unstable();
    assert_eq!(writes, ["update_customer a > b", "update_customer c > d", "update_customer b"]);
    assert_eq!(
        (&stored(&sandbox, "b")["token"], &stored(&sandbox, "e")["token"]),
        (&json!("token of a"), &json!("token of e"))
    );
    let (code, report) = program.sync(&["--plan", &path]).await;
    assert_eq!((code, &report["skipped"]), (3, &json!(["f"])), "{report}");
    assert_eq!(changes(&report), ["rename b applied", "rename d applied", "update b applied"], "they are done");
    let calls = told(&sandbox.take_calls());
    assert!(calls.iter().all(|call| call.starts_with("get")), "{calls:?}");
}

#[tokio::test]
async fn an_answer_that_shows_another_id_is_a_failure() {
    let (_database, sandbox, program) = sides(&[[" b", "a", "Ann"]], &[["a", "Ann"]]).await;
    sandbox.adjust(|api| api.behaviour.ids = Ids::Trimmed);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, changes(&report)), (3, vec!["rename  b failed".to_owned()]));
    assert!(report["changes"][0]["error"].as_str().unwrap().contains("another provided_id"), "{report}");
    assert_eq!(told(&sandbox.take_calls()), ["update_customer a >  b"], "not repeated");
}

#[tokio::test]
async fn a_single_tenant_is_renamed_after_a_look_at_its_previous_id() {
    let tenants = [
        ["b", "a", "Anna"],
        ["d", "c", "Dan"],
        ["c", "", "Cat"],
        ["f", "e", "Flo"],
        ["g", "e", "Gus"],
        ["i", "h", "Ida"],
    ];
    let (_database, sandbox, program) =
        sides(&tenants, &[["a", "Ann"], ["c", "Cat"], ["e", "Flo"], ["i", "Ida"]]).await;
    let explained = program.run(&["explain", "b"]).await.stdout;
    for part in [
        "a customer with its previous provided_id",
        "To rename: one call of update_customer that gives a",
        "\nTo update: ",
    ] {
        assert!(explained.contains(part), "{part} in {explained}");
    }
    drop(sandbox.take_calls());
    let (code, report) = program.sync(&["--only", "b"]).await;
    assert_eq!((code, changes(&report)), (0, vec!["rename b applied".to_owned(), "update b applied".to_owned()]));
    assert_eq!(report["tenants"], 1, "{report}");
    assert_eq!(
        told(&sandbox.take_calls()),
        ["get_customer b", "get_customer a", "update_customer a > b", "update_customer b"]
    );
    let (code, report) = program.sync(&["--only", "d", "--only", "f", "--only", "i"]).await;
    assert_eq!((code, changes(&report)), (3, vec![]), "{report}");
    assert_eq!(support::ids(&report["invalid"]), ["d", "f"], "another row has the id, or the previous id");
    assert!(told(&sandbox.take_calls()).iter().all(|call| call.starts_with("get")));
}
