//! Laws for the calls of one run, however it ended.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use explo_sync::{compare::TagRule, explo::ListingVersion, model::Field};

use super::fields::managed;
use crate::simulation::{wire::Call, world::World};

/// Checks the calls of one run, however it ended.
pub fn check_calls(world: &World, calls: &[Call], is_planned: bool) {
    let tenants: HashMap<_, _> =
        world.tenants.borrow().iter().map(|one| (one.provided_id.clone(), one.clone())).collect();
    check_order(world, calls);
    check_attempts(world, calls);
    check_timing(world, calls);
    let writes: Vec<_> = calls.iter().filter(|call| call.is_write()).collect();
    assert!(is_planned || writes.is_empty(), "a write without a plan: {writes:?}");
    check_renames(&writes);
    check_tags(world, calls, is_planned);
    for write in writes {
        let tenant = tenants.get(write.tenant_id()).unwrap_or_else(|| panic!("a stranger is written: {write:?}"));
        let managed: Vec<_> = managed(tenant).into_iter().map(Field::name).collect();
        assert!(write.fields().all(|field| managed.contains(&field)), "an unmanaged field is sent: {write:?}");
        assert!(write.fields().all(|field| write.asked.fields[field].get() != "null"), "null is sent: {write:?}");
        if write.new_id().is_some() {
            let ids = (tenant.previous_provided_id.as_deref(), 0);
            assert_eq!((Some(write.provided_id()), write.fields().count()), ids, "not what was asked for: {write:?}");
        }
    }
}

/// Calls of one process begin in no pause, and not too fast.
pub fn check_timing(world: &World, calls: &[Call]) {
    check_pauses(calls);
    check_pace(world, calls);
}

/// Tags are made only if configured, before the first write, and only for tenants that have them.
fn check_tags(world: &World, calls: &[Call], is_planned: bool) {
    let creates: Vec<_> = calls.iter().filter(|call| call.endpoint == "create_group_tag").collect();
    let may_create = is_planned && world.scenario.tags == TagRule::Create;
    assert!(may_create || creates.is_empty(), "nobody asked for tags: {creates:?}");
    let first_write = calls.iter().position(Call::is_write).unwrap_or(calls.len());
    let (early, late) = calls.split_at(first_write);
    // A call that failed before is retried after all others.
    let is_again =
        |call: &&Call| early.iter().any(|first| first.endpoint == call.endpoint && first.asked.name == call.asked.name);
    let late = late.iter().filter(|call| call.endpoint == "create_group_tag").find(|call| !is_again(call));
    assert!(late.is_none(), "a tag after the first write: {late:?}");
    let tenants = world.tenants.borrow();
    for create in creates {
        let is_carried =
            tenants.iter().any(|tenant| tenant.group_tags.iter().flatten().any(|tag| create.asked.name == **tag));
        assert!(is_carried, "nobody has this tag: {create:?}");
    }
}

/// An applied rename is not repeated, and no write names an id that a rename replaces.
fn check_renames(writes: &[&Call]) {
    for (number, rename) in writes.iter().enumerate().filter(|(_, write)| write.new_id().is_some()) {
        let again = writes[number + 1..].iter().find(|later| later.new_id() == rename.new_id());
        assert!(!rename.is_renamed || again.is_none(), "done, and asked for again: {rename:?}");
        let is_old = |write: &&&Call| write.new_id().is_none() && write.provided_id() == rename.provided_id();
        assert!(writes.iter().find(is_old).is_none(), "written under its old id: {rename:?}");
    }
}

/// No write begins before the listing is complete.
fn check_order(world: &World, calls: &[Call]) {
    let Some(first_write) = calls.iter().position(Call::is_write) else { return };
    let (before, after) = calls.split_at(first_write);
    assert!(
        after.iter().all(|call| call.endpoint != "customers" || call.parent.is_some()),
        "listed again after a write"
    );
    if world.scenario.version == ListingVersion::V1 {
        let is_whole = |call: &Call| call.parent.is_none() && call.listed().is_some();
        return assert!(before.iter().any(is_whole), "written without a listing");
    }
    let pages = before.iter().filter(|call| call.endpoint == "customers" && call.parent.is_none());
    let came = pages.filter_map(|call| Some((call.page?, call.listed()?)));
    let (mut seen, mut promised, mut least) = (BTreeSet::new(), None, u64::MAX);
    for (number, (total, customers)) in came {
        if number == 1 {
            (promised, least) = (total, u64::MAX);
        }
        least = least.min(total.unwrap_or(u64::MAX));
        seen.extend(customers.iter().map(|customer| &customer.token));
    }
    if world.scenario.trust_total {
        let promised = promised.unwrap_or_else(|| panic!("written without a first page"));
        assert!(least >= promised && seen.len() as u64 >= promised, "written after {} of {promised}", seen.len());
    }
}

/// No call has more attempts than allowed; a 429 does not count as one.
fn check_attempts(world: &World, calls: &[Call]) {
    let mut attempts = BTreeMap::<_, u32>::new();
    for call in calls.iter().filter(|call| call.is_write()) {
        let is_throttled = call.status() == Some(429);
        *attempts.entry((&call.endpoint, call.provided_id(), call.new_id())).or_default() += u32::from(!is_throttled);
    }
    let most = attempts.values().max().copied().unwrap_or(0);
    assert!(most <= world.scenario.max_attempts, "{attempts:?}");
}

/// No call begins in a pause that the server asked for.
fn check_pauses(calls: &[Call]) {
    for (number, call) in calls.iter().enumerate() {
        let Some(answer) = call.answer.as_ref().filter(|answer| answer.status == 429) else { continue };
        // The pacer counts in milliseconds.
        let until = answer.at + answer.pause.unwrap_or(Duration::from_mins(1)) - Duration::from_millis(1);
        let in_pause = |later: &&Call| later.began > answer.at && later.began < until;
        let early = calls[number..].iter().find(in_pause);
        assert!(early.is_none(), "{early:?} begins in the pause after {call:?}");
    }
}

/// Calls begin at most at the configured rate, with the pacer's tolerance.
fn check_pace(world: &World, calls: &[Call]) {
    let least = Duration::from_mins(1) / world.scenario.requests_per_minute;
    for pair in calls.windows(2) {
        let gap = pair[1].began - pair[0].began;
        assert!(gap + Duration::from_millis(4) > least, "{gap:?} between {pair:?}");
    }
}
