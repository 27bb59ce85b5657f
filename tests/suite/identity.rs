//! Whose customer, and whose token: without evidence nothing that exists is changed, and no token is kept.

use explo_sync::sandbox::{Endpoint, Fault, FaultKind, Hidden, Sandbox, Second};
use std::ops::Range;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, Program, World, customer, endpoints, stored, writes};

fn id(number: usize) -> String {
    format!("t{number:02}")
}

/// So many tenants, and the program with a ledger.
fn world(tenants: usize) -> World {
    World::of((0..tenants).map(|number| (id(number), "Ann"))).with_ledger()
}

/// The same, each with a customer of another team that no listing shows.
async fn theirs(world: World, customers: Range<usize>) -> (Database, Sandbox, Program) {
    let (database, sandbox, program) =
        world.having(customers.map(|number| held(number, "Theirs", "Staging"))).start().await;
    sandbox.change(|store| store.hide_group("Staging"));
    (database, sandbox, program)
}

fn held(number: usize, name: &str, group: &str) -> explo_sync::sandbox::StoredCustomer {
    customer(json!({"provided_id": id(number), "name": name, "access_group": group}))
}

/// The tokens in the table, by id.
async fn tokens(database: &Database) -> Vec<(String, Option<String>)> {
    database.tokens("default").await.into_iter().collect()
}

#[tokio::test]
async fn where_the_listing_shows_nobody_nothing_that_exists_is_touched() {
    let (database, sandbox, program) = theirs(world(15), 0..15).await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["failed"]), (3, &json!(15)), "{report}");
    let calls = sandbox.take_calls();
    assert!(endpoints(&calls).iter().all(|endpoint| *endpoint != "update_customer"));
    assert!(report["changes"][0]["error"].as_str().unwrap().contains("left alone"), "{report}");
    assert!((0..15).all(|number| stored(&sandbox, &id(number))["name"] == "Theirs"));
    assert!(tokens(&database).await.iter().all(|(_, token)| token.is_none()), "no token is kept");
}

#[tokio::test]
async fn a_look_at_one_tenant_takes_no_customer_that_no_run_has_seen() {
    let (database, sandbox, program) = theirs(world(4), 0..4).await;
    for before in [false, true] {
        if before {
            assert_eq!(program.sync(&[]).await.0, 3);
        }
        drop(sandbox.take_calls());
        let (code, report) = program.sync(&["--only", "t01"]).await;
        assert_eq!((code, writes(&sandbox.take_calls()).len()), (3, 0), "{report}");
        assert!(report["invalid"][0]["reason"].as_str().unwrap().contains("no run has seen it"), "{report}");
        assert!(tokens(&database).await.iter().all(|(_, token)| token.is_none()), "no token is kept");
    }
}

#[tokio::test]
async fn a_look_at_one_tenant_renames_nobody_without_evidence() {
    let theirs = json!({"provided_id": "prod", "name": "Ann", "access_group": "Production"});
    let (database, sandbox, program) = world(2).columns(&["previous_provided_id"]).and([theirs]).start().await;
    database.execute("update tenants set previous_provided_id = 'prod' where id = 't01'").await;
    sandbox.change(|store| store.hide_group("Production"));
    let (code, report) = program.sync(&["--only", "t01"]).await;
    assert_eq!((code, writes(&sandbox.take_calls()).len()), (3, 0), "{report}");
    assert!(report["invalid"][0]["reason"].as_str().unwrap().contains("previous id"), "{report}");
}

#[tokio::test]
async fn a_look_at_one_tenant_takes_no_customer_with_another_token_than_is_remembered() {
    let (database, sandbox, program) = world(4).derived().start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let before = tokens(&database).await;
    database.execute("update tenants set name = 'Bob'").await;
    let anothers = before[2].1.as_deref().unwrap();
    let exchange = format!("update explo_customers set token = '{anothers}' where provided_id = 't01'");
    database.execute(&exchange).await;
    drop(sandbox.take_calls());
    let kept = tokens(&database).await;
    let (code, report) = program.sync(&["--only", "t01"]).await;
    assert_eq!((code, writes(&sandbox.take_calls()).len()), (3, 0), "{report}");
    assert!(report["invalid"][0]["reason"].as_str().unwrap().contains("another token"), "{report}");
    assert_eq!(tokens(&database).await, kept);
    assert_eq!(program.sync(&["--only", "t03"]).await.0, 0, "whose token is known");
}

