//! The guard: what passes, what is held, and what lets it through.

use std::borrow::Cow;

use explo_sync::{
    compare::{Fingerprints, Rules},
    memory::{Action, Memory},
    model::{Customer, Object, Tenant},
    plan::{Allowances, Census, Class, Extent, Guard, Offboarding, Plan},
    sandbox::StoredCustomer,
    tenants::Index,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{World, endpoints, signal, writes};

const DEFAULT: Guard = Guard { floor: 10, create_floor: 100, percent: 10, max_orphan_percent: 50 };

/// So many tenants without a customer, customers that equal theirs, that differ in the name, in the mapping, that have the
/// previous id, and strangers.
struct Sides {
    created: usize,
    equal: usize,
    renamed: usize,
    remapped: usize,
    moved: usize,
    strangers: usize,
    leaving: usize,
}

const NONE: Sides = Sides { created: 0, equal: 0, renamed: 0, remapped: 0, moved: 0, strangers: 0, leaving: 0 };

impl Sides {
    fn plan(&self) -> Plan {
        let mut index = Index::new(Fingerprints::new(3));
        let tenants = self.created + self.equal + self.renamed + self.remapped + self.moved;
        let has_previous = |n: usize| n < tenants && n + self.moved >= tenants;
        let tenant = |n: usize| Tenant {
            provided_id: format!("t{n}").into(),
            previous_provided_id: has_previous(n).then(|| format!("p{n}").into()),
            name: Some("right".into()),
            mapping: Some(Object::Whole(r#"{"40":"1"}"#.into())),
            ..Tenant::default()
        };
        let says = |n: usize| Tenant {
            provided_id: format!("l{n}").into(),
            emails: Some(Vec::new()),
            offboard: Some(0),
            ..Tenant::default()
        };
        (0..tenants).for_each(|n| index.insert(&Ok(tenant(n))));
        (0..self.leaving).for_each(|n| index.insert(&Ok(says(n))));
        let memory = Memory::default();
        let offboarding = Offboarding { action: Some(Action::LockOut), after: 0 };
        let mut census = Census::new(index, Rules::default(), &memory, Extent::All).offboarding(offboarding);
        for n in self.created..tenants + self.strangers {
            let is_renamed = n - self.created < self.renamed;
            let is_remapped = !is_renamed && n - self.created < self.renamed + self.remapped;
            census.observe(&Customer {
                token: Cow::Owned(format!("token {n}")),
                provided_id: Some(Cow::Owned(match n {
                    _ if has_previous(n) => format!("p{n}"),
                    _ if n < tenants => format!("t{n}"),
                    _ => format!("s{n}"),
                })),
                name: Cow::Borrowed(if is_renamed { "wrong" } else { "right" }),
                mapping: Cow::Borrowed(if is_remapped { r#"{"40":"2"}"# } else { r#"{"40":1}"# }),
                ..Customer::default()
            });
        }
        for n in 0..self.leaving {
            census.observe(&Customer {
                token: Cow::Owned(format!("token of l{n}")),
                provided_id: Some(Cow::Owned(format!("l{n}"))),
                emails: vec!["a@x.example".into()],
                ..Customer::default()
            });
        }
        census.close().finish()
    }
}

#[rstest]
// Few customers: the floors decide.
#[case(Class::Create, 100, |n| Sides { created: n, ..NONE })]
#[case(Class::Create, 100, |n| Sides { created: n, equal: 500, ..NONE })]
#[case(Class::Update, 10, |n| Sides { renamed: n, equal: 50, ..NONE })]
#[case(Class::Mapping, 3, |n| Sides { remapped: n, equal: 25, ..NONE })]
#[case(Class::Rename, 3, |n| Sides { moved: n, equal: 25, ..NONE })]
// Many: the percentages do, rounded down, of what is listed or has a tenant.
#[case(Class::Create, 150, |n| Sides { created: n, equal: 1_509, ..NONE })]
#[case(Class::Create, 150, |n| Sides { created: n, equal: 800, strangers: 709, ..NONE })]
#[case(Class::Update, 150, |n| Sides { renamed: n, equal: 1_509 - n, ..NONE })]
#[case(Class::Update, 150, |n| Sides { renamed: n, equal: 1_509 - n, strangers: 900, ..NONE })]
#[case(Class::Mapping, 20, |n| Sides { remapped: n, equal: 209 - n, ..NONE })]
#[case(Class::Rename, 20, |n| Sides { moved: n, equal: 209 - n, strangers: 100, ..NONE })]
// Who leaves: the lower floor, and half the percentage.
#[case(Class::Offboard, 3, |n| Sides { leaving: n, equal: 55, ..NONE })]
#[case(Class::Offboard, 4, |n| Sides { leaving: n, equal: 99 - n, ..NONE })]
#[case(Class::Offboard, 50, |n| Sides { leaving: n, equal: 1_019 - n, strangers: 600, ..NONE })]
// Orphans have no floor.
#[case(Class::Orphan, 5, |n| Sides { equal: 10 - n, strangers: n, ..NONE })]
#[case(Class::Orphan, 500, |n| Sides { equal: 1_001 - n, strangers: n, ..NONE })]
fn a_class_may_reach_its_limit_and_not_pass_it(
    #[case] class: Class,
    #[case] limit: usize,
    #[case] sides: fn(usize) -> Sides,
) {
    for count in [limit - 1, limit, limit + 1] {
        let plan = sides(count).plan();
        let held = DEFAULT.held(&plan, &Allowances::default());
        let of_class: Vec<_> = held.iter().filter(|held| held.class == class).collect();
        if count <= limit {
            assert!(held.is_empty(), "{count} of {limit}: {held:?}");
        } else {
            assert_eq!((of_class.len(), of_class[0].count, of_class[0].limit), (1, count, limit));
            let allowed = |n: usize| [format!("{}={n}", class.name()).parse().unwrap()].into_iter().collect();
            assert!(DEFAULT.held(&plan, &allowed(count)).iter().all(|held| held.class != class), "allowed by hand");
            assert_eq!(DEFAULT.held(&plan, &allowed(count - 1)).len(), held.len(), "allowed for fewer");
        }
    }
}

#[test]
fn a_mapping_counts_as_an_update_too_and_its_floor_is_never_above_the_floor() {
    let plan = Sides { remapped: 2, equal: 8, ..NONE }.plan();
    let held = |floor| Guard { floor, ..DEFAULT }.held(&plan, &Allowances::default());
    assert_eq!(held(2), []);
    let classes: Vec<_> = held(1).iter().map(|held| (held.class, held.count, held.limit)).collect();
    assert_eq!(classes, [(Class::Update, 2, 1), (Class::Mapping, 2, 1)]);
}

#[test]
fn an_allowance_names_a_class_and_a_number() {
    for wrong in ["create", "create=", "create=-1", "creates=5", "=5", "create=5x"] {
        let message = wrong.parse::<explo_sync::plan::Allowance>().unwrap_err();
        assert!(message.contains("create, update, rename, mapping, orphan"), "{message}");
    }
}

fn world(tenants: usize) -> World {
    World::of((0..tenants).map(|n| (format!("t{n:04}"), format!("Tenant {n}"))))
}

/// Other names than the tenants have.
fn wrong(customer: &mut StoredCustomer) {
    customer.name = customer.name.replace("Tenant", "Wrong");
}

#[tokio::test]
async fn a_held_plan_writes_nothing_and_is_shown_whole_with_the_way_out() {
    let world = world(40).derived().each(wrong).without((30..40).map(|n| format!("t{n:04}")));
    let (_database, sandbox, program) = world.start().await;

    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["exit"]), (4, &json!(4)));
    assert_eq!(report["held"], json!([{"class": "update", "count": 30, "limit": 10}]));
    assert_eq!(report["changes"].as_array().unwrap().len(), 40, "shown whole");
    assert_eq!(report["outcomes"], json!({"applied": 0, "failed": 0, "unsettled": 0, "deferred": 40}));
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"], "creates are not sent either");

    let text = program.run(&["sync"]).await.stdout;
    for part in ["update 30 is over the limit of 10", "t0000, t0001, t0002", "name 30", "--allow update=30"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(program.sync(&["--dry-run"]).await.0, 0, "a dry run planned");
    assert_eq!(program.sync(&["--dry-run", "--exit-code"]).await.0, 4);
    assert_eq!(program.sync(&["--allow", "update=29"]).await.0, 4);
    assert!(writes(&sandbox.take_calls()).is_empty());

    let (code, report) = program.sync(&["--allow", "update=30"]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(40)));
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
}

#[tokio::test]
async fn an_empty_source_is_held_and_so_is_one_that_shrank() {
    let (database, sandbox, program) = world(30).derived().start().await;
    database.execute("create table all_tenants as select * from tenants; delete from tenants").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!(code, 4);
    assert_eq!(report["held"], json!([{"class": "orphan", "count": 30, "limit": 15}]));
    database.execute("insert into tenants select * from all_tenants where id < 't0014'").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["held"][0]["count"]), (4, &json!(16)));
    database.execute("insert into tenants select * from all_tenants where id = 't0014'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert!(writes(&sandbox.take_calls()).is_empty());
}

#[tokio::test]
async fn nothing_on_both_sides_is_in_sync() {
    let (_database, _sandbox, program) = world(0).start().await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["changes"]), (0, &json!([])));
}

