//! Carries a request to a server and its answer back: HTTPS, or a test's stand-in on tokio's clock.
//!
//! A transport makes one attempt without a time limit; the caller paces, limits and retries. An answer of any status is
//! an answer; only a missing or unreadable one is a [`Fault`].

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};

use super::{causes, failure::Fault, proxy::Proxy};

/// The limit of answers in bytes, unpacked: for one alone, or for all in flight together.
pub const LARGEST_ANSWER: usize = 64 << 20;

/// The limit is divided into at most this many shares; with more calls in flight, shares don't get smaller.
const SHARES: usize = 16;

/// Bytes of an answer that are joined at once; most pages are smaller.
const PIECE: usize = 1 << 20;

/// One exchange with the server.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so nobody needs the futures to be Send")]
pub trait Transport {
    /// Sends a request and reads the whole answer.
    async fn send(&self, request: &Outgoing<'_>) -> Result<Incoming, Fault>;

    /// Added to a failure: the server's address, its config key, and the proxy.
    fn way(&self) -> String {
        String::new()
    }

    /// Added to an answer that may come from a proxy.
    fn doubt(&self) -> Option<String> {
        None
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    /// GET or POST.
    pub method: Method,
    /// Relative to the base URL, without a leading slash; empty for the base URL itself.
    pub path: &'a str,
    /// Parameters, not yet escaped.
    pub query: &'a [(&'a str, String)],
    /// JSON.
    pub body: Option<&'a str>,
    /// A larger answer, in bytes, is not read to its end.
    pub most: usize,
}

/// The limit of one answer, in bytes, if this many are read in parallel, and how many pages may be in flight at that
/// limit.
#[must_use]
pub fn share(side_by_side: usize) -> (usize, usize) {
    let shares = side_by_side.clamp(1, SHARES);
    (LARGEST_ANSWER / shares, shares)
}

/// An answer.
#[derive(Clone, Default)]
pub struct Incoming {
    /// Any status.
    pub status: StatusCode,
    /// Only `Retry-After` and `Date` are read.
    pub headers: HeaderMap,
    /// Unpacked and complete.
    pub body: Vec<u8>,
}

/// Without the body, which may contain tokens.
impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The header that carries the credentials.
#[derive(Debug, Clone)]
pub struct Header {
    /// Its name.
    pub name: HeaderName,
    /// Its value, including the token.
    pub value: SecretString,
}

/// The real transport.
#[derive(Debug)]
pub struct Https {
    http: reqwest::Client,
    base_url: Url,
    credentials: Option<Header>,
    proxy: Option<Proxy>,
    keys: Keys,
}

/// The config keys of the server's address and of the authorities to trust.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// The address.
    pub url: &'static str,
    /// Additional certificate authorities.
    pub ca_file: &'static str,
}

impl Https {
    /// Connects at the first request, within the timeout of a call or ten seconds. `ca`: additional certificate
    /// authorities to trust, as PEM. Uses only this proxy, whatever the environment says.
    pub fn new(
        base_url: Url,
        credentials: Option<Header>,
        timeout: Duration,
        ca: Option<&[u8]>,
        proxy: Option<Proxy>,
        keys: Keys,
    ) -> Result<Self, String> {
        let http = client(&base_url, timeout, ca, proxy.as_ref());
        let http = http.map_err(|error| {
            let ca_file = keys.ca_file;
            format!(
                "TLS can't be set up: {}; install the authorities that a system trusts (Debian: ca-certificates), or name one in \
                 {ca_file}",
                innermost(&error.without_url())
            )
        })?;
        Ok(Self { http, base_url, credentials, proxy, keys })
    }

    /// The innermost cause says most; no error may show the URL with its query.
    async fn fault(&self, error: reqwest::Error) -> Fault {
        if error.is_timeout() {
            return Fault::Timeout { way: self.way() };
        }
        let is_unsent = error.is_builder();
        let error = error.without_url();
        let cause = innermost(&error);
        if is_unsent {
            return Fault::Unsent(format!("the request can't be built, perhaps because its URL is too long ({cause})"));
        }
        let way_out = match &self.proxy {
            // The library's words are the only sign of this case.
            Some(proxy) if cause.to_string().ends_with("proxy authorization required") => {
                return Fault::Unsent(proxy.unauthorized());
            }
            Some(_) => causes::way_out_behind_proxy(&error),
            None => causes::way_out(&error),
        };
        let way_out = way_out.map_or(String::new(), |way_out| format!("; {}", self.filled(way_out)));
        let refusal = match &self.proxy {
            Some(proxy) if causes::is_proxys_refusal(&error) => Box::pin(proxy.refusal(&self.base_url)).await,
            Some(_) | None => None,
        };
        let refusal = refusal.map_or(String::new(), |status| format!(" ({status})"));
        let is_told = self.proxy.is_none() && way_out.contains(self.keys.url);
        let way = if is_told { String::new() } else { self.way() };
        let told = format!("{error}: {cause}{refusal}{way_out}{way}");
        if causes::is_about_certificate(&error) { Fault::Certificate(told) } else { Fault::Connection(told) }
    }

