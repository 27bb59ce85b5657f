//! Which customers get another id, judged when all tenants and customers are known.
//!
//! | new id listed | a row has the old id | old id listed | then |
//! |---|---|---|---|
//! | yes | | | the column is ignored; a customer under the old id is an orphan |
//! | no | yes | | the tenant is invalid: the customer belongs to that row |
//! | no | no | no | there is nothing to rename: a create |
//! | no | no | yes | a rename |
//! | no | no | yes, and another row without a customer has the same previous id | both tenants are invalid |
//!
//! If tenants are looked up one by one, another row with the same previous id counts as a row without a customer; with
//! `source.query_one` that row is not read.
//!
//! A previous id that is empty or the tenant's own is ignored. In a chain (a becomes b, b becomes c), c is invalid
//! until the row of b is gone or c is created. In a swap, nothing is done if both customers are listed, and both
//! tenants are invalid if neither is: a swap needs several calls, and a crash between them would mix the customers up.

use super::doubt::Match;
use crate::{
    memory::token_hash,
    model::Customer,
    tenants::{Index, RowNumber},
};

const TAKEN: &str = "previous_provided_id is the provided_id of another row, and the customer belongs to that row";

const CLAIMED_TWICE: &str = "another row has the same previous_provided_id, and only one can have its customer";

/// What a previous id means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing: the column counts as NULL.
    Ignored,
    /// The customer gets the new id.
    Rename,
    /// The tenant can't be planned, for this reason.
    Invalid(&'static str),
}

/// A customer listed under the previous id of tenants.
#[derive(Debug)]
pub(super) struct Former {
    pub(super) provided_id: String,
    /// The token's hash.
    pub(super) token: u64,
    pub(super) seen: Vec<Match>,
    pub(super) is_unreadable: bool,
}

impl Former {
    pub(super) fn new(customer: &Customer<'_>, provided_id: &str, seen: Vec<Match>, is_unreadable: bool) -> Self {
        Self { provided_id: provided_id.to_owned(), token: token_hash(&customer.token), seen, is_unreadable }
    }
}

/// Judges a tenant with a previous id, after all customers were listed.
pub(super) fn judge(index: &Index, row: RowNumber, old_is_listed: bool) -> Verdict {
    let Some(old) = index.previous_provided_id(row).filter(|_| index.is_unmet(row)) else { return Verdict::Ignored };
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
