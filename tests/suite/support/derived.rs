//! How a tenant becomes a customer; the suite, the simulation and the benches share it.

use std::borrow::Cow;

use explo_sync::{
    model::{Object, Tenant},
    sandbox::StoredCustomer,
};

/// The customer that Explo has once a tenant's wishes are met; of an object in keys, those that are set.
pub fn derived(tenant: &Tenant<'_>) -> StoredCustomer {
    let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
    let list = |list: &Option<Vec<Cow<'_, str>>>| list.iter().flatten().map(ToString::to_string).collect();
    let object = |object: &Option<Object<'_>>| match object {
        None => None,
        Some(Object::Whole(object)) => Some(serde_json::from_str(object).unwrap()),
        Some(Object::Keys(keys)) => {
            let set = keys.iter().filter_map(|(key, value)| Some((key.to_string(), value.as_deref()?)));
            Some(set.map(|(key, value)| (key, serde_json::from_str(value).unwrap())).collect())
        }
    };
    StoredCustomer {
        provided_id: Some(tenant.provided_id.to_string()),
        name: text(&tenant.name).unwrap_or_default(),
        emails: list(&tenant.emails),
        group_tags: list(&tenant.group_tags),
        properties: object(&tenant.properties),
        parent_schema_datasource_mapping: object(&tenant.mapping),
        is_demo_group: tenant.is_demo_group.unwrap_or_default(),
        hierarchy_level: text(&tenant.hierarchy_level_name),
        parent_provided_id: text(&tenant.parent_provided_id),
        access_group: Some("Production".to_owned()),
        ..StoredCustomer::default()
    }
}
