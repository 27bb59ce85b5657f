//! However Explo behaves: two runs bring what it allows, the next one is quiet, and nobody else's data is touched.

use std::collections::BTreeMap;

use explo_sync::{
    applier::Outcome,
    model::Field,
    plan::Findings,
    sandbox::{Behaviour, LevelShown, PropertyKeys, Shown},
};

use super::{
    oracle::{allows, check_calls, check_report, holds, is_kept, managed, stored, unmanaged},
    world::{Course, Ended, World, simulate},
};

/// Of each kind.
const CASES: u64 = 1_500;

/// Fields that this Explo shows otherwise than it holds them, in some answer that matters.
pub fn lies(behaviour: &Behaviour) -> Vec<Field> {
    let mut fields = Vec::new();
    fields.extend((behaviour.inherited_tags != Shown::Nowhere).then_some(Field::GroupTags));
    fields.extend((behaviour.level_shown != LevelShown::Stored).then_some(Field::HierarchyLevelName));
    let hidden = matches!(behaviour.property_keys, PropertyKeys::Snake | PropertyKeys::Camel);
    fields.extend(hidden.then_some(Field::Properties));
    fields
}

#[test]
fn two_runs_bring_what_explo_allows_and_the_next_is_quiet() {
    (0..CASES).for_each(|seed| told(seed, || simulate(converges(World::of(seed, true), true))));
}

#[test]
fn one_world() {
    let Ok(seed) = std::env::var("SEED") else { return };
    let world = World::of(seed.parse().unwrap(), true);
    eprintln!("{:?}\n{:?}", world.scenario, world.api.borrow().behaviour);
    simulate(converges(world, seed.parse::<u64>().unwrap() < CASES));
}

#[test]
fn so_do_runs_that_are_fresh_processes() {
    (CASES..2 * CASES).for_each(|seed| told(seed, || simulate(converges(World::of(seed, true), false))));
}

/// Names the seed if a world fails.
pub fn told(seed: u64, world: impl FnOnce()) {
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(world)) {
        eprintln!("the seed of the world that fails: {seed}");
        if std::env::var("SIM_ALL").is_err() {
            std::panic::resume_unwind(panic);
        }
    }
}

async fn converges(world: World, remembers: bool) {
    let before: BTreeMap<_, _> = {
        let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
        let emails = world.scenario.emails;
        let kept = |tenant: &explo_sync::model::Tenant| {
            Some((format!("{tenant:?}"), unmanaged(&stored(&api, &tenant.provided_id)?, tenant, emails)))
        };
        tenants.iter().filter_map(kept).collect()
    };
    let strangers_before = strangers(&world);
    let mut findings = Findings::default();
    for round in 0..3 {
        let ended = world.run(&Course::quiet(world.scenario.seed + round), &findings).await;
        let calls = world.take_calls();
        let Ended::Planned(report) = &ended else {
            let Ended::Failed(error) = ended else { unreachable!() };
            panic!("run {round} fails: {error}");
        };
        if std::env::var("SEED").is_ok() {
            for call in &calls {
                if call.endpoint != "customers" {
                    eprintln!(
                        "{round} {} {} -> {:?}",
                        call.endpoint,
                        call.body,
                        call.answer.as_ref().map(|a| a.body["customer"].to_string())
                    );
                }
            }
            for (id, one) in report.unsettled() {
                eprintln!("{round} {id} {one:?}");
            }
        }
        check_calls(&world, &calls, true);
        check_report(&world, report, &calls);
        if remembers {
            report.run.teach(&mut findings);
        }
        if round == 2 {
            settled(&world, report, &calls, remembers);
        }
    }
    let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
    for tenant in tenants.iter() {
        let Some(kept) = before.get(&format!("{tenant:?}")) else { continue };
        let now = unmanaged(&stored(&api, &tenant.provided_id).unwrap(), tenant, world.scenario.emails);
        assert!(is_kept(kept, &now), "somebody else's data of {tenant:?}: {kept} is {now}");
    }
    assert_eq!(strangers_before, strangers(&world));
}

fn strangers(world: &World) -> String {
    let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
    let is_tenant = |id: &Option<String>| tenants.iter().any(|tenant| Some(&tenant.provided_id) == id.as_ref());
    let strangers = api.store().customers().iter().filter(|customer| !is_tenant(&customer.provided_id));
    strangers.map(|customer| serde_json::to_string(customer).unwrap()).collect()
}

/// After the third run: what is not as wanted can't be, and is told; and nothing that is as wanted was written.
pub fn settled(world: &World, report: &explo_sync::report::Report, calls: &[super::world::Call], remembers: bool) {
    let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
    let emails = world.scenario.emails;
    let unsettled = report.unsettled();
    let failed: Vec<_> = (report.run.plan.changes.iter().enumerate())
        .filter(|(number, _)| matches!(report.outcome(*number), Some(Outcome::Failed(_))))
        .map(|(_, change)| report.run.plan.provided_id(change).to_owned())
        .collect();
    let lies = lies(&api.behaviour);
    for tenant in tenants.iter() {
        let id = &tenant.provided_id;
        let writes: Vec<_> = calls.iter().filter(|call| call.is_write() && call.provided_id() == id).collect();
        let customer = stored(&api, id);
        let is_told = |field| unsettled.iter().any(|(told, one)| told == id && one.difference.field == field);
        let is_invalid = report.run.plan.invalid.iter().any(|invalid| invalid.provided_id.as_ref() == Some(id));
        let mut missing = Vec::new();
        for field in managed(tenant) {
            // Nobody sees what becomes of a customer that is not listed: it was told when it was written.
            if world.scenario.hidden.contains(id) {
                continue;
            }
            let is_held = customer.as_ref().is_some_and(|customer| holds(customer, tenant, field, emails));
            if !is_held {
                missing.push(field);
                let told = is_told(field) || failed.contains(id) || is_invalid || lies.contains(&field);
                assert!(told, "{field:?} of {tenant:?} is not held by {customer:?}, and nobody says so");
                assert!(
                    failed.contains(id) || is_invalid || lies.contains(&field) || !allows(&api, tenant, field, emails),
                    "{field:?} of {tenant:?} could be had"
                );
            } else if is_told(field) {
                assert!(lies.contains(&field), "{field:?} of {tenant:?} is said not to settle, but it is held");
            }
        }
        if failed.contains(id) {
            continue;
        }
        let is_unlisted = !report.run.applied.as_ref().is_none_or(|applied| !applied.existing.contains(id));
        for write in writes {
            assert!(!remembers, "the third run writes {write:?}");
            let is_fresh = |name: &str| missing.iter().chain(&lies).any(|field| field.name() == name);
            assert!(is_unlisted || write.fields().all(is_fresh), "a fresh process writes what is held: {write:?}");
        }
    }
}
