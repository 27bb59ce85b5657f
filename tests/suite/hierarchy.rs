//! Parents: found by listing their children, made before them, and never asked for once for each tenant.

use explo_sync::model::Tenant;
use explo_sync::sandbox::{Call, Endpoint, Fault, FaultKind, ParentFilter, Sandbox, V1Filters, V2};
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, Program, World, body, changes, derived, invalid, stored, told, writes};

/// Tenants: id, parent and level (empty: NULL); customers the same, in the order of making.
async fn sides(tenants: &[[&str; 3]], customers: &[[&str; 3]]) -> (Database, Sandbox, Program) {
    let member = |[id, parent, level]: &[&str; 3]| {
        let set = |text: &str| (!text.is_empty()).then(|| text.to_owned().into());
        Tenant {
            provided_id: (*id).to_owned().into(),
            parent_provided_id: set(parent),
            hierarchy_level_name: set(level),
            name: Some("Ann".into()),
            ..Tenant::default()
        }
    };
    let world = World::of(tenants.iter().map(member)).having(customers.iter().map(member).map(|one| derived(&one)));
    levelled(world.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1")).await
}

/// With three levels, and a column for each way in which a tenant may be connected with others.
async fn levelled(world: World) -> (Database, Sandbox, Program) {
    let columns = ["previous_provided_id", "parent_provided_id", "hierarchy_level_name"];
    let (database, sandbox, program) = world.columns(&columns).start().await;
    sandbox.adjust(|api| api.behaviour.levels = ["region", "country", "site"].map(str::to_owned).into());
    (database, sandbox, program)
}

/// The same where calls go side by side.
fn told_sorted(calls: &[Call]) -> Vec<String> {
    let mut told = told(calls);
    told.sort();
    told
}

fn parent(sandbox: &Sandbox, id: &str) -> Value {
    stored(sandbox, id)["parent_provided_id"].clone()
}

/// As somebody does in Explo's own pages.
fn move_by_hand(sandbox: &Sandbox, id: &str, parent: Option<&str>) {
    sandbox.change(|store| store.customer(id).unwrap().parent_provided_id = parent.map(str::to_owned));
}

fn placed(id: &str, parent: Option<&str>, level: &str) -> Value {
    json!({"provided_id": id, "parent_provided_id": parent, "hierarchy_level_name": level, "name": level})
}

#[tokio::test]
async fn three_levels_arrive_with_parents_before_children_and_the_second_run_lists_each_parent_once() {
    let mut tenants = Vec::new();
    for n in 0..500 {
        tenants.push(placed(&format!("r{n}"), None, "region"));
        tenants.push(placed(&format!("c{n}"), Some(&format!("r{}", n % 20)), "country"));
        tenants.push(placed(&format!("s{n}"), Some(&format!("c{}", n % 50)), "site"));
    }
    tenants.shuffle(&mut SmallRng::seed_from_u64(5));
    let (_database, sandbox, program) = levelled(World::of(tenants)).await;
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["calls"]["planned"]), (0, &json!({"customers": 1, "create_customer": 1500})));
    drop(sandbox.take_calls());
    let (code, report) = program.sync(&["--allow", "create=1500"]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(1500)), "{}", report["error"]);
    let calls = sandbox.take_calls();
    let told = told(&calls);
    assert_eq!((told.len(), told[0].as_str()), (1501, "customers"));
    let level = |call: &Call| body(call)["hierarchy_level_name"].as_str().unwrap().to_owned();
    let levels: Vec<_> = writes(&calls).into_iter().map(level).collect();
    assert!(levels[..500].iter().all(|level| level == "region") && levels[1000..].iter().all(|level| level == "site"));
    assert_eq!((parent(&sandbox, "c499"), parent(&sandbox, "s499")), (json!("r19"), json!("c49")));
    let (code, report) = program.sync(&["--dry-run", "--exit-code"]).await;
    assert_eq!((code, &report["counts"]["unchanged"], &report["listing"]["pages"]), (0, &json!(1500), &json!(2)));
    assert_eq!(report["calls"]["planned"], json!({"customers": 72}), "two pages, and 70 parents");
    let mut expected: Vec<_> =
        (0..20).map(|n| format!("customers r{n}")).chain((0..50).map(|n| format!("customers c{n}"))).collect();
    expected.extend(["customers".to_owned(), "customers".to_owned()]);
    expected.sort();
    assert_eq!(told_sorted(&sandbox.take_calls()), expected);
}

