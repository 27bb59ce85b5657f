//! The ledger's knowledge of parents is valid for a day, and that of other values until a listing shows others; by a clock
//! that the test sets.

use std::borrow::Cow;

use explo_sync::{
    model::Tenant,
    plan::Guard,
    sandbox::{Api, Store, StoredCustomer},
};

use super::{
    course::{Course, Ended},
    scenario::Scenario,
    table::{Kept, Table},
    wire::Call,
    world::{World, simulate},
};

const HOUR: u64 = 3600;

fn tenant(provided_id: &'static str, parent: Option<&'static str>) -> Tenant<'static> {
    Tenant {
        provided_id: provided_id.into(),
        parent_provided_id: parent.map(Cow::Borrowed),
        name: Some("Ann".into()),
        hierarchy_level_name: Some("a level".into()),
        ..Tenant::default()
    }
}

/// Two parents; one of them has a child.
fn world() -> World {
    let tenants = [tenant("q", None), tenant("r", None), tenant("c", Some("q"))];
    let customer = |tenant: &Tenant| StoredCustomer {
        provided_id: Some(tenant.provided_id.to_string()),
        name: "Ann".to_owned(),
        hierarchy_level: tenant.hierarchy_level_name.as_deref().map(str::to_owned),
        parent_provided_id: tenant.parent_provided_id.as_deref().map(str::to_owned),
        ..StoredCustomer::default()
    };
    let customers: Vec<_> = tenants.iter().map(customer).collect();
    World::new(Scenario::default(), Api::new(Store::new(customers), 1), tenants.into())
}

/// The calls of one run at this hour.
async fn calls(world: &World, table: &Table, hour: u64) -> Vec<String> {
    let ended = world.run(&Course { now: hour * HOUR, ..Course::quiet(hour) }, table).await;
    assert!(matches!(ended, Ended::Planned(_)));
    let told = |call: Call| match call.parent {
        Some(parent) => format!("{} below {parent}", call.endpoint),
        None => format!("{} {}", call.endpoint, call.provided_id()).trim_end().to_owned(),
    };
    world.take_calls().into_iter().map(told).collect()
}

fn move_by_hand(world: &World, parent: &str) {
    world.api.borrow_mut().store_mut().customer("c").unwrap().parent_provided_id = Some(parent.to_owned());
}

#[test]
fn a_child_that_somebody_moved_is_back_within_a_day_and_asking_costs_one_call_a_day() {
    simulate(async {
        let world = world();
        let table = Table::of(&world);
        assert_eq!(calls(&world, &table, 1000).await, ["customers", "customers below q"]);
        move_by_hand(&world, "r");
        for hour in 1001..1023 {
            assert_eq!(calls(&world, &table, hour).await, ["customers"], "hour {hour}");
        }
        let mended = ["customers", "customers below q", "update_customer c"];
        assert_eq!(calls(&world, &table, 1024).await, mended);
        assert_eq!(world.api.borrow().store().get("c").unwrap().parent_provided_id.as_deref(), Some("q"));
        assert_eq!(calls(&world, &table, 1025).await, ["customers"]);
    });
}

#[test]
fn what_was_moved_back_and_is_gone_again_is_looked_after_once() {
    simulate(async {
        let world = world();
        let table = Table::of(&world);
        calls(&world, &table, 1000).await;
        move_by_hand(&world, "r");
        calls(&world, &table, 1024).await;
        move_by_hand(&world, "r");
        let mended = ["customers", "customers below q", "update_customer c", "customers below q"];
        assert_eq!(calls(&world, &table, 1048).await, mended);
        assert_eq!(calls(&world, &table, 1049).await, ["customers"]);
    });
}

#[test]
fn what_a_held_plan_showed_is_not_forgotten_by_the_quick_runs_after_it() {
    simulate(async {
        let world = world();
        let table = Table::of(&world);
        let quick = Course { list_every: u64::MAX, retry_failed: false, ..Course::quiet(2) };
        calls(&world, &table, 1000).await;
        let run = async |course: Course| {
            let _ = world.run(&Course { now: 1001 * HOUR, ..course }, &table).await;
            let calls = world.take_calls().into_iter();
            calls.map(|call| format!("{} {}", call.endpoint, call.provided_id())).collect::<Vec<_>>()
        };
        assert_eq!(run(quick.clone()).await, [""; 0]);
        world.api.borrow_mut().store_mut().customer("r").unwrap().name = "Somebody's idea".to_owned();
        assert_eq!(run(quick.clone()).await, [""; 0], "no listing has shown it");
        let strict = Guard { floor: 0, create_floor: 0, percent: 0, max_orphan_percent: 100 };
        assert_eq!(run(Course { guard: strict, ..Course::quiet(1) }).await, ["customers "]);
        assert_eq!(run(quick.clone()).await, ["get_customer r", "update_customer r"]);
        assert_eq!(world.api.borrow().store().get("r").unwrap().name, "Ann");
        assert_eq!(run(quick).await, [""; 0]);
    });
}
