//! Every due change is begun, whatever other changes fail; a run ends early only for a reason.

use explo_sync::{
    explo::Error,
    model::{Field, Tenant},
    sandbox::Api,
};

use super::{
    asked_for, held, holds, invalid, is_hidden, is_too_large, lies, listed, managed, others::found_under, stored,
};
use crate::simulation::{
    course::{Course, Ended},
    wire::Call,
    world::World,
};

/// Failed writes in a row before a read decides, and before the run ends.
const DOUBTFUL: usize = 10;
const HOPELESS: usize = 60;

/// Every change that is due in a run is begun.
pub fn check_begun(world: &World, before: &Api, course: &Course, calls: &[Call], ended: &Ended) {
    let Some(report) = ended.report() else { return };
    let Some(applied) = report.run.applied.as_ref() else {
        let may_be_held = !course.is_free() || world.is_lied_to();
        return assert!(course.dry_run || may_be_held || !report.run.held.is_empty(), "nothing holds this plan");
    };
    if let Some(end) = &applied.end {
        return check_end(course, calls, end);
    }
    if !course.is_whole() || world.may_miss() {
        return;
    }
    let invalid = invalid(world, before);
    for tenant in world.tenants.borrow().iter() {
        let id = &*tenant.provided_id;
        let may_wait = !course.retry_failed && world.failed.borrow().contains(id);
        let is_excused = may_wait
            || invalid.contains(id)
            || is_hidden(before, id)
            || is_too_large(world, before, tenant)
            || lacks_tags(tenant, calls)
            || waits(world, before, calls, tenant);
        let is_begun = calls.iter().any(|call| begins(call, id));
        assert!(is_excused || is_begun || !needs(world, before, tenant), "nothing is begun for {tenant:?}");
    }
}

/// A write, or the failed look-up before it.
fn begins(call: &Call, id: &str) -> bool {
    let is_failed_look = call.endpoint == "get_customer" && !call.is_acknowledged();
    call.tenant_id() == id && (call.is_write() || is_failed_look)
}

/// Whether the parent's customer was to be created or renamed, without an acknowledgement.
fn waits(world: &World, before: &Api, calls: &[Call], tenant: &Tenant<'_>) -> bool {
    let Some(parent) = tenant.parent_provided_id.as_deref() else { return false };
    let tenants = world.tenants.borrow();
    let is_above = |one: &&Tenant<'_>| one.provided_id == parent || one.previous_provided_id.as_deref() == Some(parent);
    let is_there = |above: &Tenant<'_>| {
        let api = world.api.borrow();
        let token = stored(&api, &above.provided_id).map(|customer| &customer.token);
        let is_made = |call: &Call| {
            call.is_write()
                && call.tenant_id() == above.provided_id
                && call.is_acknowledged()
                && !call.is_found()
                && call.token() == token
        };
        listed(before, &above.provided_id).next().is_some() || calls.iter().any(is_made)
    };
    !tenants.iter().filter(is_above).all(is_there)
}

/// Whether one of its tags could not be made.
fn lacks_tags(tenant: &Tenant<'_>, calls: &[Call]) -> bool {
    let is_unmade =
        |call: &&Call| call.endpoint == "create_group_tag" && call.told().is_none_or(|told| told.group_tag.is_none());
    let mut unmade = calls.iter().filter(is_unmade);
    unmade.any(|call| tenant.group_tags.iter().flatten().any(|tag| *tag == call.asked.name))
}

/// Whether a write would change a value that differs. Parents are read only once a day.
fn needs(world: &World, before: &Api, tenant: &Tenant<'_>) -> bool {
    let Some(customer) = stored(before, &tenant.provided_id) else {
        return stored(before, &found_under(world, before, tenant)).is_some() || tenant.name.is_some();
    };
    let lies = lies(&before.behaviour);
    let fields = managed(tenant).into_iter().filter(|field| *field != Field::ParentProvidedId && !lies.contains(field));
    let mut fields = fields.filter(|field| !holds(customer, tenant, *field, world.scenario.emails));
    fields.any(|field| {
        let after = asked_for(world, before, tenant, field);
        after.is_some_and(|after| held(&after, tenant, field) != held(customer, tenant, field))
    })
}

/// Checks the reason for a run's early end.
fn check_end(course: &Course, calls: &[Call], end: &Error) {
    let writes: Vec<_> = calls.iter().filter(|call| call.is_write()).collect();
    let answered = |status| writes.iter().filter(|call| call.status() == Some(status)).count();
    let failed = writes.iter().filter(|call| !call.is_acknowledged()).count();
    let is_justified = match end {
        Error::Outage { .. } => failed >= HOPELESS || failed >= DOUBTFUL && is_deaf(calls),
        Error::Forbidden { .. } => calls.iter().filter(|call| call.status() == Some(403)).count() >= 3,
        Error::Unauthorized { .. } => calls.iter().any(|call| call.status() == Some(401)),
        Error::Stopped { .. } | Error::Cut { .. } => course.stops_after.is_some(),
        Error::Rejected { .. }
        | Error::Unsent { .. }
        | Error::Unclear { .. }
        | Error::GaveUp { .. }
        | Error::Incomplete(_) => false,
    };
    assert!(is_justified, "{failed} of {} writes failed, {} with 403: {end}", writes.len(), answered(403));
}

/// Whether the last read of the tags, by which a run tests whether Explo answers, failed.
fn is_deaf(calls: &[Call]) -> bool {
    let last = calls.iter().rfind(|call| call.endpoint == "group_tags");
    last.is_some_and(|call| !matches!(call.status(), Some(200 | 400..=407 | 409..=428)))
}

/// Records the tenants with a failed call: from now on they may come last.
pub fn note_failures(world: &World, calls: &[Call]) {
    let (mut failed, api) = (world.failed.borrow_mut(), world.api.borrow());
    for tenant in world.tenants.borrow().iter() {
        let id = &*tenant.provided_id;
        let is_its = |call: &&Call| {
            [call.tenant_id(), call.provided_id()].contains(&id)
                || tenant.previous_provided_id.as_deref() == Some(call.provided_id())
        };
        let mut its = calls.iter().filter(is_its).peekable();
        if its.peek().is_some() {
            let token = stored(&api, id).map(|customer| &customer.token);
            let is_good = its.all(|call| call.is_acknowledged() && !call.is_found() && call.token() == token);
            if is_good && !lacks_tags(tenant, calls) {
                failed.remove(id)
            } else {
                failed.insert(id.to_owned())
            };
        }
    }
}
