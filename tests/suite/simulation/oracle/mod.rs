//! Laws that always hold, checked on the wire and on Explo's customers, never by asking the program.

mod ask;
mod begun;
mod calls;
mod fields;
mod invalid;
mod others;
mod said;
mod watch;
mod woken;

use explo_sync::{
    compare::EmailRule,
    model::{Field, Object, Tenant},
    sandbox::{Api, Behaviour, Hidden, LevelShown, ParentFilter, PropertyKeys, Shown, StoredCustomer, UnknownId},
};

pub use ask::{asked_for, refuses, refuses_rename};
pub use begun::{check_begun, note_failures};
pub use calls::{check_calls, check_timing};
pub use fields::{held, holds, managed};
pub use invalid::invalid;
pub use others::{check_foreign, check_unmanaged, strangers, unmanaged};
pub use said::{check_forecast, check_invalid, check_missing_tags, check_needed, check_report};
pub use watch::Watch;
pub use woken::check_hour;

use super::world::World;

/// The customer with an id.
pub fn stored<'a>(api: &'a Api, provided_id: &str) -> Option<&'a StoredCustomer> {
    api.store().get(provided_id)
}

/// The listed customers with an id.
pub fn listed<'a>(api: &'a Api, provided_id: &str) -> impl Iterator<Item = &'a StoredCustomer> {
    let store = api.store();
    let is_it = move |one: &&StoredCustomer| one.provided_id.as_deref() == Some(provided_id) && !store.is_hidden(one);
    store.customers().iter().filter(is_it)
}

/// Whether a customer exists that no listing shows.
pub fn is_hidden(api: &Api, provided_id: &str) -> bool {
    stored(api, provided_id).is_some() && listed(api, provided_id).next().is_none()
}

/// Fields that some answer of this Explo shows differently from what it stores.
pub fn lies(behaviour: &Behaviour) -> Vec<Field> {
    let mut fields = Vec::new();
    fields.extend((behaviour.inherited_tags != Shown::Nowhere).then_some(Field::GroupTags));
    fields.extend((behaviour.level_shown != LevelShown::Stored).then_some(Field::HierarchyLevelName));
    fields.extend((behaviour.parent_filter != ParentFilter::Children).then_some(Field::ParentProvidedId));
    let hidden = matches!(behaviour.property_keys, PropertyKeys::Snake | PropertyKeys::Camel);
    fields.extend(hidden.then_some(Field::Properties));
    fields
}

/// Why a tenant's changes can't be applied by any run, as both sides show.
pub fn is_excused(world: &World, api: &Api, tenant: &Tenant<'_>) -> bool {
    let is_out_of_reach = |id: &str| {
        let customer = stored(api, id).filter(|_| is_hidden(api, id));
        customer.is_some_and(|customer| api.behaviour.hidden == Hidden::Unknown || is_foreign(api, customer))
    };
    let id = &*tenant.provided_id;
    let is_broken = |id: &&str| world.scenario.broken.iter().any(|broken| broken == id);
    // A customer can't be renamed to an id that another one has, even a hidden one.
    let is_taken = is_hidden(api, id)
        && tenant.previous_provided_id.as_deref().is_some_and(|previous| listed(api, previous).next().is_some());
    is_out_of_reach(id)
        || is_taken
        || is_veiled(world, api, id)
        || [Some(id), tenant.previous_provided_id.as_deref()].iter().flatten().any(is_broken)
        || is_too_large(world, api, tenant)
        || invalid(world, api).contains(id)
        || refuses(world, api, tenant)
        || refuses_rename(api, tenant)
        || waits(world, api, tenant)
}

/// Whether its record is too large to be read, so that unmanaged values can't be preserved or changes since the last
/// write can't be noticed.
fn is_too_large(world: &World, api: &Api, tenant: &Tenant<'_>) -> bool {
    let is_of_keys = |object: &Option<Object<'_>>| matches!(object, Some(Object::Keys(_)));
    let adds = world.scenario.emails == EmailRule::Add && tenant.emails.is_some();
    let carries = adds || is_of_keys(&tenant.properties) || is_of_keys(&tenant.mapping);
    let is_lost = carries || !world.scenario.is_steady || is_hidden(api, &tenant.provided_id);
    is_lost && stored(api, &tenant.provided_id).is_some_and(|customer| customer.odd.is_some())
}

/// Whether it was hidden once, so that no run can know whether it still exists.
fn is_veiled(world: &World, api: &Api, id: &str) -> bool {
    api.behaviour.unknown_id == UnknownId::ServerError && world.scenario.hidden.iter().any(|hidden| hidden == id)
}

/// Whether it is in a group without listed customers.
fn is_foreign(api: &Api, customer: &StoredCustomer) -> bool {
    let mut listed = api.store().customers().iter().filter(|one| !api.store().is_hidden(one));
    listed.all(|one| one.access_group != customer.access_group)
}

/// Whether the calls of a tenant above it, or of one with its previous id, always fail, even if they are applied.
pub fn below_broken(world: &World, tenant: &Tenant<'_>) -> bool {
    let tenants = world.tenants.borrow();
    let above = |one: &Tenant<'static>| {
        let parent = one.parent_provided_id.as_deref()?;
        tenants.iter().find(|above| above.provided_id == parent)
    };
    let first = tenants.iter().find(|one| one.provided_id == tenant.provided_id).and_then(above);
    let chain = std::iter::successors(first, |one| above(one)).take(tenants.len());
    let ids = chain.map(|one| &*one.provided_id).chain(tenant.previous_provided_id.as_deref());
    ids.into_iter().any(|id| world.scenario.broken.iter().any(|broken| broken == id))
}

/// Whether it is below a tenant whose customer can't exist, or whose changes can't be applied.
fn waits(world: &World, api: &Api, tenant: &Tenant<'_>) -> bool {
    let Some(parent) = tenant.parent_provided_id.as_deref() else { return false };
    let tenants = world.tenants.borrow();
    let above =
        tenants.iter().find(|one| one.provided_id == parent || one.previous_provided_id.as_deref() == Some(parent));
    above.is_some_and(|above| {
        let id = &*above.provided_id;
        stored(api, id).is_none() || is_hidden(api, id) && is_excused(world, api, above)
    })
}
