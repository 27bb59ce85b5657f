//! The ledger: what outlives a process, in each database, and who may do what.

mod kill;
mod migration;
mod outage;
mod quoted;
mod refused;
mod rows;
mod stale;
mod whose;

use std::collections::BTreeMap;

use explo_sync::sandbox::{Api, Behaviour, Endpoint, Fault, FaultKind, OnUpdate, Sandbox, Store, TagCalls};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, Kind, Program, World, body, customer, endpoints, sandbox, sandbox_of, writes};

const QUERY: &str = "select id as provided_id, name, emails, group_tags from tenants";

/// Tenants without addresses and tags, and a ledger beside them.
fn world(kind: Kind, ids: impl IntoIterator<Item = String>) -> World {
    let tenants = ids.into_iter().map(|id| (id.clone(), format!("Name of {id}")));
    World::of(tenants).columns(&["emails", "group_tags"]).on(kind).with_ledger()
}

/// The tenants alone.
async fn tenants(kind: Kind, ids: impl IntoIterator<Item = String>) -> Database {
    world(kind, ids).start().await.0
}

fn ids(numbers: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    numbers.map(|n| format!("t-{n:03}"))
}

fn program(database: &Database, sandbox: &Sandbox) -> Program {
    Program::between(database, sandbox, QUERY).with("EXPLO_SYNC__LEDGER__URL", "source")
}

/// The same as the sandbox has them.
fn held(sandbox: &Sandbox) -> BTreeMap<String, Option<String>> {
    let customers = sandbox.customers().into_iter();
    customers.filter_map(|customer| Some((customer.provided_id?, Some(customer.token)))).collect()
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn after_a_run_each_tenant_has_the_token_that_explo_has(#[case] kind: Kind) {
    let listed = ids(0..300).map(|id| customer(json!({"provided_id": id, "name": format!("Name of {id}")})));
    let drifted = ids(300..310).map(|id| customer(json!({"provided_id": id, "name": "Drifted"})));
    let (database, sandbox, program) = world(kind, ids(0..450).chain(["T-000".to_owned(), "T-000 ".to_owned()]))
        .having(listed.chain(drifted))
        .start()
        .await;

    let (code, _) = program.sync(&["--dry-run", "--allow", "create=200"]).await;
    assert_eq!((code, database.has_table("explo_customers").await), (0, false), "a dry run makes no table");
    assert!(program.run(&["check"]).await.stdout.contains("the first run makes it"));
    let missing = program.run(&["tokens", "--missing"]).await;
    assert_eq!((missing.code, missing.stdout.lines().count()), (3, 452), "{missing:?}");
    assert!(!database.has_table("explo_customers").await, "check and tokens make none either");

    let (code, report) = program.sync(&["--allow", "create=200"]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(152)), "{report}");
    assert_eq!(database.tokens("default").await, held(&sandbox));
    let missing = program.run(&["tokens", "--missing"]).await;
    assert_eq!((missing.code, missing.stdout.as_str()), (0, ""), "{missing:?}");
    assert!(program.run(&["check"]).await.stdout.contains("ok    ledger"), "it may be written");

    // Somebody made one of them anew, and somebody else emptied a row.
    let lost = "update explo_customers set token = null where provided_id = 't-001'";
    database.execute(&format!("{lost} or provided_id = 't-305'")).await;
    let _ = sandbox.take_calls();
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["counts"]["unchanged"]), (0, &json!(452)));
    assert_eq!(database.tokens("default").await, held(&sandbox));
    assert!(writes(&sandbox.take_calls()).is_empty());
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn two_instances_share_a_table_and_nothing_else(#[case] kind: Kind) {
    let database = tenants(kind, ids(0..20)).await;
    let (here, there) =
        (sandbox([]).await, sandbox([customer(json!({"provided_id": "t-000", "token": "other"}))]).await);
    let (ours, theirs) = (program(&database, &here), program(&database, &there).with("EXPLO_SYNC__NAME", "staging"));
    let (first, second) = tokio::join!(ours.sync(&[]), theirs.sync(&[]));
    assert_eq!((first.0, second.0), (0, 0), "{} {}", first.1, second.1);
    assert_eq!(database.tokens("default").await, held(&here));
    assert_eq!(database.tokens("staging").await, held(&there));
}

