//! Gives a customer another id: the one write that must not be repeated blindly, because the old id may belong to
//! another customer by then.
//!
//! If the answer is lost, both ids are looked up:
//!
//! | new id | old id | result |
//! |---|---|---|
//! | exists | absent | it was applied |
//! | absent | exists | it was not applied: a retry after a backoff, up to `max_attempts` |
//! | exists | exists | a failure: another customer has the new id by now |
//! | absent | absent | a failure: the customer is gone |
//! | other | | a failure that names what was found: a refusal is not absence |
//!
//! A customer whose record is too large to be read exists.

use super::{
    Error, Fault, Look, Reader,
    answer::{about, read_answer},
    client::{Client, Request},
    endpoint::Endpoint,
    wire::RenameBody,
};
use crate::{
    http::{Attempts, Transport},
    model::{Gap, Record},
};

const ENDPOINT: Endpoint = Endpoint::UpdateCustomer;

pub(super) async fn rename(
    client: &Client<impl Transport>,
    old: &str,
    new: &str,
    attempts: Attempts,
) -> Result<Record<'static>, Error> {
    let (mut failed, last) = (attempts.before, attempts.last(client.settings.max_attempts));
    if failed > 0 {
        client.back_off(ENDPOINT, failed, attempts.not_before, None).await?;
    }
    loop {
        let fault = match (call(client, old, new, attempts.gives_way).await, failed) {
            (Ok(customer), _) => return Ok(customer),
            (Err(Error::GaveUp { fault, .. }), _) if fault != Fault::Throttled => fault,
            // An earlier call may take effect after the look-up.
            (Err(error @ Error::Rejected { .. }), 1..) => return renamed(client, old, new).await?.ok_or(error),
            (Err(Error::Stopped { .. }), 1..) => return Err(Error::Cut { endpoint: ENDPOINT }),
            (Err(error), _) => return Err(error),
        };
        failed += 1;
        match renamed(client, old, new).await? {
            Some(customer) => return Ok(customer),
            None if failed >= last => return Err(Error::GaveUp { endpoint: ENDPOINT, attempts: failed, fault }),
            None => client.back_off(ENDPOINT, failed, fault.not_before(), Some(&fault)).await?,
        }
    }
}

/// One attempt. A throttled call was not applied, so it is repeated.
async fn call(
    client: &Client<impl Transport>,
    old: &str,
    new: &str,
    gives_way: bool,
) -> Result<Record<'static>, Error> {
    let body = serde_json::to_string(&RenameBody { provided_id: old, new_provided_id: new }).unwrap_or_default();
    let request =
        Request { endpoint: ENDPOINT, path: ENDPOINT.path(), query: &[], body: Some(body), most: client.share() };
    let ((_, record), _) = client.call(&request, Attempts { gives_way, ..Attempts::ONE }, read_answer).await?;
    about(new, ENDPOINT, record)
}

/// The customer under its new id; `None` if it still has the old one.
async fn renamed(client: &Client<impl Transport>, old: &str, new: &str) -> Result<Option<Record<'static>>, Error> {
    let (renamed, former) = (look(client, new).await?, look(client, old).await?);
    match (is_there(client, renamed, "new").await?, is_there(client, former, "old").await?) {
        (Some(renamed), None) => Ok(Some(renamed)),
        (None, Some(_)) => Ok(None),
        (Some(_), Some(_)) => unclear("both ids have a customer".to_owned()),
        (None, None) => unclear("neither id has a customer".to_owned()),
    }
}

/// The customer with an id; `None` if it is absent.
async fn is_there(client: &Client<impl Transport>, look: Look, which: &str) -> Result<Option<Record<'static>>, Error> {
    match look {
        Look::Found(customer) => Ok(Some(Record::Whole(*customer))),
        Look::Unreadable(partial) if partial.gap == Gap::TooLarge => Ok(Some(Record::Partial(partial))),
        Look::Unreadable(_) => unclear(format!("the customer with the {which} id can't be read")),
        Look::Refused(refusal) if client.is_absence(&refusal).await.map_err(cut)? => Ok(None),
        Look::Refused(refusal) => unclear(format!("Explo refuses to show the customer with the {which} id: {refusal}")),
    }
}

async fn look(client: &Client<impl Transport>, provided_id: &str) -> Result<Look, Error> {
    client.customer(provided_id).await.map_err(cut)
}

/// An earlier call than the stopped one may have taken effect.
fn cut(error: Error) -> Error {
    if let Error::Stopped { .. } = error { Error::Cut { endpoint: ENDPOINT } } else { error }
}

fn unclear<T>(found: String) -> Result<T, Error> {
    Err(Error::Unclear { what: "rename", found })
}
