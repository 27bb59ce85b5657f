//! The one way to Explo: defines its calls, what may be quoted from their answers, and how they are counted. [`Caller`]
//! decides how often a call is tried; a rename is only repeated after looking up both ids.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::future::LocalBoxFuture;
use reqwest::{Method, StatusCode, Url, header::HeaderName};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::{
    Error,
    endpoint::Endpoint,
    observed::Observed,
    refusal::{Nobody, Refusal},
    wire::{self, ListingVersion},
};
use crate::{
    http::{
        Attempts, Call, Caller, Ending, Fault, Header, Https, Keys, Lane, Outgoing, Pacer, Patience, Proxy, Transport,
        Unusable, excerpt, share,
    },
    stop::Stop,
};

/// The config keys of the server's address.
const KEYS: Keys = Keys { url: "explo.base_url", ca_file: "explo.ca_file" };

/// How customers are listed.
#[derive(Debug, Clone, Copy)]
pub struct ListingRules {
    /// Which of the two endpoints is called.
    pub version: ListingVersion,
    /// Customers per page; the server may send fewer.
    pub page_size: usize,
    /// Pages requested in parallel.
    pub side_by_side: usize,
    /// Whether `total_count` counts as evidence.
    pub trust_total: bool,
}

/// How calls are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The API's address; its path ends in a slash.
    pub base_url: Url,
    /// The team token.
    pub token: SecretString,
    /// For one attempt, from connecting to the end of the answer.
    pub timeout: Duration,
    /// Attempts per call.
    pub max_attempts: u32,
    /// The pause after a 429 without `Retry-After`.
    pub pause_on_429: Duration,
    /// Additional certificate authorities to trust, as PEM.
    pub ca: Option<Vec<u8>>,
    /// The proxy between us and Explo.
    pub proxy: Option<Proxy>,
    /// How customers are listed.
    pub listing: ListingRules,
}

/// Calls Explo.
#[derive(Debug)]
pub struct Client<T = Https> {
    caller: Caller<T>,
    pub(super) settings: Settings,
    asked: Mutex<BTreeMap<Endpoint, usize>>,
    calls: Mutex<BTreeMap<Endpoint, usize>>,
    observed: Arc<Observed>,
    /// The parameter names for the page size that this server accepts, once known.
    pub(super) page_size_names: OnceLock<&'static [&'static str]>,
    pub(super) nobody: Nobody,
}

/// Asked right before each attempt at a call, after all waiting.
pub trait Check {
    /// An error is the reason not to make the attempt.
    fn allows(&self) -> LocalBoxFuture<'_, Result<(), String>>;
}

/// One request, for all its attempts.
pub(super) struct Request<'a> {
    pub(super) endpoint: Endpoint,
    /// Relative to the base URL.
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, String)],
    /// Without a body, and for a listing, the method is GET.
    pub(super) body: Option<String>,
    /// The largest answer that is read, in bytes.
    pub(super) most: usize,
}

/// A request with its counters.
struct Counted<'a, T> {
    client: &'a Client<T>,
    request: &'a Request<'a>,
    check: Option<&'a dyn Check>,
    /// The last answer that refused a look-up.
    heard: Mutex<Vec<u8>>,
}

impl Client {
    /// A client that connects at the first call. Clients with the same pacer share its rate. `seed` is for the jitter.
    pub fn new(settings: Settings, pacer: impl Into<Arc<Pacer>>, stop: Stop, seed: u64) -> Result<Self, String> {
        let Settings { base_url, token, timeout, ca, proxy, .. } = settings.clone();
        let value = format!("Token {}", token.expose_secret()).into();
        let credentials = Header { name: HeaderName::from_static("explo-authorization"), value };
        let https = Https::new(base_url, Some(credentials), timeout, ca.as_deref(), proxy, KEYS)?;
        Ok(Self::over(https, settings, pacer, stop, seed))
    }
}

impl<T: Transport> Client<T> {
    /// The same over another transport, which knows the API's address and whom to trust.
    pub fn over(transport: T, settings: Settings, pacer: impl Into<Arc<Pacer>>, stop: Stop, seed: u64) -> Self {
        let Settings { timeout, max_attempts, pause_on_429, .. } = settings;
        Self {
            caller: Caller::new(transport, Patience { timeout, max_attempts, pause_on_429 }, pacer.into(), stop, seed),
            settings,
            asked: Mutex::default(),
            calls: Mutex::default(),
            observed: Arc::default(),
            page_size_names: OnceLock::new(),
            nobody: Nobody::new(seed),
        }
    }

    /// Counts its calls there from now on.
    #[must_use]
    pub fn observed_by(self, observed: Arc<Observed>) -> Self {
        Self { observed, ..self }
    }

    /// Waits in this lane from now on.
    #[must_use]
    pub fn in_lane(self, lane: Lane) -> Self {
        Self { caller: self.caller.in_lane(lane), ..self }
    }