#[tokio::test]
async fn below_a_parent_that_fails_everybody_is_deferred_and_the_others_arrive() {
    let tenants =
        [["s", "c", "site"], ["c", "r", "country"], ["r", "", "region"], ["d", "q", "country"], ["q", "", "region"]];
    let (_database, sandbox, program) = sides(&tenants, &[]).await;
    sandbox.adjust(|api| api.faults = vec![Fault::new(FaultKind::Status(400)).at(Endpoint::CreateCustomer).times(1)]);
    let (code, report) = program.with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1").sync(&[]).await;
    let expected = ["create q failed", "create r applied", "create c applied", "create d deferred", "create s applied"];
    assert_eq!((code, changes(&report)), (3, expected.map(str::to_owned).into()), "{report}");
    let made = [
        "customers",
        "create_customer q",
        "create_customer r",
        "create_customer c under r",
        "create_customer s under c",
    ];
    assert_eq!(told(&sandbox.take_calls()), made);
}

#[tokio::test]
async fn the_next_run_makes_what_was_deferred() {
    let tenants = [["r", "", "region"], ["c", "r", "country"], ["s", "c", "site"]];
    let (_database, sandbox, program) = sides(&tenants, &[]).await;
    sandbox.adjust(|api| api.faults = vec![Fault::new(FaultKind::Status(400)).at(Endpoint::CreateCustomer).times(1)]);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]), (3, &json!({"applied": 0, "failed": 1, "unsettled": 0, "deferred": 2})));
    assert_eq!(told(&sandbox.take_calls()), ["customers", "create_customer r"]);
    assert_eq!(program.sync(&[]).await.0, 0);
    let made = ["customers", "create_customer r", "create_customer c under r", "create_customer s under c"];
    assert_eq!(told(&sandbox.take_calls()), made);
}

#[tokio::test]
async fn a_child_moves_in_one_call_that_names_its_parent_alone() {
    let tenants = [["q", "", "region"], ["r", "", "region"], ["c", "q", "country"], ["d", "r", "country"]];
    let customers = [["q", "", "region"], ["r", "", "region"], ["c", "r", "country"], ["d", "r", "country"]];
    let (_database, sandbox, program) = sides(&tenants, &customers).await;
    let (_, report) = program.sync(&["--dry-run", "--show-values"]).await;
    assert_eq!(report["changes"][0]["fields"], json!({"parent_provided_id": {"old": "r", "new": "q"}}));
    assert_eq!(report["calls"]["planned"], json!({"customers": 3, "update_customer": 1}));
    assert_eq!((&report["counts"]["unchanged"], &report["fields"]), (&json!(3), &json!({"parent_provided_id": 1})));
    drop(sandbox.take_calls());
    assert_eq!(program.sync(&[]).await.0, 0);
    let calls = sandbox.take_calls();
    assert_eq!(told_sorted(&calls), ["customers", "customers q", "customers r", "update_customer c under q"]);
    assert_eq!(body(writes(&calls)[0]), json!({"provided_id": "c", "parent_provided_id": "q"}));
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    assert_eq!(told_sorted(&sandbox.take_calls()), ["customers", "customers q", "customers r"]);
}

