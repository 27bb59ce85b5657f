//! Serves the API on loopback: HTTP in, [`Api::answer`], and the answer out with its delivery.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request as HttpRequest},
    http::HeaderMap,
    response::Response,
};
use futures_util::{StreamExt, stream};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, yield_now},
    time::{Instant, sleep},
};

use super::{
    Api, Call, Endpoint, Store, StoredCustomer,
    connection::{Breakable, Breaker},
    reply::{Delivery, Reply, Request},
};

/// A request body beyond this is refused.
const LARGEST_REQUEST: usize = 16 << 20;

/// Pause between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(200);

/// A running sandbox; stops when dropped.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    api: Arc<Mutex<Api>>,
    server: JoinHandle<io::Result<()>>,
}

impl Sandbox {
    /// Serves the API at an address of this machine (port 0: any).
    pub async fn start(address: SocketAddr, api: Api) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let reason = format!("{address} is not a loopback address, and the sandbox serves this machine only");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let api = Arc::new(Mutex::new(api));
        let shared = Arc::clone(&api);
        let app = Router::new().fallback(move |ConnectInfo(breaker): ConnectInfo<Breaker>, request| {
            let api = Arc::clone(&shared);
            async move { deliver(answer(&api, request).await, &breaker).await }
        });
        let service = app.into_make_service_with_connect_info::<Breaker>();
        let server = tokio::spawn(async move { axum::serve(Breakable(listener), service).await });
        Ok(Self { address, api, server })
    }

    /// What to set as `explo.base_url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls since the last look.
    #[must_use]
    pub fn take_calls(&self) -> Vec<Call> {
        lock(&self.api).take_calls()
    }

    /// The customers as they are now, oldest first.
    #[must_use]
    pub fn customers(&self) -> Vec<StoredCustomer> {
        lock(&self.api).store().customers().to_vec()
    }

    /// Changes the customers without a call, as a user of Explo's own UI would.
    pub fn change(&self, change: impl FnOnce(&mut Store)) {
        change(lock(&self.api).store_mut());
    }

    /// Reads or changes the API: behaviour, faults, limit.
    pub fn adjust<T>(&self, adjust: impl FnOnce(&mut Api) -> T) -> T {
        adjust(&mut lock(&self.api))
    }

    /// Serves until the server fails.
    pub async fn serve(mut self) -> io::Result<()> {
        (&mut self.server).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(api: &Mutex<Api>) -> MutexGuard<'_, Api> {
    api.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(api: &Mutex<Api>, request: HttpRequest) -> Reply {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_REQUEST).await else { return Reply::detail(413, "too large") };
    let (method, path) = (parts.method.as_str(), parts.uri.to_string());
    let request = Request { method, path: &path, token: token(&parts.headers, parts.uri.path()), body: &body };
    let reply = lock(api).answer(&request, Instant::now());
    tracing::info!(http.status = reply.status, "{method} {}", request.parts().0);
    reply
}

fn token<'h>(headers: &'h HeaderMap, path: &str) -> Option<&'h str> {
    let (name, scheme) = Endpoint::credentials(path);
    headers.get(name)?.to_str().ok()?.strip_prefix(scheme)
}

async fn deliver(reply: Reply, breaker: &Breaker) -> Response {
    let body = Bytes::from(reply.body);
    let body = match reply.delivery {
        Delivery::Whole => Body::from(body),
        Delivery::Cut => {
            let end = Err(io::Error::from(io::ErrorKind::ConnectionAborted));
            Body::from_stream(stream::iter([Ok(body), end]).then(async |part| {
                if part.is_err() {
                    // Sends the bytes written so far while the next part is not ready.
                    yield_now().await;
                }
                part
            }))
        }
        Delivery::Dropped => {
            breaker.trip();
            Body::empty()
        }
        Delivery::Hung => std::future::pending().await,
        Delivery::Dripped => Body::from_stream(stream::iter(0..body.len()).then(move |at| {
            let byte = body.slice(at..=at);
            async move {
                sleep(DRIP).await;
                Ok::<_, io::Error>(byte)
            }
        })),
        Delivery::Repeated(times) => {
            Body::from_stream(stream::iter((0..times).map(move |_| Ok::<_, io::Error>(body.clone()))))
        }
    };
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(body).unwrap_or_default()
}
