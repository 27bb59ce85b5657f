//! The main job, call by call, in each database.

use std::collections::{BTreeMap, HashMap};

use explo_sync::{model::Tenant, sandbox::StoredCustomer};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{AsTenant, Kind, World, body, derived, endpoints, keys, stored, writes};

fn id(n: usize) -> String {
    format!("t-{n:04}")
}

/// What tenant number `n` is.
fn wanted(n: usize) -> Tenant<'static> {
    json!({
        "provided_id": id(n),
        "name": format!("Tenant \"{n}\" – é"),
        "emails": [format!("a{n}@t.example"), format!("b{n}@t.example")],
        "group_tags": if n.is_multiple_of(3) { vec![] } else { vec!["eu", "beta"] },
        "properties": {"plan": (if n.is_multiple_of(2) { "free" } else { "pro" }), "seats": n, "ratio": 0.125},
        "mapping": {"40": format!("{}", 200 + n % 7)},
        "is_demo_group": n.is_multiple_of(10),
        "hierarchy_level_name": "Customer",
    })
    .tenant()
}

/// One field is changed, as somebody may have done in Explo, another one each time; what is to be sent for it.
fn drift(n: usize, customer: &mut StoredCustomer) -> [&'static str; 2] {
    let object = |text: &str| serde_json::from_str(text).unwrap();
    let sent = match n % 5 {
        0 => {
            customer.name = "Another name".into();
            "name"
        }
        1 => {
            customer.emails[1] = "former@t.example".into();
            "emails"
        }
        2 => {
            customer.properties = object(&format!(r#"{{"plan": "team", "seats": {n}, "ratio": 0.125}}"#));
            "properties"
        }
        3 => {
            customer.parent_schema_datasource_mapping = object(r#"{"40": "1"}"#);
            "mapping"
        }
        _ => {
            customer.is_demo_group ^= true;
            "is_demo_group"
        }
    };
    ["provided_id", sent]
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn every_difference_is_one_call_and_the_next_run_makes_none(#[case] kind: Kind) {
    let mut sent = BTreeMap::new();
    let strangers = (0..3).map(|n| json!({"provided_id": format!("s-{n}"), "name": "made by hand"}));
    let world = World::of((0..2500).map(wanted)).on(kind).derived().without((2475..2500).map(id)).and(strangers);
    let world =
        (2450..2475).fold(world, |world, n| world.but(&id(n), |customer| sent.extend([(n, drift(n, customer))])));
    let (_database, sandbox, program) = world.with("EXPLO_SYNC__GUARD__FLOOR", "25").start().await;
    let untouched: Vec<Value> = (0..3).map(|n| stored(&sandbox, &format!("s-{n}"))).collect();

    let (code, plan) = program.sync(&["--dry-run", "--exit-code"]).await;
    assert_eq!((code, &plan["error"]), (2, &Value::Null));
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"; 3]);
    let named = |kind: &str| -> Vec<String> {
        let changes = plan["changes"].as_array().unwrap().iter().filter(|change| change["kind"] == kind);
        changes.map(|change| change["provided_id"].as_str().unwrap().to_owned()).collect()
    };
    let ids = |numbers: std::ops::Range<usize>| numbers.map(id).collect::<Vec<_>>();
    assert_eq!(named("update"), ids(2450..2475));
    assert_eq!(named("create"), ids(2475..2500));
    assert_eq!(plan["orphans"], json!(["s-0", "s-1", "s-2"]));
    assert_eq!(plan["calls"]["planned"], json!({"customers": 3, "create_customer": 25, "update_customer": 25}));
    assert_eq!(plan["counts"]["unchanged"], 2450);

    let (code, report) = program.sync(&["--allow", "mapping=5"]).await;
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["outcomes"], json!({"applied": 50, "failed": 0, "unsettled": 0, "deferred": 0}));
    assert_eq!(report["calls"]["made"], plan["calls"]["planned"], "the forecast was right");
    let calls = sandbox.take_calls();
    assert_eq!(endpoints(&calls)[..3], ["customers"; 3]);
    let mut writes = writes(&calls);
    writes.sort_by_key(|call| (call.path.clone(), body(call)["provided_id"].to_string()));
    assert_eq!((calls.len(), writes.len()), (53, 50));
    for (n, create) in (2475..2500).zip(&writes[..25]) {
        assert_eq!(body(create)["provided_id"], format!("t-{n:04}"));
        assert_eq!(body(create).as_object().unwrap().len(), 8, "every managed field, once");
    }
    for (n, update) in (2450..2475).zip(&writes[25..]) {
        let mut expected = sent[&n];
        expected.sort_unstable();
        let update = body(update);
        assert_eq!(update["provided_id"], id(n));
        assert_eq!(keys(&update), expected, "only what differs");
    }

    let customers: HashMap<_, _> =
        sandbox.customers().into_iter().map(|customer| (customer.provided_id.clone(), customer)).collect();
    for n in 0..2500 {
        let now = serde_json::to_value(&customers[&Some(format!("t-{n:04}"))]).unwrap();
        let mut wanted = serde_json::to_value(derived(&wanted(n))).unwrap();
        wanted["token"] = now["token"].clone();
        for (field, value) in wanted.as_object().unwrap() {
            assert_eq!(&now[field], value, "{field} of {n}");
        }
    }
    assert_eq!(untouched, (0..3).map(|n| stored(&sandbox, &format!("s-{n}"))).collect::<Vec<_>>());

    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["changes"]), (0, &json!([])));
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"; 3]);
}
