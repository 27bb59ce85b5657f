//! Looks up one customer: it is found, can't be read, or the look-up is refused.
//!
//! A refusal alone does not prove absence. A customer is *absent* if the refusal is like this server's answer for an id
//! that can't exist; that answer is requested once, when it is first needed. An answer that shows another customer, or
//! a customer without an id and a token, counts as a refusal. A server error (5xx) stays an error.

use super::{
    Error, Unusable,
    client::{Client, Request},
    endpoint::Endpoint,
    refusal::{Nobody, Refusal},
    wire,
};
use crate::{
    http::Transport,
    model::{Customer, Partial, Record, Tenant},
};

/// The result of looking up one customer.
#[derive(Debug, Clone)]
pub enum Look {
    /// The customer.
    Found(Box<Customer<'static>>),
    /// It exists, and its record can't be read completely.
    Unreadable(Partial<'static>),
    /// A refusal; it may mean that the customer is absent.
    Refused(Refusal),
}

impl Look {
    /// The customer, if it was found.
    #[must_use]
    pub fn found(self) -> Option<Customer<'static>> {
        match self {
            Self::Found(customer) => Some(*customer),
            Self::Unreadable(_) | Self::Refused(_) => None,
        }
    }

    /// The customer; anything else is an error.
    pub fn needed(self) -> Result<Customer<'static>, Error> {
        match self {
            Self::Found(customer) => Ok(*customer),
            Self::Unreadable(partial) => {
                let excerpt = partial.gap.to_string();
                Err(Error::Rejected { endpoint: Endpoint::GetCustomer, status: 200, excerpt })
            }
            Self::Refused(refusal) => Err(refusal.into()),
        }
    }
}

pub(super) async fn look(client: &Client<impl Transport>, provided_id: &str) -> Result<Look, Error> {
    let endpoint = Endpoint::GetCustomer;
    let sent = Tenant { provided_id: provided_id.into(), ..Tenant::default() };
    let body = serde_json::to_string(&wire::Body::from(&sent)).unwrap_or_default();
    let request = Request { endpoint, path: endpoint.path(), query: &[], body: Some(body), most: client.share() };
    let (answered, heard) = client.call_heard(&request, |body| read(body, provided_id)).await;
    let refused = |status, excerpt| Look::Refused(Refusal::new(status, excerpt, provided_id, &heard));
    match answered {
        Ok(Some(Record::Whole(customer))) => Ok(Look::Found(Box::new(customer))),
        Ok(Some(Record::Partial(partial))) => Ok(Look::Unreadable(partial)),
        Ok(None) => Ok(refused(200, "it shows no customer with this provided_id".to_owned())),
        // A 401 or 403 without Explo's shape may come from a proxy, which proves nothing.
        Err(Error::Rejected { status, excerpt, .. }) if !matches!(status, 401 | 403) => Ok(refused(status, excerpt)),
        Err(Error::Forbidden { excerpt, .. }) => Ok(refused(403, excerpt)),
        Err(error) => Err(error),
    }
}

/// The record, if it belongs to the customer asked for, as far as it can be read.
fn read(body: &[u8], provided_id: &str) -> Result<Option<Record<'static>>, Unusable> {
    let (_, record) = wire::read_answer(body)?;
    let is_it = match &record {
        Record::Partial(Partial { token, provided_id: None, .. }) => !token.is_empty(),
        record => record.provided_id() == Some(provided_id),
    };
    let record = match record {
        Record::Partial(partial) => Record::Partial(Partial { provided_id: Some(provided_id.into()), ..partial }),
        record @ Record::Whole(_) => record,
    };
    Ok(is_it.then(|| record.into_owned()))
}

/// Whether a refusal means that no customer has the id.
pub(super) async fn is_absence(client: &Client<impl Transport>, refusal: &Refusal) -> Result<bool, Error> {
    let Nobody { provided_id, refusal: of_nobody } = &client.nobody;
    let ask = async || match look(client, provided_id).await? {
        Look::Refused(refusal) => Ok::<_, Error>(Some(refusal)),
        Look::Found(_) | Look::Unreadable(_) => Ok(None),
    };
    let of_nobody = of_nobody.get_or_try_init(ask).await?;
    Ok(of_nobody.as_ref().is_some_and(|of_nobody| refusal.is_like(of_nobody)))
}
