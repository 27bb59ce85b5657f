//! The one way to Explo: every call is paced, retried where that helps, counted, and its answer checked.
//!
//! | answer | then |
//! |---|---|
//! | no connection, timeout, 5xx, unreadable | again after a backoff, up to `max_attempts` |
//! | 429 | every call pauses; not an attempt; given up after ten minutes |
//! | 401, 403, a refusal | an error for the caller |
//! | ten calls in a row given up | Explo is down: the run ends |

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use reqwest::{Method, Response, StatusCode, Url, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::{
    Error, Fault, Pacer, Stop,
    endpoint::Endpoint,
    excerpt::excerpt,
    observed::{Answer, Observed},
    retry,
    wire::Unusable,
};
use crate::model::Tenant;

/// An answer beyond this many bytes, unpacked, is not read to its end.
const LARGEST_ANSWER: usize = 64 << 20;

/// A call that is answered 429 for so long is given up.
const THROTTLED_TOO_LONG: Duration = Duration::from_mins(10);

/// So many different calls given up in a row end the run.
const OUTAGE: u32 = 10;

/// How customers are listed.
#[derive(Debug, Clone, Copy)]
pub struct ListingRules {
    /// Customers asked for at once; the server may give fewer.
    pub page_size: usize,
    /// Pages under way at once.
    pub side_by_side: usize,
    /// Whether `total_count` is evidence.
    pub trust_total: bool,
}

/// How calls are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the API is; its path ends in a slash.
    pub base_url: Url,
    /// The team token.
    pub token: SecretString,
    /// For one call, from connecting to the end of the answer.
    pub timeout: Duration,
    /// Attempts at one call.
    pub max_attempts: u32,
    /// The pause after a 429 that does not say how long.
    pub pause_on_429: Duration,
    /// Further authorities to trust, PEM.
    pub ca: Option<Vec<u8>>,
    /// How the listing is made.
    pub listing: ListingRules,
}

/// Talks to Explo.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    pub(super) settings: Settings,
    pacer: Arc<Pacer>,
    stop: Stop,
    random: Mutex<SmallRng>,
    calls: Mutex<BTreeMap<Endpoint, usize>>,
    observed: Arc<Observed>,
    given_up_in_a_row: AtomicU32,
}

/// One request, to be sent as often as it takes.
pub(super) struct Request<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) query: &'a [(&'a str, usize)],
    /// Without a body it is a GET.
    pub(super) body: Option<String>,
    /// What the body carries, to be masked in errors.
    pub(super) sent: Option<&'a Tenant>,
}

/// What became of one attempt.
enum Attempt<T> {
    Answer(T),
    Failed(Fault),
    Throttled(Duration),
    Final(Error),
}

impl Client {
    /// A client; connects at the first call. Clients that share a pacer are paced together. `seed` is for the jitter.
    pub fn new(
        settings: Settings,
        pacer: impl Into<Arc<Pacer>>,
        stop: Stop,
        seed: u64,
    ) -> Result<Self, reqwest::Error> {
        let ca = settings.ca.as_deref().map_or(Ok(Vec::new()), reqwest::Certificate::from_pem_bundle)?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("explo-sync/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.timeout.min(Duration::from_secs(10)))
            .timeout(settings.timeout)
            .pool_idle_timeout(Duration::from_secs(20))
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_merge(ca)
            .build()?;
        Ok(Self {
            http,
            settings,
            pacer: pacer.into(),
            stop,
            random: Mutex::new(SmallRng::seed_from_u64(seed)),
            calls: Mutex::default(),
            observed: Arc::default(),
            given_up_in_a_row: AtomicU32::new(0),
        })
    }

    /// Counts its calls there, from now on.
    #[must_use]
    pub fn observed_by(self, observed: Arc<Observed>) -> Self {
        Self { observed, ..self }
    }

    /// How often each endpoint was called, every attempt counted.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<Endpoint, usize> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes one call as often as it takes; `read` checks the answer.
    pub(super) async fn call<T>(
        &self,
        request: &Request<'_>,
        mut read: impl FnMut(&[u8]) -> Result<T, Unusable>,
    ) -> Result<T, Error> {
        let mut attempts = 0;
        let mut throttled_since = None;
        loop {
            let fault = match self.attempt(request, &mut read).await {
                Attempt::Answer(answer) => {
                    self.given_up_in_a_row.store(0, Ordering::Relaxed);
                    return Ok(answer);
                }
                // An attempt before this one may have been applied.
                Attempt::Final(Error::Stopped { .. }) if attempts > 0 => {
                    return Err(Error::Cut { endpoint: request.endpoint });
                }
                Attempt::Final(error) => return Err(error),
                Attempt::Throttled(pause) => {
                    let since = *throttled_since.get_or_insert_with(Instant::now);
                    tracing::warn!(endpoint = %request.endpoint, pause_s = pause.as_secs(), "throttled: every call pauses");
                    if self.pacer.pause(pause) {
                        self.observed.throttled();
                    }
                    if since.elapsed() < THROTTLED_TOO_LONG {
                        continue;
                    }
                    return Err(self.give_up(request.endpoint, attempts + 1, Fault::Throttled));
                }
                Attempt::Failed(fault) => {
                    attempts += 1;
                    fault
                }
            };
            if attempts >= self.settings.max_attempts {
                return Err(self.give_up(request.endpoint, attempts, fault));
            }
            let wait = retry::backoff(attempts, self.random.lock().unwrap_or_else(PoisonError::into_inner).random());
            tracing::warn!(endpoint = %request.endpoint, attempt = attempts, wait_ms = wait.as_millis(), "retrying, because {fault}");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.stop.requested() => return Err(Error::Cut { endpoint: request.endpoint }),
            }
        }
    }

