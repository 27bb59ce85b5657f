//! Lists tags, and creates them. Neither is worth failing a run: if Explo does not list its tags, all are assumed to
//! exist.

use std::collections::BTreeSet;

use super::{
    Error,
    client::{Client, Request},
    endpoint::Endpoint,
    wire::{self, TagBody},
};
use crate::http::{Attempts, Transport};

/// Every tag; `None` if the endpoint is missing (404, 405, 501), not allowed, or keeps failing.
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
            tracing::warn!("the list of tags is not available, so all tags are assumed to exist: {error}");
            Ok(None)
        }
    }
}

/// Whether the server answers at all: requests the list and ignores it.
pub(super) async fn ping(client: &Client<impl Transport>) -> Result<(), Error> {
    let endpoint = Endpoint::GroupTags;
    let request = Request { endpoint, path: endpoint.path(), query: &[], body: None, most: client.share() };
    match client.call(&request, Attempts::ALL, |_| Ok(())).await {
        Ok(_) | Err(Error::Rejected { .. } | Error::Forbidden { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates a tag. Explo refuses a tag that exists, whether another client or a lost attempt of ours (perhaps the last
/// one) created it, so the list decides.
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
