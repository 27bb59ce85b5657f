//! Listing tags, and making one. Neither is worth a run: where Explo does not tell which tags there are, nothing is held
//! against anyone.

use std::collections::BTreeSet;

use super::{
    Error,
    client::{Client, Request},
    endpoint::Endpoint,
    wire::{self, TagBody},
};
use crate::http::{Attempts, Transport};

/// Every tag; `None` where the call is not there (404, 405, 501), not allowed, or fails for good.
pub(super) async fn list(
    client: &Client<impl Transport>,
    attempts: Attempts,
) -> Result<Option<BTreeSet<String>>, Error> {
    let endpoint = Endpoint::GroupTags;
    let request = Request { endpoint, path: endpoint.path(), query: &[], body: None, most: client.share() };
    match client.call(&request, attempts, wire::read_tags).await {
        Ok((tags, _)) => Ok(Some(tags)),
        Err(error) if error.ends_run() => Err(error),
        Err(error) => {
            tracing::warn!("going on without knowing which tags there are: {error}");
            Ok(None)
        }
    }
}

/// Whether the server answers at all, whatever it says: the list is asked for, and not looked at.
pub(super) async fn ping(client: &Client<impl Transport>) -> Result<(), Error> {
    let endpoint = Endpoint::GroupTags;
    let request = Request { endpoint, path: endpoint.path(), query: &[], body: None, most: client.share() };
    match client.call(&request, Attempts::ALL, |_| Ok(())).await {
        Ok(_) | Err(Error::Rejected { .. } | Error::Forbidden { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes a tag. One that exists is refused, whether somebody else made it or an attempt whose answer was lost, which may have
/// been the last one: a look tells.
pub(super) async fn create(client: &Client<impl Transport>, name: &str, attempts: Attempts) -> Result<(), Error> {
    let endpoint = Endpoint::CreateGroupTag;
    let body = serde_json::to_string(&TagBody { name }).unwrap_or_default();
    let request = Request { endpoint, path: endpoint.path(), query: &[], body: Some(body), most: client.share() };
    let Err(error) = client.call(&request, attempts, wire::read_success).await else { return Ok(()) };
    let patience = client.settings.max_attempts;
    let look = match error {
        Error::GaveUp { .. } if attempts.last(patience) < patience => return Err(error),
        Error::GaveUp { .. } => Attempts::ONE,
        _ if error.ends_run() => return Err(error),
        _ => Attempts::ALL,
    };
    let is_there = list(client, look).await?.is_some_and(|tags| tags.contains(name));
    if is_there { Ok(()) } else { Err(error) }
}
