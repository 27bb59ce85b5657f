//! What a run costs: the dry run names the calls, endpoint by endpoint, and the run makes just those.

use std::collections::BTreeMap;

use explo_sync::sandbox::{
    Api, Call, Endpoint, Fault, FaultKind, PageSizeName, PropertyKeys, Sandbox, UnknownParameters,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, Program, World, customer, endpoints};

const FAMILY: &str = "provided_id, parent_provided_id, hierarchy_level_name, name";

/// Tenants as rows of a query, customers in the shape of the listing, and how the program is called.
struct Case {
    query: String,
    customers: Value,
    variables: Vec<(&'static str, &'static str)>,
    arguments: Vec<&'static str>,
    adjust: fn(&mut Api),
}

fn case(columns: &str, rows: &str) -> Case {
    let query = format!("with tenants ({columns}) as (values {rows}) select * from tenants");
    Case { query, customers: json!([]), variables: Vec::new(), arguments: Vec::new(), adjust: |_| {} }
}

fn named(provided_id: &str, name: &str) -> Value {
    json!({"provided_id": provided_id, "name": name})
}

fn below(parent: &str, provided_id: &str) -> Value {
    let level = if parent.is_empty() { "region" } else { "country" };
    let parent = if parent.is_empty() { Value::Null } else { json!(parent) };
    json!({"provided_id": provided_id, "name": "Ann", "hierarchy_level": level, "parent_provided_id": parent})
}

impl Case {
    fn having(self, customers: Value) -> Self {
        Self { customers, ..self }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn with_ledger(self) -> Self {
        self.with("EXPLO_SYNC__LEDGER__URL", "source")
    }

    fn called(self, arguments: &[&'static str]) -> Self {
        Self { arguments: arguments.to_vec(), ..self }
    }

    fn adjusted(self, adjust: fn(&mut Api)) -> Self {
        Self { adjust, ..self }
    }

    async fn sides(&self) -> (Database, Sandbox, Program) {
        let further = [("EXPLO_SYNC__SOURCE__QUERY", &*self.query), ("EXPLO_SYNC__GUARD__MAX_ORPHAN_PERCENT", "100")];
        let variables = further.iter().chain(&self.variables);
        let world = World::empty().and(self.customers.as_array().unwrap().iter().cloned());
        let world = variables.fold(world, |world, (name, value)| world.with(name, value));
        let (database, sandbox, program) = world.start().await;
        sandbox.adjust(|api| (self.adjust)(api));
        (database, sandbox, program)
    }
}

fn counted(calls: &[Call]) -> Value {
    let mut counted = BTreeMap::new();
    for endpoint in endpoints(calls) {
        *counted.entry(endpoint).or_insert(0) += 1;
    }
    json!(counted)
}

/// A dry run forecasts these calls, and the run makes them; the report of the run.
async fn forecast_and_made(program: &Program, sandbox: &Sandbox, arguments: &[&str], calls: &Value) -> (i32, Value) {
    let (code, forecast) = program.sync(&[&["--dry-run"], arguments].concat()).await;
    assert_eq!((code, &forecast["calls"]["planned"]), (0, calls), "{forecast}");
    assert_eq!(counted(&sandbox.take_calls()), forecast["calls"]["made"]);
    let (code, report) = program.sync(arguments).await;
    assert_eq!((&report["calls"]["made"], &report["calls"]["planned"]), (calls, calls), "{report}");
    assert_eq!(&counted(&sandbox.take_calls()), calls);
    (code, report)
}

#[rstest]
#[case(0, 1)]
#[case(1, 1)]
#[case(999, 1)]
#[case(1000, 1)]
#[case(1001, 2)]
#[case(2000, 2)]
#[case(2001, 3)]
#[tokio::test]
async fn a_run_without_changes_is_a_call_for_each_thousand_customers(#[case] customers: usize, #[case] pages: usize) {
    let ids = || (0..customers).map(|n| format!("t-{n}"));
    let (_database, sandbox, program) = World::of(ids().map(|id| (id, "Ann"))).derived().start().await;
    let (code, report) = forecast_and_made(&program, &sandbox, &[], &json!({"customers": pages})).await;
    assert_eq!((code, &report["counts"]["unchanged"]), (0, &json!(customers)));
}

fn creates() -> Case {
    case("provided_id, name", "('a', 'Ann'), ('b', 'Bob'), ('c', 'Cat')").having(json!([named("c", "Cat")]))
}

fn updates() -> Case {
    creates().having(json!([named("a", "x"), named("b", "x"), named("c", "Cat")]))
}

/// Two pages, and a third when all are there.
fn pages() -> Case {
    let rows = "('a', 'Ann'), ('b', 'Bob'), ('c', 'Cat'), ('d', 'Dan'), ('e', 'Eve')";
    let listed = json!([named("a", "x"), named("b", "Bob"), named("c", "Cat")]);
    case("provided_id, name", rows).having(listed).with("EXPLO_SYNC__EXPLO__PAGE_SIZE", "2")
}

/// The second of the names that a page's size may have is the one that is taken.
fn refused_page_size() -> Case {
    updates().adjusted(|api| {
        api.behaviour.page_size_name = PageSizeName::Camel;
        api.behaviour.unknown_parameters = UnknownParameters::Refused;
    })
}

/// One page that is full, so that there might be another.
fn untrusted_total() -> Case {
    case("provided_id, name", "('a', 'Ann'), ('b', 'Bob')")
        .having(json!([named("a", "x"), named("b", "Bob")]))
        .with("EXPLO_SYNC__EXPLO__PAGE_SIZE", "2")
        .with("EXPLO_SYNC__EXPLO__TRUST_TOTAL", "false")
}

/// Of three customers that differ one has others' keys in nothing that is written.
fn dotted_columns() -> Case {
    let rows = "('a', 'Ann', 'pro', '1'), ('b', 'Bob', 'pro', '1'), ('c', 'Cat', 'pro', '1'), ('d', 'Dan', 'pro', '1')";
    let listed = |id: &str, name: &str, plan: &str, source: &str| {
        json!({"provided_id": id, "name": name, "properties": {"plan": plan, "theirs": 1},
               "parent_schema_datasource_mapping": {"40": source, "41": "9"}})
    };
    case(r#"provided_id, name, "properties.plan", "mapping.40""#, rows).having(json!([
        listed("a", "x", "pro", "1"),
        listed("b", "Bob", "free", "1"),
        listed("c", "Cat", "pro", "2")
    ]))
}

