//! What memory knows of each tenant, in place of a listing.
//!
//! | memory says of the tenant | then |
//! |---|---|
//! | the same was wanted when nothing was left to do | its customer counts as listed, and nothing is asked |
//! | the same, but not its token, and `POST /sync/{id}` asks for it | its customer is looked up |
//! | the same, and Explo keeps another value | nothing is asked; it counts as unsettled |
//! | the same, and no listing shows the customer | it counts as hidden |
//! | the same, and its write failed | it waits for its next try, without a look-up |
//! | it leaves, and its customer is not offboarded yet, or has another id | its customer is looked up |
//! | anything else | its customer is looked up |
//! | nothing, and the row names no previous id | it is created; the answer says whether it existed |

use std::collections::BTreeSet;

use crate::{
    memory::Memory,
    tenants::{Index, RowNumber},
};

/// The tenants, by what memory knows of them; each in the order of reading.
#[derive(Debug, Default)]
pub struct Recalled {
    at_rest: Vec<RowNumber>,
    pub(super) hidden: Vec<RowNumber>,
    pub(super) unsettled: Vec<RowNumber>,
    pub(super) waiting: Vec<RowNumber>,
    look: Vec<RowNumber>,
    new: Vec<RowNumber>,
}

/// Which tenants are looked up although memory could answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubting {
    /// None: a run of all tenants.
    Nobody,
    /// Those that did not settle: they may by now.
    Unsettled,
    /// Those, those that failed, before their next try, and those whose token is not known.
    Open,
    /// All: memory does not know the customers.
    All,
}

impl Recalled {
    /// Looks every valid tenant up in memory; `now` is in seconds since 1970.
    #[must_use]
    pub fn of(index: &Index, memory: &Memory, now: u64, doubting: Doubting) -> Self {
        let mut recalled = Self::default();
        for row in index.leaving() {
            let provided_id = index.provided_id(row);
            let is_done = || memory.is_at_rest(&provided_id, index.lasting_fingerprint(row, &provided_id));
            let is_to_rename = |id: &str| memory.is_made(id) && !index.has(id);
            let is_due = if memory.is_made(&provided_id) {
                !is_done() && (!memory.is_hidden(&provided_id) || doubting == Doubting::Open)
            } else {
                index.previous_provided_id(row).is_some_and(|previous| is_to_rename(&previous))
            };
            if doubting == Doubting::All || is_due {
                recalled.look.push(row);
            }
        }
        for row in index.absent() {
            let provided_id = index.provided_id(row);
            let rows = recalled.kind(index, memory, now, doubting, (row, &provided_id));
            rows.push(row);
        }
        recalled
    }

    fn kind(
        &mut self,
        index: &Index,
        memory: &Memory,
        now: u64,
        doubting: Doubting,
        (row, provided_id): (RowNumber, &str),
    ) -> &mut Vec<RowNumber> {
        let wanted = index.lasting_fingerprint(row, provided_id);
        if doubting == Doubting::All {
            return &mut self.look;
        }
        if memory.is_at_rest(provided_id, wanted) {
            return match () {
                () if doubting == Doubting::Open && memory.token(provided_id).is_none() => &mut self.look,
                () if memory.is_unsettled(provided_id) && doubting != Doubting::Nobody => &mut self.look,
                () if memory.is_unsettled(provided_id) => &mut self.unsettled,
                () if memory.is_hidden(provided_id) => &mut self.hidden,
                () => &mut self.at_rest,
            };
        }
        let is_made = memory.is_made(provided_id);
        if is_made && memory.waiting(provided_id, wanted, now).is_some() && doubting != Doubting::Open {
            return &mut self.waiting;
        }
        if is_made || index.has_previous_id(row) { &mut self.look } else { &mut self.new }
    }

    /// How many tenants need a call.
    #[must_use]
    pub fn due(&self) -> usize {
        self.look.len() + self.new.len()
    }

    /// The ids of the customers to look up.
    #[must_use]
    pub fn to_look_up(&self, index: &Index) -> BTreeSet<String> {
        self.look.iter().map(|row| index.provided_id(*row).into_owned()).collect()
    }

    /// Notes in the index what memory knows.
    pub(super) fn mark(&self, index: &mut Index) {
        self.at_rest.iter().for_each(|row| index.list(*row));
        self.hidden.iter().for_each(|row| index.hide(*row));
        self.unsettled.iter().chain(&self.waiting).for_each(|row| index.set_aside(*row));
    }
}
