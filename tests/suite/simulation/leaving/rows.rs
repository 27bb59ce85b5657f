//! What happens between two runs, and what is known of rows, without asking the program.

use std::collections::{BTreeMap, BTreeSet};

use explo_sync::model::Tenant;
use rand::{RngExt, rngs::SmallRng, seq::IndexedRandom};

use super::{
    scene::{above, customer, tenant},
    witness::Witness,
};
use crate::simulation::{
    course::{Course, Ended},
    tell,
    world::World,
};

/// The ids that rows had, and those that no row has.
pub struct Rows {
    pub ever: BTreeSet<String>,
    /// The ids that no row has, with the true time when the first real run began that may have noticed it.
    pub absent: BTreeMap<String, Option<u64>>,
}

impl Rows {
    pub fn of(world: &World) -> Self {
        let ever = world.tenants.borrow().iter().map(|tenant| tenant.provided_id.to_string()).collect();
        Self { ever, absent: BTreeMap::new() }
    }

    /// Rows go, come back, get another parent, and say that they leave.
    pub fn change(&mut self, world: &World, witness: &Witness, random: &mut SmallRng) {
        for id in self.ever.clone() {
            change_row(&mut world.tenants.borrow_mut(), &id, [0.12, 0.05, 0.5, 0.1, 0.1], random);
        }
        let tenants = world.tenants.borrow();
        witness.rows(&tenants);
        let there: BTreeSet<_> = tenants.iter().map(|tenant| tenant.provided_id.to_string()).collect();
        for id in self.ever.difference(&there) {
            self.absent.entry(id.clone()).or_default();
        }
    }

    /// A run is about to begin.
    pub fn run_begins(&mut self, course: &Course, now: u64) {
        if !course.dry_run {
            for since in self.absent.values_mut() {
                since.get_or_insert(now);
            }
        }
    }

    /// A run has ended: if it could tell the ledger, it knows the rows that are there.
    pub fn run_ended(&mut self, world: &World, course: &Course, ended: &Ended) {
        if !course.dry_run && matches!(ended, Ended::Planned(_)) {
            let tenants = world.tenants.borrow();
            self.absent.retain(|id, _| tenants.iter().all(|tenant| *tenant.provided_id != **id));
        }
    }

    /// Whether a customer may have been offboarded by a run.
    pub fn may_leave(
        &self,
        world: &World,
        id: &str,
        course: &Course,
        now: u64,
        before: &BTreeMap<String, Option<u64>>,
    ) -> bool {
        let says_so = |tenant: &Tenant<'_>| *tenant.provided_id == *id && tenant.offboard.is_some();
        // The first run that noticed it is not the one that acts.
        let has_row = world.tenants.borrow().iter().any(|tenant| *tenant.provided_id == *id);
        let is_gone =
            !has_row && before.get(id).copied().flatten().is_some_and(|since| now - since >= course.offboarding.after);
        self.ever.contains(id) && (world.tenants.borrow().iter().any(says_so) || is_gone)
    }
}

/// Changes one row, or none. How often it goes, says that it leaves, says so no longer, gets another parent, and returns.
pub fn change_row(
    tenants: &mut Vec<Tenant<'static>>,
    id: &str,
    [goes, leaves, stays, moves, returns]: [f64; 5],
    random: &mut SmallRng,
) {
    let number = id[1..].parse().unwrap();
    match tenants.iter().position(|tenant| *tenant.provided_id == *id) {
        Some(place) if random.random_bool(goes) => drop(tenants.remove(place)),
        Some(place) if random.random_bool(leaves) => tenants[place].offboard = Some(0),
        Some(place) if random.random_bool(stays) => tenants[place].offboard = None,
        Some(place) if random.random_bool(moves) => {
            // Without a parent, the one in Explo stays.
            if let Some(parent) = above(random, number) {
                tenants[place].parent_provided_id = Some(parent.into());
            }
        }
        None if random.random_bool(returns) => tenants.push(tenant(id, above(random, number))),
        Some(_) | None => {}
    }
}

/// A user swaps, deletes or makes the customer of a tenant that leaves, or makes one below it.
pub fn meddle(world: &World, witness: &Witness, rows: &BTreeSet<String>, random: &mut SmallRng) {
    let Some(id) = leaver(world, rows, random) else { return };
    let (mut api, parent) = (world.api.borrow_mut(), above(random, id[1..].parse().unwrap()));
    let (id, store) = (&id, api.store_mut());
    match random.random_range(0..10) {
        0..3 => witness.swap(store, id),
        3..5 => drop(witness.remove(store, id)),
        5..9 => witness.make(store, customer(id, parent)),
        _ => witness.make(store, customer(&format!("child of {id}"), Some((*id).clone()))),
    }
}

/// A user moves the customer of a tenant that leaves below another one.
pub fn relocate(world: &World, rows: &BTreeSet<String>, random: &mut SmallRng) {
    let Some(id) = leaver(world, rows, random) else { return };
    let (mut api, parent) = (world.api.borrow_mut(), above(random, id[1..].parse().unwrap()));
    let store = api.store_mut();
    let parent = parent.filter(|parent| store.get(parent).is_some());
    if let (Some(_), Ok(customer)) = (&parent, store.customer(&id)) {
        tell::event(format_args!("somebody moves {id:?} below {parent:?}"));
        customer.parent_provided_id = parent;
    }
}

/// A tenant that leaves.
fn leaver(world: &World, rows: &BTreeSet<String>, random: &mut SmallRng) -> Option<String> {
    let tenants = world.tenants.borrow();
    let stays = |id: &&String| tenants.iter().any(|tenant| *tenant.provided_id == ***id && tenant.offboard.is_none());
    let leaving: Vec<_> = rows.iter().filter(|id| !stays(id)).collect();
    leaving.choose(random).map(|id| (*id).clone())
}