/// One address is lacking, and one customer has all that are wanted but another name.
fn added_emails() -> Case {
    let rows = "('a', 'Ann', 'a@t.example'), ('b', 'Bob', 'b@t.example'), ('c', 'Cat', 'c@t.example')";
    case("provided_id, name, emails", rows)
        .having(json!([
            {"provided_id": "a", "name": "Ann", "emails": ["theirs@t.example"]},
            {"provided_id": "b", "name": "x", "emails": ["theirs@t.example", "b@t.example"]},
        ]))
        .with("EXPLO_SYNC__FIELDS__EMAILS", "add")
}

/// One customer gets a new id alone, one a name too, and one a key among others'.
fn renames() -> Case {
    let rows = "('b', 'a', 'Ann', 'pro'), ('d', 'c', 'Cat', 'pro'), ('f', 'e', 'Eve', 'pro')";
    case(r#"provided_id, previous_provided_id, name, "properties.plan""#, rows).having(json!([
        {"provided_id": "a", "name": "Ann", "properties": {"plan": "pro"}},
        {"provided_id": "c", "name": "x", "properties": {"plan": "pro"}},
        {"provided_id": "e", "name": "Eve", "properties": {"plan": "free"}},
    ]))
}

/// Two parents are listed, and one is new. Of their children one stays, one moves, two are made.
fn family() -> Case {
    let rows = "('q', null, 'region'), ('k', 'q', 'country'), ('r', null, 'region'), ('moves', 'r', 'country'), \
                ('new', 'r', 'country'), ('n', null, 'region'), ('m', 'n', 'country')";
    case(FAMILY, &rows.replace(')', ", 'Ann')")).having(json!([
        below("", "q"),
        below("q", "k"),
        below("", "r"),
        below("q", "moves"),
    ]))
}

fn renamed_parent() -> Case {
    let rows = "('r-new', 'r', null, 'region', 'Ann'), ('c', null, 'r-new', 'country', 'Ann'), \
                ('d', null, 'r-new', 'country', 'Ann')";
    case("provided_id, previous_provided_id, parent_provided_id, hierarchy_level_name, name", rows)
        .having(json!([below("", "r"), below("r", "c")]))
}

fn missing_tags() -> Case {
    let rows = "('a', 'Ann', 'gold'), ('b', 'Bob', 'silver,gold'), ('c', 'Cat', 'bronze'), ('d', 'Dan', 'silver')";
    let listed = |id: &str, name: &str| json!({"provided_id": id, "name": name, "group_tags": ["gold"]});
    case("provided_id, name, group_tags", rows)
        .having(json!([listed("c", "Cat"), listed("d", "x")]))
        .with("EXPLO_SYNC__FIELDS__CREATE_MISSING_TAGS", "true")
}

