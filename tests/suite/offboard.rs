//! Tenants that leave: who is offboarded, when, and with which calls.

mod another;
mod answers;
mod below;
mod explained;
mod gone;
mod hidden;
mod kept;
mod kill;
mod plans;
mod renamed;
mod returning;
mod stays;
mod told;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Kind, Program, World, body, changes, endpoints, stored, writes};

/// Tenants with addresses and tags, each with its customer; the first `leaving` say that they leave.
fn world(kind: Kind, tenants: usize, leaving: usize) -> World {
    let tenant = |n: usize| {
        let offboard = n < leaving;
        json!({"provided_id": format!("t{n}"), "name": format!("Tenant {n}"), "offboard": offboard})
    };
    let filled = |customer: &mut explo_sync::sandbox::StoredCustomer| {
        customer.emails = vec![format!("boss@{}.example", customer.name.replace(' ', "-"))];
        customer.group_tags = vec!["gold".to_owned()];
        customer.access_group = Some("Production".to_owned());
    };
    World::of((0..tenants).map(tenant)).columns(&["offboard"]).on(kind).derived().each(filled)
}

/// The changes of kind `offboard`, with their outcomes.
fn offboarded(report: &Value) -> Vec<(String, Option<String>)> {
    let changes = report["changes"].as_array().unwrap().iter().filter(|change| change["kind"] == "offboard");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    changes.map(|change| (text(&change["provided_id"]).unwrap(), text(&change["outcome"]))).collect()
}

fn applied(ids: &[&str]) -> Vec<(String, Option<String>)> {
    ids.iter().map(|id| ((*id).to_owned(), Some("applied".to_owned()))).collect()
}

fn told(changes: &[&str]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

fn deleting(program: Program) -> Program {
    program.with("EXPLO_SYNC__OFFBOARD__ACTION", "delete")
}

fn locking_out(program: Program) -> Program {
    program.with("EXPLO_SYNC__OFFBOARD__ACTION", "lock_out")
}

#[tokio::test]
async fn by_default_nobody_is_offboarded_and_delete_needs_a_ledger() {
    let (_database, sandbox, program) = world(Kind::Sqlite, 5, 2).start().await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["counts"]["offboard"], &report["changes"]), (0, &json!(0), &json!([])));
    assert!(writes(&sandbox.take_calls()).is_empty());
    let output = deleting(program).run(&["sync"]).await;
    assert_eq!(output.code, 78);
    assert!(output.stderr.contains("offboard.action = \"delete\" needs a ledger"), "{}", output.stderr);
}

#[rstest]
#[tokio::test]
async fn a_row_that_says_so_is_locked_out_at_once_and_let_in_again(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let (database, sandbox, program) = world(kind, 10, 2).with_ledger().start().await;
    let program = locking_out(program);
    assert_eq!(program.sync(&["--allow", "offboard=0", "--dry-run"]).await.1["held"][0]["limit"], 0, "the first run");
    let (code, report) = program.sync(&["--allow", "offboard=2", "--dry-run"]).await;
    assert_eq!((code, offboarded(&report)), (0, vec![("t0".to_owned(), None), ("t1".to_owned(), None)]));
    let planned = json!({"customers": 1, "get_customer": 2, "update_customer": 2});
    assert_eq!(report["calls"]["planned"], planned);
    assert!(writes(&sandbox.take_calls()).is_empty());

    let (code, report) = program.sync(&["--allow", "offboard=2"]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t0", "t1"])), "{report}");
    assert_eq!(report["calls"]["planned"], report["calls"]["made"]);
    let calls = sandbox.take_calls();
    assert_eq!(endpoints(&calls)[1..], ["get_customer", "get_customer", "update_customer", "update_customer"]);
    let sent: Vec<_> = writes(&calls).into_iter().map(body).collect();
    assert!(sent.contains(&json!({"provided_id": "t0", "emails": [], "group_tags": []})), "nothing else: {sent:?}");
    for id in ["t0", "t1"] {
        let customer = stored(&sandbox, id);
        assert_eq!((&customer["emails"], &customer["group_tags"]), (&json!([]), &json!([])));
        assert_ne!(customer["name"], json!(""));
    }
    assert_eq!(stored(&sandbox, "t2")["emails"], json!(["boss@Tenant-2.example"]));
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]), "once");

    // Somebody fills them.
    sandbox.change(|store| store.customer("t1").unwrap().emails = vec!["again@x.example".to_owned()]);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t1"])));
    let exported = program.run(&["export", "--offboarded"]).await.stdout;
    let kept: Value = serde_json::from_str(exported.lines().nth(1).unwrap()).unwrap();
    let emails = (&kept["customer"]["emails"], &kept["emails"]);
    let expected = (&json!(["boss@Tenant-1.example"]), &json!(["again@x.example", "boss@Tenant-1.example"]));
    assert_eq!(emails, expected, "the customer as it was first, and all that was emptied");

    // Both return: what was emptied is put back, and once.
    database.execute("update tenants set offboard = null").await;
    let _ = sandbox.take_calls();
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, changes(&report)), (0, told(&["update t0 applied", "update t1 applied"])), "{report}");
    assert_eq!(stored(&sandbox, "t0")["emails"], json!(["boss@Tenant-0.example"]));
    assert_eq!(stored(&sandbox, "t0")["group_tags"], json!(["gold"]));
    assert_eq!(stored(&sandbox, "t1")["emails"], json!(["again@x.example", "boss@Tenant-1.example"]));
    sandbox.change(|store| store.customer("t0").unwrap().emails.clear());
    let _ = sandbox.take_calls();
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]), "from now on they are Explo's own again");
    assert!(writes(&sandbox.take_calls()).is_empty());
}

