//! A stand-in for Explo that takes its time, and knows when it answered what.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    response::Response,
};
use explo_sync::sandbox::{Api, Request as Call, Store};
use serde_json::json;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use super::{loopback::serve, woken::old_id};

/// What each answer takes.
pub const LATENCY: Duration = Duration::from_millis(30);

/// Longer than any call lets wait for itself.
const LONG: Duration = Duration::from_mins(1);

/// A call and its times.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The last part of the path.
    pub endpoint: String,
    /// The query and the body.
    told: String,
    pub came: Instant,
    pub ended: Instant,
}

impl Answered {
    /// Whether it names this tenant.
    pub fn is_about(&self, id: &str) -> bool {
        self.told.contains(id)
    }
}

/// The server.
pub struct Explo {
    pub url: String,
    calls: Arc<Calls>,
}

struct Calls {
    api: Mutex<Api>,
    answered: Mutex<Vec<Answered>>,
    changed: Notify,
}

impl Explo {
    /// Has a customer for each of the first tenants.
    pub async fn with(customers: usize) -> Self {
        let customer = |n| serde_json::from_value(json!({"provided_id": old_id(n), "name": format!("Tenant {n}")}));
        let store = Store::new((0..customers).map(|n| customer(n).unwrap()));
        let calls = Arc::new(Calls {
            api: Mutex::new(Api::new(store, 7)),
            answered: Mutex::default(),
            changed: Notify::default(),
        });
        let shared = Arc::clone(&calls);
        let url = serve(Router::new().fallback(move |request| answer(Arc::clone(&shared), request))).await;
        Self { url, calls }
    }

    /// The calls since the last time, in the order of their answers.
    pub fn take(&self) -> Vec<Answered> {
        std::mem::take(&mut self.calls.answered.lock().unwrap())
    }

    /// Waits until such a call about a tenant is answered.
    pub async fn answered(&self, endpoint: &str, id: &str) -> Answered {
        let found = async {
            loop {
                let changed = self.calls.changed.notified();
                if let Some(call) = self.calls_of(id).into_iter().find(|call| call.endpoint == endpoint) {
                    return call;
                }
                changed.await;
            }
        };
        timeout(LONG, found).await.unwrap_or_else(|_| panic!("there is no {endpoint} of {id}"))
    }

    /// The calls about a tenant since the last time.
    pub fn calls_of(&self, id: &str) -> Vec<Answered> {
        self.calls.answered.lock().unwrap().iter().filter(|call| call.is_about(id)).cloned().collect()
    }

    /// Waits until there was no call for so long.
    pub async fn is_quiet(&self, time: Duration) {
        while timeout(time, self.calls.changed.notified()).await.is_ok() {}
    }
}

async fn answer(calls: Arc<Calls>, request: Request) -> Response {
    let came = Instant::now();
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    sleep(LATENCY).await;
    let (path, text) = (parts.uri.to_string(), String::from_utf8_lossy(&body));
    let call = Call { method: parts.method.as_str(), path: &path, token: Some("t"), body: &body };
    let reply = calls.api.lock().unwrap().answer(&call, Instant::now());
    let endpoint = parts.uri.path().trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    let told = format!("{} {text}", parts.uri.query().unwrap_or_default());
    calls.answered.lock().unwrap().push(Answered { endpoint, told, came, ended: Instant::now() });
    calls.changed.notify_waiters();
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}
