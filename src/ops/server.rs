//! The daemon's HTTP server. Clients can't slow down a run, however many connect.
//!
//! A request must arrive within [`HEADERS`]. The newest connection is always served: if there are too many, the oldest
//! is closed. In a flood of half-sent requests that is one of these, so probes are answered.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Extension, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};

use super::{
    Status,
    page::{self, Reader},
    post::{Door, Waiting, is_password, sync},
};
use crate::resources;

/// How long a request may take to arrive, and how long a connection may be idle.
const HEADERS: Duration = Duration::from_secs(5);

/// Limit of open connections without `POST /sync/{id}`.
pub const CONNECTIONS: usize = 64;

/// How many connections the server has at most, and who may wake.
#[derive(Debug)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// The token of `POST /sync/{id}`; without one there is no such path.
    pub token: Option<SecretString>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: CONNECTIONS, token: None }
    }
}

impl Limits {
    /// The connections to have at best.
    #[must_use]
    pub fn wanted(token: Option<&SecretString>) -> usize {
        // Callers wait for their outcomes, as many as may wait in the queue.
        if token.is_some() { CONNECTIONS + 1024 } else { CONNECTIONS }
    }
}

/// Pause after a connection could not be accepted, for example without a free file descriptor.
const REST: Duration = Duration::from_millis(200);

/// Serves until dropped. `clock` is read for each probe.
pub async fn serve(
    listener: TcpListener,
    Limits { connections, token }: Limits,
    status: Arc<Status>,
    clock: impl Fn() -> SystemTime + Clone + Send + Sync + 'static,
) {
    let (now, token) = (clock.clone(), token.map(Arc::new));
    let key = token.clone();
    let page = async move |State(status): State<Arc<Status>>, Query(asked): Query<Asked>, headers: HeaderMap| {
        let reader = match &key {
            None => Reader::Anybody,
            Some(_) if asked.ids.is_none() => Reader::Invited,
            Some(token) if is_password(&headers, token) => Reader::Trusted,
            Some(_) => return ask_for_password().into_response(),
        };
        (page::headers(), status.page(now(), reader)).into_response()
    };
    let livez = async move |State(status): State<Arc<Status>>| probe(status.stuck(clock()));
    let mut app = Router::new()
        .route("/", get(page))
        .route("/livez", get(livez))
        .route("/readyz", get(async |State(status): State<Arc<Status>>| probe(status.unready())))
        .route("/status", get(show_status))
        .route("/metrics", get(show_metrics))
        .with_state(Arc::clone(&status));
    if let Some(token) = token {
        let door = Door { wakes: Arc::clone(status.wakes()), token };
        app = app.merge(Router::new().route("/sync/{id}", post(sync)).with_state(door));
    }
    let mut server = Builder::new(TokioExecutor::new()).http1_only();
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let (server, mut open) = (Arc::new(server), VecDeque::<Connection>::new());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        open.retain(|connection| !connection.task.is_finished());
        if open.len() >= connections {
            // The oldest that waits for nothing makes room; if all wait, the new one has none.
            let Some(idle) = open.iter().position(|connection| connection.waiting.is_idle()) else { continue };
            open.remove(idle).inspect(|connection| connection.task.abort());
        }
        let waiting = Waiting::default();
        let app = app.clone().layer(Extension(waiting.clone()));
        let (server, service) = (Arc::clone(&server), TowerToHyperService::new(app));
        let task = tokio::spawn(async move {
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        });
        open.push_back(Connection { task, waiting });
    }
}

/// An open connection.
struct Connection {
    task: JoinHandle<()>,
    waiting: Waiting,
}

/// What the page is asked for.
#[derive(Deserialize)]
struct Asked {
    ids: Option<String>,
}

fn ask_for_password() -> impl IntoResponse {
    let text = "the password is the token of the ops server, the name does not matter\n";
    (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"explo-sync\", charset=\"UTF-8\"")], text)
}

fn probe(trouble: Option<String>) -> impl IntoResponse {
    match trouble {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason + "\n"),
    }
}

async fn show_status(State(status): State<Arc<Status>>) -> impl IntoResponse {
    ([("content-type", "application/json")], status.json())
}

async fn show_metrics(State(status): State<Arc<Status>>) -> impl IntoResponse {
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], status.metrics().encode() + &resources::encode())
}
