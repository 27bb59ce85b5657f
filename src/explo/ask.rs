//! The calls of a probe. It wants to see what other callers need not know: how a call is refused, and the words around
//! the customers.

use super::{
    Error, Unusable,
    client::{Client, Request},
    endpoint::Endpoint,
    wire::ListingVersion,
};
use crate::http::Transport;

/// One call of a probe.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The call.
    pub endpoint: Endpoint,
    /// Which listing, if it is one.
    pub version: ListingVersion,
    /// The parameters of a listing.
    pub query: &'a [(&'a str, String)],
    /// JSON, for every other call; without it the method is GET.
    pub body: Option<String>,
}

impl Ask<'static> {
    /// A call that is no listing.
    #[must_use]
    pub fn of(endpoint: Endpoint, body: Option<String>) -> Self {
        Self { endpoint, version: ListingVersion::V2, query: &[], body }
    }
}

impl<T: Transport> Client<T> {
    /// Makes one call with all attempts. `read` gets the answer as it came; `None` refuses it. Also returns the beginning
    /// of an answer of `get_customer` that refuses.
    pub async fn ask<A>(
        &self,
        Ask { endpoint, version, query, body }: Ask<'_>,
        read: impl FnMut(&[u8]) -> Result<Option<A>, Unusable>,
    ) -> (Result<Option<A>, Error>, Vec<u8>) {
        let path = match (endpoint, version) {
            (Endpoint::Customers, ListingVersion::V1) => "api/customers/",
            (endpoint, _) => endpoint.path(),
        };
        self.call_heard(&Request { endpoint, path, query, body, most: self.share() }, read).await
    }
}
