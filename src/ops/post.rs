//! `POST /sync/{id}`: carries out one tenant at once, and answers with its token.
//!
//! | the tenant | status |
//! |---|---|
//! | is in sync now | 200 |
//! | is not done within ten seconds, or left to a run | 202 |
//! | has no row | 404 |
//! | waits for the guard | 409 |
//! | can't be planned | 422 |
//! | could not be written, or a side not read | 502 |
//!
//! Without the right bearer token it answers 401, with a full queue 429, and on a standby 503.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    daemon::{Refusal, Wakes},
    reconciler::{Origin, WakeOutcome as Outcome, Woken},
};

/// How long a caller waits at most.
const LONGEST: Duration = Duration::from_secs(10);

/// The queue, and who may wake.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) wakes: Arc<Wakes>,
    pub(super) token: Arc<SecretString>,
}

/// How many requests of one connection wait for their outcome.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

/// A request that waits.
struct Waits(Waiting);

impl Waiting {
    fn begin(&self) -> Waits {
        self.0.fetch_add(1, Ordering::SeqCst);
        Waits(self.clone())
    }

    /// Whether none waits.
    pub(super) fn is_idle(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    provided_id: &'a str,
    outcome: &'static str,
    token: Option<&'a str>,
    error: Option<&'a str>,
}

pub(super) async fn sync(
    State(door): State<Door>,
    Extension(waiting): Extension<Waiting>,
    Path(provided_id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let _waits = waiting.begin();
    if !door.admits(&headers) {
        let woken = Woken::because(Outcome::Failed, "the bearer token is missing or wrong");
        return answer(StatusCode::UNAUTHORIZED, &provided_id, &woken);
    }
    let (reply, told) = oneshot::channel();
    match door.wakes.push(&provided_id, Origin::Post, Some(reply)) {
        Ok(()) => {}
        Err(Refusal::Standby) => return answer_to(&provided_id, &Woken::of(Outcome::Standby)),
        Err(Refusal::Full) => {
            let woken = Woken::because(Outcome::Deferred, "too many requests wait: try again later");
            return answer(StatusCode::TOO_MANY_REQUESTS, &provided_id, &woken);
        }
    }
    let woken = match timeout(LONGEST, told).await {
        Ok(Ok(woken)) => woken,
        Ok(Err(_)) => Woken::of(Outcome::Standby),
        Err(_) => Woken::because(Outcome::Deferred, "it is not done yet, and goes on"),
    };
    answer_to(&provided_id, &woken)
}

fn answer_to(provided_id: &str, woken: &Woken) -> Response {
    let status = match woken.outcome {
        Outcome::Applied | Outcome::Unchanged => StatusCode::OK,
        Outcome::Deferred => StatusCode::ACCEPTED,
        Outcome::Missing => StatusCode::NOT_FOUND,
        Outcome::Held => StatusCode::CONFLICT,
        Outcome::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Outcome::Failed => StatusCode::BAD_GATEWAY,
        Outcome::Standby => StatusCode::SERVICE_UNAVAILABLE,
    };
    answer(status, provided_id, woken)
}

fn answer(status: StatusCode, provided_id: &str, Woken { outcome, token, error, .. }: &Woken) -> Response {
    let outcome = match outcome {
        // A caller knows these by the status.
        Outcome::Missing => Outcome::Invalid,
        Outcome::Standby => Outcome::Deferred,
        outcome => *outcome,
    };
    let token = token.as_ref().map(ExposeSecret::expose_secret);
    let standby = (status == StatusCode::SERVICE_UNAVAILABLE).then_some("this daemon stands by, or ends");
    let error = error.as_deref().or(standby);
    let body = serde_json::to_vec(&Answer { provided_id, outcome: outcome.name(), token, error }).unwrap_or_default();
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    let mut response = (status, headers, body).into_response();
    let more = match status {
        StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "5")),
        _ => None,
    };
    if let Some((name, value)) = more {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

impl Door {
    /// Whether a request has the token; the comparison takes the same time wherever the two differ.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes).unwrap_or_default();
        let scheme = b"bearer ";
        let Some((start, sent)) = sent.split_at_checked(scheme.len()) else { return false };
        start.eq_ignore_ascii_case(scheme) && is_token(sent, &self.token)
    }
}

/// Whether a request has the token as the password of HTTP's basic authentication, which browsers ask people for.
pub(super) fn is_password(headers: &HeaderMap, token: &SecretString) -> bool {
    let sent = headers.get(header::AUTHORIZATION).and_then(|sent| sent.to_str().ok()).unwrap_or_default();
    let credentials = sent.strip_prefix("Basic ").and_then(|sent| BASE64_STANDARD.decode(sent).ok());
    let credentials = credentials.unwrap_or_default();
    let colon = credentials.iter().position(|byte| *byte == b':');
    colon.is_some_and(|colon| is_token(&credentials[colon + 1..], token))
}

fn is_token(sent: &[u8], token: &SecretString) -> bool {
    let token = token.expose_secret().as_bytes();
    let differing = sent.iter().zip(token).fold(0, |all, (one, other)| all | (one ^ other));
    sent.len() == token.len() && differing == 0
}