#[tokio::test]
async fn where_the_listing_shows_nobody_a_lost_answer_of_ours_is_known_all_the_same() {
    let (database, sandbox, program) = world(3).start().await;
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::DropAfter).at(Endpoint::CreateCustomer).times(2)));
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!((sandbox.customers().len(), tokens(&database).await.len()), (3, 3));
}

#[tokio::test]
async fn where_the_listing_shows_nobody_a_lost_answer_makes_no_customer_of_others_ours() {
    let (database, sandbox, program) = theirs(world(3), 0..2).await;
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::DropBefore).of([id(0), id(1)]).times(2)));
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["failed"]), (3, &json!(2)), "{report}");
    assert!((0..2).all(|number| stored(&sandbox, &id(number))["name"] == "Theirs"));
    let kept: Vec<_> = tokens(&database).await.into_iter().filter(|(_, token)| token.is_some()).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
}

#[rstest]
#[case::after(Second::After)]
#[case::before(Second::Before)]
#[tokio::test]
async fn of_two_customers_with_one_id_neither_is_taken_and_the_remembered_token_stays(#[case] second: Second) {
    let (database, sandbox, program) = world(4).derived().start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let before = tokens(&database).await;
    sandbox.change(|store| store.twice("t01", second).unwrap());
    database.execute("update tenants set name = 'Bob'").await;
    for _ in 0..2 {
        let (code, report) = program.sync(&[]).await;
        assert_eq!((code, &report["invalid"][0]["provided_id"]), (3, &json!("t01")), "{report}");
        assert!(report["invalid"][0]["reason"].as_str().unwrap().contains("more than one customer"), "{report}");
    }
    let calls = sandbox.take_calls();
    assert!(writes(&calls).iter().all(|call| !call.body.contains("t01")), "nothing is written");
    assert_eq!(tokens(&database).await, before);
}

#[tokio::test]
async fn a_token_that_is_anothers_by_now_goes_although_two_customers_have_the_id() {
    let (database, sandbox, program) = world(3).derived().start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    sandbox.change(|store| {
        store.swap_ids("t00", "t01").unwrap();
        store.twice("t01", Second::Before).unwrap();
    });
    assert_eq!(program.sync(&[]).await.0, 3);
    let tokens = tokens(&database).await;
    let of = |id: &str| stored(&sandbox, id)["token"].as_str().map(str::to_owned);
    assert_eq!(tokens, [("t00".into(), of("t00")), ("t01".into(), None), ("t02".into(), of("t02"))]);
}

#[tokio::test]
async fn two_customers_with_the_previous_id_of_a_tenant_make_it_invalid() {
    let tenant = json!({"provided_id": "t00", "previous_provided_id": "old", "name": "Ann"});
    let renamed = json!({"provided_id": "old", "name": "Ann", "access_group": "Production"});
    let (_database, sandbox, program) = World::of([tenant]).and([renamed]).start().await;
    sandbox.change(|store| store.twice("old", Second::After).unwrap());
    let (code, report) = program.sync(&[]).await;
    assert_eq!(
        (code, &report["invalid"][0]["provided_id"], &report["changes"]),
        (3, &json!("t00"), &json!([])),
        "{report}"
    );
}

#[tokio::test]
async fn the_token_of_a_customer_that_is_only_listed_is_not_believed_of_another_either() {
    let renamed = customer(json!({"provided_id": "old", "name": "Ann", "access_group": "Production"}));
    let customers = [held(0, "Theirs", "Production"), renamed, held(7, "Ann", "Production")];
    let (database, sandbox, program) = world(2).columns(&["previous_provided_id"]).having(customers).start().await;
    database.execute("update tenants set previous_provided_id = 'old' where id = 't01'").await;
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::OtherToken).at(Endpoint::UpdateCustomer)));
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["failed"]), (3, &json!(2)), "{report}");
    sandbox.adjust(|api| api.faults.clear());
    assert_eq!(program.sync(&[]).await.0, 0);
    let of = |id: &str| stored(&sandbox, id)["token"].as_str().map(str::to_owned);
    let kept: Vec<_> = tokens(&database).await.into_iter().filter(|(_, token)| token.is_some()).collect();
    assert_eq!(kept, [("t00".into(), of("t00")), ("t01".into(), of("t01"))]);
}

