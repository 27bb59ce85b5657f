//! Tenants that leave, and what happens to their customers.
//!
//! | the tenant | its customer is listed | then |
//! |---|---|---|
//! | its row says so | yes | it is offboarded at once, also by a wake |
//! | its row says so | no | nothing: it is never created |
//! | its row is gone for long enough, and the ledger knows its customer | with the token that the ledger has | it is offboarded |
//! | its row is gone, and the ledger does not know its customer | yes | it is an orphan, and left alone |
//! | another row names its id as the previous one, or another instance has its customer | yes | the same |
//!
//! To lock out is to write a tenant without addresses and tags; to delete, the ledger must know the token.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{
    compare::{Difference, EmailRule, Rules, compare, whole_fingerprint},
    memory::{Action, LONGEST_ID, Memory, token_hash},
    model::{Customer, Field, Invalid, Row, Tenant},
    tenants::RowNumber,
};

const TOO_LONG: &str =
    "offboard is true, and the ledger, which must keep what its customer was, takes ids of at most 2048 bytes";

const NOT_KEPT: &str = "offboard is true, and lock_out would empty e-mails or group_tags that the row does not give back: a \
                        ledger would keep them (ledger.url), or the query can return both columns (with fields.emails = \
                        \"replace\")";

/// How tenants leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offboarding {
    /// `None`: nobody is offboarded.
    pub action: Option<Action>,
    /// The seconds for which a row must be gone.
    pub after: u64,
}

/// Why a tenant leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its row says so.
    Said,
    /// Its row is gone.
    Gone,
}

/// The offboarding of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offboard {
    /// The tenant's row; one with the id alone stands for a row that is gone.
    pub row: RowNumber,
    /// What happens to the customer.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The customer's name.
    pub name: String,
    /// The hash of the customer's token.
    pub token: u64,
    /// The fingerprint of all that its record shows.
    pub customer: u64,
    /// What `lock_out` empties.
    pub differences: Vec<Difference>,
    /// The customers below it that are deleted before it.
    pub children: Vec<RowNumber>,
}

/// The customers of a census that may have to be offboarded.
#[derive(Debug, Default)]
pub(super) struct Leavers {
    /// Those whose row says so; `None`: nothing is to be done.
    pub(super) said: BTreeMap<RowNumber, Option<Offboard>>,
    /// Those whose row is gone; `None`: they are not known well enough.
    pub(super) gone: BTreeMap<String, Option<Offboard>>,
}

impl Offboarding {
    /// Whether a row says that its tenant leaves, at `now`, and something is to be done then.
    #[must_use]
    pub fn leaves(&self, row: &Row<'_>, memory: &Memory, rules: Rules, now: u64) -> bool {
        matches!(self.row(row, memory, rules, now), Some(Ok(tenant)) if tenant.offboard.is_some())
    }

    /// A row as this run plans it, at `now` in seconds since 1970; `None`: as it is. One that says when its tenant leaves
    /// either wants its customer without access, or stays. A tenant that stays wants back what `lock_out` emptied.
    #[must_use]
    pub fn row<'r>(&self, row: &'r Row<'_>, memory: &Memory, rules: Rules, now: u64) -> Option<Row<'r>> {
        let tenant = row.as_ref().ok()?;
        let now = memory.clock().map_or(now, |clock| clock.min(now));
        match (tenant.offboard, self.action) {
            (None, _) => memory.put_back(tenant, rules).map(Ok),
            (Some(at), Some(action)) if at <= now => {
                let is_lost = action == Action::LockOut && !memory.keeps_rows() && !gives_back(tenant, rules);
                let is_too_long = memory.keeps_rows() && tenant.provided_id.len() > LONGEST_ID;
                Some(match (is_lost, is_too_long) {
                    (true, _) => Err(invalid(tenant, NOT_KEPT)),
                    (_, true) => Err(invalid(tenant, TOO_LONG)),
                    (false, false) => Ok(leaving(tenant, action)),
                })
            }
            (Some(_), _) => {
                let stays = Tenant { offboard: None, ..tenant.clone() };
                Some(Ok(memory.put_back(&stays, rules).unwrap_or(stays)))
            }
        }
    }
}

/// Whether the row has all that `lock_out` empties.
fn gives_back(tenant: &Tenant<'_>, rules: Rules) -> bool {
    tenant.emails.is_some() && tenant.group_tags.is_some() && rules.emails == EmailRule::Replace
}

fn invalid(tenant: &Tenant<'_>, reason: &str) -> Invalid {
    Invalid {
        provided_id: Some(tenant.provided_id.clone().into_owned()),
        previous_provided_id: tenant.previous_provided_id.clone().map(Cow::into_owned),
        reason: reason.to_owned(),
        place: String::new(),
    }
}

/// What is wanted of the customer of a tenant that leaves.
pub(super) fn leaving<'t>(tenant: &Tenant<'t>, action: Action) -> Tenant<'t> {
    let nothing = || (action == Action::LockOut).then(Vec::new);
    Tenant {
        provided_id: tenant.provided_id.clone(),
        previous_provided_id: tenant.previous_provided_id.clone(),
        parent_provided_id: tenant.parent_provided_id.clone(),
        emails: nothing(),
        group_tags: nothing(),
        offboard: tenant.offboard.or(Some(0)),
        ..Tenant::default()
    }
}

/// An id without what Explo may not tell apart: case, and spaces at the ends.
pub(crate) fn folded(id: &str) -> String {
    id.trim().to_lowercase()
}

/// The rules by which the customer of a tenant that leaves is compared: no address stays.
pub(crate) fn strict(rules: Rules) -> Rules {
    Rules { emails: EmailRule::Replace, ..rules }
}

impl Offboard {
    /// What happens and why, in a few words.
    #[must_use]
    pub fn in_words(&self) -> &'static str {
        match (self.action, self.reason) {
            (Action::LockOut, Reason::Said) => "to lock out: its row says so",
            (Action::LockOut, Reason::Gone) => "to lock out: its row is gone",
            (Action::Delete, Reason::Said) => "to delete: its row says so",
            (Action::Delete, Reason::Gone) => "to delete: its row is gone",
        }
    }

    /// The fields that are emptied.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        self.differences.iter().map(|difference| difference.field).collect()
    }

    /// The offboarding of a customer, before the row is known; `None` if there is nothing to do.
    pub(super) fn of(
        tenant: &Tenant<'_>,
        customer: &Customer<'_>,
        (action, reason): (Action, Reason),
        rules: Rules,
    ) -> Option<Self> {
        let differences = compare(tenant, customer, strict(rules));
        let is_due = action == Action::Delete || !differences.is_empty();
        is_due.then(|| Self {
            row: RowNumber::default(),
            action,
            reason,
            name: customer.name.clone().into_owned(),
            token: token_hash(&customer.token),
            customer: whole_fingerprint(customer),
            differences,
            children: Vec::new(),
        })
    }
}
