//! Which tenants may be invalid, as both sides show.

use std::collections::BTreeSet;

use explo_sync::{
    compare::TagRule,
    model::Tenant,
    sandbox::{Api, Odd, StoredCustomer, TagCalls},
};

use super::{ask::has_tag, listed};
use crate::simulation::world::World;

/// The ids of the tenants that a run may consider invalid.
pub fn invalid(world: &World, api: &Api) -> BTreeSet<String> {
    let tenants = world.tenants.borrow();
    let by_itself = tenants.iter().filter(|tenant| is_by_itself(world, api, &tenants, tenant));
    let mut invalid: BTreeSet<_> = by_itself.map(|tenant| tenant.provided_id.to_string()).collect();
    // And those below them.
    loop {
        let is_below = |tenant: &&Tenant<'_>| {
            let above = tenant.parent_provided_id.as_deref().and_then(|parent| row(&tenants, parent));
            above.is_some_and(|above| invalid.contains(&*above.provided_id))
        };
        let below: Vec<_> = tenants.iter().filter(is_below).map(|tenant| tenant.provided_id.to_string()).collect();
        let before = invalid.len();
        invalid.extend(below);
        if invalid.len() == before {
            return invalid;
        }
    }
}

fn is_by_itself(world: &World, api: &Api, tenants: &[Tenant<'_>], tenant: &Tenant<'_>) -> bool {
    let id = &*tenant.provided_id;
    let is_listed = |id: &str| listed(api, id).next().is_some();
    let is_nameless = tenant.name.is_none() && !is_listed(id);
    let is_ambiguous = |id: &str| listed(api, id).nth(1).is_some();
    let is_unread = |id: &str| listed(api, id).any(is_unreadable);
    let previous = tenant.previous_provided_id.as_deref().filter(|previous| *previous != id && !is_listed(id));
    let is_claimed = previous.is_some_and(|previous| {
        let claims = |one: &&Tenant<'_>| one.previous_provided_id.as_deref() == Some(previous);
        row(tenants, previous).is_some_and(|row| row.provided_id == previous)
            || tenants.iter().filter(claims).count() > 1
            || is_ambiguous(previous)
            || is_unread(previous)
    });
    let misses_tags = world.scenario.tags == TagRule::Invalid
        && api.behaviour.tag_calls == TagCalls::Present
        && tenant.group_tags.iter().flatten().any(|tag| !has_tag(api, tag));
    is_nameless || is_ambiguous(id) || is_unread(id) || is_claimed || misses_tags || is_misplaced(api, tenants, tenant)
}

/// Whether its parent is impossible.
fn is_misplaced(api: &Api, tenants: &[Tenant<'_>], tenant: &Tenant<'_>) -> bool {
    let Some(parent) = tenant.parent_provided_id.as_deref() else { return false };
    // A parent is found under its previous id only until it is renamed.
    let is_somebody = tenants.iter().any(|one| one.provided_id == parent) || listed(api, parent).next().is_some();
    let Some(above) = row(tenants, parent).filter(|_| is_somebody) else {
        return tenant.hierarchy_level_name.is_none() || !is_somebody;
    };
    let chain = std::iter::successors(Some(above), |one| row(tenants, one.parent_provided_id.as_deref()?));
    let goes_round = chain.take(tenants.len() + 1).any(|one| one.provided_id == tenant.provided_id);
    tenant.hierarchy_level_name.is_none() || goes_round
}

/// The tenant with this id, or with this previous id.
fn row<'a, 't>(tenants: &'a [Tenant<'t>], id: &str) -> Option<&'a Tenant<'t>> {
    let own = tenants.iter().find(|one| one.provided_id == id);
    own.or_else(|| tenants.iter().find(|one| one.previous_provided_id.as_deref() == Some(id)))
}

/// A record that is only too large can still be written.
fn is_unreadable(customer: &StoredCustomer) -> bool {
    customer.odd.is_some_and(|odd| odd != Odd::LargeProperties)
}