#[rstest]
#[case(Kind::Postgres, Kind::Sqlite)]
#[case(Kind::Sqlite, Kind::Postgres)]
#[case(Kind::MySql, Kind::Postgres)]
#[case(Kind::Postgres, Kind::MySql)]
#[tokio::test]
async fn the_ledger_may_be_in_another_database_than_the_tenants(#[case] source: Kind, #[case] ledger: Kind) {
    let (source, ledger) = (tenants(source, ids(0..5)).await, Database::new(ledger).await);
    let sandbox = sandbox([]).await;
    let program = program(&source, &sandbox).with("EXPLO_SYNC__LEDGER__URL", &ledger.url);
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(ledger.tokens("default").await, held(&sandbox));
    assert!(!source.has_table("explo_customers").await);
}

#[rstest]
#[tokio::test]
async fn a_schema_that_is_not_there_is_named(#[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind) {
    let (database, sandbox) = (tenants(kind, ids(0..1)).await, sandbox([]).await);
    let program = program(&database, &sandbox).with("EXPLO_SYNC__LEDGER__TABLE", "nope.tab");
    let output = program.run(&["sync"]).await;
    assert!(output.code == 1 && output.stderr.contains("nope"), "{output:?}");
    assert!(output.stderr.contains("create nope, or name the table with another schema"), "{output:?}");
}

