//! Explo's customer API: reading and writing customers through one paced, retried, checked client.
//!
//! [`Reader`] and [`Writer`] are two traits so that a dry run can be what it is: a run for which no writer was built.
//! Facts about the API are in the vendor's reference; where it is silent or ambiguous, both readings are accepted.

mod answer;
mod client;
mod customers;
mod endpoint;
mod error;
mod listed;
mod listing;
mod look;
mod observed;
mod page;
mod refusal;
mod rename;
mod tags;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};

pub use crate::http::{
    Answer, Attempts, Fault, Incoming, Outgoing, Pacer, PageProgress, Transport, Unusable, retry_after,
};
use crate::model::{Customer, Record, Tenant};

pub use client::{Client, ListingRules, Settings};
pub use endpoint::Endpoint;
pub use error::Error;
pub use listing::{Children, FirstPage, Listing, Tokens};
pub use look::Look;
pub use observed::{CallStats, Latency, Observed};
pub use page::{Page, Shown};
pub use refusal::Refusal;
pub use wire::ListingVersion;

/// Reads customers; changes nothing.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so nobody needs the futures to be Send")]
pub trait Reader {
    /// The calls so far by endpoint, each counted once however many attempts it took.
    fn asked(&self) -> BTreeMap<Endpoint, usize>;

    /// Shows every customer once, and proves that they are all, or fails. With their tokens.
    async fn list(
        &self,
        observe: &mut dyn FnMut(Shown<'_, '_>),
        progress: PageProgress<'_>,
    ) -> Result<(Listing, Tokens), Error>;

    /// The customers below this one: those directly below it, perhaps all.
    async fn children(&self, parent: &str) -> Result<Children, Error>;

    /// One customer by its id.
    async fn customer(&self, provided_id: &str) -> Result<Look, Error>;

    /// Whether such a refusal means that nobody has the id: whether it is what this server answers for an id that nobody can
    /// have, which is asked for once.
    async fn is_absence(&self, refusal: &Refusal) -> Result<bool, Error>;

    /// The names of all tags; `None` where Explo does not tell.
    async fn tags(&self) -> Result<Option<BTreeSet<String>>, Error>;

    /// Whether Explo answers at all: one cheap call, whatever the answer says.
    async fn ping(&self) -> Result<(), Error>;
}

/// Writes customers. Repeating a write does no harm; which attempts at it are made now is said each time.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so nobody needs the futures to be Send")]
pub trait Writer {
    /// Attempts that a write may have in all.
    fn max_attempts(&self) -> u32;

    /// Makes the customer of a tenant, or finds that it exists.
    async fn create(&self, tenant: &Tenant<'_>, attempts: Attempts) -> Result<Created, Error>;

    /// Changes the fields that the tenant has. The answer is the customer as it is now, which may be too large
    /// to be read whole.
    async fn update(&self, tenant: &Tenant<'_>, attempts: Attempts) -> Result<Record<'static>, Error>;

    /// Gives the customer with the old id the new one; it keeps its token. An answer that is lost is found out before the call
    /// is repeated. The customer as it is now, which may be too large to be read whole.
    async fn rename(&self, old: &str, new: &str, attempts: Attempts) -> Result<Record<'static>, Error>;

    /// Makes a tag; one that is there by now is as good.
    async fn create_tag(&self, name: &str, attempts: Attempts) -> Result<(), Error>;
}

/// The answer to a create.
#[derive(Debug)]
pub struct Created {
    /// False: it existed before and may differ from what was asked.
    pub is_new: bool,
    /// False: no earlier attempt of ours can have created it.
    pub may_be_ours: bool,
    /// The customer as it is now.
    pub customer: Customer<'static>,
}