#[tokio::test]
async fn what_somebody_moved_in_the_ui_is_mended() {
    let tenants = [["q", "", "region"], ["r", "", "region"], ["c", "q", "country"]];
    let (_database, sandbox, program) = sides(&tenants, &tenants).await;
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    move_by_hand(&sandbox, "c", Some("r"));
    drop(sandbox.take_calls());
    assert_eq!(changes(&program.sync(&[]).await.1), ["update c applied"]);
    assert_eq!(told(&sandbox.take_calls()), ["customers", "customers q", "update_customer c under q"]);
    assert_eq!(parent(&sandbox, "c"), "q");
}

#[tokio::test]
async fn a_child_is_made_or_moves_under_a_parent_that_is_made_before() {
    let tenants = [["new", "", "region"], ["c", "new", "country"], ["d", "new", "country"]];
    let customers = [["old", "", "region"], ["c", "old", "country"]];
    let (_database, sandbox, program) = sides(&tenants, &customers).await;
    let (code, report) = program.sync(&["--allow", "orphan=1"]).await;
    assert_eq!(
        (code, changes(&report)),
        (0, ["create new applied", "create d applied", "update c applied"].map(str::to_owned).into())
    );
    let calls = told(&sandbox.take_calls());
    assert_eq!(calls[..2], ["customers", "create_customer new"], "nobody asks for the children of what is not there");
    assert_eq!(calls.len(), 4);
    assert_eq!((parent(&sandbox, "c"), parent(&sandbox, "d")), (json!("new"), json!("new")));
}

#[tokio::test]
async fn a_parent_that_is_renamed_keeps_its_twenty_children_without_a_call_for_them() {
    let children: Vec<_> = (10..30).map(|n| format!("c{n}")).collect();
    let rows = |parent: &'static str| {
        let children = children.iter().map(move |child| [child.as_str(), parent, "country"]);
        [[parent, "", "region"]].into_iter().chain(children).collect::<Vec<_>>()
    };
    let (database, sandbox, program) = sides(&rows("r-new"), &rows("r-old")).await;
    database.execute("update tenants set previous_provided_id = 'r-old' where id = 'r-new'").await;
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["calls"]["planned"]), (0, &json!({"customers": 2, "update_customer": 1})));
    drop(sandbox.take_calls());
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(told(&sandbox.take_calls()), ["customers", "customers r-old", "update_customer r-old > r-new"]);
    assert!(children.iter().all(|child| parent(&sandbox, child) == "r-new"));
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    assert_eq!(told(&sandbox.take_calls()), ["customers", "customers r-new"]);
}

#[tokio::test]
async fn a_row_may_still_name_its_parent_by_the_id_that_it_is_losing() {
    let tenants = [["r-new", "", "region"], ["c", "r-old", "country"], ["d", "r-old", "country"]];
    let (database, sandbox, program) = sides(&tenants, &[["r-old", "", "region"], ["c", "r-old", "country"]]).await;
    database.execute("update tenants set previous_provided_id = 'r-old' where id = 'r-new'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let made = ["customers", "customers r-old", "update_customer r-old > r-new", "create_customer d under r-new"];
    assert_eq!(told(&sandbox.take_calls()), made);
    assert_eq!(parent(&sandbox, "d"), "r-new");
}

#[rstest]
#[case::no_level(&[["r", "", "region"], ["c", "r", ""], ["s", "c", "site"]], &["c: parent_provided_id needs hierarchy_level_name beside it: Explo puts a customer without a level at the root", "s: it is below an invalid tenant: c"])]
#[case::unknown(&[["c", "nobody", "country"], ["s", "c", "site"]], &["c: its parent_provided_id nobody names neither a tenant nor a listed customer", "s: it is below an invalid tenant: c"])]
#[case::itself(&[["c", "c", "country"]], &["c: its parents form a circle: c"])]
#[case::circle(&[["a", "b", "site"], ["b", "a", "country"], ["z", "a", "site"]], &["a: its parents form a circle: b → a", "b: its parents form a circle: a → b", "z: it is below an invalid tenant: a → b → a → b → …"])]
#[case::below_a_row_that_occurs_twice(&[["r", "", "region"], ["r", "", "region"], ["c", "r", "country"], ["s", "c", "site"]], &["c: it is below an invalid tenant: r", "r: more than one row has this provided_id: make the query return it once", "s: it is below an invalid tenant: c → r"])]
#[tokio::test]
async fn a_tenant_without_a_place_is_invalid_and_so_is_everybody_below(
    #[case] tenants: &[[&str; 3]],
    #[case] told: &[&str],
) {
    let (_database, sandbox, program) = sides(tenants, &[]).await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, invalid(&report)), (3, told.iter().map(|one| (*one).to_owned()).collect()), "{report}");
    assert!(writes(&sandbox.take_calls()).iter().all(|call| body(call)["parent_provided_id"].is_null()));
}

