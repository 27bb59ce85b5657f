//! Tokens that are nobody's under an id any more: whoever gets the id next must not get the token.

use explo_sync::sandbox::{Endpoint, Fault, FaultKind, Sandbox, StoredCustomer};
use rstest::rstest;
use serde_json::json;

use super::{held, ids, world};
use crate::support::{Database, Kind, Program, writes};

const QUERY: &str = "select id as provided_id, group_tags as previous_provided_id, name from tenants";

/// Four tenants, and their tokens in the table.
async fn synced(kind: Kind) -> (Database, Sandbox, Program) {
    let (database, sandbox, program) = world(kind, ids(0..4)).derived().start().await;
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", QUERY);
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(database.tokens("default").await, held(&sandbox));
    (database, sandbox, program)
}

async fn token(database: &Database, id: &str) -> Option<String> {
    database.tokens("default").await.remove(id).flatten()
}

/// The listings that lack a customer began ten minutes earlier.
async fn ten_minutes_pass(database: &Database) {
    let earlier = match database.kind {
        Kind::Postgres => "customer_gone_since - interval '10 minutes'",
        Kind::MySql => "customer_gone_since - interval 10 minute",
        Kind::Sqlite => "strftime('%Y-%m-%dT%H:%M:%SZ', customer_gone_since, '-10 minutes')",
    };
    database.execute(&format!("update explo_customers set customer_gone_since = {earlier}")).await;
}

fn rename(sandbox: &Sandbox, old: &str, new: &str) {
    sandbox.change(|store| {
        let customer = store.get(old).unwrap().clone();
        store.delete(&customer.token).unwrap();
        store.add(StoredCustomer { provided_id: Some(new.to_owned()), ..customer });
    });
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_token_goes_when_no_customer_has_the_id_any_more(#[case] kind: Kind) {
    let (database, sandbox, program) = synced(kind).await;
    let before = token(&database, "t-001").await;
    rename(&sandbox, "t-001", "somebody's idea");
    let ghost = "insert into explo_customers (instance, provided_id, token) values";
    database.execute(&format!("{ghost} ('default', 'ghost', 'a token'), ('other', 'ghost', 'a token')")).await;
    program.sync(&["--dry-run"]).await;
    assert_eq!(token(&database, "t-001").await, before, "a dry run writes nothing");
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    let at_first = (token(&database, "t-001").await, token(&database, "ghost").await.is_some());
    assert_eq!(at_first, (None, true), "one is another customer's by now, and one listing is no proof");
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    assert!(token(&database, "ghost").await.is_some(), "nor are two within ten minutes");
    ten_minutes_pass(&database).await;
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    assert_eq!(token(&database, "ghost").await, None);
    assert_eq!(database.tokens("other").await["ghost"], Some("a token".to_owned()), "another instance's is not ours");
    assert_eq!(program.run(&["tokens", "--missing"]).await.stdout, "t-001\n");
    let (code, report) = program.sync(&[]).await;
    assert_eq!(code, 0, "{report}");
    let (after, all) = (token(&database, "t-001").await, held(&sandbox));
    assert!(after.is_some() && after != before && after == all["t-001"], "it is another customer");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_token_follows_its_customer_through_a_rename(#[case] kind: Kind) {
    let (database, sandbox, program) = synced(kind).await;
    // Of the third new id there is a row from earlier times.
    let row = "insert into explo_customers (instance, provided_id, token) values ('default', 'n-3', null)";
    database.execute(row).await;
    database.execute("update tenants set group_tags = id, id = 'n-1', name = 'Another' where id = 't-001'").await;
    database.execute("update tenants set group_tags = id, id = 'n-3' where id = 't-003'").await;
    // And somebody was faster, or a process died before it could record it.
    database.execute("update tenants set group_tags = id, id = 'n-2' where id = 't-002'").await;
    rename(&sandbox, "t-002", "n-2");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["counts"]["rename"]), (0, &json!(2)), "{report}");
    let mut tokens = database.tokens("default").await;
    assert_eq!((tokens.remove("t-002"), tokens.remove("t-003")), (Some(None), Some(None)), "these rows are empty");
    assert_eq!(tokens, held(&sandbox), "and that of t-001 has become another");
    // Whoever gets an old id gets a token of its own.
    database.execute("insert into tenants values ('t-001', 'New', null, null), ('t-003', 'New', null, null)").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    tokens = database.tokens("default").await;
    tokens.remove("t-002");
    assert_eq!(tokens, held(&sandbox));
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_rename_that_fails_makes_no_second_row(#[case] kind: Kind) {
    let (database, sandbox, program) = synced(kind).await;
    let before = database.tokens("default").await;
    database.execute("update tenants set group_tags = id, id = 'n-1', name = 'Another' where id = 't-001'").await;
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::Status(400)).at(Endpoint::UpdateCustomer)));
    drop(sandbox.take_calls());
    let mut tried = Vec::new();
    for _ in 0..4 {
        assert_eq!(program.sync(&[]).await.0, 3);
        assert_eq!(database.tokens("default").await, before, "the customer has its old id");
        tried.push(writes(&sandbox.take_calls()).len());
    }
    assert_eq!(tried, [1, 1, 0, 1], "after one and two runs");
    database.execute("update tenants set id = 'n-2' where id = 'n-1'").await;
    assert_eq!(program.sync(&[]).await.0, 3);
    assert_eq!(writes(&sandbox.take_calls()).len(), 1, "another id is tried at once");
    sandbox.adjust(|api| api.faults.clear());
    assert_eq!(program.sync(&["--retry-failed"]).await.0, 0);
    let after = database.tokens("default").await;
    assert_eq!(after, held(&sandbox), "there is no other row");
    assert_eq!(after["n-2"], before["t-001"]);
    assert!(database.rows("select provided_id from explo_customers where failures > 0").await.is_empty());
}

