//! What happens between two runs: a user changes customers in Explo's pages, and the tenants change.

use explo_sync::{
    model::Tenant,
    sandbox::{Second, Store, StoredCustomer},
};
use rand::{RngExt, rngs::SmallRng, seq::IndexedRandom};

use super::{
    scenario::{OURS, keep},
    world::World,
};

/// Makes one change, or none.
pub fn meddle(world: &World, random: &mut SmallRng) {
    let mut tenants = world.tenants.borrow_mut();
    let Some(tenant) = tenants.choose(random).cloned() else { return };
    let mut api = world.api.borrow_mut();
    let behaviour = api.behaviour.clone();
    let id = &*tenant.provided_id;
    match random.random_range(0..13) {
        0 => edit(api.store_mut(), id, |customer| {
            "Somebody's idea".clone_into(&mut customer.name);
            customer.emails.push("i@x.exam".to_owned());
            *customer = keep(customer.clone(), &behaviour);
        }),
        1 => tenants.retain(|one| one.provided_id != tenant.provided_id),
        2 => tenants.iter_mut().for_each(|one| one.name = Some("Another name".into())),
        3 => {
            let id = format!("stranger-{}", random.random::<u32>());
            api.store_mut().add(StoredCustomer {
                name: id.clone(),
                provided_id: Some(id),
                access_group: Some(OURS.to_owned()),
                ..StoredCustomer::default()
            });
        }
        4 => {
            let token = api.store().get(id).map(|customer| customer.token.clone());
            token.map(|token| api.store_mut().delete(&token));
        }
        5 => edit(api.store_mut(), id, |customer| {
            customer.group_tags.clear();
            customer.properties = None;
            customer.parent_schema_datasource_mapping = None;
        }),
        6 => rename(&mut tenants, &tenant, format!("new-{}", random.random::<u32>())),
        7 => {
            let parent = random.random_bool(0.5).then(|| "the parent".to_owned());
            edit(api.store_mut(), id, |customer| customer.parent_provided_id = parent);
        }
        8 => drop(api.store_mut().rotate_token(id)),
        9 => {
            let others: Vec<_> =
                api.store().customers().iter().filter_map(|customer| customer.provided_id.clone()).collect();
            if let Some(other) = others.choose(random).filter(|other| *other != id) {
                let _ = api.store_mut().swap_ids(id, other);
            }
        }
        10 => drop(api.store_mut().twice(id, *[Second::After, Second::Before].choose(random).unwrap())),
        _ => {}
    }
}

fn edit(store: &mut Store, id: &str, edit: impl FnOnce(&mut StoredCustomer)) {
    let _ = store.customer(id).map(edit);
}

/// Gives the tenant another id, and its former id as the previous one.
fn rename(tenants: &mut [Tenant<'static>], tenant: &Tenant<'_>, new: String) {
    if let Some(one) = tenants.iter_mut().find(|one| one.provided_id == tenant.provided_id) {
        one.previous_provided_id = Some(std::mem::replace(&mut one.provided_id, new.into()));
    }
}
