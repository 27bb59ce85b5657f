//! The sandbox: every switch changes what it says, every fault and limit does what its name says.

mod faults;
mod lies;
mod limits;
mod odd;
mod program;
mod refusals;
mod switches;
mod tenants;
mod texts;
mod twins;
mod upstream;

use clap::Parser;
use explo_sync::sandbox::{Api, Behaviour, Limit, Reply, Request, Store};
use serde_json::{Value, json};
use tokio::time::Instant;

/// The switches as the command line has them.
#[derive(Parser)]
struct Switches {
    #[command(flatten)]
    behaviour: Behaviour,
    #[command(flatten)]
    limit: Limit,
}

fn switches(flags: &str) -> Switches {
    Switches::parse_from(["sandbox"].into_iter().chain(flags.split_whitespace()))
}

/// A customer, its child and its grandchild, and one that is hidden.
const CUSTOMERS: &str = r#"
    {"provided_id": "a", "name": "Ann", "emails": ["ann@a.example"], "group_tags": ["Gold"], "hierarchy_level": "region",
     "properties": {"filterValue": {"innerKey": [{"deepKey": 1.50}]}, "plan": "pro"},
     "parent_schema_datasource_mapping": {"40": "213", "41": "north"}}
    {"provided_id": "b", "name": "Bob", "group_tags": ["Silver"], "hierarchy_level": "country",
     "properties": {"plan": "free"}, "parent_provided_id": "a"}
    {"provided_id": "c", "name": "Cat", "hierarchy_level": "site", "properties": {}, "parent_provided_id": "b"}
    {"provided_id": "hidden", "name": "Hidden"}"#;

fn api(flags: &str) -> Api {
    let mut store = Store::parse(CUSTOMERS).unwrap();
    store.hide(["hidden".to_owned()]);
    let Switches { behaviour, limit } = switches(flags);
    let mut api = Api::new(store, 7);
    (api.behaviour, api.limit) = (behaviour, limit);
    api
}

/// One call, now.
fn call(api: &mut Api, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
    api.answer(&Request { method, path, token: Some("t"), body: &body }, Instant::now())
}

fn post(api: &mut Api, endpoint: &str, body: &Value) -> Reply {
    call(api, "POST", &format!("/api/{endpoint}/"), body)
}

fn list(api: &mut Api) -> Value {
    seen(&call(api, "GET", "/v2/api/customers/", &Value::Null))
}

/// Status, `ids` of what is listed, `body`, and the keys of the first customer.
fn seen(reply: &Reply) -> Value {
    let text = String::from_utf8_lossy(&reply.body);
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
    let listed = [&body["results"]["customers"], &body["customers"]].into_iter().find_map(Value::as_array);
    let ids =
        listed.map(|customers| customers.iter().map(|customer| customer["provided_id"].clone()).collect::<Value>());
    let level = body.pointer("/results/customers/0").and_then(|first| first.get("hierarchy_level")).cloned();
    let level = level.map_or(json!("missing"), |level| json!([level]));
    json!({"status": reply.status, "ids": ids, "level": level, "body": body})
}
