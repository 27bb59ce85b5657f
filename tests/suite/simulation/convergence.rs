//! However Explo behaves: two runs bring what it allows, the next one is quiet, and nobody else's data is touched.

use explo_sync::{
    applier::Outcome,
    ledger::{Ledger, Memory},
    plan::Rule,
    report::Report,
};

use super::{
    each_seed,
    oracle::{
        allows, check_calls, check_forecast, check_missing_tags, check_needed, check_report, check_unmanaged, holds,
        lies, managed, refuses, stored, unmanaged,
    },
    table::Table,
    world::{Call, Course, Ended, World},
};

/// Of each kind.
const CASES: u64 = 1_500;

#[test]
fn two_runs_bring_what_explo_allows_and_the_next_is_quiet() {
    each_seed(0..CASES, async |seed| drop(converges::<Memory>(&World::of(seed, true), true).await));
}

#[test]
fn so_do_runs_that_are_fresh_processes() {
    each_seed(CASES..2 * CASES, async |seed| drop(converges::<Memory>(&World::of(seed, true), false).await));
}

#[test]
fn and_fresh_processes_with_a_table_which_ends_up_with_every_token() {
    each_seed(2 * CASES..3 * CASES, async |seed| {
        let world = World::of(seed, true);
        let (table, report) = converges::<Table>(&world, true).await;
        table.check(&world, &report);
    });
}

/// Gives the ledger and the third report.
async fn converges<L: Ledger + Default>(world: &World, remembers: bool) -> (L, Box<Report>) {
    let before = unmanaged(world);
    let strangers_before = strangers(world);
    let (mut ledger, mut rounds) = (L::default(), 0..3);
    let report = loop {
        let round = rounds.next().unwrap();
        let before = world.api.borrow().clone();
        let ended = world.run(&Course::quiet(world.scenario.seed + round), &ledger).await;
        let calls = world.take_calls();
        let report = match ended {
            Ended::Planned(report) => report,
            Ended::Failed(error) => panic!("run {round} fails: {error}"),
            Ended::Died => unreachable!("nobody killed it"),
        };
        check_calls(world, &calls, true);
        check_report(world, &report, &calls);
        check_forecast(&report);
        check_needed(world, &before, &calls);
        check_missing_tags(world, &before, &report, &calls);
        if !remembers {
            ledger = L::default();
        }
        if rounds.is_empty() {
            settled(world, &report, &calls, remembers);
            break report;
        }
    };
    check_unmanaged(world, &before);
    assert_eq!(strangers_before, strangers(world));
    (ledger, report)
}

fn strangers(world: &World) -> String {
    let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
    let is_tenant = |id: &Option<String>| {
        tenants.iter().any(|tenant| {
            [Some(&*tenant.provided_id), tenant.previous_provided_id.as_deref()].contains(&id.as_deref())
                && id.is_some()
        })
    };
    let strangers = api.store().customers().iter().filter(|customer| !is_tenant(&customer.provided_id));
    strangers.map(|customer| serde_json::to_string(customer).unwrap()).collect()
}

/// After the third run: what is not as wanted can't be, and is told; and nothing that is as wanted was written.
pub fn settled(world: &World, report: &Report, calls: &[Call], remembers: bool) {
    let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
    let emails = world.scenario.emails;
    let unsettled = report.unsettled();
    let failed: Vec<_> = (report.run.plan.changes.iter().enumerate())
        .filter(|(number, _)| matches!(report.outcome(*number), Some(Outcome::Failed(_))))
        .map(|(_, change)| report.run.plan.provided_id(change).into_owned())
        .collect();
    let deferred: Vec<_> = (report.run.plan.changes.iter().enumerate())
        .filter(|(number, _)| matches!(report.outcome(*number), Some(Outcome::Deferred)))
        .map(|(_, change)| report.run.plan.provided_id(change).into_owned())
        .collect();
    let lies = lies(&api.behaviour);
    for tenant in tenants.iter() {
        let id = &tenant.provided_id.to_string();
        let writes: Vec<_> = calls.iter().filter(|call| call.is_write() && call.tenant_id() == id).collect();
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
                // Three of a kind that nobody understands, and the field is not sent any more.
                let of_field = unsettled.iter().filter(|(_, one)| one.difference.field == field);
                let is_spared = of_field.filter(|(_, one)| one.rule == Rule::Changed).count() >= 3;
                let is_excused = failed.contains(id) || deferred.contains(id) || is_invalid || lies.contains(&field);
                assert!(
                    is_excused || is_told(field),
                    "{field:?} of {tenant:?} is not held by {customer:?}, and nobody says so"
                );
                assert!(
                    is_excused || is_spared || !allows(world, &api, tenant, field),
                    "{field:?} of {tenant:?} could be had"
                );
            } else if is_told(field) {
                assert!(lies.contains(&field), "{field:?} of {tenant:?} is said not to settle, but it is held");
            }
        }
        if failed.contains(id) {
            let is_refused = world.scenario.hidden.contains(id) || refuses(world, &api, tenant);
            assert!(is_refused, "{tenant:?} failed, but Explo takes what it wants");
            continue;
        }
        let is_unlisted = report.run.applied.as_ref().is_some_and(|applied| applied.existing.contains(id));
        for write in writes {
            assert!(write.new_id().is_none(), "the third run renames {write:?}");
            assert!(!remembers, "the third run writes {write:?}");
            let is_fresh = |name: &str| missing.iter().chain(&lies).any(|field| field.name() == name);
            assert!(is_unlisted || write.fields().all(is_fresh), "a fresh process writes what is held: {write:?}");
        }
    }
}