#[tokio::test]
async fn the_customer_of_a_tenant_without_a_place_is_left_alone_and_is_no_orphan() {
    let tenants = [["c", "nobody", "country"], ["d", "c", "site"]];
    let (database, sandbox, program) = sides(&tenants, &[["c", "", "country"], ["d", "c", "site"]]).await;
    database.execute("update tenants set name = 'Anna'").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["changes"], &report["orphans"]), (3, &json!([]), &json!([])), "{report}");
    assert_eq!((&report["counts"]["unchanged"], &report["counts"]["invalid"]), (&json!(0), &json!(2)));
    assert_eq!(told(&sandbox.take_calls()), ["customers"]);
}

#[tokio::test]
async fn a_parent_may_be_a_customer_without_a_tenant() {
    let (_database, sandbox, program) = sides(&[["c", "r", "country"]], &[["r", "", "region"]]).await;
    assert_eq!(program.sync(&["--allow", "orphan=1"]).await.0, 0);
    assert_eq!(told(&sandbox.take_calls()), ["customers", "create_customer c under r"]);
    assert_eq!(program.sync(&[]).await.1["counts"]["unchanged"], json!(1));
    assert_eq!(told(&sandbox.take_calls()), ["customers", "customers r"]);
}

#[rstest]
#[case::grandchildren(ParentFilter::Descendants, V2::Present, V1Filters::Query)]
#[case::v1_query(ParentFilter::Children, V2::Missing, V1Filters::Query)]
#[case::v1_body(ParentFilter::Children, V2::Missing, V1Filters::Body)]
#[tokio::test]
async fn parents_are_found_however_the_filter_works(
    #[case] filter: ParentFilter,
    #[case] v2: V2,
    #[case] v1_filters: V1Filters,
) {
    let tenants = [["r", "", "region"], ["c", "r", "country"], ["s", "c", "site"], ["t", "r", "site"]];
    let (_database, sandbox, program) = sides(&tenants, &tenants).await;
    sandbox.adjust(|api| {
        (api.behaviour.parent_filter, api.behaviour.v2, api.behaviour.v1_filters) = (filter, v2, v1_filters);
    });
    let version = if v2 == V2::Missing { "v1" } else { "v2" };
    let program = program.with("EXPLO_SYNC__EXPLO__LISTING", version);
    assert_eq!(program.sync(&[]).await.1["counts"]["unchanged"], json!(4));
    assert_eq!(told_sorted(&sandbox.take_calls()), ["customers", "customers c", "customers r"]);
    move_by_hand(&sandbox, "t", None);
    assert_eq!(changes(&program.sync(&[]).await.1), ["update t applied"]);
    assert_eq!(parent(&sandbox, "t"), "r");
}

#[rstest]
#[case::not_heeded(ParentFilter::Ignored, &[])]
#[case::refused(ParentFilter::Children, &[Fault::new(FaultKind::Status(400)).at(Endpoint::Customers).after(1)])]
#[tokio::test]
async fn where_the_filter_tells_nothing_parents_are_not_compared(
    #[case] filter: ParentFilter,
    #[case] faults: &[Fault],
) {
    let tenants = [["r", "", "region"], ["c", "r", "country"]];
    let (_database, sandbox, program) = sides(&tenants, &[["r", "", "region"], ["c", "", "country"]]).await;
    sandbox.adjust(|api| (api.behaviour.parent_filter, api.faults) = (filter, faults.to_vec()));
    let output = program.run(&["sync"]).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stderr.contains("not compared"), "{}", output.stderr);
    assert!(told(&sandbox.take_calls()).iter().all(|call| call.starts_with("customers")));
}

