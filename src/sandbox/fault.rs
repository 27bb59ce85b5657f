//! Faults: `KIND[=VALUE][,endpoint=NAME][,id=ID]…[,times=N][,after=N]`.
//!
//! Without an endpoint a fault affects every call, with ids only calls that name one of them. It happens `times` times
//! (default: always), after `after` unaffected calls.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use percent_encoding::percent_decode_str;

use super::Endpoint;

/// A fault. Its numbers count down with the calls that it affects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The affected endpoint; `None`: all.
    pub endpoint: Option<Endpoint>,
    /// The affected customers, by their `provided_id` or by the one that a rename gives them; `None`: every call.
    pub ids: Option<Arc<BTreeSet<String>>>,
    /// How many more times; `None`: always.
    pub times: Option<u32>,
    /// Calls that pass first.
    pub after: u32,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// 429, with `Retry-After` in seconds or without; not applied.
    Throttle(Option<u32>),
    /// 429 with `Retry-After` as a date, this many seconds after the answer's `Date`; not applied.
    ThrottleUntil(u32),
    /// 503 with `Retry-After` in seconds; not applied.
    Unavailable(u32),
    /// This status; not applied.
    Status(u16),
    /// This status; applied.
    StatusAfter(u16),
    /// 401; not applied.
    Unauthorized,
    /// 403; not applied.
    Forbidden,
    /// 302 to an HTML page; not applied.
    Redirect,
    /// 200 with an HTML page; not applied.
    Html,
    /// No body; applied.
    Empty,
    /// A connection that ends in the middle of the answer; applied.
    Cut,
    /// The first half of the answer as if it were all; applied.
    Half,
    /// More than 64 MiB, in chunks; applied.
    Huge,
    /// More than 64 MiB, compressed to less than 1 MiB; applied.
    GzipBomb,
    /// Properties nested 100,000 deep in the first customer of the answer; applied.
    Nested,
    /// One byte at a time, slowly; applied.
    Drip,
    /// A connection that ends without an answer; not applied.
    DropBefore,
    /// A connection that ends without an answer; applied.
    DropAfter,
    /// No answer, ever; not applied.
    HangBefore,
    /// No answer, ever; applied.
    HangAfter,
    /// A listing without customers, with a total of 0.
    Nobody,
    /// A listing without the last N customers; its total and its pages agree.
    Fewer(usize),
    /// The answer about a customer carries the token of another one that is listed; applied.
    OtherToken,
}

