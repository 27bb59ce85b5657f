//! Whatever breaks: after runs that meet every fault, die anywhere, are stopped, held or overlap, nothing is wrong, and
//! the first quiet run repairs the rest.

use std::time::Duration;

use explo_sync::{
    ledger::InMemory,
    plan::{Allowances, Guard, Offboarding},
    sandbox::{Endpoint, Existing, Fault, FaultKind, Order},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};

use super::{
    convergence::settled,
    course::{Course, Ended, FREE},
    each_seed,
    meddle::meddle,
    oracle::{
        check_begun, check_calls, check_foreign, check_invalid, check_report, check_unmanaged, note_failures, unmanaged,
    },
    scenario::STRICT,
    table::{Kept, Table},
    world::{Lie, World},
};

#[test]
fn no_schedule_of_faults_leaves_anything_wrong_behind() {
    each_seed(1_000_000..1_007_000, async |seed| survives::<InMemory>(&World::of(seed, false), false).await);
}

#[test]
fn nor_in_a_table_that_outlives_each_process() {
    each_seed(1_007_000..1_010_000, async |seed| survives::<Table>(&World::of(seed, false), true).await);
}

async fn survives<L: Kept>(world: &World, outlives: bool) {
    let random = &mut SmallRng::seed_from_u64(!world.scenario.seed);
    world.trouble.set(*[0, 30, 100, 400].choose(random).unwrap());
    let (mut ledger, runs) = (L::of(world), random.random_range(1..4));
    let mut lie = lie(world, random, if outlives { 0.4 } else { 0.1 });
    let lies_in = random.random_range(0..runs);
    for number in 0..runs {
        world.lie(lie.take_if(|_| number == lies_in));
        let (course, unmanaged) = (course(random), unmanaged(world));
        mix_tokens(world, random);
        let before = world.api.borrow().clone();
        let ended = world.run(&course, &ledger).await;
        check_unmanaged(world, &unmanaged);
        check_foreign(world, &before);
        let calls = world.take_calls();
        let is_held = ended.report().is_some_and(|report| !report.run.held.is_empty());
        let may_write = !matches!(ended, Ended::Failed(_)) && !is_held && !course.dry_run;
        check_calls(world, &calls, may_write);
        check_begun(world, &before, &course, &calls, &ended);
        ledger.check_run(world, &course, &ended);
        if let Ended::Planned(report) = &ended {
            check_report(world, report, &calls);
            check_invalid(world, &before, report);
        }
        note_failures(world, &calls);
        if matches!(ended, Ended::Died) && !outlives {
            ledger = L::of(world);
        }
        world.lie(None);
        meddle(world, random);
    }
    heals(world, &ledger).await;
}

/// What is wrong in one run's listings. If a create writes to an existing customer, no customer may be left out: it
/// could not be protected.
fn lie(world: &World, random: &mut SmallRng, often: f64) -> Option<Lie> {
    let api = world.api.borrow();
    let lie = match random.random_range(0..if STRICT { 4 } else { 2 }) {
        0 => Lie::Nobody,
        1 => Lie::Fewer(random.random_range(1..8)),
        2 => Lie::More(random.random_range(0..7) - 3),
        _ => Lie::More(1_000_000_000),
    };
    (random.random_bool(often) && api.behaviour.existing == Existing::Left).then_some(lie)
}

/// Makes the answers to some calls show another customer's token.
fn mix_tokens(world: &World, random: &mut SmallRng) {
    world.api.borrow_mut().faults.retain(|fault| fault.kind != FaultKind::OtherToken);
    // A token that is neither listed nor remembered can't be recognised as another's.
    if STRICT && !world.may_miss() && random.random_bool(0.1) {
        let endpoints = [Endpoint::CreateCustomer, Endpoint::UpdateCustomer, Endpoint::GetCustomer];
        let fault = Fault::new(FaultKind::OtherToken).at(*endpoints.choose(random).unwrap());
        world.api.borrow_mut().faults.push(fault.times(random.random_range(1..4)));
    }
}

/// A random course of a run.
fn course(random: &mut SmallRng) -> Course {
    let seconds = |random: &mut SmallRng, most: u64| Duration::from_millis(random.random_range(0..most * 1000));
    Course {
        seed: random.random(),
        now: random.random_range(0..200_000),
        guard: *[FREE, FREE, Guard { floor: 2, create_floor: 3, percent: 20, max_orphan_percent: 60 }]
            .choose(random)
            .unwrap(),
        allowances: Allowances::default(),
        offboarding: Offboarding::default(),
        dry_run: random.random_bool(0.1),
        max_changes: if random.random_bool(0.2) { random.random_range(0..8) } else { usize::MAX },
        retry_failed: random.random_bool(0.5),
        list_every: 0,
        dies_after: random.random_bool(0.4).then(|| random.random_range(0..300)),
        stops_after: random.random_bool(0.2).then(|| seconds(random, 60)),
        jump: random.random_bool(0.2).then(|| (seconds(random, 30), seconds(random, 100_000))),
    }
}

/// Without faults, two runs apply what Explo allows, and the third writes nothing. False: a person must say whose
/// customers are listed.
pub async fn heals(world: &World, ledger: &impl Kept) -> bool {
    world.trouble.set(0);
    {
        let mut api = world.api.borrow_mut();
        api.behaviour.churn.clear();
        api.behaviour.order = Order::Created;
        api.faults.retain(|fault| fault.kind != FaultKind::OtherToken);
    }
    for round in 0..3 {
        // A moved customer is found within a day, a deleted one after two listings ten minutes apart.
        let course = Course { now: 1_000_000 + 600 * round, ..Course::quiet(round) };
        let before = world.api.borrow().clone();
        let ended = world.run(&course, ledger).await;
        let calls = world.take_calls();
        check_begun(world, &before, &course, &calls, &ended);
        ledger.check_run(world, &course, &ended);
        let report = match ended {
            Ended::Planned(report) => report,
            ended if ended.is_of_strangers() => return false,
            Ended::Failed(error) => panic!("a quiet run fails: {error}"),
            Ended::Died => unreachable!("nobody killed it"),
        };
        check_calls(world, &calls, true);
        check_report(world, &report, &calls);
        check_invalid(world, &before, &report);
        check_foreign(world, &before);
        note_failures(world, &calls);
        if round == 2 {
            settled(world, &report, &calls, true);
        }
    }
    ledger.check_end(world);
    true
}