#[rstest]
#[tokio::test]
async fn a_row_that_says_so_is_deleted_once_the_ledger_knows_its_token(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let (database, sandbox, program) = world(kind, 10, 2).with_ledger().start().await;
    let program = deleting(program);
    let tokens: Vec<_> = sandbox.customers().into_iter().map(|customer| customer.token).collect();
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, vec![]), "no token is known yet");
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["counts"]["offboard"]), (0, &json!(2)));
    let planned = json!({"customers": 3, "get_customer": 2, "delete_customer": 2});
    assert_eq!(report["calls"]["planned"], planned);
    let _ = sandbox.take_calls();

    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t0", "t1"])), "{report}");
    assert_eq!(report["calls"]["made"], planned);
    let calls = sandbox.take_calls();
    let deleted: Vec<_> = writes(&calls).into_iter().map(|call| (call.method.as_str(), body(call))).collect();
    for token in &tokens[..2] {
        assert!(deleted.contains(&("DELETE", json!({"current_token": token}))), "{deleted:?}");
    }
    assert_eq!((deleted.len(), sandbox.customers().len()), (2, 8));
    let left = database.tokens("default").await;
    assert_eq!((&left["t0"], left["t2"].is_some()), (&None, true), "the token has left the ledger");
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]), "it is not created again");
    assert!(writes(&sandbox.take_calls()).is_empty());

    let exported = program.run(&["export", "--offboarded", "--show-values"]).await;
    let lines: Vec<Value> = exported.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{exported:?}");
    assert_eq!(lines[0]["customer"]["emails"], json!(["boss@Tenant-0.example"]));
    assert!(!tokens.iter().any(|token| exported.stdout.contains(token)), "without the token");

    // One comes back, like any other tenant.
    database.execute("update tenants set offboard = null where id = 't0'").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, changes(&report)), (0, told(&["create t0 applied"])));
    assert_ne!(stored(&sandbox, "t0")["token"], json!(tokens[0]));
}

#[tokio::test]
async fn a_time_counts_from_then_on_and_a_row_that_leaves_is_never_created() {
    let (database, sandbox, program) = world(Kind::Sqlite, 5, 1).without(["t0"]).with_ledger().start().await;
    let query = "select id as provided_id, name, case id when 't1' then '2001-01-01' when 't2' then '2101-01-01 12:00:00' \
                 when 't0' then 'true' end as offboard from tenants";
    let program = locking_out(program).with("EXPLO_SYNC__SOURCE__QUERY", query);
    let (code, report) = program.sync(&["--allow", "offboard=1"]).await;
    assert_eq!((code, &report["counts"]["create"], offboarded(&report)), (0, &json!(0), applied(&["t1"])));
    assert_eq!(sandbox.customers().len(), 4);
    drop(database);
}