    fn filled(&self, way_out: &str) -> String {
        way_out.replace("{url}", &self.place()).replace("{ca_file}", self.keys.ca_file)
    }

    fn place(&self) -> String {
        format!("{} ({})", self.keys.url, self.base_url)
    }

    /// Reads the body and joins its chunks at the end, or in larger pieces, so that each of many answers in flight
    /// takes its memory once.
    async fn read_body(&self, response: &mut Response, most: usize) -> Result<Vec<u8>, Fault> {
        let (mut body, mut chunks, mut length) = (Vec::new(), Vec::new(), 0);
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return Err(self.fault(error).await),
            };
            length += chunk.len();
            if length > most {
                return Err(Fault::TooLarge { most });
            }
            chunks.push(chunk);
            if length - body.len() > PIECE {
                put_together(&mut body, &mut chunks, most);
            }
        }
        put_together(&mut body, &mut chunks, most);
        Ok(body)
    }
}

impl Transport for Https {
    async fn send(&self, request: &Outgoing<'_>) -> Result<Incoming, Fault> {
        let url = self.base_url.join(request.path).map_err(|error| Fault::Connection(error.to_string()))?;
        let mut builder = self.http.request(request.method.clone(), url);
        if let Some(Header { name, value }) = &self.credentials {
            let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| {
                Fault::Connection("the token has characters that an HTTP header can't carry".to_owned())
            })?;
            value.set_sensitive(true);
            builder = builder.header(name, value);
        }
        builder = builder.header("Content-Type", "application/json").query(request.query);
        if let Some(body) = request.body {
            builder = builder.body(body.to_owned());
        }
        let mut response = match builder.send().await {
            Ok(response) => response,
            Err(error) => return Err(self.fault(error).await),
        };
        if let (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some(proxy)) = (response.status(), &self.proxy) {
            return Err(Fault::Unsent(proxy.unauthorized()));
        }
        let body = self.read_body(&mut response, request.most).await?;
        Ok(Incoming { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
    }

    fn way(&self) -> String {
        let through = self.proxy.as_ref().map_or(String::new(), |proxy| format!("through {proxy} "));
        format!("; the call goes {through}to {}", self.place())
    }

    fn doubt(&self) -> Option<String> {
        let proxy = self.proxy.as_ref()?;
        Some(format!("; this answer may come from {proxy}, and not from {}", self.place()))
    }
}

fn client(
    base_url: &Url,
    timeout: Duration,
    ca: Option<&[u8]>,
    proxy: Option<&Proxy>,
) -> reqwest::Result<reqwest::Client> {
    let ca = ca.map_or(Ok(Vec::new()), reqwest::Certificate::from_pem_bundle)?;
    let builder = reqwest::Client::builder();
    // The system's own authorities take a while to read, and a plain connection does not need them.
    let is_plain = [Some(base_url), proxy.map(Proxy::url)].into_iter().flatten().all(|url| url.scheme() == "http");
    let builder = if is_plain { builder.tls_certs_only(ca) } else { builder.tls_certs_merge(ca) };
    let builder = match proxy {
        Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.url().clone())?),
        None => builder.no_proxy(),
    };
    builder
        .user_agent(concat!("explo-sync/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .pool_idle_timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// The innermost cause, which says most.
fn innermost(error: &reqwest::Error) -> &dyn std::error::Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

fn put_together(body: &mut Vec<u8>, chunks: &mut Vec<Bytes>, most: usize) {
    let further = chunks.iter().map(Bytes::len).sum();
    // Reserve the full limit for a large body, so that it never moves: memory is only used once it is written.
    if body.capacity() - body.len() < further {
        body.reserve_exact(if further > PIECE { most } else { further });
    }
    for chunk in chunks.drain(..) {
        body.extend_from_slice(&chunk);
    }
}
