//! Giving a customer another id: the one write that must not be repeated blindly, for the old id may be somebody else's by then.
//!
//! Where the answer is lost, both ids are looked at:
//!
//! | new id | old id | then |
//! |---|---|---|
//! | there | not there | it was applied |
//! | not there | there | it was not: again after a backoff, up to `max_attempts` |
//! | there | there | a failure: another customer has the new id by now |
//! | not there | not there | a failure: the customer is gone |

use super::{
    Error, Fault, Reader,
    client::{Client, Request},
    customers::{about, read_answer},
    endpoint::Endpoint,
    wire::RenameBody,
};
use crate::{
    http::{Attempts, Transport},
    model::Customer,
};

const ENDPOINT: Endpoint = Endpoint::UpdateCustomer;

pub(super) async fn rename(
    client: &Client<impl Transport>,
    old: &str,
    new: &str,
    attempts: Attempts,
) -> Result<Customer<'static>, Error> {
    let (mut failed, last) = (attempts.before, attempts.last(client.settings.max_attempts));
    if failed > 0 {
        client.back_off(ENDPOINT, failed, None).await?;
    }
    loop {
        let fault = match (call(client, old, new).await, failed) {
            (Ok(customer), _) => return Ok(customer),
            (Err(Error::GaveUp { fault, .. }), _) if fault != Fault::Throttled => fault,
            // A call before this one may come to effect after the look.
            (Err(error @ Error::Rejected { .. }), 1..) => return renamed(client, old, new).await?.ok_or(error),
            (Err(Error::Stopped { .. }), 1..) => return Err(Error::Cut { endpoint: ENDPOINT }),
            (Err(error), _) => return Err(error),
        };
        failed += 1;
        match renamed(client, old, new).await? {
            Some(customer) => return Ok(customer),
            None if failed >= last => return Err(Error::GaveUp { endpoint: ENDPOINT, attempts: failed, fault }),
            None => client.back_off(ENDPOINT, failed, Some(&fault)).await?,
        }
    }
}

/// The call, once; throttled, it was not applied, and is made again.
async fn call(client: &Client<impl Transport>, old: &str, new: &str) -> Result<Customer<'static>, Error> {
    let body = serde_json::to_string(&RenameBody { provided_id: old, new_provided_id: new }).unwrap_or_default();
    let request = Request { endpoint: ENDPOINT, path: ENDPOINT.path(), query: &[], body: Some(body), sent: None };
    let (answer, _) = client.call(&request, Attempts::FIRST, read_answer).await?;
    about(new, ENDPOINT, answer).map(|(_, customer)| customer)
}

/// The customer under its new id; `None` where it still has the old one.
async fn renamed(client: &Client<impl Transport>, old: &str, new: &str) -> Result<Option<Customer<'static>>, Error> {
    let renamed = look(client, new).await?;
    match (renamed, look(client, old).await?) {
        (Some(renamed), None) => Ok(Some(renamed)),
        (None, Some(_)) => Ok(None),
        (Some(_), Some(_)) => Err(Error::Unclear { found: "both ids have a customer" }),
        (None, None) => Err(Error::Unclear { found: "neither id has a customer" }),
    }
}

async fn look(client: &Client<impl Transport>, provided_id: &str) -> Result<Option<Customer<'static>>, Error> {
    match client.customer(provided_id).await {
        Ok(customer) => Ok(Some(customer)),
        Err(Error::Rejected { .. }) => Ok(None),
        // A call before this one may have come to effect.
        Err(Error::Stopped { .. }) => Err(Error::Cut { endpoint: ENDPOINT }),
        Err(error) => Err(error),
    }
}