#[tokio::test]
async fn a_first_load_is_allowed_by_hand_interrupted_and_taken_up() {
    let (_database, sandbox, program) = world(300).start().await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["held"]), (4, &json!([{"class": "create", "count": 300, "limit": 100}])));

    // Slowly, and interrupted after some: 600 a minute are ten a second.
    let slow = program.clone().with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "600");
    let mut child = slow.start(&["sync", "--output", "json", "--allow", "create=300"]);
    while sandbox.customers().len() < 5 {
        tokio::task::yield_now().await;
        assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
    }
    signal(&child, "-TERM").await;
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(75));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let made = sandbox.customers().len();
    assert!(made < 300);
    assert_eq!(report["outcomes"], json!({"applied": made, "failed": 0, "unsettled": 0, "deferred": 300 - made}));

    drop(sandbox.take_calls());
    let (code, report) = program.sync(&["--allow", "create=300"]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(300 - made)));
    assert_eq!(writes(&sandbox.take_calls()).len(), 300 - made, "none twice");
    assert_eq!(sandbox.customers().len(), 300);
}

#[tokio::test]
async fn an_update_that_only_shows_while_applying_counts_against_the_guard() {
    // Twenty customers exist with other names and are not listed: the listing is said to be complete without them.
    // One is listed, by which theirs is known to be the group of the others.
    let listed = json!({"provided_id": "t0020", "name": "Wrong 20", "access_group": "Production"});
    let (_database, hidden, program) = world(20).derived().each(wrong).and([listed]).start().await;
    hidden.change(|store| store.hide((0..20).map(|n| format!("t{n:04}"))));
    let (code, report) = program.sync(&["--allow", "orphan=1"]).await;
    assert_eq!((code, &report["counts"]["create"]), (3, &json!(20)));
    assert_eq!(
        report["outcomes"],
        json!({"applied": 10, "failed": 10, "unsettled": 0, "deferred": 0}),
        "the floor is 10"
    );
    let reasons: Vec<_> =
        report["changes"].as_array().unwrap().iter().filter_map(|change| change["error"].as_str()).collect();
    assert!(reasons.iter().all(|reason| reason.contains("the guard has no room")), "{reasons:?}");
    assert_eq!(endpoints(&writes(&hidden.take_calls()).into_iter().cloned().collect::<Vec<_>>()).len(), 30);
}

#[tokio::test]
async fn the_command_that_lets_a_plan_through_keeps_what_was_allowed_before() {
    let (database, _sandbox, program) = World::of((0..50).map(|n| (format!("t{n}"), "Ann"))).start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update tenants set name = 'Bea'").await;
    database.execute("delete from tenants where cast(substr(id, 2) as integer) < 30").await;
    for allowed in [&[][..], &["--allow", "orphan=30"], &["--allow", "update=20"]] {
        let output = program.run(&[&["sync"], allowed].concat()).await;
        assert!(output.stdout.contains("--allow update=20 --allow orphan=30"), "{allowed:?}: {}", output.stdout);
        for form in ["json", "html"] {
            let told = program.run(&[&["sync", "--dry-run", "--output", form], allowed].concat()).await.stdout;
            assert!(told.contains("--allow update=20 --allow orphan=30"), "{form} {allowed:?}: {told}");
        }
    }
    assert_eq!(program.sync(&["--allow", "update=20", "--allow", "orphan=30"]).await.0, 0);
}