    fn give_up(&self, endpoint: Endpoint, attempts: u32, fault: Fault) -> Error {
        let calls = self.given_up_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if calls >= OUTAGE { Error::Outage { calls, fault } } else { Error::GaveUp { endpoint, attempts, fault } }
    }

    async fn attempt<T>(
        &self,
        request: &Request<'_>,
        read: &mut impl FnMut(&[u8]) -> Result<T, Unusable>,
    ) -> Attempt<T> {
        let endpoint = request.endpoint;
        let asked = Instant::now();
        let permit = tokio::select! {
            biased;
            () = self.stop.requested() => return Attempt::Final(self.stop.error()),
            permit = self.pacer.pass() => permit,
        };
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(endpoint).or_insert(0) += 1;
        let began = Instant::now();
        self.observed.passed(began - asked, self.pacer.rate());
        let answered = tokio::select! {
            answered = self.send(request) => Some(answered),
            () = self.stop.over() => None,
        };
        drop(permit);
        let answer = match &answered {
            Some(Ok((status, ..))) => Answer::Status(status.as_u16()),
            Some(Err(Fault::Timeout)) => Answer::Timeout,
            Some(Err(_)) => Answer::Broken,
            None => Answer::Cut,
        };
        self.observed.ended(endpoint, answer, began.elapsed());
        let (status, pause, body) = match answered {
            Some(Ok(answer)) => answer,
            Some(Err(fault)) => return Attempt::Failed(fault),
            None => return Attempt::Final(Error::Cut { endpoint }),
        };
        let excerpt = || excerpt(&body, request.sent, self.settings.token.expose_secret());
        match status {
            StatusCode::TOO_MANY_REQUESTS => Attempt::Throttled(pause.unwrap_or(self.settings.pause_on_429)),
            StatusCode::UNAUTHORIZED => Attempt::Final(Error::Unauthorized { endpoint }),
            StatusCode::FORBIDDEN => Attempt::Final(Error::Forbidden { endpoint, excerpt: excerpt() }),
            status if status.is_server_error() => {
                Attempt::Failed(Fault::Server { status: status.as_u16(), excerpt: excerpt() })
            }
            status if !status.is_success() => {
                Attempt::Final(Error::Rejected { endpoint, status: status.as_u16(), excerpt: excerpt() })
            }
            status => match read(&body) {
                Ok(answer) => Attempt::Answer(answer),
                Err(Unusable::Unreadable(how)) => Attempt::Failed(Fault::Unreadable(how)),
                Err(refused) => {
                    let undocumented = || "JSON of another shape than is documented".to_owned();
                    let excerpt = if refused == Unusable::Refusal { excerpt() } else { undocumented() };
                    Attempt::Final(Error::Rejected { endpoint, status: status.as_u16(), excerpt })
                }
            },
        }
    }

    /// One exchange: status, the pause asked for, body.
    async fn send(&self, request: &Request<'_>) -> Result<(StatusCode, Option<Duration>, Vec<u8>), Fault> {
        let url = self.settings.base_url.join(request.endpoint.path());
        let url = url.map_err(|error| Fault::Connection(error.to_string()))?;
        let mut authorization = HeaderValue::from_str(&format!("Token {}", self.settings.token.expose_secret()))
            .map_err(|_| Fault::Connection("the token has characters that no header can carry".to_owned()))?;
        authorization.set_sensitive(true);
        let method = if request.body.is_some() { Method::POST } else { Method::GET };
        let mut builder = self.http.request(method, url).header("Explo-Authorization", authorization);
        builder = builder.header("Content-Type", "application/json").query(request.query);
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        let mut response = builder.send().await.map_err(fault)?;
        let pause = retry::retry_after(response.headers());
        let body = read_body(&mut response).await?;
        Ok((response.status(), pause, body))
    }
}

async fn read_body(response: &mut Response) -> Result<Vec<u8>, Fault> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut body = Vec::with_capacity(announced.min(LARGEST_ANSWER));
    while let Some(chunk) = response.chunk().await.map_err(fault)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(Fault::Unreadable("is larger than 64 MiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost cause says most, and none may show the URL with its query.
fn fault(error: reqwest::Error) -> Fault {
    if error.is_timeout() {
        return Fault::Timeout;
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Fault::Connection(format!("{error}: {cause}"))
}
