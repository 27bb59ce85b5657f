//! The one way to Explo: every call is paced, retried where that helps, counted, and its answer checked.
//!
//! | answer | then |
//! |---|---|
//! | no connection, timeout, 5xx, unreadable | again after a backoff, up to `max_attempts`; a rename only after a look |
//! | 429 | every call pauses; not an attempt; given up after ten minutes |
//! | 401, 403, a refusal | an error for the caller |
//! | ten calls in a row given up | Explo is down: the run ends |

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::{
    Error, Fault, Pacer, Stop, Unusable,
    endpoint::Endpoint,
    excerpt::excerpt,
    observed::{Answer, Observed},
    retry,
    transport::{Https, Incoming, Outgoing, Transport},
    wire::ListingVersion,
};
use crate::model::Tenant;

/// A call that is answered 429 for so long is given up.
const THROTTLED_TOO_LONG: Duration = Duration::from_mins(10);

/// So many different calls given up in a row end the run.
const OUTAGE: u32 = 10;

/// How customers are listed.
#[derive(Debug, Clone, Copy)]
pub struct ListingRules {
    /// Which of the two endpoints is asked.
    pub version: ListingVersion,
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
pub struct Client<T = Https> {
    transport: T,
    pub(super) settings: Settings,
    pacer: Arc<Pacer>,
    stop: Stop,
    random: Mutex<SmallRng>,
    calls: Mutex<BTreeMap<Endpoint, usize>>,
    observed: Arc<Observed>,
    given_up_in_a_row: AtomicU32,
    /// What a page's size is called by this server, once that is known.
    pub(super) page_size_names: OnceLock<&'static [&'static str]>,
}

/// One request, to be sent as often as it takes.
pub(super) struct Request<'a> {
    pub(super) endpoint: Endpoint,
    /// Relative to the base URL.
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, String)],
    /// Without a body it is a GET, as is a listing.
    pub(super) body: Option<String>,
    /// What the body carries, to be masked in errors.
    pub(super) sent: Option<&'a Tenant>,
}

/// What became of one attempt.
enum Attempt<A> {
    Answer(A),
    Failed(Fault),
    Throttled { began: Instant, pause: Duration },
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
        let Settings { base_url, token, timeout, ca, .. } = settings.clone();
        Ok(Self::over(Https::new(base_url, token, timeout, ca.as_deref())?, settings, pacer, stop, seed))
    }
}

impl<T: Transport> Client<T> {
    /// The same over another transport: where the API is and which authorities are trusted are its business.
    pub fn over(transport: T, settings: Settings, pacer: impl Into<Arc<Pacer>>, stop: Stop, seed: u64) -> Self {
        Self {
            transport,
            settings,
            pacer: pacer.into(),
            stop,
            random: Mutex::new(SmallRng::seed_from_u64(seed)),
            calls: Mutex::default(),
            observed: Arc::default(),
            given_up_in_a_row: AtomicU32::new(0),
            page_size_names: OnceLock::new(),
        }
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

    /// Makes one call as often as it takes; `read` checks the answer, which comes with the number of attempts that
    /// failed before and yet may have been applied.
    pub(super) async fn call<A>(
        &self,
        request: &Request<'_>,
        read: impl FnMut(&[u8]) -> Result<A, Unusable>,
    ) -> Result<(A, u32), Error> {
        self.attempts(request, self.settings.max_attempts, read).await
    }

    /// Makes one call that must not be repeated: where the answer is lost it may have been applied.
    pub(super) async fn call_once<A>(
        &self,
        request: &Request<'_>,
        read: impl FnMut(&[u8]) -> Result<A, Unusable>,
    ) -> Result<A, Error> {
        Ok(self.attempts(request, 1, read).await?.0)
    }

    async fn attempts<A>(
        &self,
        request: &Request<'_>,
        most: u32,
        mut read: impl FnMut(&[u8]) -> Result<A, Unusable>,
    ) -> Result<(A, u32), Error> {
        let mut attempts = 0;
        let mut throttled_since = None;
        loop {
            let fault = match self.attempt(request, &mut read).await {
                Attempt::Answer(answer) => {
                    self.given_up_in_a_row.store(0, Ordering::Relaxed);
                    return Ok((answer, attempts));
                }
                // An attempt before this one may have been applied.
                Attempt::Final(Error::Stopped { .. }) if attempts > 0 => {
                    return Err(Error::Cut { endpoint: request.endpoint });
                }
                Attempt::Final(error) => {
                    if error.is_answer() {
                        self.given_up_in_a_row.store(0, Ordering::Relaxed);
                    }
                    return Err(error);
                }
                Attempt::Throttled { began, pause } => {
                    let since = *throttled_since.get_or_insert_with(Instant::now);
                    tracing::warn!(endpoint = %request.endpoint, pause_s = pause.as_secs(), "throttled: every call pauses");
                    if self.pacer.pause(began, pause) {
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
            if attempts >= most {
                return Err(self.give_up(request.endpoint, attempts, fault));
            }
            self.back_off(request.endpoint, attempts, &fault).await?;
        }
    }

    /// Waits before the next attempt at a call that may have been applied.
    pub(super) async fn back_off(&self, endpoint: Endpoint, attempts: u32, fault: &Fault) -> Result<(), Error> {
        let wait = retry::backoff(attempts, self.random.lock().unwrap_or_else(PoisonError::into_inner).random());
        tracing::warn!(%endpoint, attempt = attempts, wait_ms = wait.as_millis(), "retrying, because {fault}");
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.stop.requested() => Err(Error::Cut { endpoint }),
        }
    }

    fn give_up(&self, endpoint: Endpoint, attempts: u32, fault: Fault) -> Error {
        let calls = self.given_up_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if calls >= OUTAGE { Error::Outage { calls, fault } } else { Error::GaveUp { endpoint, attempts, fault } }
    }

    async fn attempt<A>(
        &self,
        request: &Request<'_>,
        read: &mut impl FnMut(&[u8]) -> Result<A, Unusable>,
    ) -> Attempt<A> {
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
            Some(Ok(answer)) => Answer::Status(answer.status.as_u16()),
            Some(Err(Fault::Timeout)) => Answer::Timeout,
            Some(Err(_)) => Answer::Broken,
            None => Answer::Cut,
        };
        self.observed.ended(endpoint, answer, began.elapsed());
        let Incoming { status, headers, body } = match answered {
            Some(Ok(answer)) => answer,
            Some(Err(fault)) => return Attempt::Failed(fault),
            None => return Attempt::Final(Error::Cut { endpoint }),
        };
        let excerpt = || excerpt(&body, request.sent, self.settings.token.expose_secret());
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let pause = retry::retry_after(&headers).unwrap_or(self.settings.pause_on_429);
                Attempt::Throttled { began, pause }
            }
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

    /// One exchange, reading the answer included, within the time for it.
    async fn send(&self, request: &Request<'_>) -> Result<Incoming, Fault> {
        let body = request.body.as_deref();
        let lists = request.endpoint == Endpoint::Customers;
        let method = if lists || body.is_none() { Method::GET } else { Method::POST };
        let outgoing = Outgoing { method, path: request.path, query: request.query, body };
        let answered = tokio::time::timeout(self.settings.timeout, self.transport.send(&outgoing)).await;
        answered.unwrap_or(Err(Fault::Timeout))
    }
}
