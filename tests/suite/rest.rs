//! Tenants from an API: read page by page, all of them or none.

mod complete;
mod config;
mod other;
mod secrecy;

use std::path::Path;

use explo_sync::sandbox::{Api, Call, Sandbox, Store, Upstream};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Program, body, endpoints, sandbox_of, writes};

/// What the upstream list takes.
pub(super) const TOKEN: &str = "my-secret-upstream-token";

/// The parents of each level stand before their children.
const OPERATORS: u64 = 20;
const PARTNERS: u64 = 200;
const ALL: u64 = 1200;

/// Record number `id` of the list, from 1.
fn record(id: u64) -> Value {
    let (kind, owner) = if id <= OPERATORS {
        ("operator", None)
    } else if id <= PARTNERS {
        ("partner", Some(1 + id % OPERATORS))
    } else {
        ("customer", Some(1 + OPERATORS + id % (PARTNERS - OPERATORS)))
    };
    json!({
        "id": id,
        "name": format!("Customer {id}"),
        "type": kind,
        "externalId": id.is_multiple_of(4).then(|| format!("ext-{id}")),
        "contactDetails": {"name": "Ann", "email": format!("c{id}@t.example"), "phone": "+45 12345678"},
        "owner": owner.map(|id| json!({"id": id, "name": format!("Customer {id}")})),
        "bank": {"iban": format!("DE0212030000{id:010}"), "holder": "Ann Holder"},
        "createdAt": format!("2026-01-01T00:{:02}:{:02}.000Z", id / 60, id % 60),
        "updatedAt": format!("2026-02-01T00:{:02}:{:02}.000Z", id / 60, id % 60),
    })
}

/// The id that its tenant has.
fn provided_id(id: u64) -> String {
    if id.is_multiple_of(4) { format!("ext-{id}") } else { id.to_string() }
}

/// A sandbox with nothing but the upstream list.
pub(super) async fn upstream(records: impl IntoIterator<Item = Value>) -> Sandbox {
    let mut api = Api::new(Store::default(), 0);
    let mut upstream = Upstream::new(records);
    upstream.token = Some(TOKEN.to_owned());
    api.upstream = Some(upstream);
    sandbox_of(api).await
}

/// The program with the example's configuration, as fast as it goes; the directory holds the token.
pub(super) fn program(url: &str, sandbox: &Sandbox) -> (Program, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/spirii.toml");
    let text = std::fs::read_to_string(example).unwrap().replace("\"explo-token\"", "\"\"");
    let file = directory.path().join("explo-sync.toml");
    std::fs::write(&file, text).unwrap();
    let program = Program::default()
        .with("EXPLO_SYNC_CONFIG", file.to_str().unwrap())
        .with("EXPLO_TOKEN", "test-team-token-0123456789")
        .with("EXPLO_SYNC__SOURCE__URL", url)
        .with("EXPLO_SYNC__SOURCE__TOKEN_FILE", token.to_str().unwrap())
        .with("EXPLO_SYNC__SOURCE__REQUESTS_PER_MINUTE", "6000000")
        .with("EXPLO_SYNC__EXPLO__BASE_URL", &sandbox.url())
        .with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "6000000");
    (program, directory)
}

/// The same with the list of the sandbox.
pub(super) fn between(sandbox: &Sandbox) -> (Program, TempDir) {
    program(&format!("{}/v2/customers", sandbox.url()), sandbox)
}

/// The calls of the list, and all others.
pub(super) fn split(calls: Vec<Call>) -> (Vec<Call>, Vec<Call>) {
    calls.into_iter().partition(|call| call.path.starts_with("/v2/customers?"))
}

/// The calls that read the list once, sorted as they are.
fn once() -> Vec<String> {
    let mut paths: Vec<_> = (0..ALL)
        .step_by(50)
        .map(|offset| format!("/v2/customers?sortBy=id&sortDirection=asc&limit=50&offset={offset}"))
        .collect();
    paths.sort();
    paths
}

fn sorted_paths(calls: &[Call]) -> Vec<String> {
    let mut paths: Vec<_> = calls.iter().map(|call| call.path.clone()).collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn owners_three_levels_deep_arrive_as_a_hierarchy_and_a_change_is_one_write() {
    let sandbox = upstream((1..=ALL).map(record)).await;
    let (program, _directory) = between(&sandbox);

    let (code, report) = program.sync(&["--allow", "create=1200"]).await;
    assert_eq!((code, &report["error"]), (0, &Value::Null), "{report}");
    let (listed, others) = split(sandbox.take_calls());
    assert_eq!(sorted_paths(&listed), once());
    let made: Vec<_> = endpoints(&others).into_iter().filter(|name| *name == "create_customer").collect();
    assert_eq!((made.len(), others.len()), (1200, 1201), "one listing, and each customer once");

    for customer in sandbox.customers() {
        let found = customer.provided_id.clone().unwrap();
        let id: u64 = found.trim_start_matches("ext-").parse().unwrap();
        let record = record(id);
        assert_eq!(found, provided_id(id));
        assert_eq!(
            (customer.name.as_str(), customer.hierarchy_level.as_deref()),
            (record["name"].as_str().unwrap(), record["type"].as_str())
        );
        assert_eq!(json!(customer.emails), json!([record["contactDetails"]["email"]]));
        assert_eq!(customer.parent_provided_id, record["owner"]["id"].as_u64().map(provided_id), "{id}");
    }
    assert_eq!(sandbox.customers().len(), 1200);

    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["changes"]), (0, &json!([])));
    let (listed, others) = split(sandbox.take_calls());
    assert_eq!((sorted_paths(&listed), writes(&others).len()), (once(), 0));

    sandbox.adjust(|api| {
        let records = api.upstream.as_mut().unwrap().records_mut();
        records[776]["name"] = json!("Renamed");
        records[776]["bank"]["holder"] = json!("Another holder");
    });
    let (code, _) = program.sync(&[]).await;
    let (listed, others) = split(sandbox.take_calls());
    let written: Vec<_> = writes(&others).into_iter().map(|call| (call.path.as_str(), body(call))).collect();
    assert_eq!(code, 0);
    assert_eq!(written, [("/api/update_customer/", json!({"provided_id": "777", "name": "Renamed"}))]);
    assert_eq!(sorted_paths(&listed), once());
}
