//! The customers at a world's beginning: some belong to a tenant, and have values of their own.

use std::borrow::Cow;

use explo_sync::{
    model::{Object, Tenant},
    sandbox::{Behaviour, Ids, Markup, StoredCustomer},
};
use rand::{RngExt, rngs::SmallRng};
use serde_json::value::to_raw_value;

use super::tenants::{EMAILS, Members, NO_TAGS, TAGS, VALUES, members, some};
use crate::support::derived;

/// The group of the team whose token is used.
pub const OURS: &str = "Production";

/// A group that the token can't list.
pub const ANOTHERS: &str = "Another team";

/// The customers of some tenants, further customers, and one possible parent; a share of them belongs to another team.
pub fn customers(
    random: &mut SmallRng,
    tenants: &[Tenant<'_>],
    foreign: f64,
    behaviour: &Behaviour,
) -> Vec<StoredCustomer> {
    let listed: Vec<_> = tenants.iter().filter(|_| random.random_bool(0.7)).collect();
    let mut customers: Vec<_> = listed.into_iter().map(|tenant| customer(random, tenant)).collect();
    for number in 0..customers.len() {
        rename(random, tenants, &mut customers, number);
    }
    let strangers = random.random_range(0..8);
    customers.extend((0..strangers).map(|number| stranger(random, number)));
    for customer in &mut customers {
        if random.random_bool(foreign) {
            customer.access_group = Some(ANOTHERS.to_owned());
        }
    }
    customers.push(parent(if foreign < 1.0 { OURS } else { ANOTHERS }));
    for number in 0..customers.len() {
        if !leads_to_the_top(&customers, number) {
            customers[number].parent_provided_id = None;
        }
    }
    let mut customers: Vec<_> = customers.into_iter().map(|customer| keep(customer, behaviour)).collect();
    if behaviour.ids == Ids::Trimmed {
        let ids = customers.iter_mut().flat_map(|one| [&mut one.provided_id, &mut one.parent_provided_id]);
        ids.flatten().for_each(|id| *id = id.trim().to_owned());
    }
    // They were created in no order.
    for position in (1..customers.len()).rev() {
        customers.swap(position, random.random_range(0..=position));
    }
    customers
}

/// Whether each parent above a customer exists, without a cycle.
fn leads_to_the_top(customers: &[StoredCustomer], number: usize) -> bool {
    let mut next = customers[number].parent_provided_id.as_ref();
    for _ in customers {
        let Some(parent) = next else { return true };
        let Some(above) = customers.iter().find(|one| one.provided_id.as_ref() == Some(parent)) else { return false };
        next = above.parent_provided_id.as_ref();
    }
    false
}

/// The customer after one more pass through this Explo, so that values written earlier are stable.
pub fn keep(customer: StoredCustomer, behaviour: &Behaviour) -> StoredCustomer {
    let plain = if behaviour.markup == Markup::Escaped { without_markup(customer) } else { customer };
    (0..3).fold(plain, |customer, _| customer.as_kept(behaviour))
}

/// Removes markup: it would be escaped once more with each write, so no program could preserve it.
fn without_markup(customer: StoredCustomer) -> StoredCustomer {
    let plain = |text: &str| text.replace(['&', '<', '>'], "and");
    let value = |value: &str| serde_json::from_str(&plain(value)).unwrap();
    StoredCustomer {
        name: plain(&customer.name),
        emails: customer.emails.iter().map(|email| plain(email)).collect(),
        properties: customer
            .properties
            .map(|members| members.into_iter().map(|(key, held)| (key, value(held.get()))).collect()),
        ..customer
    }
}

/// The customer may still have its tenant's previous id.
fn rename(random: &mut SmallRng, tenants: &[Tenant<'_>], customers: &mut [StoredCustomer], number: usize) {
    let tenant = tenants.iter().find(|tenant| Some(&*tenant.provided_id) == customers[number].provided_id.as_deref());
    let previous = tenant.and_then(|tenant| tenant.previous_provided_id.clone());
    let is_free = |id: &str| customers.iter().all(|customer| customer.provided_id.as_deref() != Some(id));
    if let Some(previous) = previous.filter(|previous| is_free(previous) && random.random_bool(0.7)) {
        customers[number].provided_id = Some(previous.into_owned());
    }
}

/// A customer with some values of its tenant and some of its own.
fn customer(random: &mut SmallRng, tenant: &Tenant<'_>) -> StoredCustomer {
    let mut customer = derived(tenant);
    let properties = members(random, &["theirs", "theirKey", "plan", "filterValue"], &VALUES);
    let mapping = members(random, &["40", "41"], &["\"213\"", "\"9\""]);
    let mut is_wanted =
        |object: &Option<Object<'_>>| matches!(object, Some(Object::Whole(_))) && random.random_bool(0.5);
    if !is_wanted(&tenant.properties) {
        customer.properties = Some(properties);
    }
    if !is_wanted(&tenant.mapping) {
        customer.parent_schema_datasource_mapping = Some(mapping);
    }
    if tenant.emails.is_none() || !random.random_bool(0.5) {
        customer.emails = texts(some(random, &EMAILS));
    }
    let are_wanted = tenant.group_tags.is_some() && random.random_bool(0.5);
    if !are_wanted || customer.group_tags.iter().any(|tag| NO_TAGS.contains(&&**tag)) {
        customer.group_tags = texts(some(random, &TAGS));
    }
    if tenant.name.is_none() || !random.random_bool(0.6) {
        customer.name = "Old name".into();
    }
    customer.access_group = Some(if random.random_bool(0.97) { OURS } else { "Elsewhere" }.to_owned());
    customer.is_demo_group = random.random_bool(0.2);
    customer.hierarchy_level = random.random_bool(0.5).then(|| "Level 2".to_owned());
    customer.parent_provided_id = parent_of(random, tenant);
    customer
}

fn texts(list: Vec<Cow<'_, str>>) -> Vec<String> {
    list.into_iter().map(Cow::into_owned).collect()
}

/// The wanted parent if it makes no cycle, another one, or none.
fn parent_of(random: &mut SmallRng, tenant: &Tenant<'_>) -> Option<String> {
    let number = |id: &str| id.strip_prefix('t').and_then(|number| number.parse::<usize>().ok());
    let is_before = |parent: &&Cow<'_, str>| *parent == "the parent" || number(parent) < number(&tenant.provided_id);
    let wanted = tenant.parent_provided_id.as_ref().filter(is_before);
    match (random.random_range(0..5), wanted) {
        (0, _) => Some("the parent".to_owned()),
        (1..4, Some(wanted)) => Some(wanted.to_string()),
        _ => None,
    }
}

fn parent(group: &str) -> StoredCustomer {
    StoredCustomer {
        provided_id: Some("the parent".to_owned()),
        name: "P".to_owned(),
        group_tags: vec!["red".to_owned()],
        access_group: Some(group.to_owned()),
        ..StoredCustomer::default()
    }
}

fn stranger(random: &mut SmallRng, number: usize) -> StoredCustomer {
    let theirs = Members::from([("theirs".to_owned(), to_raw_value(&1.5).unwrap())]);
    StoredCustomer {
        provided_id: (!random.random_bool(0.1)).then(|| format!("stranger-{number}")),
        name: "Stranger".to_owned(),
        emails: vec!["s@x.example".to_owned()],
        properties: Some(theirs),
        access_group: Some(OURS.to_owned()),
        ..StoredCustomer::default()
    }
}
