//! Wakes beside runs, in a daemon and beside other processes, while rows change: no older row over a newer one, never
//! two writers of one customer, within the guard's limits, and a quiet run mends the rest.

use std::{collections::BTreeSet, time::Duration};

use explo_sync::{
    ledger::InMemory,
    model::Tenant,
    plan::{Guard, Offboarding},
    sandbox::Existing,
};
use futures_util::future::{join, join_all};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use tokio::time::sleep;

use super::{
    course::{Course, Ended, FREE},
    each_seed,
    faults::heals,
    oracle::{check_foreign, check_hour, check_timing, check_unmanaged, is_excused, listed, unmanaged},
    process::{Domain, Habits, Process},
    rows::Changes,
    table::{Kept, Table},
    world::{World, dying},
};

#[test]
fn changes_at_once_beside_runs_leave_nothing_wrong_behind() {
    each_seed(2_000_000..2_000_200, async |seed| Box::pin(wakes::<Table>(&world(seed, true), seed % 3 == 0)).await);
}

#[test]
fn nor_without_a_ledger() {
    each_seed(2_100_000..2_100_060, async |seed| Box::pin(wakes::<InMemory>(&world(seed, true), false)).await);
}

#[test]
fn nor_do_processes_that_die_and_listings_that_change() {
    each_seed(2_200_000..2_200_100, async |seed| Box::pin(wakes::<Table>(&world(seed, false), true)).await);
}

/// A world whose rows change.
fn world(seed: u64, is_steady: bool) -> World {
    let mut world = World::of(seed, is_steady);
    world.scenario.is_steady = false;
    world
}

async fn wakes<L: Kept>(world: &World, has_others: bool) {
    let random = &mut SmallRng::seed_from_u64(!world.scenario.seed);
    world.trouble.set(*[0, 0, 30, 100, 400].choose(random).unwrap());
    let (changes, domain) = (Changes::new(world), Domain::default());
    let mut ledger = L::of(world);
    let mut number = 0;
    for _ in 0..random.random_range(1..4) {
        let (before, theirs) = (world.api.borrow().clone(), unmanaged(world));
        let habits = habits(random, world);
        let mut process = |habits, has_wakes| {
            number += 1;
            Process::new((world, &ledger, &domain), number, habits, has_wakes)
        };
        let daemon = process(habits.clone(), true);
        let others: Vec<_> = (0..if has_others { random.random_range(1..4) } else { 0 })
            .map(|_| (process(other(random, world, &habits), false), seconds(random, 600), deaths(random)))
            .collect();
        let life = *[60, 600, 3000].choose(random).unwrap();
        let (life, dies_after) = (seconds(random, life), deaths(random));
        let pauses = [5, 60, 900];
        let runs: Vec<_> = (0..random.random_range(0..6))
            .map(|number| {
                let pause = if number == 0 { 2 } else { *pauses.choose(random).unwrap() };
                (seconds(random, pause), *[None, Some(0), Some(u64::MAX)].choose(random).unwrap())
            })
            .collect();
        let working = async {
            let ended = dying(daemon.work(&runs, life), dies_after).await;
            if ended.is_none() {
                world.watch.died(daemon.number, world.age());
            }
            ended.is_some()
        };
        let beside = others.iter().map(async |(process, pause, dies_after)| {
            sleep(*pause).await;
            if dying(process.sync(), *dies_after).await.is_none() {
                world.watch.died(process.number, world.age());
            }
        });
        let changing = changes.go_on(&daemon.wakes, life);
        let (has_ended, _) = join(working, join(changing, join_all(beside))).await;
        let calls = world.take_calls();
        for process in others.iter().map(|(process, ..)| process.number).chain([daemon.number]) {
            let own: Vec<_> = calls.iter().filter(|call| call.by.process == process).cloned().collect();
            check_timing(world, &own);
            check_hour(world, daemon.habits.guard, &own);
        }
        check_foreign(world, &before);
        let is_steady = |id: &String| world.watch.is_steady(id) && before.store().get(id).is_some();
        check_unmanaged(world, &theirs.into_iter().filter(|(id, _)| is_steady(id)).collect());
        for (id, mut reply) in changes.replies.take() {
            assert!(!has_ended || reply.try_recv().is_ok(), "nobody answers the request for {id:?}");
        }
        drop((daemon, others));
        if !has_ended && !L::OUTLIVES {
            ledger = L::of(world);
        }
        sleep(seconds(random, 600)).await;
    }
    world.trouble.set(0);
    // What was given up is applied by then.
    sleep(Duration::from_mins(2)).await;
    world.hear_late();
    if heals(world, &ledger).await && L::OUTLIVES {
        rests(world, &ledger).await;
    }
}

