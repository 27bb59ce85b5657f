//! Tenants of which some are below others, with their customers; and customers of nobody's, some of them below ours.

use explo_sync::{
    model::Tenant,
    sandbox::{Api, Behaviour, FailureShape, Gone, Parents, Store, StoredCustomer, UnknownId},
};
use rand::{RngExt, rngs::SmallRng};

use crate::simulation::{scenario::Scenario, world::World};

const LEVEL: &str = "a level";

pub fn tenant(id: &str, parent: Option<String>) -> Tenant<'static> {
    Tenant {
        provided_id: id.to_owned().into(),
        name: Some("Ann".into()),
        hierarchy_level_name: Some(LEVEL.into()),
        parent_provided_id: parent.map(Into::into),
        ..Tenant::default()
    }
}

/// A customer as a user makes it, with an address of its own.
pub fn customer(id: &str, parent: Option<String>) -> StoredCustomer {
    StoredCustomer {
        provided_id: Some(id.to_owned()),
        name: "Ann".to_owned(),
        emails: vec![format!("boss@{}.example", id.replace(' ', "-"))],
        access_group: Some("Production".to_owned()),
        hierarchy_level: Some(LEVEL.to_owned()),
        parent_provided_id: parent,
        ..StoredCustomer::default()
    }
}

/// The id of a tenant that may be above the one with this number: nobody is below itself.
pub fn above(random: &mut SmallRng, number: usize) -> Option<String> {
    (number > 0 && random.random_bool(0.4)).then(|| format!("t{}", random.random_range(0..number)))
}

pub fn world(random: &mut SmallRng, seed: u64) -> World {
    let (count, strangers) = (random.random_range(4..16), random.random_range(0..4));
    let tenants: Vec<_> = (0..count).map(|n| tenant(&format!("t{n}"), above(random, n))).collect();
    let own = |tenant: &Tenant<'_>| {
        let parent = tenant.parent_provided_id.as_deref().map(str::to_owned);
        customer(&tenant.provided_id, parent)
    };
    let mut customers: Vec<_> = tenants.iter().map(own).collect();
    for n in 0..strangers {
        let parent = random.random_bool(0.3).then(|| format!("t{}", random.random_range(0..count)));
        customers.push(customer(&format!("stranger {n}"), parent));
    }
    let mut api = Api::new(Store::new(customers), seed);
    api.behaviour = Behaviour {
        gone: [Gone::Unknown, Gone::Success][random.random_range(0..2)],
        parents: [Parents::Refused, Parents::Ok, Parents::BadRequest][random.random_range(0..3)],
        unknown_id: [UnknownId::Refused, UnknownId::BadRequest, UnknownId::Ok][random.random_range(0..3)],
        failure_shape: [FailureShape::Status, FailureShape::Ok][random.random_range(0..2)],
        ..Behaviour::default()
    };
    let scenario = Scenario { seed, side_by_side: random.random_range(1..5), max_attempts: 2, ..Scenario::default() };
    World::new(scenario, api, tenants)
}
