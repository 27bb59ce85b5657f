//! A server in front of the sandbox that answers some calls itself, as no well-behaved server would.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    response::Response,
};
use explo_sync::sandbox::Sandbox;
use tokio::net::TcpListener;

/// A call on its way to the sandbox.
pub struct Asked<'a> {
    /// The number of earlier calls to this endpoint.
    pub before: usize,
    /// The last part of the path.
    pub endpoint: &'a str,
    /// The path with its query.
    pub path: &'a str,
    pub body: &'a str,
}

/// An answer that replaces the sandbox's.
#[derive(Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    #[expect(clippy::unnecessary_wraps, reason = "an interceptor answers with an option")]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Option<Self> {
        Some(Self { status, headers: Vec::new(), body: body.into() })
    }

    #[expect(clippy::unnecessary_wraps, reason = "an interceptor answers with an option")]
    pub fn with(status: u16, name: &'static str, value: &str) -> Option<Self> {
        Some(Self { status, headers: vec![(name, value.to_owned())], body: Vec::new() })
    }
}

/// The address of a server that asks `answer` first. `None` passes the call on; a status of 0 breaks the connection.
pub async fn before(
    sandbox: &Sandbox,
    answer: impl Fn(&Asked<'_>) -> Option<Answer> + Send + Sync + 'static,
) -> String {
    before_url(sandbox.url(), answer).await
}

/// The same in front of another address.
pub async fn before_url(
    upstream: String,
    answer: impl Fn(&Asked<'_>) -> Option<Answer> + Send + Sync + 'static,
) -> String {
    let (answer, seen, http) = (Arc::new(answer), Arc::new(Mutex::new(Vec::new())), reqwest::Client::new());
    let app = Router::new().fallback(move |request: Request| {
        let (answer, seen, http, upstream) = (Arc::clone(&answer), Arc::clone(&seen), http.clone(), upstream.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let path = parts.uri.to_string();
            let endpoint = parts.uri.path().trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
            let ours = {
                let mut seen = seen.lock().unwrap();
                let before = seen.iter().filter(|known| **known == endpoint).count();
                seen.push(endpoint.clone());
                let text = str::from_utf8(&body).unwrap();
                answer(&Asked { before, endpoint: &endpoint, path: &path, body: text })
            };
            if let Some(ours) = ours {
                return respond(ours);
            }
            let call = http.request(parts.method, format!("{upstream}{path}")).headers(parts.headers).body(body);
            let answered = call.send().await.unwrap();
            let status = answered.status().as_u16();
            respond(Answer { status, body: answered.bytes().await.unwrap().into(), ..Answer::default() })
        }
    });
    serve(app).await
}

/// The address of a server.
pub async fn serve(app: Router) -> String {
    explo_sync::install_crypto();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::builder().status(answer.status.max(200));
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    if answer.status == 0 {
        let broken = futures_util::stream::iter([Ok(Bytes::from(answer.body)), Err(std::io::Error::other("broken"))]);
        return response.body(Body::from_stream(broken)).unwrap();
    }
    response.body(Body::from(answer.body)).unwrap()
}
