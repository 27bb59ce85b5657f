//! Tenants from an HTTP API that lists records as JSON: paced and retried like Explo's, with the same evidence that all
//! of them were read.
//!
//! The record's own id tells records apart: a record that moves to another page during the reading counts once, and two
//! records with one `provided_id` count as two.

mod explanation;
mod expression;
mod mapping;
mod paging;
mod parents;
mod pointer;
mod reading;
mod records;

use std::sync::Arc;

use reqwest::Url;

use super::{Error, Identity, Source};
use crate::{
    http::{Caller, Failure, Header, Https, Keys, Pacer, Patience, Proxy},
    stop::Stop,
};

pub use mapping::Mapping;
pub use paging::{Paging, PagingKind};
pub use parents::ParentBy;
pub use pointer::Pointer;

/// The config keys that say where the API is.
const KEYS: Keys = Keys { url: "source.url", ca_file: "source.ca_file" };

/// Where the records are, how to ask for them, and how to turn them into rows.
#[derive(Debug)]
pub struct RestSettings {
    /// The URL of the list, without a query.
    pub url: Url,
    /// A further authority to trust, PEM.
    pub ca: Option<Vec<u8>>,
    /// The proxy on the route to it.
    pub proxy: Option<Proxy>,
    /// The header with the token, if the API needs one.
    pub credentials: Option<Header>,
    /// Sent with every call.
    pub parameters: Vec<(String, String)>,
    /// How to ask for pages.
    pub paging: Paging,
    /// Where a page has its records.
    pub records: Pointer,
    /// Where a record has its own id.
    pub record_id: Pointer,
    /// How to make the columns.
    pub mapping: Mapping,
    /// How a record names its parent.
    pub parent_by: ParentBy,
    /// Timeout and attempts of a call.
    pub patience: Patience,
    /// The most calls per minute.
    pub requests_per_minute: u32,
    /// The most calls in flight.
    pub max_in_flight: usize,
}

/// An API as a source.
#[derive(Debug)]
pub struct Rest {
    pub(super) settings: RestSettings,
    pub(super) caller: Caller<Https>,
}

/// What one reading of all records shows about the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Distinct records.
    pub records: usize,
    /// Pages read.
    pub pages: usize,
    /// Column, pointer, and the number of records in which it finds something, null included.
    pub pointers: Vec<(String, String, usize)>,
}

impl Rest {
    /// A source that connects when it is read. `seed` is for the jitter.
    pub fn new(settings: RestSettings, seed: u64) -> Result<Self, String> {
        let RestSettings { url, credentials, patience, ca, proxy, .. } = &settings;
        let https = Https::new(url.clone(), credentials.clone(), patience.timeout, ca.as_deref(), proxy.clone(), KEYS);
        let https = https?;
        let pacer = Arc::new(Pacer::new(settings.requests_per_minute, settings.max_in_flight));
        // A stop does not wait for calls that only read, so this stop never comes.
        let caller = Caller::new(https, *patience, pacer, Stop::default(), seed);
        Ok(Self { settings, caller })
    }

    /// Timeout and attempts of a call.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.settings.patience
    }

    /// The identity of the API: its address without the query.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let mut url = self.settings.url.clone();
        url.set_query(None);
        Identity::Rest { url: url.to_string() }
    }

    /// The error for a failed call.
    fn failed(&self, failure: Failure) -> Error {
        let place = self.place();
        match failure {
            Failure::Status { status: status @ (401 | 403), excerpt, is_own: true } => {
                Error::Denied { place, status, excerpt }
            }
            Failure::Status { status: 200..=299, .. } => {
                let records = self.settings.records.to_string();
                Error::Shape { place, records }
            }
            Failure::Status { status, excerpt, .. } => Error::Refused { place, status, excerpt },
            failure @ (Failure::Unsent { .. } | Failure::GaveUp { .. } | Failure::Stopped { .. } | Failure::Cut) => {
                Error::Unavailable { place, failure }
            }
        }
    }
}