#[tokio::test]
async fn while_the_guard_holds_creates_the_listing_may_be_wrong_and_no_token_goes_but_anothers() {
    let (database, sandbox, program) = synced(Kind::Sqlite).await;
    let more = "('t-004', 'Name of t-004', null, null), ('t-005', 'Name of t-005', null, null)";
    database.execute(&format!("insert into tenants values {more}")).await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let before = database.tokens("default").await;
    rename(&sandbox, "t-001", "elsewhere");
    for id in ["t-000", "t-002", "t-003", "t-005"] {
        sandbox.change(|store| store.delete(&before[id].clone().unwrap()).unwrap());
    }
    // The floor of creates is a low one for customers that are remembered.
    let cautious = program.clone().with("EXPLO_SYNC__GUARD__FLOOR", "2");
    let (code, report) = cautious.sync(&["--allow", "orphan=1"]).await;
    assert_eq!((code, &report["held"]), (4, &json!([{"class": "create", "count": 4, "limit": 2}])), "{report}");
    ten_minutes_pass(&database).await;
    assert_eq!(cautious.sync(&["--allow", "orphan=1"]).await.0, 4);
    let after = database.tokens("default").await;
    assert_eq!(after["t-001"], None, "it is the token of another customer by now");
    assert!(["t-000", "t-002", "t-003"].iter().all(|id| after[*id] == before[*id]));
    let let_through = ["--max-changes", "0", "--allow", "orphan=1", "--allow", "create=5"];
    assert_eq!(program.sync(&let_through).await.0, 75);
    let after = database.tokens("default").await;
    assert!(["t-000", "t-002", "t-003"].iter().all(|id| after[*id] == before[*id]), "less than half is listed");
}

#[tokio::test]
async fn one_listing_that_is_empty_or_short_takes_no_token_and_changes_nothing() {
    let (database, sandbox, program) = synced(Kind::Sqlite).await;
    let before = database.tokens("default").await;
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::Nobody).times(1)));
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, report["error"].as_str().unwrap().contains("ledger --adopt")), (78, true), "{report}");
    sandbox.adjust(|api| {
        api.faults.push(Fault::new(FaultKind::Fewer(2)).times(1));
        api.faults.push(Fault::new(FaultKind::Status(503)).at(Endpoint::CreateCustomer));
    });
    let program = program.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["failed"]), (3, &json!(2)), "{report}");
    assert_eq!(database.tokens("default").await, before);
    assert_eq!(program.sync(&[]).await.0, 0);
    let gone = "select provided_id from explo_customers where customer_gone_since is not null";
    assert_eq!((database.tokens("default").await, database.rows(gone).await.len()), (before, 0));
}

#[tokio::test]
async fn a_token_goes_though_the_guard_holds_and_though_the_id_is_another_customers_by_now() {
    let (database, sandbox, program) = synced(Kind::Sqlite).await;
    let tokens = database.tokens("default").await;
    database.execute("delete from tenants where id <> 't-000'").await;
    rename(&sandbox, "t-001", "elsewhere");
    rename(&sandbox, "t-002", "t-001");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["held"][0]["class"]), (4, &json!("orphan")), "{report}");
    let after = database.tokens("default").await;
    assert_eq!((&after["t-001"], &after["t-002"]), (&None, &None));
    assert_eq!((&after["t-000"], &after["t-003"]), (&tokens["t-000"], &tokens["t-003"]), "they are listed");
    assert!(writes(&sandbox.take_calls()).is_empty());
}