#[tokio::test]
async fn the_table_may_be_in_a_schema_of_its_own() {
    let (database, _sandbox, program) = world(Kind::Postgres, ids(0..3)).start().await;
    let program = program.with("EXPLO_SYNC__LEDGER__TABLE", "sync.explo_customers");
    database.execute("create schema sync").await;
    let check = program.run(&["check"]).await;
    assert!(check.code == 0 && check.stdout.contains("the first run makes it"), "{check:?}");
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(program.run(&["check"]).await.code, 0);
    assert_eq!(program.run(&["tokens", "--missing"]).await.stdout, "");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_made_by_the_first_run_alone() {
    let (database, _sandbox, program) = world(Kind::Sqlite, ids(0..3)).start().await;
    let file = database.file().with_file_name("ledger.db");
    let program = program.with("EXPLO_SYNC__LEDGER__URL", &format!("sqlite://{}", file.display()));
    assert_eq!(program.sync(&["--dry-run"]).await.0, 0);
    assert_eq!((program.run(&["check"]).await.code, file.exists()), (0, false));
    assert_eq!(program.sync(&[]).await.0, 0);
    assert!(file.exists());
}

#[tokio::test]
async fn a_file_that_cannot_be_made_is_told_with_the_way_out() {
    let (_database, sandbox, program) = world(Kind::Sqlite, ids(0..3)).start().await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "sqlite:/nowhere/at/all/ledger.db");
    let (code, report) = program.sync(&[]).await;
    let error = report["error"].as_str().unwrap();
    assert!(code == 1 && error.contains("make the file and its directory writable"), "{error}");
    assert!(sandbox.take_calls().is_empty());
    let check = program.run(&["check"]).await;
    assert!(check.code == 1 && check.stdout.contains("fail  ledger"), "{check:?}");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[tokio::test]
async fn a_role_that_lacks_a_right_is_told_the_grant_and_with_it_all_goes_well(#[case] kind: Kind) {
    let (database, sandbox, program) = world(kind, ids(0..3)).start().await;
    let owner = program;
    let role = format!("r{}", &uuid::Uuid::now_v7().simple().to_string()[16..]);
    let (create, tenants) = match kind {
        Kind::MySql => {
            (format!("create user {role} identified by 'my-secret'"), format!("grant select on tenants to {role}"))
        }
        _ => (format!("create role {role} login password 'pg-secret'"), format!("grant select on tenants to {role}")),
    };
    database.execute(&create).await;
    database.execute(&tenants).await;
    let mut url: url::Url = database.url.parse().unwrap();
    url.set_username(&role).unwrap();
    let limited = owner.clone().with("EXPLO_SYNC__LEDGER__URL", url.as_str());

    let fails = async |grant: &str| {
        let (code, report) = limited.sync(&[]).await;
        let error = report["error"].as_str().unwrap_or_else(|| panic!("{report}")).to_owned();
        assert!(code == 1 && error.contains(grant) && error.contains(&role), "{error}");
        assert!(writes(&sandbox.take_calls()).is_empty(), "it is found out before anything is written");
        let check = limited.run(&["check"]).await;
        assert!(check.code == 1 && check.stdout.contains("fail  ledger") && check.stdout.contains(grant), "{check:?}");
    };
    fails("ledger --print-sql").await;
    let printed = owner.run(&["ledger", "--print-sql"]).await;
    assert_eq!(printed.code, 0);
    database.execute(&printed.stdout).await;
    fails("GRANT SELECT, INSERT, UPDATE ON").await;
    database.execute(&format!("grant select, insert on explo_customers to {role}")).await;
    fails("GRANT SELECT, INSERT, UPDATE ON").await;
    database.execute(&format!("grant update on explo_customers to {role}")).await;
    assert_eq!(limited.run(&["check"]).await.code, 0);
    assert_eq!(limited.sync(&[]).await.0, 0);
    assert_eq!(database.tokens("default").await, held(&sandbox));
    database.execute("update tenants set group_tags = id, id = 'renamed' where id = 't-001'").await;
    let query = "select id as provided_id, group_tags as previous_provided_id, name from tenants";
    assert_eq!(limited.with("EXPLO_SYNC__SOURCE__QUERY", query).sync(&[]).await.0, 0, "a rename needs no more");
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

/// Makes a table of one of the first versions.
fn early_table(kind: Kind) -> String {
    let id = if kind == Kind::MySql { "varbinary(200)" } else { "varchar(200)" };
    let columns = format!("instance varchar(64), provided_id {id}, token text, primary key (instance, provided_id)");
    format!("create table explo_customers ({columns})")
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[tokio::test]
async fn who_may_not_add_the_columns_that_a_table_lacks_is_told_them(#[case] kind: Kind) {
    let (database, sandbox, program) = world(kind, ids(0..3)).start().await;
    let role = format!("r{}", &uuid::Uuid::now_v7().simple().to_string()[16..]);
    let create = match kind {
        Kind::MySql => format!("create user {role} identified by 'my-secret'"),
        Kind::Postgres | Kind::Sqlite => format!("create role {role} login password 'pg-secret'"),
    };
    database.execute(&create).await;
    database.execute(&early_table(kind)).await;
    database.execute(&format!("grant select, insert, update on explo_customers to {role}")).await;
    let mut url: url::Url = database.url.parse().unwrap();
    url.set_username(&role).unwrap();
    let limited = program.with("EXPLO_SYNC__LEDGER__URL", url.as_str());
    let check = limited.run(&["check"]).await;
    assert!(check.code == 1 && check.stdout.contains("let its owner run ALTER TABLE"), "{check:?}");
    let (code, report) = limited.sync(&[]).await;
    let error = report["error"].as_str().unwrap();
    assert!(code == 1 && error.contains("let its owner run ALTER TABLE"), "{error}");
    assert!(writes(&sandbox.take_calls()).is_empty());
    let (_, statements) = error.split_once("let its owner run ").unwrap();
    database.execute(statements).await;
    assert_eq!((limited.run(&["check"]).await.code, limited.sync(&[]).await.0), (0, 0));
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

#[rstest]
#[case(Kind::Postgres, "varchar(200)", "", "no unique key")]
#[case(Kind::Sqlite, "varchar(200)", "", "no unique key")]
#[case(Kind::MySql, "varbinary(200)", "", "no unique key")]
#[case(Kind::Postgres, "varchar(200)", ", unique (provided_id)", "no unique key")]
#[case(Kind::Sqlite, "varchar(200)", ", unique (provided_id)", "no unique key")]
#[case(Kind::MySql, "varbinary(200)", ", unique (provided_id)", "no unique key")]
#[case(Kind::MySql, "varbinary(200)", ", unique (instance, provided_id(20))", "no unique key")]
#[case(Kind::MySql, "varchar(200) collate utf8mb4_general_ci", ", unique (instance, provided_id)", "capitals")]
#[tokio::test]
async fn a_table_that_takes_two_rows_for_one_or_one_for_two_is_refused(
    #[case] kind: Kind,
    #[case] id: &str,
    #[case] key: &str,
    #[case] why: &str,
) {
    let (database, sandbox, program) = world(kind, ids(0..3)).start().await;
    let columns = format!("instance varchar(64), provided_id {id}, token text");
    database.execute(&format!("create table explo_customers ({columns} {key})")).await;
    let check = program.run(&["check"]).await;
    assert!(check.code == 1 && check.stdout.contains(why) && check.stdout.contains("--print-sql"), "{check:?}");
    let (code, report) = program.sync(&[]).await;
    assert!(code == 1 && report["error"].as_str().unwrap().contains(why), "{report}");
    assert!(writes(&sandbox.take_calls()).is_empty());
    assert!(database.tokens("default").await.is_empty());
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_table_of_an_earlier_version_gets_its_columns_and_a_strange_one_is_left_alone(#[case] kind: Kind) {
    let (database, sandbox, program) = world(kind, ids(0..3)).start().await;
    database.execute(&early_table(kind)).await;
    database.execute("insert into explo_customers values ('default', 't-000', 'kept'), ('other', 'x', 'y')").await;
    assert_eq!(program.sync(&["--dry-run"]).await.0, 0, "what is not there is not read");
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(database.tokens("default").await, held(&sandbox));
    assert_eq!(database.tokens("other").await.len(), 1);

    let strange = program.with("EXPLO_SYNC__LEDGER__TABLE", "tenants");
    let (code, report) = strange.sync(&[]).await;
    assert!(code == 1 && report["error"].as_str().unwrap().contains("is no ledger"), "{report}");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn what_does_not_settle_is_known_to_the_next_process(#[case] kind: Kind) {
    let database = tenants(kind, ids(0..2)).await;
    database.execute("update tenants set emails = 'new@t.example'").await;
    let shown = ids(0..2)
        .map(|id| customer(json!({"provided_id": id, "name": format!("Name of {id}"), "emails": ["old@t.example"]})));
    let mut api = Api::new(Store::new(shown), 0);
    api.behaviour = Behaviour { emails: OnUpdate::Merge, ..Behaviour::default() };
    let sandbox = sandbox_of(api).await;
    let program = program(&database, &sandbox);
    assert_eq!(program.sync(&[]).await.0, 3);
    assert_eq!(writes(&sandbox.take_calls()).len(), 2);
    let (code, report) = program.sync(&[]).await;
    assert!(writes(&sandbox.take_calls()).is_empty(), "known by now: {report}");
    assert_eq!((code, &report["counts"]["unsettled"]), (3, &json!(2)), "addresses beyond the wanted ones are told");
    let mut forgetful = program.clone();
    forgetful = forgetful.with("EXPLO_SYNC__LEDGER__URL", "");
    forgetful.sync(&[]).await;
    assert_eq!(writes(&sandbox.take_calls()).len(), 2, "without a ledger it is tried again");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn the_second_run_writes_nothing_to_the_table_and_lists_alone(#[case] kind: Kind) {
    let drifted = ids(10..20).map(|id| customer(json!({"provided_id": id, "name": "Drifted"})));
    let equal = ids(20..30).map(|id| customer(json!({"provided_id": id, "name": format!("Name of {id}")})));
    let (database, sandbox, program) = world(kind, ids(0..30)).having(drifted.chain(equal)).start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    drop(sandbox.take_calls());
    count_writes(&database).await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"]);
    assert!(database.rows("select id from written where id <> ''").await.is_empty());
    database.execute("update tenants set name = 'Another' where id = 't-005'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(
        database.rows("select id from written where id <> ''").await,
        [[Some("t-005".to_owned())]],
        "it is counted"
    );
}

/// From now on the ids of rows that are written are in a table of their own.
async fn count_writes(database: &Database) {
    let notes = "insert into written values (new.provided_id)";
    database.execute("create table written (id varchar(100))").await;
    if database.kind == Kind::Postgres {
        let function = format!("create function note() returns trigger as $$ begin {notes}; return new; end $$");
        database.execute(&format!("{function} language plpgsql")).await;
    }
    for event in ["insert", "update"] {
        let trigger = format!("create trigger note_{event} after {event} on explo_customers for each row");
        let action = match database.kind {
            Kind::Postgres => "execute function note()".to_owned(),
            Kind::MySql => notes.to_owned(),
            Kind::Sqlite => format!("begin {notes}; end"),
        };
        database.execute(&format!("{trigger} {action}")).await;
    }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_customer_that_no_listing_shows_is_asked_for_once_until_its_row_changes(#[case] kind: Kind) {
    let database = tenants(kind, ids(0..2)).await;
    let former = ids(0..2).map(|id| customer(json!({"provided_id": id, "name": "Former"})));
    let mut store = Store::new(former);
    store.hide(["t-001".to_owned()]);
    let sandbox = sandbox_of(Api::new(store, 0)).await;
    let program = program(&database, &sandbox);
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(endpoints(&sandbox.take_calls()).iter().filter(|name| **name == "create_customer").count(), 1);
    assert_eq!(database.tokens("default").await.len(), 2);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["counts"]["unchanged"], &report["changes"]), (0, &json!(2), &json!([])));
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"]);
    database.execute("update tenants set name = 'Renamed'").await;
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    assert_eq!(database.tokens("default").await, held(&sandbox), "it exists all the same");
    database.execute("update tenants set name = 'Name of t-001' where id = 't-001'").await;
    assert_eq!(program.sync(&["--max-changes", "0"]).await.1["counts"]["create"], json!(1), "who knows what it holds");
    database.execute("update tenants set name = 'Renamed'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert!(sandbox.customers().iter().all(|customer| customer.name == "Renamed"));
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn who_failed_is_tried_after_one_two_four_and_eight_runs(#[case] kind: Kind) {
    let (database, sandbox, program) = world(kind, ids(0..3)).start().await;
    database.execute("update tenants set group_tags = 'Unknown Tag' where id = 't-000'").await;
    // So that it is Explo who refuses.
    sandbox.adjust(|api| api.behaviour.tag_calls = TagCalls::Missing);
    let program = program.with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1");
    let mut tried = Vec::new();
    for run in 0..17 {
        let (code, report) = program.sync(&[]).await;
        assert_eq!(code, 3, "it is one that failed, tried or not: {report}");
        let bodies: Vec<Value> = writes(&sandbox.take_calls()).into_iter().map(body).collect();
        if let Some(last) = bodies.last() {
            assert!(run == 0 || last["provided_id"] == "t-000", "who failed goes last: {bodies:?}");
            assert!(run != 1 || bodies.len() == 2, "{bodies:?}");
            tried.push(run);
        } else {
            let one = json!({"applied": 0, "failed": 0, "unsettled": 0, "deferred": 1});
            assert_eq!(report["outcomes"], one);
            let change = &report["changes"][0];
            assert_eq!((&change["outcome"], &change["provided_id"]), (&json!("deferred"), &json!("t-000")));
            assert!(change["error"].as_str().unwrap().contains("left alone for a while"), "{change}");
        }
        if run == 0 {
            // Others come later, and are tried first.
            database.execute("insert into tenants values ('t-9', 'Later', null, null)").await;
        }
    }
    assert_eq!(tried, [0, 1, 3, 7, 15]);

    program.sync(&["--dry-run"]).await;
    assert_eq!(program.sync(&["--retry-failed"]).await.0, 3);
    assert_eq!(writes(&sandbox.take_calls()).len(), 1, "asked for, it is tried at once");
    program.sync(&[]).await;
    assert_eq!(writes(&sandbox.take_calls()).len(), 0);
    let passed = match kind {
        Kind::Sqlite => "'2020-01-01T00:00:00Z'",
        Kind::Postgres | Kind::MySql => "'2020-01-01 00:00:00'",
    };
    database.execute(&format!("update explo_customers set next_try = {passed}")).await;
    program.sync(&[]).await;
    assert_eq!(writes(&sandbox.take_calls()).len(), 1, "a day later it is tried whatever the runs");
    database.execute("update tenants set group_tags = null where id = 't-000'").await;
    assert_eq!(program.sync(&[]).await.0, 0, "another row is tried at once");
    assert_eq!(database.tokens("default").await, held(&sandbox));
    assert!(database.rows("select token from explo_customers where failures > 0").await.is_empty());
}

#[tokio::test]
async fn a_rename_that_failed_waits_with_the_update_behind_it() {
    let old = ["old", "t-001"].map(|id| customer(json!({"provided_id": id, "name": "Name of t-001"})));
    let (database, sandbox, program) = world(Kind::Sqlite, ids(0..2)).having(old).start().await;
    database.execute("update tenants set group_tags = 'old' where id = 't-000'").await;
    let query = "select id as provided_id, group_tags as previous_provided_id, name from tenants";
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", query);
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::Status(400)).at(Endpoint::UpdateCustomer)));
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let (code, report) = program.sync(&[]).await;
        assert_eq!(code, 3, "{report}");
        let changes = report["changes"].as_array().unwrap().iter();
        outcomes.push(changes.map(|change| change["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>());
    }
    assert_eq!(outcomes, [["failed", "deferred"], ["failed", "deferred"], ["deferred", "deferred"]]);
    sandbox.adjust(|api| api.faults.clear());
    assert_eq!(program.sync(&["--retry-failed"]).await.0, 0);
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

#[tokio::test]
async fn those_go_last_that_failed_before() {
    let database = tenants(Kind::Sqlite, ids(0..4)).await;
    database.execute("update tenants set group_tags = 'Unknown Tag' where id in ('t-000', 't-002')").await;
    let drifted = ids(2..4).map(|id| customer(json!({"provided_id": id, "name": format!("Name of {id}")})));
    let sandbox = sandbox(drifted).await;
    // So that it is Explo who refuses.
    sandbox.adjust(|api| api.behaviour.tag_calls = TagCalls::Missing);
    let program = program(&database, &sandbox).with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1");
    program.sync(&["--max-changes", "1"]).await;
    assert_eq!(program.sync(&["--only", "t-002"]).await.0, 3);
    database.execute("update tenants set name = 'Another' where id = 't-003'").await;
    drop(sandbox.take_calls());
    assert_eq!(program.sync(&[]).await.0, 3);
    let calls = sandbox.take_calls();
    let ids: Vec<_> = writes(&calls).into_iter().map(|call| body(call)["provided_id"].clone()).collect();
    assert_eq!(ids, ["t-001", "t-003", "t-000", "t-002"], "whatever their kind");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn an_id_that_the_key_does_not_take_is_kept_in_sync_and_named(#[case] kind: Kind) {
    let (longest, too_long) = ("é".repeat(700) + &"x".repeat(600), "y".repeat(2049));
    let (database, sandbox, program) = world(kind, [&*longest, &*too_long, "t-1"].map(str::to_owned)).start().await;
    let output = program.run(&["sync"]).await;
    assert_eq!((output.code, sandbox.customers().len()), (3, 3), "{output:?}");
    assert!(output.stderr.contains("has 2049 bytes, and the key takes 2048"), "{}", output.stderr);
    let mut expected = held(&sandbox);
    expected.remove(&too_long);
    assert_eq!(database.tokens("default").await, expected);
}

#[tokio::test]
async fn a_stopped_run_has_recorded_what_it_did() {
    let (database, sandbox, program) = world(Kind::Sqlite, ids(0..60)).start().await;
    assert_eq!(program.sync(&["--max-changes", "7"]).await.0, 75);
    assert_eq!(database.tokens("default").await, held(&sandbox));
    let slow = program.clone().with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "600");
    assert_eq!(slow.sync(&["--max-duration", "1s"]).await.0, 75);
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

#[tokio::test]
async fn a_ledger_that_breaks_down_midway_is_said_and_the_next_run_fills_it() {
    let (database, sandbox, program) = world(Kind::Sqlite, ids(0..40)).start().await;
    assert_eq!(program.sync(&["--max-changes", "1"]).await.0, 75);
    let trigger = "create trigger broken before insert on explo_customers begin select raise(abort, 'broken'); end";
    database.execute("drop table explo_customers").await;
    database.execute("create table explo_customers (instance text, provided_id text, token text)").await;
    let output = program.run(&["sync", "--output", "json"]).await;
    assert_eq!(output.code, 1, "it has no key: {output:?}");
    database.execute("drop table explo_customers").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute(trigger).await;
    database.execute("delete from explo_customers where provided_id = 't-000'").await;
    assert_eq!(program.sync(&[]).await.0, 3, "a row that is refused is named, and the run goes on");
    database.execute("drop trigger broken").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

#[tokio::test]
async fn without_a_ledger_there_are_no_tokens_to_ask_for_and_check_says_what_that_costs() {
    let database = tenants(Kind::Sqlite, ids(0..1)).await;
    let sandbox = sandbox([]).await;
    let program = Program::between(&database, &sandbox, QUERY);
    let output = program.run(&["tokens", "--missing"]).await;
    assert!(output.code == 78 && output.stderr.contains("ledger.url is empty"), "{output:?}");
    let text = program.run(&["check"]).await.stdout;
    assert!(text.contains("each sync begins without memory") && text.contains("every parent, one call each"), "{text}");
    assert!(program.run(&["ledger", "--print-sql"]).await.stdout.contains("CREATE TABLE \"explo_customers\""));
    let named = program.clone().with("EXPLO_SYNC__NAME", "acme").with("EXPLO_SYNC__LEDGER__TABLE", "tokens_of_explo");
    let printed = named.run(&["ledger", "--print-sql"]).await.stdout;
    assert!(printed.contains("CREATE TABLE \"tokens_of_explo\""), "{printed}");
    assert!(printed.contains("FROM \"tokens_of_explo\" WHERE instance = 'acme' AND"), "{printed}");
    for (table, code) in [("a.b", 0), ("a.b.c", 78), ("x\"; drop table y", 78)] {
        let program = program.clone().with("EXPLO_SYNC__LEDGER__TABLE", table);
        assert_eq!(program.run(&["ledger", "--print-sql"]).await.code, code, "{table}");
    }
}

#[tokio::test]
async fn who_just_signed_up_has_a_token_after_two_calls() {
    let (database, sandbox, program) = world(Kind::Sqlite, ids(0..3)).start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    drop(sandbox.take_calls());
    database.execute("insert into tenants values ('acme', 'Acme', null, null)").await;
    assert_eq!(program.sync(&["--only", "acme"]).await.0, 0);
    assert_eq!(endpoints(&sandbox.take_calls()), ["get_customer", "create_customer"]);
    assert_eq!(database.tokens("default").await, held(&sandbox));
    assert_eq!(program.run(&["tokens", "--missing"]).await.stdout, "");
}

#[tokio::test]
async fn a_look_at_one_customer_fills_its_row_and_no_other() {
    let (database, sandbox, program) = world(Kind::Sqlite, ids(0..2)).derived().start().await;
    assert_eq!(program.run(&["tokens", "--missing"]).await.stdout, "t-000\nt-001\n");
    assert_eq!(program.sync(&["--only", "t-000", "--dry-run"]).await.0, 0);
    assert_eq!(program.run(&["tokens", "--missing"]).await.stdout, "t-000\nt-001\n");
    assert_eq!(program.sync(&["--only", "t-000"]).await.0, 0);
    assert_eq!(program.run(&["tokens", "--missing"]).await.stdout, "t-001\n");
    assert_eq!(program.sync(&["--only", "t-001"]).await.0, 0);
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

#[tokio::test]
async fn a_look_at_a_customer_that_no_listing_shows_does_not_make_it_listed() {
    let database = tenants(Kind::Sqlite, ids(0..2)).await;
    let former = ids(0..2).map(|id| customer(json!({"provided_id": id, "name": format!("Name of {id}")})));
    let mut store = Store::new(former);
    store.hide(["t-001".to_owned()]);
    let sandbox = sandbox_of(Api::new(store, 0)).await;
    let program = program(&database, &sandbox);
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set name = 'Renamed' where id = 't-001'").await;
    assert_eq!(program.sync(&["--only", "t-001"]).await.0, 0);
    drop(sandbox.take_calls());
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["counts"]["unchanged"]), (0, &json!(2)), "{report}");
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"]);
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

#[tokio::test]
async fn a_tag_that_could_not_be_made_for_explos_fault_is_not_held_against_the_tenant() {
    let (database, sandbox, program) = world(Kind::Sqlite, ids(0..1)).start().await;
    database.execute("update tenants set group_tags = 'new'").await;
    let program =
        program.with("EXPLO_SYNC__FIELDS__CREATE_MISSING_TAGS", "true").with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::Status(500)).at(Endpoint::CreateGroupTag)));
    for _ in 0..3 {
        let (code, report) = program.sync(&[]).await;
        assert_eq!((code, &report["changes"][0]["outcome"]), (3, &json!("failed")), "{report}");
    }
    sandbox.adjust(|api| api.faults.clear());
    assert_eq!(program.sync(&[]).await.0, 0);
}

#[tokio::test]
async fn explain_says_what_is_not_sent_and_who_waits() {
    let old = customer(json!({"provided_id": "t-000", "name": "Name of t-000", "emails": ["b@x.example"]}));
    let (database, sandbox, program) = world(Kind::Sqlite, ids(0..1)).having([old]).start().await;
    sandbox.adjust(|api| api.behaviour = Behaviour { emails: OnUpdate::Merge, ..Behaviour::default() });
    assert_eq!(program.sync(&[]).await.0, 3);
    let text = program.run(&["explain", "t-000"]).await.stdout;
    assert!(
        text.contains("Not sent again: emails. It was sent, and Explo showed something else (added, not replaced)."),
        "{text}"
    );
    database.execute("update tenants set name = 'Another'").await;
    sandbox.adjust(|api| api.faults.push(Fault::new(FaultKind::Status(400)).at(Endpoint::UpdateCustomer)));
    for _ in 0..2 {
        assert_eq!(program.sync(&[]).await.0, 3);
    }
    let text = program.run(&["explain", "t-000"]).await.stdout;
    let parts =
        ["To update: one call of update_customer with name.", "Not yet: it failed before (2 times), and 1 more runs"];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}
