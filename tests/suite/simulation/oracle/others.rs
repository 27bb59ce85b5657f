//! Values and customers that no tenant manages stay as they are.

use std::{borrow::Cow, collections::BTreeMap};

use explo_sync::{
    compare::EmailRule,
    model::{Field, Object, Tenant},
    sandbox::{Api, Ids, STRANGER, StoredCustomer},
};
use serde_json::{Map, Value, json};

use super::{
    fields::{managed, plain},
    stored,
};
use crate::simulation::{scenario::ANOTHERS, world::World};

/// The unmanaged values of each tenant's customer, its token first of all: a rename keeps them.
pub fn unmanaged(world: &World) -> BTreeMap<String, Value> {
    let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
    let rest = |tenant: &Tenant<'_>| {
        let id = found_under(world, &api, tenant);
        let is_ambiguous =
            api.store().customers().iter().filter(|one| one.provided_id.as_deref() == Some(&*id)).count() > 1;
        // A rename to an id with spaces around it would lead to another customer.
        let is_lost = api.behaviour.ids == Ids::Trimmed && tenant.provided_id.trim() != tenant.provided_id;
        let customer = stored(&api, &id).filter(|_| !is_ambiguous && !is_lost)?;
        Some((tenant.provided_id.to_string(), rest(customer, tenant, world.scenario.emails)))
    };
    tenants.iter().filter_map(rest).collect()
}

/// The unmanaged values are still there; addresses may have been added.
pub fn check_unmanaged(world: &World, before: &BTreeMap<String, Value>) {
    let now = unmanaged(world);
    let emails = |customer: &Value| customer["emails"].as_array().cloned().unwrap_or_default();
    for (id, before) in before {
        let now = &now[id];
        let is_same = members(before).iter().all(|(name, value)| name == "emails" || *value == now[name]);
        let are_there = emails(before).iter().all(|email| emails(now).contains(email));
        assert!(is_same && are_there, "somebody else's data of {id}: {before} is {now}");
    }
}

/// The customers of no tenant and of another team.
pub fn strangers(world: &World) -> Vec<String> {
    let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
    let is_tenants = |id: &str| {
        tenants.iter().any(|tenant| {
            [Some(tenant.provided_id.trim()), tenant.previous_provided_id.as_deref()].contains(&Some(id.trim()))
        })
    };
    let is_strange = |one: &&StoredCustomer| {
        one.access_group.as_deref() == Some(ANOTHERS) || !one.provided_id.as_deref().is_some_and(is_tenants)
    };
    let strangers = api.store().customers().iter().filter(is_strange);
    strangers.map(|customer| serde_json::to_string(customer).unwrap()).collect()
}

/// The customers of another team are unchanged.
pub fn check_foreign(world: &World, before: &Api) {
    let foreign = |api: &Api| -> Vec<String> {
        let is_churned = |one: &StoredCustomer| one.provided_id.as_ref().is_some_and(|id| id.starts_with(STRANGER));
        let is_foreign = |one: &&StoredCustomer| one.access_group.as_deref() == Some(ANOTHERS) && !is_churned(one);
        let foreign = api.store().customers().iter().filter(is_foreign);
        // Whoever renames a parent changes that of its children.
        let is_there = |id: &&String| stored(before, id).is_some() && stored(&world.api.borrow(), id).is_some();
        let own = |customer: &StoredCustomer| {
            let parent_provided_id = customer.parent_provided_id.as_ref().filter(is_there).cloned();
            serde_json::to_string(&StoredCustomer { parent_provided_id, ..customer.clone() }).unwrap()
        };
        let mut foreign: Vec<_> = foreign.map(own).collect();
        foreign.sort_unstable();
        foreign
    };
    let api = world.api.borrow();
    assert_eq!(foreign(before), foreign(&api), "another team's customer was written");
}

/// The id of a tenant's customer: its own or, if a rename is possible, the previous one.
pub fn found_under(world: &World, api: &Api, tenant: &Tenant<'_>) -> String {
    let tenants = world.tenants.borrow();
    let is_ours = |previous: &&Cow<'_, str>| {
        let is_a_tenants = tenants.iter().any(|one| one.provided_id == **previous);
        let is_hidden = api.store().get(previous).is_some_and(|customer| api.store().is_hidden(customer));
        !is_a_tenants && !is_hidden && !world.may_miss()
    };
    let previous = tenant.previous_provided_id.as_ref().filter(|_| stored(api, &tenant.provided_id).is_none());
    previous
        .filter(is_ours)
        .filter(|previous| stored(api, previous).is_some())
        .unwrap_or(&tenant.provided_id)
        .to_string()
}

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// The fields and keys that a tenant does not manage.
fn rest(customer: &StoredCustomer, tenant: &Tenant<'_>, emails: EmailRule) -> Value {
    let mut rest = members(&all(customer));
    for (name, object) in [("properties", &tenant.properties), ("parent_schema_datasource_mapping", &tenant.mapping)] {
        match object {
            None => {}
            Some(Object::Whole(_)) => drop(rest.remove(name)),
            Some(Object::Keys(keys)) => {
                let mut held = members(&rest[name]);
                held.retain(|key, _| !keys.iter().any(|(managed, _)| managed == key));
                rest.insert(name.to_owned(), Value::Object(held));
            }
        }
    }
    let listed = |field: Field| if field == Field::HierarchyLevelName { "hierarchy_level" } else { field.name() };
    for field in managed(tenant) {
        match field {
            Field::Properties | Field::Mapping => {}
            Field::Emails if emails == EmailRule::Add => {}
            _ => drop(rest.remove(listed(field))),
        }
    }
    Value::Object(rest)
}

/// A customer without its id and its parent, which follows the parent's own id.
fn all(customer: &StoredCustomer) -> Value {
    json!({
        "token": customer.token,
        "name": customer.name,
        "is_demo_group": customer.is_demo_group,
        "emails": customer.emails,
        "group_tags": customer.group_tags,
        "properties": plain(customer.properties.as_ref()),
        "access_group": customer.access_group,
        "parent_schema_datasource_mapping": plain(customer.parent_schema_datasource_mapping.as_ref()),
        "hierarchy_level": customer.hierarchy_level,
    })
}
