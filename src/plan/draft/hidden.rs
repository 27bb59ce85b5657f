//! Customers that exist and that no listing shows: they count as unchanged, and each is looked up once a day.
//!
//! | the answer shows | then |
//! |---|---|
//! | the wanted values | nothing is done for another day |
//! | other values | an update |
//! | a data visibility group without any listed customer | a create, whose answer shows that the customer is not ours |
//! | no such customer | a create, which returns the customer if it exists after all |
//! | nothing certain | nothing is done for another day |

use super::Draft;
use crate::{compare::compare, memory::is_daily_due, model::Customer, plan::Found, tenants::RowNumber};

/// At most this many are looked up per run, or one percent of them if that is more.
const ASKED: usize = 10;

impl Draft<'_> {
    /// The hidden customers to look up, those looked up longest ago first. With `retry_failed`, all.
    pub(super) fn unasked(&self) -> Vec<String> {
        let (compared, retry_failed) = (&self.compared, self.compared.retry_failed);
        let most = if retry_failed { usize::MAX } else { ASKED.max(self.hidden.len() / 100) };
        let asked_at =
            |row: &RowNumber| Some((compared.hidden_since(*row)?, compared.index.provided_id(*row).into_owned()));
        let is_due = |(at, _): &(u64, String)| retry_failed || is_daily_due(*at, compared.now);
        let mut due: Vec<_> = self.hidden.iter().filter_map(asked_at).filter(is_due).collect();
        due.sort_unstable();
        due.into_iter().take(most).map(|(_, provided_id)| provided_id).collect()
    }

    /// Notes the answer for one of the [`unasked`](Self::unasked).
    pub(super) fn found(&mut self, provided_id: &str, found: &Found) {
        let Some(row) = self.compared.index.row(provided_id) else { return };
        self.news.asked_at.insert(provided_id.to_owned(), self.compared.now);
        let is_changed = match found {
            Found::Customer(customer) if self.is_ours(provided_id, customer) => {
                let differences = compare(&self.compared.index.tenant(row), customer, self.compared.rules);
                self.compared.decide(row, differences, Vec::new())
            }
            // If the id belongs to another customer by now, the create shows it.
            Found::Customer(_) | Found::Nobody => {
                self.compared.index.unhide(row);
                self.compared.require_name(row);
                true
            }
            Found::Nothing => false,
        };
        if is_changed {
            self.hidden.retain(|hidden| *hidden != row);
        }
    }

    /// Whether a hidden customer is in a data visibility group that the listing shows or, if the listing shows no
    /// group, has the remembered token.
    fn is_ours(&self, provided_id: &str, customer: &Customer<'_>) -> bool {
        let groups = &self.population.access_groups;
        let is_seen = groups.contains(customer.access_group.as_deref().unwrap_or_default());
        is_seen || groups.is_empty() && self.compared.memory.has_token(customer, provided_id)
    }
}
