//! Laws for wakes: what their outcomes promise, and what they may change within an hour.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use explo_sync::{
    model::Field,
    plan::Guard,
    reconciler::{WakeOutcome as Outcome, Woken},
    sandbox::FaultKind,
};
use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::{holds, is_excused, is_hidden, lies, managed, stored};
use crate::simulation::{convergence::would_come, wire::Call, world::World};

/// A change counts from its plan on, and its attempts may take this long.
const ATTEMPTS: Duration = Duration::from_mins(20);

const HOUR: Duration = Duration::from_hours(1);

impl World {
    /// If nothing went wrong on the wire and the row is still the same, Explo has what it wants, as far as Explo allows;
    /// and a token is the customer's.
    pub fn check_woken(&self, process: usize, id: &str, state: usize, woken: &Woken) {
        let (tenants, api) = (self.tenants.borrow(), self.api.borrow());
        let has_other_tokens = api.faults.iter().any(|fault| fault.kind == FaultKind::OtherToken);
        if let Some(token) = woken.token.as_ref().filter(|_| !has_other_tokens) {
            let mut customers = api.store().customers().iter();
            let owner = customers.find(|customer| customer.token == token.expose_secret());
            let is_its = owner.is_some_and(|owner| owner.provided_id.as_deref() == Some(id));
            assert!(is_its || self.watch.state(id) != state, "{id:?} is told the token of {owner:?}");
        }
        let own = tenants.iter().find(|tenant| tenant.provided_id == id);
        let shows_token = woken.token.is_some() && self.watch.state(id) == state;
        assert!(
            !shows_token || own.is_none_or(|tenant| tenant.offboard.is_none()),
            "{id:?} leaves, and its token is told"
        );
        let is_good = matches!(woken.outcome, Outcome::Applied | Outcome::Unchanged) && woken.error.is_none();
        let is_quiet = self.trouble.get() == 0 && !self.watch.is_untold(process, id) && self.watch.state(id) == state;
        let Some(tenant) = own.filter(|tenant| is_good && is_quiet && tenant.offboard.is_none()) else { return };
        let customer = stored(&api, id);
        let is_meddled = self.witness.borrow().as_ref().is_some_and(|witness| witness.is_meddled(id));
        if is_meddled
            || is_excused(self, &api, tenant)
            || is_hidden(&api, id)
            || customer.is_some_and(|one| one.odd.is_some())
        {
            return;
        }
        // A parent is compared by runs of all tenants.
        let lies = lies(&api.behaviour);
        let is_told = |field: &Field| !lies.contains(field) && *field != Field::ParentProvidedId;
        for field in managed(tenant).into_iter().filter(is_told) {
            let has = customer.is_some_and(|customer| holds(customer, tenant, field, self.scenario.emails));
            assert!(
                has || !would_come(self, &api, tenant, field),
                "{:?}, but {field:?} of {tenant:?} is not held by {customer:?}",
                woken.outcome
            );
        }
    }
}

/// Within an hour, the acknowledged changes of one process' wakes keep to the guard's limits.
pub fn check_hour(world: &World, guard: Guard, calls: &[Call]) {
    let customers = world.api.borrow().store().customers().len();
    let share = guard.percent.saturating_mul(customers) / 100;
    let low = guard.floor.min(3);
    let limits = [("create", guard.create_floor), ("update", guard.floor), ("rename", low), ("mapping", low)];
    let mut made = BTreeMap::<_, VecDeque<Instant>>::new();
    for call in calls.iter().filter(|call| call.by.run.is_none() && call.is_write() && call.is_acknowledged()) {
        for class in classes(call) {
            let times = made.entry(class).or_default();
            while times.front().is_some_and(|first| call.began - *first > HOUR.saturating_sub(ATTEMPTS)) {
                times.pop_front();
            }
            times.push_back(call.began);
            let (_, floor) = limits.iter().find(|(known, _)| *known == class).unwrap();
            let limit = share.max(*floor);
            assert!(
                times.len() <= limit,
                "{} of {class} within an hour, and the limit is {limit}: {call}",
                times.len()
            );
        }
    }
}

fn classes(call: &Call) -> Vec<&'static str> {
    match call.endpoint.as_str() {
        "create_customer" if call.is_found() => vec![],
        "create_customer" => vec!["create"],
        _ if call.new_id().is_some() => vec!["rename"],
        _ if call.fields().any(|field| field == "mapping" || field.starts_with("parent_schema")) => {
            vec!["update", "mapping"]
        }
        _ => vec!["update"],
    }
}
