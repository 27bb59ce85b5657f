//! Changes by others to the customers while a client lists them.
//!
//! Only *strangers*, customers whose `provided_id` begins with [`STRANGER`], are added, deleted, renamed, touched or
//! given another token. `reorder` moves any customer and changes none.

use rand::{RngExt, rngs::SmallRng};

use super::{Store, StoredCustomer, choice::Churn, customer::ACCESS_GROUP};

/// Prefix of the `provided_id` of a customer that churn may change.
pub const STRANGER: &str = "stranger-";

/// Makes one change, to a random customer.
pub(super) fn churn(store: &mut Store, kind: Churn, random: &mut SmallRng) {
    let id = format!("{STRANGER}{:08x}", random.random::<u32>());
    match kind {
        Churn::Add => {
            let access_group = Some(ACCESS_GROUP.to_owned());
            store.add(StoredCustomer { name: id.clone(), provided_id: Some(id), access_group, ..Default::default() });
        }
        Churn::Delete => {
            // A customer with children stays.
            let _ = chosen(store, random).map(|position| store.remove(position));
        }
        Churn::Rename => {
            if let Some(position) = chosen(store, random) {
                store.rename(position, id);
            }
        }
        Churn::Touch => {
            if let Some(position) = chosen(store, random) {
                store.at_mut(position).name = format!("Touched {:08x}", random.random::<u32>());
            }
        }
        Churn::Token => {
            if let Some(position) = chosen(store, random) {
                store.retoken(position);
            }
        }
        Churn::Reorder => {
            let count = store.customers().len();
            if count > 1 {
                store.relocate(random.random_range(0..count), random.random_range(0..count));
            }
        }
    }
}

/// The position of a random stranger.
fn chosen(store: &Store, random: &mut SmallRng) -> Option<usize> {
    let is_stranger = |customer: &StoredCustomer| {
        customer.provided_id.as_deref().is_some_and(|provided_id| provided_id.starts_with(STRANGER))
    };
    let ids = store.customers().iter().enumerate().filter(|(_, customer)| is_stranger(customer));
    let positions: Vec<_> = ids.map(|(position, _)| position).collect();
    (!positions.is_empty()).then(|| positions[random.random_range(0..positions.len())])
}