/// Once all is well, a run by memory makes no call, except for tenants whose changes can't be applied.
async fn rests(world: &World, ledger: &impl Kept) {
    let excused = excused(world);
    let course = Course { now: 1_000_000 + 1300, list_every: u64::MAX, retry_failed: false, ..Course::quiet(4) };
    if let Ended::Failed(error) = world.run(&course, ledger).await {
        panic!("a quick run fails: {error}");
    }
    let calls = world.take_calls();
    // If one of them can't be looked up, customers are listed.
    let has_listed = calls.iter().any(|call| call.endpoint == "customers");
    for call in calls {
        let is_of_tags = matches!(call.endpoint.as_str(), "group_tags" | "create_group_tag");
        let is_of_nobody = call.tenant_id().starts_with("explo-sync-asks-for-nobody");
        let is_of_all = is_of_tags || is_of_nobody || has_listed && !call.is_write();
        let is_excused = excused.contains(call.tenant_id()) || is_of_all && !excused.is_empty();
        assert!(is_excused, "a quick run calls: {call}");
    }
}

/// The ids, and the previous ids, of the tenants whose changes can't be applied.
fn excused(world: &World) -> BTreeSet<String> {
    let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
    let excused = tenants.iter().filter(|tenant| is_excused(world, &api, tenant));
    let ids = excused.flat_map(|tenant| [Some(&tenant.provided_id), tenant.previous_provided_id.as_ref()]);
    ids.flatten().map(|id| id.clone().into_owned()).collect()
}

fn habits(random: &mut SmallRng, _: &World) -> Habits {
    let strict = |percent| Guard { floor: 2, create_floor: 3, percent, max_orphan_percent: 100 };
    Habits {
        guard: *[FREE, FREE, strict(0), strict(20)].choose(random).unwrap(),
        list_every: *[0, 300, u64::MAX].choose(random).unwrap(),
        max_changes: usize::MAX,
        retry_failed: false,
        dry_run: false,
        selects: random.random_bool(0.7),
        offboarding: Offboarding::default(),
        only: BTreeSet::new(),
    }
}

/// A `sync` beside the daemon: of all tenants or of some, or a dry run.
fn other(random: &mut SmallRng, world: &World, daemons: &Habits) -> Habits {
    let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
    // Without a listing nothing protects a customer that a look-up does not show, and nothing tells of two with one id.
    let some = random.random_bool(0.4) && api.behaviour.existing == Existing::Left;
    let is_one = |tenant: &&Tenant<'_>| listed(&api, &tenant.provided_id).count() < 2;
    let ids = tenants.iter().filter(is_one).filter(|_| some && random.random_bool(0.3));
    let only = ids.map(|tenant| tenant.provided_id.to_string()).collect();
    Habits {
        max_changes: if random.random_bool(0.2) { random.random_range(0..8) } else { usize::MAX },
        retry_failed: random.random_bool(0.3),
        dry_run: random.random_bool(0.2),
        only,
        ..daemons.clone()
    }
}

fn deaths(random: &mut SmallRng) -> Option<usize> {
    random.random_bool(0.4).then(|| random.random_range(0..1000))
}

fn seconds(random: &mut SmallRng, most: u64) -> Duration {
    Duration::from_millis(random.random_range(0..most * 1000))
}