fn tags_of_nobody() -> Case {
    case("provided_id, name, group_tags", "('a', 'Ann', 'silver')")
        .adjusted(|api| api.store_mut().add_tag("silver").unwrap())
}

/// Three customers would differ by the style of a key, and one does.
fn restyled_keys() -> Case {
    let listed = |id: &str, plan: &str| json!({"provided_id": id, "name": "Ann", "properties": {"thePlan": plan}});
    let rows = r#"('a', '{"thePlan":"pro"}'), ('b', '{"thePlan":"pro"}'), ('c', '{"thePlan":"pro"}')"#;
    case("provided_id, properties", rows)
        .having(json!([listed("a", "pro"), listed("b", "pro"), listed("c", "free")]))
        .adjusted(|api| api.behaviour.property_keys = PropertyKeys::SnakeListed)
}

/// Four customers have another style of a key indeed, and three looks are enough to tell.
fn other_keys() -> Case {
    let listed = |id: &str| json!({"provided_id": id, "name": "Ann", "properties": {"the_plan": "pro"}});
    let rows = ["a", "b", "c", "d"].map(|id| format!(r#"('{id}', '{{"thePlan":"pro"}}')"#)).join(", ");
    case("provided_id, properties", &rows).having(json!(["a", "b", "c", "d"].map(listed)))
}

/// One to make, one to rename and update, one that is equal, and one that nobody asks for.
fn single_tenants() -> Case {
    let rows = "('a', null, 'Ann'), ('b', 'old', 'Bob'), ('c', null, 'Cat'), ('d', null, 'Dan')";
    case("provided_id, previous_provided_id, name", rows)
        .having(json!([named("old", "x"), named("c", "Cat")]))
        .called(&["--only", "a", "--only", "b", "--only", "c"])
}

fn two_at_a_time() -> Case {
    case("provided_id, name, group_tags", "('a', 'Ann', 'gold'), ('b', 'Bob', 'silver'), ('c', 'Cat', 'bronze')")
        .with("EXPLO_SYNC__FIELDS__CREATE_MISSING_TAGS", "true")
        .called(&["--max-changes", "2"])
}

#[rstest]
#[case::creates(creates(), json!({"customers": 1, "create_customer": 2}), json!({"customers": 1}))]
#[case::updates(updates(), json!({"customers": 1, "update_customer": 2}), json!({"customers": 1}))]
#[case::pages(pages(), json!({"customers": 2, "create_customer": 2, "update_customer": 1}), json!({"customers": 3}))]
#[case::refused_page_size(refused_page_size(), json!({"customers": 3, "update_customer": 2}), json!({"customers": 3}))]
#[case::untrusted_total(untrusted_total(), json!({"customers": 2, "update_customer": 1}), json!({"customers": 2}))]
#[case::one_page_for_all(
    pages().with("EXPLO_SYNC__EXPLO__LISTING", "v1"),
    json!({"customers": 1, "create_customer": 2, "update_customer": 1}),
    json!({"customers": 1})
)]
#[case::dotted_columns(
    dotted_columns(),
    json!({"customers": 1, "create_customer": 1, "get_customer": 2, "update_customer": 3}),
    json!({"customers": 1})
)]
#[case::added_emails(
    added_emails(),
    json!({"customers": 1, "create_customer": 1, "get_customer": 1, "update_customer": 2}),
    json!({"customers": 1})
)]
#[case::renames(renames(), json!({"customers": 1, "get_customer": 1, "update_customer": 5}), json!({"customers": 1}))]
#[case::parents(
    family(),
    json!({"customers": 3, "create_customer": 3, "update_customer": 1}),
    json!({"customers": 4})
)]
#[case::parents_with_a_ledger(
    family().with_ledger(),
    json!({"customers": 3, "create_customer": 3, "update_customer": 1}),
    json!({"customers": 2})
)]
#[case::renamed_parent(
    renamed_parent(),
    json!({"customers": 2, "create_customer": 1, "update_customer": 1}),
    json!({"customers": 2})
)]
#[case::missing_tags(
    missing_tags(),
    json!({"customers": 1, "group_tags": 1, "create_group_tag": 2, "create_customer": 2, "update_customer": 2}),
    json!({"customers": 1})
)]
#[case::tags_of_nobody(
    tags_of_nobody(),
    json!({"customers": 1, "group_tags": 1, "create_customer": 1}),
    json!({"customers": 1})
)]
#[case::restyled_keys(
    restyled_keys(),
    json!({"customers": 1, "get_customer": 1, "update_customer": 1}),
    json!({"customers": 1, "get_customer": 1})
)]
#[case::other_keys(
    other_keys(),
    json!({"customers": 1, "get_customer": 3, "update_customer": 4}),
    json!({"customers": 1})
)]
#[case::single_tenants(
    single_tenants(),
    json!({"get_customer": 4, "create_customer": 1, "update_customer": 2}),
    json!({"get_customer": 3})
)]
#[case::two_at_a_time(
    two_at_a_time(),
    json!({"customers": 1, "group_tags": 1, "create_group_tag": 2, "create_customer": 2}),
    json!({"customers": 1, "group_tags": 1, "create_group_tag": 1, "create_customer": 1})
)]
#[tokio::test]
async fn the_forecast_is_what_is_made(#[case] world: Case, #[case] calls: Value, #[case] then: Value) {
    let (_database, sandbox, program) = world.sides().await;
    let (_, report) = forecast_and_made(&program, &sandbox, &world.arguments, &calls).await;
    assert_eq!((&report["outcomes"]["failed"], &report["outcomes"]["unsettled"]), (&json!(0), &json!(0)), "{report}");
    let (code, report) = forecast_and_made(&program, &sandbox, &world.arguments, &then).await;
    assert_eq!((code, &report["outcomes"]["deferred"]), (0, &json!(0)), "{report}");
}