#[tokio::test]
async fn children_are_listed_page_by_page() {
    let children: Vec<_> = (10..35).map(|n| format!("c{n}")).collect();
    let rows: Vec<_> = [["r", "", "region"]]
        .into_iter()
        .chain(children.iter().map(|child| [child.as_str(), "r", "country"]))
        .collect();
    let (_database, sandbox, program) = sides(&rows, &rows).await;
    let (_, report) = program.with("EXPLO_SYNC__EXPLO__PAGE_SIZE", "10").sync(&[]).await;
    assert_eq!((&report["changes"], &report["calls"]["made"]), (&json!([]), &json!({"customers": 6})));
    assert_eq!(report["calls"]["planned"], report["calls"]["made"]);
    assert_eq!(told(&sandbox.take_calls())[3..], ["customers r"; 3]);
}

#[tokio::test]
async fn a_saved_plan_moves_what_is_still_elsewhere() {
    let tenants = [
        ["q", "", "region"],
        ["r", "", "region"],
        ["c", "q", "country"],
        ["d", "q", "country"],
        ["n", "", "region"],
        ["e", "n", "country"],
    ];
    let customers = [["q", "", "region"], ["r", "", "region"], ["c", "r", "country"], ["d", "r", "country"]];
    let (_database, sandbox, program) = sides(&tenants, &customers).await;
    let (_directory, file) = program.saved().await;
    move_by_hand(&sandbox, "d", Some("q"));
    let expected = ["create n applied", "create e applied", "update c applied", "update d applied"].map(str::to_owned);
    for written in [&["create_customer e under n", "create_customer n", "update_customer c under q"][..], &[]] {
        drop(sandbox.take_calls());
        let (code, report) = program.sync(&["--plan", &file]).await;
        assert_eq!((code, changes(&report), &report["skipped"]), (0, expected.to_vec(), &json!([])), "{report}");
        assert_eq!(report["calls"]["planned"], report["calls"]["made"]);
        let mut calls = told_sorted(&sandbox.take_calls());
        calls.retain(|call| !call.starts_with("get") && !call.starts_with("customers"));
        assert_eq!(calls, written, "somebody moved d already, and the second time all is done");
    }
    assert_eq!((parent(&sandbox, "c"), parent(&sandbox, "e")), (json!("q"), json!("n")));
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    move_by_hand(&sandbox, "e", Some("r"));
    let (code, report) = program.sync(&["--plan", &file]).await;
    assert_eq!((code, &report["skipped"]), (3, &json!(["e"])), "it is equal, but elsewhere: {report}");
}

#[tokio::test]
async fn single_tenants_are_made_under_their_parents_and_explained_with_them() {
    let tenants = [["r", "", "region"], ["c", "r", "country"], ["d", "r", "country"], ["x", "nobody", "country"]];
    let (_database, sandbox, program) = sides(&tenants, &[["r", "", "region"], ["c", "", "country"]]).await;
    let text = program.run(&["explain", "c", "--show-values"]).await.stdout;
    assert!(
        text.contains("~ parent_provided_id    wanted \"r\", Explo has \"\"")
            && text.contains("with parent_provided_id."),
        "{text}"
    );
    assert_eq!(told(&sandbox.take_calls()), ["get_customer c", "get_customer r", "customers r"]);
    let text = program.run(&["explain", "x"]).await.stdout;
    assert!(text.contains("Invalid") && text.contains("nobody"), "{text}");
    drop(sandbox.take_calls());
    assert_eq!(program.sync(&["--only", "d"]).await.0, 0);
    assert_eq!(told(&sandbox.take_calls()), ["get_customer d", "create_customer d under r"]);
}

