//! Customers that exist and that no listing shows: they count as unchanged, and are asked for one by one, once a day.
//!
//! | the answer shows | then |
//! |---|---|
//! | what is wanted | it is left alone for another day |
//! | something else | an update |
//! | a customer in a data visibility group of which the listing shows nobody | a create, which tells that it is not ours |
//! | that there is no such customer | a create, which finds it if it is there all the same |
//! | nothing that tells | it is left alone for another day |

use super::{Comparison, Extent, RowNumber};
use crate::{
    model::Customer,
    plan::{compare, failure::is_daily_due},
};

/// So many are asked for in a run, or one in a hundred if that is more.
const ASKED: usize = 10;

/// What a question for one customer found.
#[derive(Debug)]
pub enum Found<'a> {
    /// This.
    Customer(&'a Customer<'a>),
    /// There is none.
    Nobody,
    /// Nobody knows.
    Nothing,
}

impl Comparison<'_> {
    /// The hidden customers to ask for, after all were listed: those that were not asked for longest. Without patience, all.
    #[must_use]
    pub fn unasked(&mut self) -> Vec<String> {
        self.judge();
        if self.extent == Extent::Some {
            return Vec::new();
        }
        let most = if self.retry_failed { usize::MAX } else { ASKED.max(self.hidden.len() / 100) };
        let asked_at = |row: &RowNumber| Some((self.hidden_since(*row)?, self.index.provided_id(*row).into_owned()));
        let is_due = |(at, _): &(u64, String)| self.retry_failed || is_daily_due(*at, self.now);
        let mut due: Vec<_> = self.hidden.iter().filter_map(asked_at).filter(is_due).collect();
        due.sort_unstable();
        due.into_iter().take(most).map(|(_, provided_id)| provided_id).collect()
    }

    /// Takes the answer for one of the [`unasked`](Self::unasked).
    pub fn asked(&mut self, provided_id: &str, found: &Found<'_>) {
        let Some(row) = self.index.row(provided_id) else { return };
        self.asked_at.insert(provided_id.to_owned(), self.now);
        let is_changed = match found {
            Found::Customer(customer) if self.is_ours(provided_id, customer) => {
                let differences = compare(&self.index.tenant(row), customer, self.rules);
                self.decide(row, differences, Vec::new())
            }
            // A create tells that the id is another's by now.
            Found::Customer(_) | Found::Nobody => {
                self.index.unhide(row);
                self.require_name(row);
                true
            }
            Found::Nothing => false,
        };
        if is_changed {
            self.hidden.retain(|hidden| *hidden != row);
        }
    }

    /// Whether a customer that no listing shows is in a data visibility group that the listing shows or, where it shows nobody,
    /// has the token that is remembered.
    fn is_ours(&self, provided_id: &str, customer: &Customer<'_>) -> bool {
        let group = customer.access_group.as_deref().unwrap_or_default();
        let is_seen = self.access_groups.contains(group);
        is_seen || self.access_groups.is_empty() && self.findings.has_token(customer, provided_id)
    }

    /// When a tenant's customer was asked for last, where it is known to be hidden.
    pub(super) fn hidden_since(&self, row: RowNumber) -> Option<u64> {
        self.findings.hidden(&self.index.provided_id(row), || self.index.tenant(row))
    }
}
