//! What is put behind all others.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::outcome::Blame;
use crate::{
    explo::{Attempts, Error},
    tenants::RowNumber,
};

/// Changes that are put behind all others, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Postponed {
    /// With the attempts that are left for them and the failure of the first one, where there was one.
    pub(super) changes: HashMap<usize, (Attempts, Option<Error>)>,
    /// The tenants that are to be renamed or made by them.
    pub(super) rows: HashSet<RowNumber>,
}

/// Tags that could not be made, with the reason.
pub(super) type Unmade = BTreeMap<String, Refusal>;

/// Why a tag could not be made.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    /// Who is to blame: where Explo refuses it, the tenants that carry it.
    pub(super) blame: Blame,
    /// To be made at it behind all others.
    pub(super) left: Option<Attempts>,
}