/// Why a text is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// There is no such kind.
    #[error("there is no fault {0:?}: choose {kinds}", kinds = kinds())]
    Kind(String),
    /// The kind does not accept this value.
    #[error("{0}={1} is not a fault: write {0}=N with {2}")]
    Value(String, String, &'static str),
    /// The kind takes no value.
    #[error("{0} takes no value: write {0} alone")]
    NoValue(String),
    /// An unknown part after the kind.
    #[error("{0:?} is not a part of a fault: add endpoint=NAME, id=ID, times=N or after=N")]
    Option(String),
    /// Not a number of calls.
    #[error("{0}={1} is not a number of calls: write {0}=N with a whole number, from {2}")]
    Count(&'static str, String, u32),
    /// There is no such endpoint.
    #[error("there is no endpoint {0:?}: choose one of {endpoints}", endpoints = endpoints())]
    Endpoint(String),
    /// The kind does not happen at this endpoint.
    #[error("{0} never affects calls of {1}: omit endpoint={1}")]
    Elsewhere(String, &'static str),
    /// Ids are given, and no affected call names an id.
    #[error("no call that {0} affects names an id: omit id=ID")]
    NoId(String),
}

/// The kinds that take no value.
const PLAIN: [(&str, FaultKind); 18] = [
    ("throttle", FaultKind::Throttle(None)),
    ("unauthorized", FaultKind::Unauthorized),
    ("forbidden", FaultKind::Forbidden),
    ("redirect", FaultKind::Redirect),
    ("html", FaultKind::Html),
    ("empty", FaultKind::Empty),
    ("cut", FaultKind::Cut),
    ("half", FaultKind::Half),
    ("huge", FaultKind::Huge),
    ("gzip-bomb", FaultKind::GzipBomb),
    ("nested", FaultKind::Nested),
    ("drip", FaultKind::Drip),
    ("drop-before", FaultKind::DropBefore),
    ("drop-after", FaultKind::DropAfter),
    ("hang-before", FaultKind::HangBefore),
    ("hang-after", FaultKind::HangAfter),
    ("nobody", FaultKind::Nobody),
    ("other-token", FaultKind::OtherToken),
];

impl Fault {
    /// A fault of every call, from now on.
    #[must_use]
    pub const fn new(kind: FaultKind) -> Self {
        Self { kind, endpoint: None, ids: None, times: None, after: 0 }
    }

    /// Only at this endpoint.
    #[must_use]
    pub fn at(self, endpoint: Endpoint) -> Self {
        Self { endpoint: Some(endpoint), ..self }
    }

    /// Only for calls that name one of these `provided_id`s. `times` and `after` count these calls together.
    #[must_use]
    pub fn of<I: Into<String>>(self, provided_ids: impl IntoIterator<Item = I>) -> Self {
        Self { ids: Some(Arc::new(provided_ids.into_iter().map(Into::into).collect())), ..self }
    }

    /// Only this many times.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Only after this many unaffected calls.
    #[must_use]
    pub fn after(self, calls: u32) -> Self {
        Self { after: calls, ..self }
    }

    fn concerns(&self, endpoint: Option<Endpoint>, named: &[String]) -> bool {
        let is_here = self.endpoint.is_none() || self.endpoint == endpoint;
        let is_named = |ids: &Arc<BTreeSet<String>>| named.iter().any(|id| ids.contains(id));
        is_here && self.kind.happens_at(endpoint) && self.ids.as_ref().is_none_or(is_named)
    }
}

impl FaultKind {
    /// Whether this kind can happen at the endpoint.
    fn happens_at(self, endpoint: Option<Endpoint>) -> bool {
        match self {
            Self::Nobody | Self::Fewer(_) => endpoint == Some(Endpoint::Customers),
            Self::OtherToken => {
                matches!(endpoint, Some(Endpoint::CreateCustomer | Endpoint::UpdateCustomer | Endpoint::GetCustomer))
            }
            _ => true,
        }
    }
}

/// The fault of a call that names these ids: the first one that is due. Removes faults that will not be due again.
pub(super) fn due(
    faults: &mut Vec<Fault>,
    endpoint: Option<Endpoint>,
    named: impl FnOnce() -> Vec<String>,
) -> Option<FaultKind> {
    let named = if faults.iter().any(|fault| fault.ids.is_some()) { named() } else { Vec::new() };
    let mut kind = None;
    faults.retain_mut(|fault| {
        if !fault.concerns(endpoint, &named) {
            return true;
        }
        if fault.after > 0 {
            fault.after -= 1;
        } else if kind.is_none() && fault.times != Some(0) {
            kind = Some(fault.kind);
            fault.times = fault.times.map(|times| times - 1);
        }
        fault.times != Some(0)
    });
    kind
}

impl FromStr for FaultKind {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let refused = |form| move || FaultError::Value(name.to_owned(), value.unwrap_or_default().to_owned(), form);
        let seconds = || value.and_then(|value| value.parse().ok()).ok_or_else(refused("a number of seconds"));
        let status = || {
            let status = value.and_then(|value| value.parse().ok()).filter(|status| (200..600).contains(status));
            status.ok_or_else(refused("a status from 200 to 599"))
        };
        match (name, value) {
            ("throttle", Some(_)) => seconds().map(|seconds| Self::Throttle(Some(seconds))),
            ("throttle-until", _) => seconds().map(Self::ThrottleUntil),
            ("unavailable", _) => seconds().map(Self::Unavailable),
            ("status", _) => status().map(Self::Status),
            ("status-after", _) => status().map(Self::StatusAfter),
            ("fewer", _) => {
                let count = value.and_then(|value| value.parse().ok());
                count.map(Self::Fewer).ok_or_else(refused("a number of customers"))
            }
            _ => match PLAIN.iter().find(|(plain, _)| *plain == name) {
                None => Err(FaultError::Kind(name.to_owned())),
                Some(_) if value.is_some() => Err(FaultError::NoValue(name.to_owned())),
                Some((_, kind)) => Ok(*kind),
            },
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttle(Some(seconds)) => write!(f, "throttle={seconds}"),
            Self::ThrottleUntil(seconds) => write!(f, "throttle-until={seconds}"),
            Self::Unavailable(seconds) => write!(f, "unavailable={seconds}"),
            Self::Status(status) => write!(f, "status={status}"),
            Self::StatusAfter(status) => write!(f, "status-after={status}"),
            Self::Fewer(customers) => write!(f, "fewer={customers}"),
            plain => f.write_str(PLAIN.iter().find(|(_, kind)| kind == plain).map_or("", |(name, _)| name)),
        }
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut parts = text.split(',');
        let mut fault = Self::new(parts.next().unwrap_or_default().parse()?);
        let mut ids = BTreeSet::new();
        let count = |key, value: &str, least| {
            let count = value.parse().ok().filter(|count| *count >= least);
            count.ok_or_else(|| FaultError::Count(key, value.to_owned(), least))
        };
        for part in parts {
            match part.split_once('=') {
                Some(("endpoint", name)) => {
                    let found = Endpoint::ALL.into_iter().find(|endpoint| endpoint.name() == name);
                    fault.endpoint = Some(found.ok_or_else(|| FaultError::Endpoint(name.to_owned()))?);
                }
                Some(("id", id)) => {
                    ids.insert(percent_decode_str(id).decode_utf8_lossy().into_owned());
                }
                Some(("times", times)) => fault.times = Some(count("times", times, 1)?),
                Some(("after", calls)) => fault.after = count("after", calls, 0)?,
                _ => return Err(FaultError::Option(part.to_owned())),
            }
        }
        let kind = fault.kind;
        if let Some(endpoint) = fault.endpoint.filter(|endpoint| !kind.happens_at(Some(*endpoint))) {
            return Err(FaultError::Elsewhere(kind.to_string(), endpoint.name()));
        }
        if ids.is_empty() {
            return Ok(fault);
        }
        let concerned = |endpoint: &Endpoint| fault.endpoint.is_none_or(|named| named == *endpoint);
        let mut places = Endpoint::ALL.into_iter().filter(concerned).filter(|place| kind.happens_at(Some(*place)));
        if places.any(Endpoint::names_customer) { Ok(fault.of(ids)) } else { Err(FaultError::NoId(text.to_owned())) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(endpoint) = self.endpoint {
            write!(f, ",endpoint={}", endpoint.name())?;
        }
        for id in self.ids.iter().flat_map(|ids| ids.iter()) {
            write!(f, ",id={}", id.replace('%', "%25").replace(',', "%2C"))?;
        }
        if let Some(times) = self.times {
            write!(f, ",times={times}")?;
        }
        if self.after > 0 {
            write!(f, ",after={}", self.after)?;
        }
        Ok(())
    }
}

fn kinds() -> String {
    let valued = [
        "throttle=SECONDS",
        "throttle-until=SECONDS",
        "unavailable=SECONDS",
        "status=CODE",
        "status-after=CODE",
        "fewer=N",
    ];
    valued.into_iter().chain(PLAIN.iter().map(|(name, _)| *name)).collect::<Vec<_>>().join(", ")
}

fn endpoints() -> String {
    Endpoint::ALL.map(Endpoint::name).join(", ")
}
