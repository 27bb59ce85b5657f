//! Tenants leave, return and leave again, between faults, lies, deaths and clocks that jump. Laws of what may be deleted, each
//! checked on Explo's customers, never by asking the program:
//!
//! - nobody is deleted or locked out who never was a tenant, nor a customer whose row is there and says nothing;
//! - for a row that is gone: an earlier real run lacked it, no row was there since, and the time has passed by both clocks;
//! - a run deletes no more than the guard lets;
//! - what is gone was kept before, without its token;
//! - what may leave does in the end, and what `lock_out` emptied is there again once its tenant is.

use std::collections::{BTreeMap, BTreeSet};

use explo_sync::{
    memory::Action,
    model::Tenant,
    plan::{Guard, Offboarding},
    sandbox::{Api, Behaviour, FailureShape, Gone, Parents, Store, StoredCustomer, UnknownId},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};

use super::{
    course::{Course, Ended},
    each_seed,
    scenario::Scenario,
    table::{Kept, Table},
    world::{Lie, World},
};

const CASES: u64 = 400;

const ROUNDS: usize = 14;

const DAY: u64 = 86_400;

const STRICT: Guard = Guard { floor: 10, create_floor: 100, percent: 10, max_orphan_percent: 100 };

/// What is known of rows, without asking the program.
#[derive(Default)]
struct Rows {
    /// The ids that any row ever had.
    ever: BTreeSet<String>,
    /// The ids that no row has, with the clock when the first real run began that may have noticed it.
    absent: BTreeMap<String, Option<u64>>,
}

fn tenant(n: usize) -> Tenant<'static> {
    Tenant { provided_id: format!("t{n}").into(), name: Some("Ann".into()), ..Tenant::default() }
}

fn customer(id: &str, n: usize) -> StoredCustomer {
    StoredCustomer {
        provided_id: Some(id.to_owned()),
        name: "Ann".to_owned(),
        emails: vec![format!("a{n}@x.example")],
        access_group: Some("Production".to_owned()),
        ..StoredCustomer::default()
    }
}

fn world(random: &mut SmallRng, seed: u64) -> World {
    let (tenants, strangers) = (random.random_range(4..16), random.random_range(0..4));
    let ours = (0..tenants).map(|n| customer(&format!("t{n}"), n));
    let customers = ours.chain((0..strangers).map(|n| customer(&format!("stranger {n}"), 100 + n)));
    let mut api = Api::new(Store::new(customers), seed);
    api.behaviour = Behaviour {
        gone: [Gone::Unknown, Gone::Success][random.random_range(0..2)],
        parents: [Parents::Refused, Parents::Ok, Parents::BadRequest][random.random_range(0..3)],
        unknown_id: [UnknownId::Refused, UnknownId::BadRequest, UnknownId::Ok][random.random_range(0..3)],
        failure_shape: [FailureShape::Status, FailureShape::Ok][random.random_range(0..2)],
        ..Behaviour::default()
    };
    let scenario = Scenario { seed, side_by_side: random.random_range(1..5), max_attempts: 2, ..Scenario::default() };
    World::new(scenario, api, (0..tenants).map(tenant).collect())
}

impl Rows {
    /// Rows go, come back, and say that they leave.
    fn change(&mut self, world: &World, random: &mut SmallRng) {
        let mut tenants = world.tenants.borrow_mut();
        for id in self.ever.clone() {
            let place = tenants.iter().position(|tenant| *tenant.provided_id == *id);
            match place {
                Some(place) if random.random_bool(0.12) => drop(tenants.remove(place)),
                Some(place) if random.random_bool(0.05) => tenants[place].offboard = Some(0),
                Some(place) if random.random_bool(0.5) => tenants[place].offboard = None,
                None if random.random_bool(0.1) => {
                    tenants.push(Tenant { provided_id: id.into(), name: Some("Ann".into()), ..Tenant::default() });
                }
                Some(_) | None => {}
            }
        }
        let there: BTreeSet<_> = tenants.iter().map(|tenant| tenant.provided_id.to_string()).collect();
        for id in self.ever.difference(&there) {
            self.absent.entry(id.clone()).or_default();
        }
    }

    /// A run is about to begin.
    fn run_begins(&mut self, course: &Course, clock: u64) {
        if !course.dry_run {
            for since in self.absent.values_mut() {
                // A time in the future starts anew.
                *since = Some(since.unwrap_or(clock).min(clock));
            }
        }
    }

    /// A run has ended: if it could tell the ledger, it knows the rows that are there.
    fn run_ended(&mut self, world: &World, course: &Course, ended: &Ended) {
        if !course.dry_run && matches!(ended, Ended::Planned(_)) {
            let tenants = world.tenants.borrow();
            self.absent.retain(|id, _| tenants.iter().all(|tenant| *tenant.provided_id != **id));
        }
    }

    /// Whether a customer may have been offboarded by a run.
    fn may_leave(
        &self,
        world: &World,
        id: &str,
        course: &Course,
        clock: u64,
        before: &BTreeMap<String, Option<u64>>,
    ) -> bool {
        let says_so = |tenant: &Tenant<'_>| *tenant.provided_id == *id && tenant.offboard.is_some();
        // The first run that noticed it is not the one that acts.
        let has_row = world.tenants.borrow().iter().any(|tenant| *tenant.provided_id == *id);
        let is_gone = !has_row
            && before.get(id).copied().flatten().is_some_and(|since| {
                clock.min(course.now).checked_sub(since).is_some_and(|gone| gone >= course.offboarding.after)
            });
        self.ever.contains(id) && (world.tenants.borrow().iter().any(says_so) || is_gone)
    }
}

