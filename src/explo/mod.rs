//! Explo's customer API: reads and writes customers through one client that paces, retries and checks every call.
//!
//! [`Reader`] and [`Writer`] are two traits, because a dry run is a run for which no writer is built.
//! Facts about the API are from the vendor's reference; if it is silent or ambiguous, both readings are accepted.

mod answer;
mod ask;
mod client;
mod customers;
mod delete;
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
    Attempts, Ending, Fault, Incoming, Lane, Outgoing, Pacer, PageProgress, Transport, Unusable, retry_after,
};
use crate::model::{Customer, Record, Tenant};

pub use ask::Ask;
pub use client::{Check, Client, ListingRules, Settings};
pub use endpoint::Endpoint;
pub use error::Error;
pub use listing::{Children, FirstPage, ListedTokens, Listing};
pub use look::Look;
pub use observed::{CallStats, Latency, Observed};
pub use page::{Page, Shown};
pub use refusal::Refusal;
pub use wire::ListingVersion;

/// Reads customers; changes nothing.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so nobody needs the futures to be Send")]
pub trait Reader {
    /// The calls so far by endpoint; each counts once, whatever its attempts.
    fn asked(&self) -> BTreeMap<Endpoint, usize>;

    /// Shows every customer once, and fails unless there is evidence that none is missing. Returns
    /// their tokens, too.
    async fn list(
        &self,
        observe: &mut dyn FnMut(Shown<'_, '_>),
        progress: PageProgress<'_>,
    ) -> Result<(Listing, ListedTokens), Error>;

    /// The customers below this one: those directly below, perhaps also those further down.
    async fn children(&self, parent: &str) -> Result<Children, Error>;

    /// One customer by its id.
    async fn customer(&self, provided_id: &str) -> Result<Look, Error>;

    /// Whether this refusal means that no customer has the id: whether the server answers the same for an id that can't
    /// exist, which is asked once.
    async fn is_absence(&self, refusal: &Refusal) -> Result<bool, Error>;

    /// The names of all tags; `None` if Explo does not list them.
    async fn tags(&self) -> Result<Option<BTreeSet<String>>, Error>;

    /// Whether Explo answers at all: one cheap call with any answer.
    async fn ping(&self) -> Result<(), Error>;
}

/// Writes customers. A write can be repeated safely; each call says which attempts to make now.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so nobody needs the futures to be Send")]
pub trait Writer {
    /// The number of attempts that a write may have in all.
    fn max_attempts(&self) -> u32;

    /// Creates the customer of a tenant, or finds that it exists.
    async fn create(&self, tenant: &Tenant<'_>, attempts: Attempts) -> Result<Created, Error>;

    /// Changes the fields that the tenant has. Returns the customer as it is now; it may be too large to be read
    /// completely. The check is asked right before each attempt.
    async fn update(
        &self,
        tenant: &Tenant<'_>,
        attempts: Attempts,
        check: Option<&dyn Check>,
    ) -> Result<Record<'static>, Error>;

    /// Gives the customer with the old id the new one; it keeps its token. If an answer is lost, both ids are looked up
    /// before the call is repeated. Returns the customer as it is now; it may be too large to be read completely.
    async fn rename(&self, old: &str, new: &str, attempts: Attempts) -> Result<Record<'static>, Error>;

    /// Deletes the customer with this id and this token. If an answer is lost or odd, the id is looked up before the call is
    /// repeated. Succeeds if the customer is gone. The check is asked right before each attempt.
    async fn delete(
        &self,
        provided_id: &str,
        token: &str,
        attempts: Attempts,
        check: Option<&dyn Check>,
    ) -> Result<(), Error>;

    /// Creates a tag; succeeds if the tag exists already.
    async fn create_tag(&self, name: &str, attempts: Attempts) -> Result<(), Error>;
}

/// The answer to a create.
#[derive(Debug)]
pub struct Created {
    /// False: it existed before and may differ from the wanted values.
    pub is_new: bool,
    /// False: no earlier attempt of ours can have created it.
    pub may_be_ours: bool,
    /// The customer as it is now.
    pub customer: Customer<'static>,
}
