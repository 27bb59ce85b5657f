//! Which customers get another id, judged when both sides are known whole.
//!
//! | new id listed | a row has the old id | old id listed | then |
//! |---|---|---|---|
//! | yes | | | the column is ignored; a customer under the old id is left alone, and is no orphan |
//! | no | yes | | the tenant is invalid: the customer belongs to that row |
//! | no | no | no | there is nothing to rename: a create |
//! | no | no | yes | a rename |
//! | no | no | yes, and another row without a customer has the same previous id | both tenants are invalid |
//!
//! Where single tenants are looked at, another row with the same previous id counts as one without a customer; with
//! `source.query_one` it is not seen.
//!
//! A previous id that is the tenant's own, or empty, says nothing. In a chain (a becomes b, b becomes c) c is invalid until the
//! row of b is gone or c is made; of a swap nothing is done where both customers are listed, and both tenants are invalid
//! where neither is: ids go round in no order of calls that a crash could not tear.

use super::doubt::Match;
use crate::{
    memory::token_hash,
    model::Customer,
    tenants::{Index, RowNumber},
};

const TAKEN: &str = "previous_provided_id is the provided_id of another row, which has the customer";

const CLAIMED_TWICE: &str = "another row has the same previous_provided_id, and only one can have its customer";

/// What a previous id leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing: the column is as good as NULL.
    Ignored,
    /// The customer gets the new id.
    Rename,
    /// The tenant can't be planned, for this reason.
    Invalid(&'static str),
}

/// A customer that was seen under the previous id of tenants.
#[derive(Debug)]
pub(super) struct Former {
    pub(super) provided_id: String,
    /// A hash.
    pub(super) token: u64,
    pub(super) seen: Vec<Match>,
    pub(super) is_unreadable: bool,
}

impl Former {
    pub(super) fn new(customer: &Customer<'_>, provided_id: &str, seen: Vec<Match>, is_unreadable: bool) -> Self {
        Self { provided_id: provided_id.to_owned(), token: token_hash(&customer.token), seen, is_unreadable }
    }
}

/// Judges a tenant that has a previous id, after all customers were listed.
pub(super) fn judge(index: &Index, row: RowNumber, old_is_listed: bool) -> Verdict {
    let Some(old) = index.previous_provided_id(row).filter(|_| index.is_absent(row)) else { return Verdict::Ignored };
    if index.row(&old).is_some() {
        return Verdict::Invalid(TAKEN);
    }
    if !old_is_listed {
        Verdict::Ignored
    } else if index.has_rival(row, &old) {
        Verdict::Invalid(CLAIMED_TWICE)
    } else {
        Verdict::Rename
    }
}
