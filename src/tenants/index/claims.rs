//! Who had which id before, by the rows: many may claim one, and one of them at the most is to be renamed from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use crate::tenants::RowNumber;

/// The previous ids of tenants.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// By the hash of a previous id, which all rows may share; with the id where the row is not that number's own.
    pub(super) by_hash: BTreeMap<(u64, RowNumber), Option<Box<str>>>,
    /// Those of them that were to be renamed.
    pub(super) renamed: BTreeSet<(u64, RowNumber)>,
    /// The id that was asked about last, with the first two rows that claim it and have no customer: all that claim it may
    /// ask in turn.
    pub(super) rivals: Mutex<Option<(String, [Option<RowNumber>; 2])>>,
}

impl Claims {
    /// Something is known of a row: what was said of rivals may not hold any more.
    pub(super) fn forget_rivals(&mut self) {
        *self.rivals.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
