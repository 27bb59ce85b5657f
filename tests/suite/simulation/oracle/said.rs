//! A report must agree with the wire and with Explo, and no call is needless.

use std::collections::{BTreeMap, BTreeSet};

use explo_sync::{
    applier::Outcome,
    compare::TagRule,
    explo::Endpoint,
    model::Field,
    plan::Change,
    report::Report,
    sandbox::{Api, TagCalls},
};

use super::{
    ask::has_tag,
    fields::{holds, managed},
    invalid::invalid,
    is_hidden, lies, stored,
};
use crate::simulation::{wire::Call, world::World};

/// Missing tags are made, or make their tenants invalid; existing tags are left alone.
pub fn check_missing_tags(world: &World, before: &Api, report: &Report, calls: &[Call]) {
    let of = |endpoint| calls.iter().filter(move |call| call.endpoint == endpoint);
    let creates: Vec<_> = of("create_group_tag").collect();
    let made_before = creates.iter().find(|call| has_tag(before, &call.asked.name));
    assert!(made_before.is_none(), "it was there: {made_before:?}");
    // Ten failed writes in a row cause one read of the tags.
    let doubts = calls.iter().filter(|call| call.is_write() && !call.is_acknowledged()).count() / 10;
    assert!(of("group_tags").count() <= 1 + creates.len() + doubts, "asked more than once which tags there are");
    let tells = before.behaviour.tag_calls == TagCalls::Present;
    let is_refused = world.scenario.tags == TagRule::Invalid && tells;
    let tenants = world.tenants.borrow();
    for invalid in &report.run.plan.invalid {
        let is_wanting = report.run.plan.reason(invalid, true).starts_with("Explo has no group tag");
        let tenant =
            tenants.iter().find(|tenant| Some(&*tenant.provided_id) == invalid.provided_id.as_deref()).unwrap();
        let has_all = tenant.group_tags.iter().flatten().all(|tag| has_tag(before, tag));
        assert!(!is_wanting || (is_refused && !has_all), "{invalid:?} of {tenant:?}");
    }
    for write in calls.iter().filter(|call| call.is_write()) {
        let is_known = |tag: &String| has_tag(before, tag) || creates.iter().any(|call| call.asked.name == *tag);
        assert!(!tells || write.asked.group_tags.iter().all(is_known), "a tag that does not exist is sent: {write:?}");
    }
}

/// No write sends values that are there already.
pub fn check_needed(world: &World, before: &Api, calls: &[Call]) {
    for write in calls.iter().filter(|call| call.endpoint == "update_customer") {
        let tenants = world.tenants.borrow();
        // A rename names the previous id.
        let Some(tenant) = tenants.iter().find(|tenant| tenant.provided_id == write.provided_id()) else { continue };
        let Some(customer) = stored(before, &tenant.provided_id) else { continue };
        // The look-up that could tell the listing's style from the customer's own fails, or there is nothing to
        // compare.
        if world.scenario.broken.contains(&write.asked.provided_id) || customer.odd.is_some() {
            continue;
        }
        let lies = lies(&before.behaviour);
        for field in managed(tenant).into_iter().filter(|field| write.fields().any(|name| name == field.name())) {
            let was_held = holds(customer, tenant, field, world.scenario.emails);
            let is_hidden = |id: &str| is_hidden(before, id);
            // No answer shows the parent of a hidden customer.
            let is_hidden =
                is_hidden(&tenant.provided_id) || tenant.parent_provided_id.as_deref().is_some_and(is_hidden);
            assert!(
                !was_held || is_hidden && field == Field::ParentProvidedId || lies.contains(&field),
                "{field:?} was as wanted in {customer:?}, and is sent: {write:?}"
            );
        }
    }
}

