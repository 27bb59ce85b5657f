//! What is postponed until all other changes had their first attempt.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::outcome::Blame;
use crate::{
    explo::{Attempts, Error},
    tenants::RowNumber,
};

/// Postponed changes, by their position in the plan.
#[derive(Debug, Default)]
pub(super) struct Postponed {
    /// With the attempts that are left, and the error of the first attempt if there was one.
    pub(super) changes: HashMap<usize, (Attempts, Option<Error>)>,
    /// The tenants that these changes rename or create.
    pub(super) rows: HashSet<RowNumber>,
}

/// Tags that could not be created, with the reason.
pub(super) type Unmade = BTreeMap<String, Refusal>;

/// Why a tag could not be created.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    /// If Explo refused the tag, the tenants that have it are to blame.
    pub(super) blame: Blame,
    /// Attempts that are left, to be made after all other changes.
    pub(super) left: Option<Attempts>,
}
