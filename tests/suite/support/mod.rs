//! The parts of a test: a database, a sandbox, and the program between them.

mod awaited;
mod database;
mod derived;
mod interceptor;
mod kept;
mod limiter;
mod pooler;
mod program;
mod server;
mod tenants;
mod told;
mod world;

pub use awaited::{are_called, is_named};
pub use database::{Database, Kind, settings};
pub use derived::derived;
pub use interceptor::{Answer, Asked, before, before_url, serve};
pub use kept::kept_output;
pub use limiter::{LIMIT, Limiter};
pub use pooler::Pooler;
pub use program::{Output, PROGRAM, Program, fills_stdout, freeze, signal};
pub use server::Server;
pub use told::{changes, ids, invalid, told, unsettled};
pub use world::{AsTenant, World, behaviour};

use std::{path::Path, process::Command};

use explo_sync::sandbox::{Api, Call, Sandbox, Store, StoredCustomer};

/// A sandbox with these customers, on a free port.
pub async fn sandbox(customers: impl IntoIterator<Item = StoredCustomer>) -> Sandbox {
    sandbox_of(Api::new(Store::new(customers), 0)).await
}

/// An empty sandbox that accepts only this team token.
pub async fn sandbox_knowing(token: &str) -> Sandbox {
    let mut api = Api::new(Store::default(), 0);
    api.token = Some(token.to_owned());
    sandbox_of(api).await
}

/// A sandbox with this API's behaviour and faults.
pub async fn sandbox_of(api: Api) -> Sandbox {
    Sandbox::start(([127, 0, 0, 1], 0).into(), api).await.unwrap()
}

/// Replaces a file by a named pipe.
pub fn make_fifo(path: &Path) {
    let _ = std::fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A customer as a listing shows it.
pub fn customer(json: serde_json::Value) -> StoredCustomer {
    serde_json::from_value(json).unwrap()
}

/// The last part of each call's path.
pub fn endpoints(calls: &[Call]) -> Vec<&str> {
    let path = |call: &'_ Call| call.path.split('?').next().unwrap().trim_end_matches('/').len();
    calls.iter().map(|call| call.path[..path(call)].rsplit('/').next().unwrap()).collect()
}

/// The calls that write.
pub fn writes(calls: &[Call]) -> Vec<&Call> {
    calls.iter().filter(|call| call.method != "GET" && !call.path.contains("get_customer")).collect()
}

/// The body of a call.
pub fn body(call: &Call) -> serde_json::Value {
    serde_json::from_str(&call.body).unwrap()
}

/// The keys of an object, sorted.
pub fn keys(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect()
}

/// The customer with this id, as JSON in the shape of the listing.
pub fn stored(sandbox: &Sandbox, provided_id: &str) -> serde_json::Value {
    let customers = sandbox.customers();
    let found = customers.iter().find(|customer| customer.provided_id.as_deref() == Some(provided_id));
    serde_json::to_value(found.unwrap_or_else(|| panic!("no customer {provided_id}"))).unwrap()
}