#[rstest]
#[case::create(Endpoint::CreateCustomer, "t03")]
#[case::update(Endpoint::UpdateCustomer, "t01")]
#[tokio::test]
async fn an_answer_with_the_token_of_another_is_not_believed(#[case] endpoint: Endpoint, #[case] whose: &str) {
    let (database, sandbox, program) = world(3).derived().start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let before = tokens(&database).await;
    database.execute("insert into tenants values ('t03', 'Ann')").await;
    database.execute("update tenants set name = 'Bob' where id = 't01'").await;
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::OtherToken).at(endpoint).of([whose])));
    let (code, report) = program.sync(&[]).await;
    let failed = report["changes"].as_array().unwrap().iter().find(|change| change["outcome"] == "failed").unwrap();
    assert_eq!((code, &failed["provided_id"]), (3, &json!(whose)), "{report}");
    assert!(failed["error"].as_str().unwrap().contains("token of another customer"), "{failed}");
    let after = tokens(&database).await;
    assert!(before.iter().all(|known| after.contains(known)), "{after:?}");
    assert!(whose != "t03" || after.iter().all(|(id, token)| id != "t03" || token.is_none()), "{after:?}");
    sandbox.adjust(|api| api.faults.clear());
    program.sync(&["--retry-failed"]).await;
    assert_eq!(tokens(&database).await.len(), 4);
    assert!(
        tokens(&database)
            .await
            .iter()
            .all(|(id, token)| *token == stored(&sandbox, id)["token"].as_str().map(str::to_owned))
    );
}

/// Three tenants; no listing shows the customer of the first.
async fn with_a_hidden_one() -> (Database, Sandbox, Program) {
    let (database, sandbox, program) = world(3).derived().start().await;
    sandbox.change(|store| store.hide([id(0)]));
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(1)), "{report}");
    drop(sandbox.take_calls());
    (database, sandbox, program)
}

/// The hidden customer was asked for long ago.
async fn forget_the_day(database: &Database) {
    database.execute("update explo_customers set seen = 'unlisted00000001' where seen like 'unlisted%'").await;
}

#[rstest]
#[case::a_day_later(&[])]
#[case::in_a_hurry(&["--retry-failed"])]
#[case::by_name(&["--only", "t00"])]
#[tokio::test]
async fn a_hidden_customer_that_is_gone_is_created_again(#[case] arguments: &[&str]) {
    let (database, sandbox, program) = with_a_hidden_one().await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["counts"]["unchanged"]), (0, &json!(3)), "{report}");
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"], "it is asked for once a day");
    sandbox.change(|store| {
        let token = store.get("t00").unwrap().token.clone();
        store.delete(&token).unwrap();
    });
    if arguments.is_empty() {
        forget_the_day(&database).await;
    }
    let (code, report) = program.sync(arguments).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(1)), "{report}");
    let calls = sandbox.take_calls();
    assert_eq!(endpoints(&calls).iter().filter(|name| **name == "create_customer").count(), 1);
    let token = stored(&sandbox, "t00")["token"].as_str().map(str::to_owned);
    assert!(tokens(&database).await.contains(&("t00".to_owned(), token)));
}

#[tokio::test]
async fn a_hidden_customer_is_asked_for_once_a_day_and_changed_where_it_differs() {
    let (database, sandbox, program) = with_a_hidden_one().await;
    forget_the_day(&database).await;
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["calls"]["planned"]["get_customer"]), (0, &json!(1)), "{report}");
    for calls in [vec!["customers", "get_customer"], vec!["customers"]] {
        drop(sandbox.take_calls());
        assert_eq!(program.sync(&[]).await.0, 0);
        assert_eq!(endpoints(&sandbox.take_calls()), calls);
    }
    sandbox.change(|store| "Theirs".clone_into(&mut store.customer("t00").unwrap().name));
    forget_the_day(&database).await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["counts"]["update"]), (0, &json!(1)), "{report}");
    assert_eq!(stored(&sandbox, "t00")["name"], "Ann");
    drop(sandbox.take_calls());
    program.sync(&[]).await;
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"]);
}