#[rstest]
#[case::renames(renames(), json!({"get_customer": 10, "update_customer": 5}), json!({"get_customer": 9}))]
#[case::parents(
    family(),
    json!({"customers": 1, "get_customer": 5, "create_customer": 3, "update_customer": 1}),
    json!({"customers": 2, "get_customer": 4})
)]
#[case::missing_tags(
    missing_tags(),
    json!({"get_customer": 5, "group_tags": 1, "create_group_tag": 2, "create_customer": 2, "update_customer": 2}),
    json!({"get_customer": 4})
)]
#[tokio::test]
async fn a_saved_plan_takes_a_look_at_each_customer_and_asks_once_what_absence_is(
    #[case] world: Case,
    #[case] calls: Value,
    #[case] then: Value,
) {
    let (_database, sandbox, program) = world.sides().await;
    let (_directory, path) = program.saved().await;
    drop(sandbox.take_calls());
    // The second time all of it is done.
    for calls in [calls, then] {
        let (code, report) = program.sync(&["--plan", &path]).await;
        assert_eq!((code, &report["calls"]["planned"]), (0, &calls), "{report}");
        assert_eq!((&report["calls"]["made"], &counted(&sandbox.take_calls())), (&calls, &calls));
    }
}

/// Ends with a tenant that failed twice: the next run passes it by.
async fn failing_twice(world: &Case, endpoint: Endpoint) -> (Database, Sandbox, Program) {
    let (database, sandbox, program) = world.sides().await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    sandbox.adjust(|api| api.faults = vec![Fault::new(FaultKind::Status(400)).at(endpoint)]);
    for _ in 0..2 {
        assert_eq!(program.sync(&[]).await.0, 3);
    }
    sandbox.adjust(|api| api.faults.clear());
    drop(sandbox.take_calls());
    (database, sandbox, program)
}

#[rstest]
#[case::create_with_children(
    case(FAMILY, "('r', null, 'region', 'Ann'), ('c', 'r', 'country', 'Ann'), ('s', 'c', 'site', 'Ann')"),
    Endpoint::CreateCustomer,
    json!({"customers": 1}),
    json!({"customers": 1, "create_customer": 3})
)]
#[case::renames_with_updates(
    renames(),
    Endpoint::UpdateCustomer,
    json!({"customers": 1}),
    json!({"customers": 1, "get_customer": 1, "update_customer": 5})
)]
#[case::child_of_a_renamed_parent(
    renamed_parent(),
    Endpoint::UpdateCustomer,
    json!({"customers": 2}),
    json!({"customers": 2, "create_customer": 1, "update_customer": 1})
)]
#[case::write_after_a_look(
    dotted_columns().having(json!([{"provided_id": "a", "properties": {"plan": "free"}}])),
    Endpoint::UpdateCustomer,
    json!({"customers": 1}),
    json!({"customers": 1, "get_customer": 1, "update_customer": 1})
)]
#[case::missing_tag(
    missing_tags().having(json!([])),
    Endpoint::CreateGroupTag,
    json!({"customers": 1, "group_tags": 1}),
    json!({"customers": 1, "group_tags": 1, "create_group_tag": 3, "create_customer": 4})
)]
#[tokio::test]
async fn what_waits_after_failures_is_neither_forecast_nor_sent_and_nor_is_what_needs_it(
    #[case] world: Case,
    #[case] endpoint: Endpoint,
    #[case] waiting: Value,
    #[case] then: Value,
) {
    let (_database, sandbox, program) = failing_twice(&world, endpoint).await;
    let text = program.run(&["sync", "--dry-run"]).await.stdout;
    assert!(text.contains("Waiting because the tenant failed before: "), "{text}");
    drop(sandbox.take_calls());
    let (code, report) = forecast_and_made(&program, &sandbox, &[], &waiting).await;
    assert_eq!((code, &report["outcomes"]["deferred"]), (3, &json!(report["changes"].as_array().unwrap().len())));
    let (code, report) = forecast_and_made(&program, &sandbox, &[], &then).await;
    assert_eq!((code, &report["outcomes"]["deferred"]), (0, &json!(0)), "{report}");
}

