//! Checks the answer about one customer.

use super::{Error, Unusable, endpoint::Endpoint, wire};
use crate::model::{Gap, Partial, Record};

/// The answer about one customer, as an owned value, and whether it says that the customer is new.
pub(super) fn read_answer(body: &[u8]) -> Result<(bool, Record<'static>), Unusable> {
    wire::read_answer(body).map(|(is_new, record)| (is_new, record.into_owned()))
}

/// Refuses an answer about another customer, or one that can't be read; accepts one that is only too large.
pub(super) fn about(provided_id: &str, endpoint: Endpoint, record: Record<'static>) -> Result<Record<'static>, Error> {
    let is_unreadable = matches!(record, Record::Partial(Partial { gap: Gap::Unreadable, .. }));
    let excerpt = match record.provided_id() {
        _ if is_unreadable => "the customer in the answer can't be read",
        Some(id) if id == provided_id => return Ok(record),
        Some(_) | None => "the answer is about a customer with another provided_id",
    };
    Err(Error::Rejected { endpoint, status: 200, excerpt: excerpt.to_owned() })
}
