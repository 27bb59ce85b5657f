//! Tenants leave, return and leave again, between faults, lies, deaths and clocks that jump, while users make, move
//! and delete customers. Laws of what may be deleted, each checked on Explo's customers, never by asking the program:
//!
//! - nobody is deleted or locked out who never was a tenant, nor a customer whose row is there and says nothing;
//! - for a row that is gone: an earlier real run lacked it, no row was there since, and the time has really passed, if one of
//!   the two clocks is right;
//! - a run deletes no more than the guard lets, and so do the wakes of an hour;
//! - what is gone was kept before, without its token;
//! - what may leave does in the end, and what `lock_out` emptied is there again once its tenant is.
//!
//! `witness` has those of a single write.

mod rows;
mod scene;
mod witness;
mod woken;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use explo_sync::{
    memory::{Action, token_hash},
    model::Tenant,
    plan::{Guard, Offboarding},
    sandbox::{Store, StoredCustomer},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};

use self::{
    rows::{Rows, meddle, relocate},
    witness::Deed,
};
use super::{
    course::{Course, Ended, FREE},
    each_seed,
    table::{Kept, Table},
    world::{Lie, World},
};
pub use witness::Witness;

const CASES: u64 = 300;

const ROUNDS: usize = 14;

/// Runs after which all is well: a chain of customers may take one each.
const QUIET: usize = 8;

const DAY: u64 = 86_400;

const STRICT: Guard = Guard { floor: 10, create_floor: 100, percent: 10, max_orphan_percent: 100 };

#[test]
fn whoever_is_deleted_had_left() {
    each_seed(0..CASES, async |seed| leaves(seed, Action::Delete).await);
}

#[test]
fn whoever_is_locked_out_had_left_and_is_let_in_again() {
    each_seed(CASES..2 * CASES, async |seed| leaves(seed, Action::LockOut).await);
}

/// The ledger's clock and ours, of which one may be wrong.
struct Clocks {
    is_ours_right: bool,
    /// How far the other one is ahead.
    ahead: i64,
}

impl Clocks {
    fn new(random: &mut SmallRng) -> Self {
        Self { is_ours_right: random.random_bool(0.5), ahead: some_days(random) }
    }

    /// What both show now. The wrong one jumps now and then.
    fn turn(&mut self, now: u64, random: &mut SmallRng) -> (u64, u64) {
        if random.random_bool(0.3) {
            self.ahead = some_days(random);
        }
        let wrong = now.checked_add_signed(self.ahead).unwrap();
        if self.is_ours_right { (wrong, now) } else { (now, wrong) }
    }
}

fn some_days(random: &mut SmallRng) -> i64 {
    [0, 30 * DAY.cast_signed(), -30 * DAY.cast_signed()][random.random_range(0..3)]
}

async fn leaves(seed: u64, action: Action) {
    let random = &mut SmallRng::seed_from_u64(seed);
    let world = scene::world(random, seed);
    let table = Rc::new(Table::of(&world));
    let (witness, mut rows) = (Witness::new(&world, &table), Rows::of(&world));
    let offboarding = Offboarding { action: Some(action), after: [0, DAY][random.random_range(0..2)] };
    let lie_at = random.random_range(0..2 * ROUNDS);
    let (mut now, mut clocks) = (1_000 * DAY, Clocks::new(random));
    for round in 0..ROUNDS {
        rows.change(&world, &witness, random);
        if random.random_bool(0.5) {
            meddle(&world, &witness, &rows.ever, random);
        }
        if random.random_bool(0.3) {
            relocate(&world, &rows.ever, random);
        }
        let (clock, own) = clocks.turn(now, random);
        table.clock.set(Some(clock));
        let course = Course {
            now: own,
            offboarding,
            guard: STRICT,
            dry_run: random.random_bool(0.15),
            dies_after: random.random_bool(0.2).then(|| random.random_range(1..400)),
            ..Course::quiet(seed + round as u64)
        };
        world.trouble.set(if random.random_bool(0.5) { 0 } else { 150 });
        let deeds = [Deed::Swap, Deed::Swap, Deed::Child];
        witness.deed.set(random.random_bool(0.4).then(|| (*deeds.choose(random).unwrap(), random.random_range(0..10))));
        let lies = [Lie::Nobody, Lie::Fewer(random.random_range(1..5))];
        // Two listings that lack a customer are believed.
        world.lie((round == lie_at).then(|| *lies.choose(random).unwrap()));
        let (before, absent) = (customers(&world), rows.absent.clone());
        rows.run_begins(&course, now);
        let ended = world.run(&course, &*table).await;
        check(&world, &table, (&rows, &absent), (&course, now), &before);
        rows.run_ended(&world, &course, &ended);
        drop(world.take_calls());
        now += random.random_range(0..2 * DAY);
    }
    witness.deed.set(None);
    world.lie(None);
    if quiet_down(&world, &table, offboarding, now + 2 * DAY).await {
        check_end(&world, &table, &witness, &rows.ever, action);
    }
}