/// Lets a day pass for what the ledger knows.
async fn a_day_later(database: &Database) {
    database.execute("update explo_customers set parents_checked_at = '2020-01-01T00:00:00Z' where parents_checked_at is not null").await;
}

#[tokio::test]
async fn with_a_ledger_parents_are_asked_once_a_day_and_what_was_moved_by_hand_is_mended_then() {
    let tenants =
        [["q", "", "region"], ["r", "", "region"], ["c", "q", "country"], ["d", "r", "country"], ["s", "c", "site"]];
    let (database, sandbox, program) = sides(&tenants, &[]).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    assert_eq!(program.sync(&[]).await.0, 0);
    drop(sandbox.take_calls());
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    assert_eq!(
        told_sorted(&sandbox.take_calls()),
        ["customers", "customers c", "customers q", "customers r"],
        "nobody asked yet"
    );
    assert_eq!(program.sync(&[]).await.1["calls"]["planned"], json!({"customers": 1}));
    assert_eq!(told(&sandbox.take_calls()), ["customers"]);
    move_by_hand(&sandbox, "c", Some("r"));
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]), "nobody knows yet");
    assert_eq!(told(&sandbox.take_calls()), ["customers"]);
    a_day_later(&database).await;
    assert_eq!(changes(&program.sync(&[]).await.1), ["update c applied"]);
    let calls = sandbox.take_calls();
    assert_eq!(
        told_sorted(&calls),
        ["customers", "customers c", "customers q", "customers r", "update_customer c under q"]
    );
    assert_eq!(parent(&sandbox, "c"), "q");
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    assert_eq!(told(&sandbox.take_calls()), ["customers"]);
}

#[tokio::test]
async fn with_a_ledger_a_move_is_one_call_and_its_failure_is_not_forgotten() {
    let tenants = [["q", "", "region"], ["r", "", "region"], ["c", "q", "country"]];
    let (database, sandbox, program) = sides(&tenants, &tenants).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    assert_eq!(program.sync(&[]).await.0, 0);
    drop(sandbox.take_calls());
    database.execute("update tenants set parent_provided_id = 'r' where id = 'c'").await;
    sandbox.adjust(|api| api.faults = vec![Fault::new(FaultKind::Status(400)).at(Endpoint::UpdateCustomer)]);
    assert_eq!(changes(&program.sync(&[]).await.1), ["update c failed"]);
    assert_eq!(
        told_sorted(&sandbox.take_calls()),
        ["customers", "customers r", "update_customer c under r"],
        "nobody asked for r yet"
    );
    assert_eq!(changes(&program.sync(&[]).await.1), ["update c failed"]);
    assert_eq!(told(&sandbox.take_calls()), ["customers", "update_customer c under r"]);
    assert_eq!(changes(&program.sync(&[]).await.1), ["update c deferred"], "twice in a row is enough for now");
    assert_eq!(told(&sandbox.take_calls()), ["customers"]);
    sandbox.adjust(|api| api.faults.clear());
    assert_eq!(changes(&program.sync(&["--retry-failed"]).await.1), ["update c applied"]);
    assert_eq!(told(&sandbox.take_calls()), ["customers", "update_customer c under r"]);
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    assert_eq!((told(&sandbox.take_calls()), parent(&sandbox, "c")), (vec!["customers".to_owned()], json!("r")));
}

#[tokio::test]
async fn with_a_ledger_the_children_of_a_renamed_parent_cost_nothing_either() {
    let children: Vec<_> = (10..30).map(|n| format!("c{n}")).collect();
    let rows = |parent: &'static str| {
        let children = children.iter().map(move |child| [child.as_str(), parent, "country"]);
        [[parent, "", "region"]].into_iter().chain(children).collect::<Vec<_>>()
    };
    let (database, sandbox, program) = sides(&rows("r-old"), &rows("r-old")).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    assert_eq!(program.sync(&[]).await.0, 0);
    drop(sandbox.take_calls());
    database.execute("update tenants set id = 'r-new', previous_provided_id = 'r-old' where id = 'r-old'").await;
    database.execute("update tenants set parent_provided_id = 'r-new' where parent_provided_id = 'r-old'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(told(&sandbox.take_calls()), ["customers", "update_customer r-old > r-new"]);
    for _ in 0..2 {
        assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
        assert_eq!(told(&sandbox.take_calls()), ["customers"]);
        database.execute("update tenants set previous_provided_id = null").await;
    }
    assert!(children.iter().all(|child| parent(&sandbox, child) == "r-new"));
}

