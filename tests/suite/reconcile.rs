//! The main job, call by call, in each database.

use std::{collections::HashMap, fmt::Write};

use explo_sync::sandbox::StoredCustomer;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, Kind, Program, body, customer, endpoints, sandbox, stored, writes};

const QUERY: &str = "select id as provided_id, name, emails, tags as group_tags, properties, mapping, \
                     demo as is_demo_group, level as hierarchy_level_name from tenants";

/// What tenant number `n` is, in the shape of the listing.
fn wanted(n: usize) -> Value {
    json!({
        "provided_id": format!("t-{n:04}"),
        "name": format!("Tenant \"{n}\" – é"),
        "emails": [format!("a{n}@t.example"), format!("b{n}@t.example")],
        "group_tags": if n.is_multiple_of(3) { vec![] } else { vec!["eu", "beta"] },
        "properties": {"plan": (if n.is_multiple_of(2) { "free" } else { "pro" }), "seats": n, "ratio": 0.125},
        "parent_schema_datasource_mapping": {"40": format!("{}", 200 + n % 7)},
        "is_demo_group": n.is_multiple_of(10),
        "hierarchy_level": "Customer",
        "access_group": "Production",
    })
}

async fn insert(database: &Database, numbers: impl Iterator<Item = usize>) {
    database
        .execute(
            "create table tenants (id varchar(40) primary key, name varchar(200), emails text, tags text, \
             properties text, mapping text, demo boolean, level varchar(40))",
        )
        .await;
    let mut rows = String::new();
    for n in numbers {
        let tenant = wanted(n);
        let text = |field: &str| tenant[field].to_string().replace('\'', "''");
        let comma = if rows.is_empty() { "" } else { ",\n" };
        let name = tenant["name"].as_str().unwrap();
        let (id, emails, tags) = (&tenant["provided_id"], text("emails"), text("group_tags"));
        let id = id.as_str().unwrap();
        let (properties, mapping) = (text("properties"), text("parent_schema_datasource_mapping"));
        let demo = n.is_multiple_of(10);
        write!(rows, "{comma}('{id}','{name}','{emails}','{tags}','{properties}','{mapping}',{demo},'Customer')")
            .unwrap();
    }
    database.execute(&format!("insert into tenants values {rows}")).await;
}

/// What somebody may have changed in Explo: one field, another one each time.
fn drifted(n: usize) -> (StoredCustomer, Vec<&'static str>) {
    let mut drifted = wanted(n);
    let (listed, value, sent) = match n % 5 {
        0 => ("name", json!("Another name"), "name"),
        1 => ("emails", json!([format!("a{n}@t.example"), "former@t.example"]), "emails"),
        2 => ("properties", json!({"plan": "team", "seats": n, "ratio": 0.125}), "properties"),
        3 => ("parent_schema_datasource_mapping", json!({"40": "1"}), "mapping"),
        _ => ("is_demo_group", json!(!n.is_multiple_of(10)), "is_demo_group"),
    };
    drifted[listed] = value;
    (customer(drifted), vec!["provided_id", sent])
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn every_difference_is_one_call_and_the_next_run_makes_none(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    insert(&database, 0..2500).await;
    let strangers = (0..3).map(|n| customer(json!({"provided_id": format!("s-{n}"), "name": "made by hand"})));
    let equal = (0..2450).map(|n| customer(wanted(n)));
    let changed = (2450..2475).map(|n| drifted(n).0);
    let sandbox = sandbox(strangers.chain(equal).chain(changed)).await;
    let untouched: Vec<Value> = (0..3).map(|n| stored(&sandbox, &format!("s-{n}"))).collect();
    let program = Program::between(&database, &sandbox, QUERY).with("EXPLO_SYNC__GUARD__FLOOR", "25");

    let (code, plan) = program.sync(&["--dry-run", "--exit-code"]).await;
    assert_eq!((code, &plan["error"]), (2, &Value::Null));
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"; 3]);
    let named = |kind: &str| -> Vec<String> {
        let changes = plan["changes"].as_array().unwrap().iter().filter(|change| change["kind"] == kind);
        changes.map(|change| change["provided_id"].as_str().unwrap().to_owned()).collect()
    };
    let ids = |numbers: std::ops::Range<usize>| numbers.map(|n| format!("t-{n:04}")).collect::<Vec<_>>();
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
        let mut expected = drifted(n).1;
        expected.sort_unstable();
        let sent = body(update);
        assert_eq!(sent["provided_id"], format!("t-{n:04}"));
        assert_eq!(sent.as_object().unwrap().keys().collect::<Vec<_>>(), expected, "only what differs");
    }

    let customers: HashMap<_, _> =
        sandbox.customers().into_iter().map(|customer| (customer.provided_id.clone(), customer)).collect();
    for n in 0..2500 {
        let now = serde_json::to_value(&customers[&Some(format!("t-{n:04}"))]).unwrap();
        for (field, value) in wanted(n).as_object().unwrap() {
            assert_eq!(&now[field], value, "{field} of {n}");
        }
    }
    assert_eq!(untouched, (0..3).map(|n| stored(&sandbox, &format!("s-{n}"))).collect::<Vec<_>>());

    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["changes"]), (0, &json!([])));
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"; 3]);
}