#[tokio::test]
async fn a_hidden_customer_whose_id_another_teams_has_by_now_is_not_mistaken_for_it() {
    let (database, sandbox, program) = with_a_hidden_one().await;
    sandbox.change(|store| {
        store.add(held(9, "Theirs", "Staging"));
        store.hide_group("Staging");
        store.swap_ids("t00", "t09").unwrap();
    });
    forget_the_day(&database).await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["failed"]), (3, &json!(1)), "{report}");
    assert!(report["changes"][0]["error"].as_str().unwrap().contains("left alone"), "{report}");
    assert_eq!(stored(&sandbox, "t00")["name"], "Theirs");
    let token = stored(&sandbox, "t00")["token"].as_str().map(str::to_owned);
    assert!(tokens(&database).await.iter().all(|(_, known)| *known != token));
}

#[tokio::test]
async fn the_token_of_a_hidden_customer_that_is_listed_under_another_id_leaves_its_row() {
    let customers = [9, 0, 1, 2].map(|number| held(number, "Ann", "Production"));
    let (database, sandbox, program) = world(3).having(customers).start().await;
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::Fewer(1)).at(Endpoint::Customers).times(1)));
    assert_eq!(program.sync(&[]).await.0, 0);
    sandbox.change(|store| {
        store.hide([id(9)]);
        store.swap_ids("t02", "t09").unwrap();
    });
    let of = |id: &str| stored(&sandbox, id)["token"].as_str().map(str::to_owned);
    for known in [None, of("t02")] {
        assert_eq!(program.sync(&[]).await.0, 0);
        assert_eq!(tokens(&database).await[2], ("t02".to_owned(), known));
    }
}

#[tokio::test]
async fn where_looks_do_not_find_hidden_customers_a_create_does_and_its_token_tells() {
    let (database, sandbox, program) = with_a_hidden_one().await;
    sandbox.adjust(|api| api.behaviour.hidden = Hidden::Unknown);
    let before = tokens(&database).await;
    forget_the_day(&database).await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(1)), "{report}");
    assert_eq!((tokens(&database).await, sandbox.customers().len()), (before, 3));
    drop(sandbox.take_calls());
    program.sync(&[]).await;
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"]);
}

#[tokio::test]
async fn of_many_hidden_customers_ten_are_asked_for_in_a_run_and_the_longest_unasked_first() {
    let (database, sandbox, program) = world(26).derived().start().await;
    sandbox.change(|store| store.hide((0..25).map(id)));
    assert_eq!(program.sync(&[]).await.0, 0);
    forget_the_day(&database).await;
    for asked in [10, 10, 5, 0] {
        drop(sandbox.take_calls());
        assert_eq!(program.sync(&[]).await.0, 0);
        let calls = sandbox.take_calls();
        assert_eq!(endpoints(&calls).iter().filter(|name| **name == "get_customer").count(), asked);
    }
}

#[tokio::test]
async fn a_listing_of_another_team_is_refused_and_nothing_is_replaced() {
    let (database, sandbox, program) = world(5).derived().start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let before = tokens(&database).await;
    sandbox.change(|store| (0..5).for_each(|number| store.rotate_token(&id(number)).unwrap()));
    database.execute("update tenants set name = 'Bob'").await;
    drop(sandbox.take_calls());
    for arguments in [&[][..], &["--dry-run"]] {
        let output = program.run(&[&["sync", "--output", "json"], arguments].concat()).await;
        let report: Value = output.json();
        assert_eq!((output.code, report["error"].as_str().unwrap().contains("ledger --adopt")), (78, true), "{report}");
    }
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers", "customers"]);
    assert_eq!(tokens(&database).await, before);
}