    /// The largest answer, in bytes, while other answers are read in parallel.
    pub(super) fn share(&self) -> usize {
        share(self.settings.listing.side_by_side).0
    }

    /// The number of calls per endpoint, counting every attempt.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<Endpoint, usize> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same, counting each call once, whatever its attempts.
    pub(super) fn asked(&self) -> BTreeMap<Endpoint, usize> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes one call with these attempts; `read` checks the answer. Also returns how many earlier attempts failed and
    /// may have been applied nevertheless.
    pub(super) async fn call<A>(
        &self,
        request: &Request<'_>,
        attempts: Attempts,
        read: impl FnMut(&[u8]) -> Result<A, Unusable>,
    ) -> Result<(A, u32), Error> {
        self.call_checked(request, (attempts, None), read).await
    }

    /// The same, if the check agrees right before each attempt.
    pub(super) async fn call_checked<A>(
        &self,
        request: &Request<'_>,
        (attempts, check): (Attempts, Option<&dyn Check>),
        read: impl FnMut(&[u8]) -> Result<A, Unusable>,
    ) -> Result<(A, u32), Error> {
        let counted = Counted { check, ..Counted::new(self, request) };
        let called = self.caller.call(&counted, attempts, read).await;
        called.map_err(|failure| Error::of(request.endpoint, failure))
    }

    /// Makes one call with all attempts; also returns the beginning of an answer that refuses, or from which `read` got
    /// no result.
    pub(super) async fn call_heard<A>(
        &self,
        request: &Request<'_>,
        mut read: impl FnMut(&[u8]) -> Result<Option<A>, Unusable>,
    ) -> (Result<Option<A>, Error>, Vec<u8>) {
        let counted = Counted::new(self, request);
        let read = |body: &[u8]| {
            let read = read(body);
            if matches!(read, Ok(None) | Err(Unusable::Shape)) {
                counted.hear(body);
            }
            read
        };
        let called = self.caller.call(&counted, Attempts::ALL, read).await;
        let answered = called.map(|(answer, _)| answer).map_err(|failure| Error::of(request.endpoint, failure));
        (answered, counted.heard.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// See [`Caller::back_off`].
    pub(super) async fn back_off(
        &self,
        endpoint: Endpoint,
        failed: u32,
        not_before: Option<Instant>,
        why: Option<&Fault>,
    ) -> Result<(), Error> {
        let waited = self.caller.back_off(endpoint.name(), failed, not_before, why).await;
        waited.map_err(|failure| Error::of(endpoint, failure))
    }
}

impl<'a, T> Counted<'a, T> {
    fn new(client: &'a Client<T>, request: &'a Request<'a>) -> Self {
        count(&client.asked, request.endpoint);
        Self { client, request, check: None, heard: Mutex::default() }
    }

    fn hear(&self, body: &[u8]) {
        let kept = &body[..body.len().min(Refusal::KEPT)];
        kept.clone_into(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<T> Call for Counted<'_, T> {
    fn name(&self) -> &'static str {
        self.request.endpoint.name()
    }

    fn outgoing(&self) -> Outgoing<'_> {
        let Request { endpoint, path, query, body, most } = self.request;
        let method = match endpoint {
            Endpoint::DeleteCustomer => Method::DELETE,
            Endpoint::Customers => Method::GET,
            _ if body.is_none() => Method::GET,
            _ => Method::POST,
        };
        Outgoing { method, path, query, body: body.as_deref(), most: *most }
    }

    fn writes(&self) -> bool {
        match self.request.endpoint {
            Endpoint::CreateCustomer
            | Endpoint::UpdateCustomer
            | Endpoint::DeleteCustomer
            | Endpoint::CreateGroupTag => true,
            Endpoint::Customers | Endpoint::GetCustomer | Endpoint::GroupTags => false,
        }
    }

    async fn check(&self) -> Result<(), String> {
        match self.check {
            Some(check) => check.allows().await,
            None => Ok(()),
        }
    }

    fn documented(&self) -> &'static str {
        self.request.endpoint.documented()
    }

    fn is_own(&self, body: &[u8]) -> bool {
        wire::is_own(body)
    }

    fn excerpt(&self, _: StatusCode, body: &[u8]) -> String {
        if self.request.endpoint == Endpoint::GetCustomer {
            self.hear(body);
        }
        excerpt(body)
    }

    fn began(&self, waited: Duration, rate: f64) {
        count(&self.client.calls, self.request.endpoint);
        self.client.observed.passed(waited, rate);
    }

    fn ended(&self, ending: Ending, took: Duration) {
        self.client.observed.ended(self.request.endpoint, ending, took);
    }

    fn throttled(&self) {
        self.client.observed.throttled();
    }
}

fn count(calls: &Mutex<BTreeMap<Endpoint, usize>>, endpoint: Endpoint) {
    *calls.lock().unwrap_or_else(PoisonError::into_inner).entry(endpoint).or_insert(0) += 1;
}