fn customers(world: &World) -> BTreeMap<String, StoredCustomer> {
    let api = world.api.borrow();
    api.store().customers().iter().map(|customer| (customer.token.clone(), customer.clone())).collect()
}

async fn leaves(seed: u64, action: Action) {
    let random = &mut SmallRng::seed_from_u64(seed);
    let world = world(random, seed);
    let table = Table::of(&world);
    let mut rows = Rows {
        ever: world.tenants.borrow().iter().map(|tenant| tenant.provided_id.to_string()).collect(),
        ..Rows::default()
    };
    let offboarding = Offboarding { action: Some(action), after: [0, DAY][random.random_range(0..2)] };
    let lie_at = random.random_range(0..2 * ROUNDS);
    let (mut now, mut round, mut is_quiet) = (1_000 * DAY, 0, false);
    loop {
        if !is_quiet {
            rows.change(&world, random);
        }
        // The ledger's clock may be ahead for a while, and so may ours.
        let jump = |random: &mut SmallRng| if random.random_bool(0.1) { 30 * DAY } else { 0 };
        let clock = now + if is_quiet { 0 } else { jump(random) };
        table.clock.set(Some(clock));
        let course = Course {
            now: now + if is_quiet { 0 } else { jump(random) },
            offboarding,
            allowances: is_quiet.then(|| "offboard=100".parse().unwrap()).into_iter().collect(),
            guard: if is_quiet { super::course::FREE } else { STRICT },
            dry_run: !is_quiet && random.random_bool(0.15),
            dies_after: (!is_quiet && random.random_bool(0.2)).then(|| random.random_range(1..400)),
            ..Course::quiet(seed + round as u64)
        };
        world.trouble.set(if is_quiet || random.random_bool(0.5) { 0 } else { 150 });
        let lies = [Lie::Nobody, Lie::Fewer(random.random_range(1..5))];
        // Two listings that lack a customer are believed.
        world.lie((round == lie_at && !is_quiet).then(|| *lies.choose(random).unwrap()));
        let (before, absent) = (customers(&world), rows.absent.clone());
        rows.run_begins(&course, clock);
        let ended = world.run(&course, &table).await;
        check(&world, &table, &rows, (&course, clock), (&before, &absent));
        rows.run_ended(&world, &course, &ended);
        drop(world.take_calls());
        assert!(!is_quiet || matches!(ended, Ended::Planned(_)), "a quiet run fails");
        now += random.random_range(0..2 * DAY);
        round += 1;
        is_quiet = round >= ROUNDS;
        if round == ROUNDS + 4 {
            break;
        }
        now += if is_quiet { 2 * DAY } else { 0 };
    }
    check_end(&world, &table, &rows, action);
}

/// The laws of one run.
fn check(
    world: &World,
    table: &Table,
    rows: &Rows,
    (course, clock): (&Course, u64),
    (before, absent): (&BTreeMap<String, StoredCustomer>, &BTreeMap<String, Option<u64>>),
) {
    let after = customers(world);
    let is_emptied = |token: &String| {
        let was = &before[token];
        after.get(token).is_some_and(|customer| customer.emails.is_empty() && !was.emails.is_empty())
    };
    let gone: Vec<_> = before.keys().filter(|token| !after.contains_key(*token)).collect();
    let locked_out: Vec<_> = before.keys().filter(|token| is_emptied(token)).collect();
    for token in gone.iter().chain(&locked_out) {
        let id = before[*token].provided_id.as_deref().unwrap();
        assert!(!course.dry_run, "{id} left in a dry run");
        assert!(rows.may_leave(world, id, course, clock, absent), "{id} must not leave: {:?}", rows.absent.get(id));
        let offboarded = table.offboarded.borrow();
        let kept = offboarded.get(id).unwrap_or_else(|| panic!("what {id} was is not kept"));
        assert!(!kept.contains(token.as_str()), "{kept}");
    }
    let limit = if course.is_free() { usize::MAX } else { 3 };
    assert!(gone.len() + locked_out.len() <= limit, "{} left", gone.len() + locked_out.len());
}

fn check_end(world: &World, table: &Table, rows: &Rows, action: Action) {
    let (api, tenants) = (world.api.borrow(), world.tenants.borrow());
    for id in &rows.ever {
        let stored = api.store().get(id);
        let row = tenants.iter().find(|tenant| *tenant.provided_id == **id);
        let is_known = table.knows_token(id);
        match (row, action) {
            (Some(tenant), _) if tenant.offboard.is_none() => {
                let customer = stored.unwrap_or_else(|| panic!("{id} has no customer"));
                let is_locked_out = table.offboarded.borrow().contains_key(id) && action == Action::LockOut;
                assert!(!is_locked_out, "{id} stays, and what was emptied is still to be put back: {customer:?}");
            }
            (Some(_) | None, Action::Delete) => assert!(stored.is_none() || !is_known, "{id} is still there"),
            (Some(_) | None, Action::LockOut) => {
                let is_empty = stored.is_none_or(|customer| customer.emails.is_empty());
                assert!(is_empty || !is_known, "{id} still gets in");
            }
        }
    }
    for customer in api.store().customers().iter().filter(|one| one.name == "Ann" && one.access_group.is_some()) {
        let id = customer.provided_id.as_deref().unwrap();
        assert!(!id.starts_with("stranger") || !customer.emails.is_empty(), "{id} lost its addresses");
    }
}

#[test]
fn whoever_is_deleted_had_left() {
    each_seed(0..CASES, async |seed| leaves(seed, Action::Delete).await);
}

#[test]
fn whoever_is_locked_out_had_left_and_is_let_in_again() {
    each_seed(CASES..2 * CASES, async |seed| leaves(seed, Action::LockOut).await);
}