#[tokio::test]
async fn a_move_from_the_id_that_the_new_parent_once_had_is_a_move() {
    let tenants = [["x", "", "region"], ["p", "", "region"], ["c", "x", "country"]];
    let (database, sandbox, program) = sides(&tenants, &tenants).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    database.execute("update tenants set previous_provided_id = 'x' where id = 'p'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set parent_provided_id = 'p' where id = 'c'").await;
    drop(sandbox.take_calls());
    assert_eq!(changes(&program.sync(&[]).await.1), ["update c applied"]);
    assert_eq!(parent(&sandbox, "c"), "p");
}

#[tokio::test]
async fn where_the_id_of_before_is_forgotten_at_once_the_renamed_parent_is_asked_instead_of_moving_its_children() {
    let tenants = [["r-old", "", "region"], ["c", "r-old", "country"], ["d", "r-old", "country"]];
    let (database, sandbox, program) = sides(&tenants, &tenants).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set id = 'r-new', previous_provided_id = 'r-old' where id = 'r-old'").await;
    database.execute("update tenants set parent_provided_id = 'r-new' where parent_provided_id = 'r-old'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set previous_provided_id = null").await;
    drop(sandbox.take_calls());
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    assert_eq!(told(&sandbox.take_calls()), ["customers", "customers r-new"]);
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    assert_eq!(told(&sandbox.take_calls()), ["customers"]);
}

#[tokio::test]
async fn what_was_asked_in_the_future_is_asked_again() {
    let tenants = [["r", "", "region"], ["c", "r", "country"]];
    let (database, sandbox, program) = sides(&tenants, &tenants).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update explo_customers set parents_checked_at = '2099-01-01T00:00:00Z' where parents_checked_at is not null").await;
    move_by_hand(&sandbox, "c", None);
    assert_eq!(changes(&program.sync(&[]).await.1), ["update c applied"]);
}

#[tokio::test]
async fn a_run_that_is_stopped_among_many_parents_goes_on_from_there() {
    let parents: Vec<_> = (10..40).map(|n| (format!("r{n}"), format!("c{n}"))).collect();
    let below =
        |(parent, child): &'static (String, String)| [[parent.as_str(), "", "region"], [child, parent, "country"]];
    let rows: Vec<_> = Vec::leak(parents).iter().flat_map(below).collect();
    let (database, sandbox, program) = sides(&rows, &rows).await;
    database.execute("insert into tenants (id, hierarchy_level_name, name) values ('new', 'region', 'Ann')").await;
    let program =
        program.with("EXPLO_SYNC__LEDGER__URL", "source").with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "600");
    let (mut codes, mut asked) = (Vec::new(), Vec::new());
    while codes.last() != Some(&0) && codes.len() < 10 {
        codes.push(program.sync(&["--max-duration", "2s"]).await.0);
        asked.extend(told(&sandbox.take_calls()).into_iter().filter(|call| call.starts_with("customers ")));
    }
    assert!(codes.len() > 1 && codes[..codes.len() - 1].iter().all(|code| *code == 75), "{codes:?}");
    assert_eq!(codes.last(), Some(&0));
    let all = asked.len();
    asked.sort();
    asked.dedup();
    // What was under way when a run was cut is asked again.
    assert!(asked.len() == 30 && all <= 30 + 8 * codes.len(), "{all} of {codes:?}");
    assert!(sandbox.customers().iter().any(|one| one.provided_id.as_deref() == Some("new")));
}