/// Runs without faults. False: a person must say whose customers are listed, because users replaced them all.
async fn quiet_down(world: &World, table: &Table, offboarding: Offboarding, now: u64) -> bool {
    world.trouble.set(0);
    for round in 0..QUIET as u64 {
        let now = now + 3 * DAY * round;
        table.clock.set(Some(now));
        let allowances = ["offboard=100".parse().unwrap()].into_iter().collect();
        let course = Course { now, offboarding, allowances, guard: FREE, ..Course::quiet(round) };
        let ended = world.run(&course, table).await;
        if ended.is_of_strangers() {
            return false;
        }
        if let Ended::Failed(error) = ended {
            panic!("a quiet run fails: {error}");
        }
        drop(world.take_calls());
    }
    true
}

fn customers(world: &World) -> BTreeMap<String, StoredCustomer> {
    let api = world.api.borrow();
    api.store().customers().iter().map(|customer| (customer.token.clone(), customer.clone())).collect()
}

/// The laws of one run.
fn check(
    world: &World,
    table: &Table,
    (rows, absent): (&Rows, &BTreeMap<String, Option<u64>>),
    (course, now): (&Course, u64),
    before: &BTreeMap<String, StoredCustomer>,
) {
    let (after, removed) = (customers(world), table.removed.borrow());
    let is_emptied = |token: &String| {
        let was = &before[token];
        after.get(token).is_some_and(|customer| customer.emails.is_empty() && !was.emails.is_empty())
    };
    let is_gone = |token: &&String| !after.contains_key(*token) && !removed.contains(*token);
    let gone: Vec<_> = before.keys().filter(is_gone).collect();
    let locked_out: Vec<_> = before.keys().filter(|token| is_emptied(token)).collect();
    for token in gone.iter().chain(&locked_out) {
        let id = before[*token].provided_id.as_deref().unwrap();
        assert!(!course.dry_run, "{id} left in a dry run");
        assert!(rows.may_leave(world, id, course, now, absent), "{id} must not leave: {:?}", rows.absent.get(id));
        let offboarded = table.offboarded.borrow();
        let kept = offboarded.get(id).unwrap_or_else(|| panic!("what {id} was is not kept"));
        assert!(!kept.contains(token.as_str()), "{kept}");
    }
    assert!(gone.len() + locked_out.len() <= 3, "{} left", gone.len() + locked_out.len());
}

/// Whoever may leave has left, and whoever stays has its customer, with the addresses that a user gave it.
fn check_end(world: &World, table: &Table, witness: &Witness, ever: &BTreeSet<String>, action: Action) {
    let (api, tenants) = (world.api.borrow(), world.tenants.borrow());
    let store = api.store();
    for id in ever {
        let stored = store.get(id);
        let row = tenants.iter().find(|tenant| *tenant.provided_id == **id);
        let is_known = stored.is_some_and(|customer| table.has_token(id, &customer.token));
        match (row.filter(|tenant| tenant.offboard.is_none()), action) {
            (Some(tenant), _) => {
                if is_below_nobody(store, &tenants, tenant) {
                    continue;
                }
                let customer = stored.unwrap_or_else(|| panic!("{id} has no customer"));
                let parent = customer.parent_provided_id.as_deref();
                let is_placed = tenant.parent_provided_id.as_deref().is_none_or(|wanted| parent == Some(wanted));
                assert!(is_placed, "{id} is below {parent:?}");
                check_let_in(table, witness, customer, action);
            }
            (None, Action::Delete) => {
                assert!(!is_known || is_above(store, id), "{id} is still there: {row:?}, {stored:?}");
                // A look that shows another customer does not tell that the earlier one is gone.
                let is_told = !table.is_deleting(id) || witness.is_meddled(id);
                assert!(stored.is_some() || is_told, "the ledger does not know that {id} is gone");
            }
            (None, Action::LockOut) => {
                let is_empty = stored.is_none_or(|customer| customer.emails.is_empty());
                assert!(is_empty || !is_known, "{id} still gets in");
            }
        }
    }
    for customer in store.customers() {
        let id = customer.provided_id.as_deref().unwrap();
        assert!(ever.contains(id) || !customer.emails.is_empty(), "{id} lost its addresses");
    }
}

/// Whether a tenant can't be written, because its parent does not exist or can't be written.
fn is_below_nobody(store: &Store, tenants: &[Tenant<'_>], tenant: &Tenant<'_>) -> bool {
    let Some(parent) = tenant.parent_provided_id.as_deref() else { return false };
    let above = tenants.iter().find(|tenant| *tenant.provided_id == *parent && tenant.offboard.is_none());
    above.map_or(store.get(parent).is_none(), |above| is_below_nobody(store, tenants, above))
}

/// Whether another customer is below this one.
fn is_above(store: &Store, id: &str) -> bool {
    store.customers().iter().any(|customer| customer.parent_provided_id.as_deref() == Some(id))
}

fn check_let_in(table: &Table, witness: &Witness, customer: &StoredCustomer, action: Action) {
    let (id, token) = (customer.provided_id.as_deref().unwrap(), &customer.token);
    let offboarded = table.offboarded.borrow();
    let hash = format!("{:016x}", token_hash(token));
    let is_locked_out = offboarded.get(id).is_some_and(|kept| action == Action::LockOut && kept.contains(&hash));
    assert!(!is_locked_out, "{id} stays, and what was emptied is still to be put back: {customer:?}");
    let own = witness.addresses(token).filter(|_| !witness.lost.borrow().contains(token));
    assert!(own.is_none_or(|own| customer.emails == own), "{id} stays, with other addresses: {customer:?}");
}
