//! What an Explo would do with a call, tried on a copy of it.

use std::collections::BTreeMap;

use explo_sync::{
    compare::{EmailRule, TagRule},
    model::{Field, Object, Tenant},
    sandbox::{Api, Reply, Request, StoredCustomer, TagCalls},
};
use serde::Serialize;
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};
use tokio::time::Instant;

use super::{fields::managed, stored};
use crate::simulation::{wire::Told, world::World};

/// A tenant's customer after a write of one field, with all unmanaged values; `None` if there is no customer.
pub fn asked_for(world: &World, api: &Api, tenant: &Tenant<'_>, field: Field) -> Option<StoredCustomer> {
    let (mut copy, _) = with_tags(world, api, tenant);
    let body = body(stored(&copy, &tenant.provided_id), tenant, &[field], world.scenario.emails);
    ask(&mut copy, "/api/update_customer/", &body);
    stored(&copy, &tenant.provided_id).cloned()
}

/// Whether this Explo refuses a tenant's values as a whole, or answers with another customer.
pub fn refuses(world: &World, api: &Api, tenant: &Tenant<'_>) -> bool {
    let (mut copy, are_made) = with_tags(world, api, tenant);
    let customer = stored(&copy, &tenant.provided_id);
    let path = if customer.is_some() { "/api/update_customer/" } else { "/api/create_customer/" };
    let body = body(customer, tenant, &managed(tenant), world.scenario.emails);
    let reply = ask(&mut copy, path, &body);
    let told: Told = serde_json::from_slice(&reply.body).unwrap_or_default();
    let is_about = |id: Option<String>| id.as_deref() == Some(&*tenant.provided_id);
    !are_made || reply.status != 200 || !told.customer.is_some_and(|customer| is_about(customer.provided_id))
}

/// Whether this Explo refuses to give a tenant's customer its new id, because of values that it has.
pub fn refuses_rename(api: &Api, tenant: &Tenant<'_>) -> bool {
    let (id, previous) = (&tenant.provided_id, tenant.previous_provided_id.as_ref());
    let Some(previous) = previous.filter(|previous| stored(api, id).is_none() && stored(api, previous).is_some())
    else {
        return false;
    };
    let mut copy = api.clone();
    copy.faults.clear();
    let body = json!({"provided_id": previous, "new_provided_id": id}).to_string();
    ask(&mut copy, "/api/update_customer/", &body);
    stored(&copy, id).is_none()
}

pub fn has_tag(api: &Api, tag: &str) -> bool {
    api.store().tags().contains(tag)
}

fn ask(api: &mut Api, path: &str, body: &str) -> Reply {
    let request = Request { method: "POST", path, token: Some("team-token"), body: body.as_bytes() };
    api.answer(&request, Instant::now())
}

/// A copy of this Explo with a tenant's tags, if the program is to make them; whether all of them could be made.
fn with_tags(world: &World, api: &Api, tenant: &Tenant<'_>) -> (Api, bool) {
    let mut copy = api.clone();
    copy.faults.clear();
    let is_asked = world.scenario.tags == TagRule::Create && copy.behaviour.tag_calls == TagCalls::Present;
    let missing: Vec<_> = tenant.group_tags.iter().flatten().filter(|tag| is_asked && !has_tag(api, tag)).collect();
    let mut are_made = true;
    for tag in missing {
        let reply = ask(&mut copy, "/api/create_group_tag/", &json!({"name": tag}).to_string());
        let told: Told = serde_json::from_slice(&reply.body).unwrap_or_default();
        are_made &= told.group_tag.is_some();
    }
    (copy, are_made)
}

/// The body that writes some fields, with all unmanaged values.
fn body(customer: Option<&StoredCustomer>, tenant: &Tenant<'_>, fields: &[Field], emails: EmailRule) -> String {
    let mut body = BTreeMap::from([("provided_id", raw(&tenant.provided_id))]);
    body.extend(fields.iter().map(|field| (field.name(), value(customer, tenant, *field, emails))));
    serde_json::to_string(&body).unwrap()
}

fn value(customer: Option<&StoredCustomer>, tenant: &Tenant<'_>, field: Field, emails: EmailRule) -> Box<RawValue> {
    let object = |held: Option<&BTreeMap<String, Box<RawValue>>>, wanted: &Option<Object<'_>>| match wanted {
        Some(Object::Keys(keys)) => {
            let mut held = held.cloned().unwrap_or_default();
            for (key, value) in keys {
                held.remove(&**key);
                held.extend(value.iter().map(|value| (key.to_string(), serde_json::from_str(value).unwrap())));
            }
            raw(&held)
        }
        Some(Object::Whole(text)) => serde_json::from_str(text).unwrap(),
        None => raw(&()),
    };
    match field {
        Field::Name => raw(&tenant.name),
        Field::Emails if emails == EmailRule::Add => {
            let others = customer.into_iter().flat_map(|customer| &customer.emails).map(String::as_str);
            raw(&tenant.emails.iter().flatten().map(|email| &**email).chain(others).collect::<Vec<_>>())
        }
        Field::Emails => raw(&tenant.emails),
        Field::GroupTags => raw(&tenant.group_tags),
        Field::Properties => object(customer.and_then(|one| one.properties.as_ref()), &tenant.properties),
        Field::Mapping => {
            object(customer.and_then(|one| one.parent_schema_datasource_mapping.as_ref()), &tenant.mapping)
        }
        Field::IsDemoGroup => raw(&tenant.is_demo_group),
        Field::HierarchyLevelName => raw(&tenant.hierarchy_level_name),
        Field::ParentProvidedId => raw(&tenant.parent_provided_id),
    }
}

fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}
