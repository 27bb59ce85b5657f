//! Tenants from an HTTP API that lists records as JSON: called as Explo is, paced and retried, and with the same evidence
//! that all of them were read.
//!
//! What tells two records apart is their own id, so that one that moves to another page while pages are read is not
//! taken for two; two records with one `provided_id` are.

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

/// The keys that say where it is.
const KEYS: Keys = Keys { url: "source.url", ca_file: "source.ca_file" };

/// Where the records are, how they are asked for, and what is made of them.
#[derive(Debug)]
pub struct RestSettings {
    /// The list; without a query.
    pub url: Url,
    /// A further authority to trust, PEM.
    pub ca: Option<Vec<u8>>,
    /// The proxy on the way to it.
    pub proxy: Option<Proxy>,
    /// The token in its header, where one is sent.
    pub credentials: Option<Header>,
    /// Sent with every call.
    pub parameters: Vec<(String, String)>,
    /// How pages are asked for.
    pub paging: Paging,
    /// Where a page has its records.
    pub records: Pointer,
    /// Where a record has what tells it apart from others.
    pub record_id: Pointer,
    /// What the columns are made of.
    pub mapping: Mapping,
    /// What a record's parent is named by.
    pub parent_by: ParentBy,
    /// How long and how often a call is tried.
    pub patience: Patience,
    /// Calls a minute.
    pub requests_per_minute: u32,
    /// Calls under way at once.
    pub max_in_flight: usize,
}

/// An API as a source.
#[derive(Debug)]
pub struct Rest {
    pub(super) settings: RestSettings,
    pub(super) caller: Caller<Https>,
}

/// What reading all records once found out about the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Distinct records.
    pub records: usize,
    /// Pages read.
    pub pages: usize,
    /// Column, pointer, and the records in which it finds something, null included.
    pub pointers: Vec<(String, String, usize)>,
}

impl Rest {
    /// A source that connects when it is read. `seed` is for the jitter.
    pub fn new(settings: RestSettings, seed: u64) -> Result<Self, String> {
        let RestSettings { url, credentials, patience, ca, proxy, .. } = &settings;
        let https = Https::new(url.clone(), credentials.clone(), patience.timeout, ca.as_deref(), proxy.clone(), KEYS);
        let https = https?;
        let pacer = Arc::new(Pacer::new(settings.requests_per_minute, settings.max_in_flight));
        // Whoever reads is not waited for when a stop is asked for: nothing is lost.
        let caller = Caller::new(https, *patience, pacer, Stop::default(), seed);
        Ok(Self { settings, caller })
    }

    /// How it is called.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.settings.patience
    }

    /// Which API it is: its address, whatever is asked of it.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let mut url = self.settings.url.clone();
        url.set_query(None);
        Identity::Rest { url: url.to_string() }
    }

    /// What a failed call means.
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
