//! Which rows claim which previous id: several may claim the same, and at most one of them is to be renamed from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use crate::tenants::RowNumber;

/// The previous ids of tenants.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// By the hash of a previous id, which several rows may share. The id is stored if it differs from the one in the
    /// row of that number.
    pub(super) by_hash: BTreeMap<(u64, RowNumber), Option<Box<str>>>,
    /// The claims of tenants that are to be renamed.
    pub(super) renamed: BTreeSet<(u64, RowNumber)>,
    /// The previous id asked for last, with the first two rows that claim it and have no customer: a cache for the case
    /// that all rows claiming it ask in turn.
    pub(super) rivals: Mutex<Option<(String, [Option<RowNumber>; 2])>>,
}

impl Claims {
    /// Drops the cached rivals, because a row has changed.
    pub(super) fn forget_rivals(&mut self) {
        *self.rivals.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