#[tokio::test]
async fn tenants_that_failed_are_forecast_where_they_are_tried_at_once() {
    let world = case("provided_id, name", "('a', 'Ann'), ('b', 'Bob')");
    for arguments in [&["--retry-failed"][..], &["--only", "a", "--only", "b"]] {
        let (_database, sandbox, program) = failing_twice(&world, Endpoint::CreateCustomer).await;
        let listing = if arguments.len() == 1 { json!({"customers": 1}) } else { json!({"get_customer": 2}) };
        let mut calls = listing.clone();
        calls["create_customer"] = json!(2);
        assert_eq!(forecast_and_made(&program, &sandbox, arguments, &calls).await.0, 0);
        assert_eq!(forecast_and_made(&program, &sandbox, arguments, &listing).await.0, 0);
    }
}

#[tokio::test]
async fn what_waits_takes_nobodys_place_among_the_changes_of_a_run() {
    let rows = "('r', null, 'region', 'Ann'), ('c', 'r', 'country', 'Ann'), ('d', 'r', 'country', 'Ann')";
    let (_database, sandbox, program) = failing_twice(&case(FAMILY, rows), Endpoint::CreateCustomer).await;
    let more = case(FAMILY, &format!("{rows}, ('x', null, 'region', 'Ann'), ('z', null, 'region', 'Ann')"));
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", &more.query);
    let one = json!({"customers": 1, "create_customer": 1});
    let (code, report) = forecast_and_made(&program, &sandbox, &["--max-changes", "1"], &one).await;
    let outcomes: Vec<_> =
        report["changes"].as_array().unwrap().iter().map(|change| change["outcome"].as_str().unwrap()).collect();
    assert_eq!((code, outcomes), (75, vec!["deferred", "applied", "deferred", "deferred", "deferred"]), "{report}");
}

#[tokio::test]
async fn a_look_after_a_customer_that_is_moved_again_is_forecast() {
    let world = family().with_ledger();
    let (database, sandbox, program) = world.sides().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    sandbox.change(|store| store.customer("moves").unwrap().parent_provided_id = Some("q".to_owned()));
    let checked = "update explo_customers set parents_checked_at = '2020-01-01T00:00:00Z'";
    database.execute(&format!("{checked} where parents_checked_at is not null")).await;
    drop(sandbox.take_calls());
    let calls = json!({"customers": 5, "update_customer": 1});
    assert_eq!(forecast_and_made(&program, &sandbox, &[], &calls).await.0, 0);
    assert_eq!(forecast_and_made(&program, &sandbox, &[], &json!({"customers": 1})).await.0, 0);
}

#[tokio::test]
async fn looks_at_what_came_back_are_forecast_beside_those_before_a_write() {
    let world = dotted_columns().with_ledger();
    let (_database, sandbox, program) = world.sides().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    for (id, name) in [("a", "x"), ("b", "Bob")] {
        let free = json!({"provided_id": id, "name": name, "properties": {"plan": "free", "theirs": 1}});
        let properties = customer(free).properties;
        sandbox.change(|store| {
            let customer = store.customer(id).unwrap();
            (customer.name, customer.properties) = (name.to_owned(), properties);
        });
    }
    drop(sandbox.take_calls());
    let calls = json!({"customers": 1, "get_customer": 4, "update_customer": 2});
    assert_eq!(forecast_and_made(&program, &sandbox, &[], &calls).await.0, 0);
    assert_eq!(forecast_and_made(&program, &sandbox, &[], &json!({"customers": 1})).await.0, 0);
}
