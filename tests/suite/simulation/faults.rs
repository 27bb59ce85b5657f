//! Whatever breaks: runs that meet every fault, die anywhere, are stopped, held and overtaken by others leave nothing wrong
//! behind, and the first quiet run repairs the rest.

use std::time::Duration;

use explo_sync::{
    ledger::{Ledger, Memory},
    plan::Guard,
    report::Report,
    sandbox::{Order, StoredCustomer},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};

use super::{
    convergence::settled,
    each_seed,
    oracle::{check_calls, check_report, check_unmanaged, unmanaged},
    table::Table,
    world::{Course, Ended, FREE, World},
};

#[test]
fn no_schedule_of_faults_leaves_anything_wrong_behind() {
    each_seed(1_000_000..1_007_000, async |seed| drop(survives::<Memory>(&World::of(seed, false), false).await));
}

#[test]
fn nor_in_a_table_that_outlives_each_process() {
    each_seed(1_007_000..1_010_000, async |seed| {
        let world = World::of(seed, false);
        let (table, report) = survives::<Table>(&world, true).await;
        table.check(&world, &report);
    });
}

/// Gives the ledger and the last report.
async fn survives<L: Ledger + Default>(world: &World, outlives: bool) -> (L, Box<Report>) {
    let random = &mut SmallRng::seed_from_u64(!world.scenario.seed);
    world.trouble.set(*[0, 30, 100, 400].choose(random).unwrap());
    let mut ledger = L::default();
    for _ in 0..random.random_range(1..4) {
        let (course, before) = (course(random), unmanaged(world));
        let ended = world.run(&course, &ledger).await;
        check_unmanaged(world, &before);
        let calls = world.take_calls();
        let is_held = ended.report().is_some_and(|report| !report.run.held.is_empty());
        let may_write = !matches!(ended, Ended::Failed(_)) && !is_held && !course.dry_run;
        check_calls(world, &calls, may_write);
        match &ended {
            Ended::Planned(report) => check_report(world, report, &calls),
            Ended::Died if !outlives => ledger = L::default(),
            Ended::Failed(_) | Ended::Died => {}
        }
        meddle(world, random);
    }
    // Where listings can't be shown to be complete, what one of them missed is taken for hidden until one shows it.
    if !world.scenario.trust_total {
        ledger = L::default();
    }
    let report = heals(world, &ledger).await;
    (ledger, report)
}

/// A random way for a run to go.
fn course(random: &mut SmallRng) -> Course {
    let seconds = |random: &mut SmallRng, most: u64| Duration::from_millis(random.random_range(0..most * 1000));
    Course {
        seed: random.random(),
        now: random.random_range(0..200_000),
        guard: *[FREE, FREE, Guard { floor: 2, create_floor: 3, percent: 20, max_orphan_percent: 60 }]
            .choose(random)
            .unwrap(),
        dry_run: random.random_bool(0.1),
        max_changes: if random.random_bool(0.2) { random.random_range(0..8) } else { usize::MAX },
        retry_failed: random.random_bool(0.5),
        dies_after: random.random_bool(0.4).then(|| random.random_range(0..300)),
        stops_after: random.random_bool(0.2).then(|| seconds(random, 60)),
        jump: random.random_bool(0.2).then(|| (seconds(random, 30), seconds(random, 100_000))),
    }
}

/// Between two runs somebody clicks, and the tenants' owner works.
fn meddle(world: &World, random: &mut SmallRng) {
    let mut tenants = world.tenants.borrow_mut();
    let Some(tenant) = tenants.choose(random).cloned() else { return };
    let mut api = world.api.borrow_mut();
    match random.random_range(0..9) {
        0 => {
            if let Ok(customer) = api.store_mut().customer(&tenant.provided_id) {
                "Somebody's idea".clone_into(&mut customer.name);
                customer.emails.push("i@x.exam".to_owned());
            }
        }
        1 => tenants.retain(|one| one.provided_id != tenant.provided_id),
        2 => tenants.iter_mut().for_each(|one| one.name = Some("Another name".into())),
        3 => {
            let id = format!("stranger-{}", random.random::<u32>());
            api.store_mut().add(StoredCustomer {
                name: id.clone(),
                provided_id: Some(id),
                ..StoredCustomer::default()
            });
        }
        4 => {
            let token = api.store().get(&tenant.provided_id).map(|customer| customer.token.clone());
            token.map(|token| api.store_mut().delete(&token));
        }
        5 => {
            if let Ok(customer) = api.store_mut().customer(&tenant.provided_id) {
                customer.group_tags.clear();
                customer.properties = None;
                customer.parent_schema_datasource_mapping = None;
            }
        }
        6 => {
            let new = format!("new-{}", random.random::<u32>());
            if let Some(one) = tenants.iter_mut().find(|one| one.provided_id == tenant.provided_id) {
                one.previous_provided_id = Some(std::mem::replace(&mut one.provided_id, new.into()));
            }
        }
        7 => {
            if let Ok(customer) = api.store_mut().customer(&tenant.provided_id) {
                customer.parent_provided_id = random.random_bool(0.5).then(|| "the parent".to_owned());
            }
        }
        _ => {}
    }
}

/// Without faults, two runs bring what Explo allows, and the next is quiet.
async fn heals(world: &World, ledger: &impl Ledger) -> Box<Report> {
    world.trouble.set(0);
    let mut behaviour = world.api.borrow().behaviour.clone();
    behaviour.churn.clear();
    behaviour.order = Order::Created;
    world.api.borrow_mut().behaviour = behaviour;
    let mut rounds = 0..3;
    loop {
        let round = rounds.next().unwrap();
        // What somebody moved is found within a day, and who is gone after two listings that are ten minutes apart.
        let ended = world.run(&Course { now: 1_000_000 + 600 * round, ..Course::quiet(round) }, ledger).await;
        let calls = world.take_calls();
        let Ended::Planned(report) = ended else { panic!("a quiet run fails") };
        check_calls(world, &calls, true);
        check_report(world, &report, &calls);
        if rounds.is_empty() {
            settled(world, &report, &calls, true);
            return report;
        }
    }
}