#[tokio::test]
async fn without_a_ledger_only_what_the_row_gives_back_is_emptied() {
    let (_database, sandbox, program) = world(Kind::Sqlite, 5, 1).start().await;
    let program = locking_out(program);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["invalid"][0]["provided_id"]), (3, &json!("t0")));
    assert!(report["invalid"][0]["reason"].as_str().unwrap().contains("ledger.url"), "{report}");
    assert!(writes(&sandbox.take_calls()).is_empty());
    let checked = program.run(&["check"]).await;
    assert!(checked.code == 3 && checked.stdout.contains("ledger.url"), "check says so: {checked:?}");
    let query = "select id as provided_id, name, offboard, '[]' as emails, '[\"gold\"]' as group_tags from tenants";
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", query);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, offboarded(&report)), (0, applied(&["t0"])));
    assert_eq!(stored(&sandbox, "t0")["group_tags"], json!([]));
}

#[tokio::test]
async fn a_single_tenant_leaves_only_if_its_row_says_so() {
    let (database, sandbox, program) = world(Kind::Sqlite, 5, 1).with_ledger().start().await;
    let program = deleting(program).with("EXPLO_SYNC__OFFBOARD__AFTER", "0s");
    assert_eq!(program.sync(&["--allow", "offboard=0"]).await.0, 0);
    database.execute("delete from tenants where id = 't1'").await;
    assert_eq!(program.sync(&["--dry-run"]).await.0, 0);
    let (code, report) = program.sync(&["--only", "t0", "--only", "t1"]).await;
    assert_eq!((code, offboarded(&report)), (3, applied(&["t0"])), "{report}");
    assert_eq!(report["invalid"][0]["provided_id"], json!("t1"));
    assert_eq!(sandbox.customers().len(), 4);
}

#[tokio::test]
async fn a_terminal_and_a_page_show_who_leaves_with_its_name() {
    let (_database, _sandbox, program) = world(Kind::Sqlite, 10, 2).with_ledger().start().await;
    let program = deleting(program);
    assert_eq!(program.sync(&[]).await.0, 0);
    let text = program.run(&["sync", "--dry-run", "--show-values"]).await.stdout;
    assert!(text.contains("- t0  Tenant 0  to delete: its row says so"), "{text}");
    assert!(text.contains("2 to offboard"), "{text}");
    let forecast = "Applying it takes 6 calls (2 customers, 2 get_customer, 2 delete_customer)";
    assert!(text.contains(forecast), "{text}");
    let json = program.sync(&["--dry-run"]).await.1;
    assert_eq!(json["calls"]["planned"], json!({"customers": 3, "get_customer": 2, "delete_customer": 2}));
    let page = program.run(&["sync", "--dry-run", "--output", "html", "--show-values"]).await.stdout;
    assert!(page.contains(r#"["offboard","t0","Tenant 0",{}]"#), "{page}");
    assert!(page.contains("Applying it takes 6 calls"), "{page}");
    let explained = program.run(&["explain", "t0"]).await;
    assert_eq!(explained.code, 0);
    assert!(explained.stdout.contains("To offboard: "), "{}", explained.stdout);
}

/// A look shows one of two customers with an id: which one is no tenant's can't be told.
#[tokio::test]
async fn of_two_customers_with_one_id_none_is_offboarded_alone() {
    let (database, sandbox, program) = world(Kind::Sqlite, 20, 0).with_ledger().start().await;
    let program = deleting(program);
    assert_eq!(program.sync(&[]).await.0, 0);
    sandbox.change(|store| {
        let one = store.get("t0").unwrap().clone();
        store.add(explo_sync::sandbox::StoredCustomer { token: String::new(), name: "Again".to_owned(), ..one });
    });
    assert_eq!(program.sync(&[]).await.0, 3);
    database.execute("update tenants set offboard = 1 where id = 't0'").await;
    let _ = sandbox.take_calls();
    for _ in 0..2 {
        let (code, report) = program.sync(&["--only", "t0"]).await;
        assert_eq!((code, &report["invalid"][0]["provided_id"]), (3, &json!("t0")), "{report}");
    }
    assert!(writes(&sandbox.take_calls()).is_empty());
}
