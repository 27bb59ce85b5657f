//! Deletes a customer: the one write that can't be made undone. The call names its token alone, so a repeated call can't reach
//! another customer; still it is repeated only after looking up the id.
//!
//! If the answer is lost, or is a refusal:
//!
//! | the customer with the id is | result |
//! |---|---|
//! | absent | it is gone |
//! | the one with the token | refused: that failure; lost: a retry after a backoff, up to `max_attempts` |
//! | another one | a failure: another customer has the id by now |
//! | shown in part, or its look-up refused | a failure that says so: a refusal is not absence |

use super::{
    Error, Fault, Look, Reader,
    client::{Check, Client, Request},
    endpoint::Endpoint,
    wire::{self, DeleteBody},
};
use crate::http::{Attempts, Transport};

const ENDPOINT: Endpoint = Endpoint::DeleteCustomer;

/// The statuses of refusals that may be about children.
const BY_PARENTS: [u16; 4] = [200, 400, 409, 422];

const PARENTS: &str = "Explo deletes no customer that has children; these may be some that this token can't see";

pub(super) async fn delete(
    client: &Client<impl Transport>,
    (provided_id, token): (&str, &str),
    (attempts, check): (Attempts, Option<&dyn Check>),
) -> Result<(), Error> {
    let (mut failed, last) = (attempts.before, attempts.last(client.settings.max_attempts));
    if failed > 0 {
        client.back_off(ENDPOINT, failed, attempts.not_before, None).await?;
    }
    loop {
        let error = match call(client, token, attempts.gives_way, check).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let fault = match error {
            Error::GaveUp { ref fault, .. } if *fault != Fault::Throttled => fault.clone(),
            Error::Rejected { endpoint, status, excerpt } => {
                let is_gone = is_gone(client, provided_id, token).await?;
                let excerpt = if BY_PARENTS.contains(&status) { format!("{excerpt} ({PARENTS})") } else { excerpt };
                return if is_gone { Ok(()) } else { Err(Error::Rejected { endpoint, status, excerpt }) };
            }
            Error::Stopped { .. } if failed > 0 => return Err(Error::Cut { endpoint: ENDPOINT }),
            error => return Err(error),
        };
        failed += 1;
        if is_gone(client, provided_id, token).await? {
            return Ok(());
        }
        if failed >= last {
            return Err(Error::GaveUp { endpoint: ENDPOINT, attempts: failed, fault });
        }
        client.back_off(ENDPOINT, failed, fault.not_before(), Some(&fault)).await?;
    }
}

/// One attempt. A throttled call was not applied, so it is repeated if the check still agrees.
async fn call(
    client: &Client<impl Transport>,
    token: &str,
    gives_way: bool,
    check: Option<&dyn Check>,
) -> Result<(), Error> {
    let body = serde_json::to_string(&DeleteBody { current_token: token }).unwrap_or_default();
    let request =
        Request { endpoint: ENDPOINT, path: ENDPOINT.path(), query: &[], body: Some(body), most: client.share() };
    let attempts = Attempts { gives_way, ..Attempts::ONE };
    client.call_checked(&request, (attempts, check), wire::read_success).await.map(drop)
}

/// Whether the customer is gone; an error if that can't be told.
async fn is_gone(client: &Client<impl Transport>, provided_id: &str, token: &str) -> Result<bool, Error> {
    match client.customer(provided_id).await.map_err(cut)? {
        Look::Found(customer) if customer.token == token => Ok(false),
        Look::Found(_) => unclear("another customer has its id".to_owned()),
        Look::Unreadable(_) => unclear("the customer with its id can't be read".to_owned()),
        Look::Refused(refusal) if client.is_absence(&refusal).await.map_err(cut)? => Ok(true),
        Look::Refused(refusal) => unclear(format!("Explo refuses to show the customer with its id: {refusal}")),
    }
}

/// The call before the stopped look-up may have taken effect.
fn cut(error: Error) -> Error {
    if let Error::Stopped { .. } = error { Error::Cut { endpoint: ENDPOINT } } else { error }
}

fn unclear(found: String) -> Result<bool, Error> {
    Err(Error::Unclear { what: "deletion", found })
}