/// A report must agree with the wire and with Explo.
pub fn check_report(world: &World, report: &Report, calls: &[Call]) {
    let (counts, outcomes, plan) = (report.counts(), report.outcomes(), &report.run.plan);
    let planned = counts.create + counts.update + counts.rename;
    let told = outcomes.applied + outcomes.failed + outcomes.unsettled + outcomes.deferred;
    assert_eq!(plan.changes.len(), planned);
    assert_eq!(told, if report.dry_run { 0 } else { planned }, "{outcomes:?} of {planned}");
    // If a tenant has a customer under its own id, the customer under its previous id belongs to no tenant, and is no
    // orphan.
    let renamed =
        plan.index.rows().min(world.tenants.borrow().iter().filter(|one| one.previous_provided_id.is_some()).count());
    let listed = counts.update + counts.unchanged + counts.unsettled + renamed;
    assert!(plan.population.with_tenant <= listed + counts.invalid + doubles(&world.api.borrow()), "{counts:?}");
    let mut planned = BTreeMap::new();
    for (number, change) in plan.changes.iter().enumerate() {
        let id = plan.provided_id(change);
        let tenant = plan.index.tenant(change.row());
        let is_heard = |call: &&Call| call.status() != Some(429);
        let is_rename = matches!(change, Change::Rename(_));
        let is_its = |call: &&Call| call.is_write() && call.tenant_id() == id && call.new_id().is_some() == is_rename;
        let writes = calls.iter().filter(is_its);
        let writes: Vec<_> = writes.filter(is_heard).collect();
        planned.insert(
            id.clone(),
            plan.differences(change).iter().map(|difference| difference.field.name()).collect::<Vec<_>>(),
        );
        match report.outcome(number) {
            // A create that found an existing customer did nothing; the update that follows is deferred.
            Some(Outcome::Deferred | Outcome::Waiting(_)) | None => {
                assert!(writes.last().is_none_or(|call| call.is_found()), "deferred, and sent: {writes:?}");
            }
            Some(Outcome::Applied) => {
                let looked = calls.iter().filter(|call| call.endpoint == "get_customer" && call.provided_id() == id);
                let acknowledged = looked.chain(writes.iter().copied()).any(Call::is_acknowledged);
                assert!(acknowledged, "{id} is applied without an answer");
                let api = world.api.borrow();
                let (customer, lies) = (stored(&api, &id).unwrap(), lies(&api.behaviour));
                // The record is too large to be compared.
                if customer.odd.is_some() {
                    continue;
                }
                for field in
                    planned[&id].iter().filter_map(|name| managed(&tenant).into_iter().find(|f| f.name() == *name))
                {
                    let is_held = holds(customer, &tenant, field, world.scenario.emails);
                    // The customer existed though the listing missed it; the next run looks up its parent.
                    let is_found = field == Field::ParentProvidedId && writes.iter().any(|call| call.is_found());
                    assert!(
                        is_held || is_found || lies.contains(&field),
                        "{id} is applied, but {field:?} of {customer:?} is not {tenant:?}"
                    );
                }
            }
            Some(Outcome::Failed { .. } | Outcome::Unsettled(_)) => {}
        }
    }
    for write in calls.iter().filter(|call| call.is_write()) {
        let id = write.tenant_id();
        let fields = planned.get(id).unwrap_or_else(|| panic!("not in the plan: {write:?}"));
        let creates = calls.iter().filter(|call| call.endpoint == "create_customer" && call.provided_id() == id);
        let is_existing = creates.into_iter().any(Call::is_found);
        if write.endpoint == "update_customer" && !is_existing {
            assert!(write.fields().all(|field| fields.contains(&field)), "{write:?} has more than {fields:?}");
        }
    }
}

/// If nothing fails, the calls are those of the forecast.
pub fn check_forecast(world: &World, report: &Report, calls: &[Call]) {
    let applied = report.run.applied.as_ref().unwrap();
    // Some servers answer an unknown id only with a server error.
    if calls.iter().any(|call| call.status().is_none_or(|status| status >= 500)) {
        return;
    }
    let is_applied = |outcome: &Outcome| *outcome == Outcome::Applied;
    if !applied.outcomes.iter().all(is_applied) || !applied.existing.is_empty() {
        return;
    }
    let (mut planned, mut made) = (report.calls_planned(), report.calls_made.clone());
    // The first answer in another style causes one look-up that no forecast can include.
    if lies(&world.api.borrow().behaviour).contains(&Field::Properties) {
        planned.remove(&Endpoint::GetCustomer);
        made.remove(&Endpoint::GetCustomer);
    }
    planned.retain(|_, calls| *calls > 0);
    assert_eq!(made, planned);
}

/// Every tenant that the report calls invalid is invalid.
pub fn check_invalid(world: &World, before: &Api, report: &Report) {
    if world.may_miss() {
        return;
    }
    let known = invalid(world, before);
    for told in &report.run.plan.invalid {
        let id = told.provided_id.as_ref().unwrap();
        assert!(known.contains(id), "{id} is said to be invalid: {}", told.reason);
    }
}

/// The number of customers whose id another customer has too.
fn doubles(api: &Api) -> usize {
    let ids = api.store().customers().iter().filter_map(|customer| customer.provided_id.as_ref());
    ids.clone().count() - ids.collect::<BTreeSet<_>>().len()
}
