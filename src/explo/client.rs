//! The one way to Explo: what its calls are, what may be told of their answers, and how they are counted. See
//! [`Caller`] for how often one is made; a rename is only repeated after a look.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

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
        Attempts, Call, Caller, Ending, Fault, Header, Https, Keys, Outgoing, Pacer, Patience, Proxy, Transport,
        Unusable, excerpt, share,
    },
    stop::Stop,
};

/// The keys that say where it is.
const KEYS: Keys = Keys { url: "explo.base_url", ca_file: "explo.ca_file" };

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
    /// The proxy on the way to it.
    pub proxy: Option<Proxy>,
    /// How the listing is made.
    pub listing: ListingRules,
}

/// Talks to Explo.
#[derive(Debug)]
pub struct Client<T = Https> {
    caller: Caller<T>,
    pub(super) settings: Settings,
    asked: Mutex<BTreeMap<Endpoint, usize>>,
    calls: Mutex<BTreeMap<Endpoint, usize>>,
    observed: Arc<Observed>,
    /// What a page's size is called by this server, once that is known.
    pub(super) page_size_names: OnceLock<&'static [&'static str]>,
    pub(super) nobody: Nobody,
}

/// One request, to be sent as often as it takes.
pub(super) struct Request<'a> {
    pub(super) endpoint: Endpoint,
    /// Relative to the base URL.
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, String)],
    /// Without a body it is a GET, as is a listing.
    pub(super) body: Option<String>,
    /// Bytes that the answer may have.
    pub(super) most: usize,
}

/// A request on its way.
struct Counted<'a, T> {
    client: &'a Client<T>,
    request: &'a Request<'a>,
    /// What was answered last to a look at one customer that was refused.
    heard: Mutex<Vec<u8>>,
}

impl Client {
    /// A client; connects at the first call. Clients that share a pacer are paced together. `seed` is for the jitter.
    pub fn new(settings: Settings, pacer: impl Into<Arc<Pacer>>, stop: Stop, seed: u64) -> Result<Self, String> {
        let Settings { base_url, token, timeout, ca, proxy, .. } = settings.clone();
        let value = format!("Token {}", token.expose_secret()).into();
        let credentials = Header { name: HeaderName::from_static("explo-authorization"), value };
        let https = Https::new(base_url, Some(credentials), timeout, ca.as_deref(), proxy, KEYS)?;
        Ok(Self::over(https, settings, pacer, stop, seed))
    }
}

impl<T: Transport> Client<T> {
    /// The same over another transport: where the API is and which authorities are trusted are its business.
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

    /// Counts its calls there, from now on.
    #[must_use]
    pub fn observed_by(self, observed: Arc<Observed>) -> Self {
        Self { observed, ..self }
    }

    /// The bytes that an answer may have beside others.
    pub(super) fn share(&self) -> usize {
        share(self.settings.listing.side_by_side).0
    }

    /// How often each endpoint was called, every attempt counted.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<Endpoint, usize> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same, each call counted once, however many attempts it took.
    pub(super) fn asked(&self) -> BTreeMap<Endpoint, usize> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes one call as often as these attempts allow; `read` checks the answer, which comes with the number of attempts that
    /// failed before and yet may have been applied.
    pub(super) async fn call<A>(
        &self,
        request: &Request<'_>,
        attempts: Attempts,
        read: impl FnMut(&[u8]) -> Result<A, Unusable>,
    ) -> Result<(A, u32), Error> {
        let called = self.caller.call(&Counted::new(self, request), attempts, read).await;
        called.map_err(|failure| Error::of(request.endpoint, failure))
    }

    /// Makes one call as often as it takes, with the beginning of an answer that `read` made nothing of, or that is a refusal.
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
        Self { client, request, heard: Mutex::default() }
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
        let lists = *endpoint == Endpoint::Customers;
        let method = if lists || body.is_none() { Method::GET } else { Method::POST };
        Outgoing { method, path, query, body: body.as_deref(), most: *most }
    }

    fn writes(&self) -> bool {
        match self.request.endpoint {
            Endpoint::CreateCustomer | Endpoint::UpdateCustomer | Endpoint::CreateGroupTag => true,
            Endpoint::Customers | Endpoint::GetCustomer | Endpoint::GroupTags => false,
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
