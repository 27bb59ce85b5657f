//! However Explo behaves, two runs apply what it allows, the third writes nothing, and no other data changes.

use std::collections::BTreeSet;

use explo_sync::{
    applier::Outcome,
    ledger::InMemory,
    model::{Field, Tenant},
    report::Report,
    sandbox::Api,
};

use super::{
    course::{Course, Ended},
    each_seed,
    oracle::{
        asked_for, below_broken, check_begun, check_calls, check_forecast, check_foreign, check_invalid,
        check_missing_tags, check_needed, check_report, check_unmanaged, held, holds, is_excused, is_hidden, lies,
        managed, note_failures, stored, strangers, unmanaged,
    },
    table::{Kept, Table},
    wire::Call,
    world::World,
};

/// Worlds per kind.
const CASES: u64 = 1_500;

/// Up to this number of tenants, two runs are enough to look up the customers whose changes were undone.
const FEW: usize = 12;

#[test]
fn two_runs_bring_what_explo_allows_and_the_next_is_quiet() {
    each_seed(0..CASES, async |seed| converges::<InMemory>(&World::of(seed, true), true).await);
}

#[test]
fn so_do_runs_that_are_fresh_processes() {
    each_seed(CASES..2 * CASES, async |seed| converges::<InMemory>(&World::of(seed, true), false).await);
}

#[test]
fn and_fresh_processes_with_a_table_which_ends_up_with_every_token() {
    each_seed(2 * CASES..3 * CASES, async |seed| converges::<Table>(&World::of(seed, true), true).await);
}

async fn converges<L: Kept>(world: &World, remembers: bool) {
    let (unmanaged_before, strangers_before) = (unmanaged(world), strangers(world));
    let mut ledger = L::of(world);
    for round in 0..3 {
        let before = world.api.borrow().clone();
        let course = Course { now: 600 * round, ..Course::quiet(world.scenario.seed + round) };
        let ended = world.run(&course, &ledger).await;
        let calls = world.take_calls();
        check_begun(world, &before, &course, &calls, &ended);
        ledger.check_run(world, &course, &ended);
        let report = match ended {
            Ended::Planned(report) => report,
            Ended::Failed(error) => panic!("run {round} fails: {error}"),
            Ended::Died => unreachable!("nobody killed it"),
        };
        check_calls(world, &calls, true);
        check_report(world, &report, &calls);
        check_forecast(world, &report, &calls);
        check_needed(world, &before, &calls);
        check_missing_tags(world, &before, &report, &calls);
        check_invalid(world, &before, &report);
        check_foreign(world, &before);
        note_failures(world, &calls);
        if !remembers {
            ledger = L::of(world);
        }
        if round == 2 {
            settled(world, &report, &calls, remembers);
        }
    }
    check_unmanaged(world, &unmanaged_before);
    assert_eq!(strangers_before, strangers(world));
    if remembers {
        ledger.check_end(world);
    }
}

/// After the third run: all possible changes are applied, the report names the others, and no needless write was made.
pub fn settled(world: &World, report: &Report, calls: &[Call], remembers: bool) {
    let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
    let unsettled = report.unsettled();
    let failed = failed(report);
    let lies = lies(&api.behaviour);
    for tenant in tenants.iter() {
        let id = &tenant.provided_id.to_string();
        let is_excused = is_excused(world, &api, tenant);
        let is_told = |field| unsettled.iter().any(|(told, one)| told == id && one.difference.field == field);
        let mut missing = Vec::new();
        for field in managed(tenant).into_iter().filter(|field| !lies.contains(field)) {
            let customer = stored(&api, id);
            if customer.is_some_and(|customer| holds(customer, tenant, field, world.scenario.emails)) {
                assert!(!is_told(field), "{field:?} of {tenant:?} is said not to settle, but it is held");
                continue;
            }
            missing.push(field);
            // No run sees a hidden customer: its differences were reported when it was written.
            let is_unseen = is_hidden(&api, id) || customer.is_some_and(|customer| customer.odd.is_some());
            assert!(
                is_excused || is_unseen || is_told(field),
                "{field:?} of {tenant:?} is not held by {customer:?}, and nobody says so"
            );
            assert!(
                is_excused || is_unseen && field == Field::ParentProvidedId || !would_come(world, &api, tenant, field),
                "{field:?} of {tenant:?} would be another than in {customer:?}"
            );
        }
        assert!(is_excused || !failed.contains(id), "{tenant:?} failed, but Explo takes what it wants");
        if failed.contains(id) {
            continue;
        }
        let is_unlisted = is_hidden(&api, id);
        let is_odd = stored(&api, id).is_some_and(|customer| customer.odd.is_some());
        for write in calls.iter().filter(|call| call.is_write() && call.tenant_id() == id) {
            assert!(write.new_id().is_none(), "the third run renames {write:?}");
            // Its customer or its parent existed without any run's knowledge; or it is one of many undone changes, and
            // not looked up yet.
            let is_of_lies = write.fields().all(|name| lies.iter().any(|field| field.name() == name));
            let are_many = tenants.len() > FEW || world.watch.is_on();
            let is_late = below_broken(world, tenant) || is_of_lies && are_many;
            assert!(!remembers || is_late || is_unlisted && write.is_found(), "the third run writes {write:?}");
            let is_fresh = |name: &str| missing.iter().chain(&lies).any(|field| field.name() == name);
            assert!(
                is_unlisted || is_odd || write.fields().all(is_fresh),
                "a fresh process writes what is held: {write:?}"
            );
        }
    }
}

/// Whether a write of this field alone would change the stored customer.
pub fn would_come(world: &World, api: &Api, tenant: &Tenant<'_>, field: Field) -> bool {
    let (now, then) = (stored(api, &tenant.provided_id), asked_for(world, api, tenant, field));
    let held = |customer: &_| held(customer, tenant, field);
    now.map(held) != then.as_ref().map(held) || now.is_none()
}

fn failed(report: &Report) -> BTreeSet<String> {
    let changes = report.run.plan.changes.iter().enumerate();
    let failed = changes.filter(|(number, _)| matches!(report.outcome(*number), Some(Outcome::Failed { .. })));
    failed.map(|(_, change)| report.run.plan.provided_id(change).into_owned()).collect()
}
