//! What must hold whatever happens, told from the wire and from what Explo holds: none of it asks the program.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use explo_sync::{
    applier::Outcome,
    explo::ListingVersion,
    model::{Field, Object, Tenant},
    plan::{Change, EmailRule, TagRule},
    report::Report,
    sandbox::{
        Api, Behaviour, LevelShown, Order, ParentFilter, PropertyKeys, Request, Shown, StoredCustomer, TagCalls,
    },
};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::world::{Call, World};

/// What is stored under an id.
pub fn stored(api: &Api, provided_id: &str) -> Option<Value> {
    let is_it = |customer: &&StoredCustomer| customer.provided_id.as_deref() == Some(provided_id);
    api.store().customers().iter().find(is_it).map(|customer| serde_json::to_value(customer).unwrap())
}

/// The fields that a tenant has.
pub fn managed(tenant: &Tenant) -> Vec<Field> {
    let has = |field: &Field| match field {
        Field::Name => tenant.name.is_some(),
        Field::Emails => tenant.emails.is_some(),
        Field::GroupTags => tenant.group_tags.is_some(),
        Field::Properties => tenant.properties.is_some(),
        Field::Mapping => tenant.mapping.is_some(),
        Field::IsDemoGroup => tenant.is_demo_group.is_some(),
        Field::HierarchyLevelName => tenant.hierarchy_level_name.is_some(),
        Field::ParentProvidedId => tenant.parent_provided_id.is_some(),
    };
    Field::ALL.into_iter().filter(has).collect()
}

/// Whether a customer as it is stored holds what a tenant wants in one field.
pub fn holds(customer: &Value, tenant: &Tenant, field: Field, emails: EmailRule) -> bool {
    let set = |value: &Value| -> BTreeSet<String> {
        value.as_array().into_iter().flatten().map(|element| element.as_str().unwrap().to_owned()).collect()
    };
    let wanted =
        |list: &Option<Vec<Cow<'_, str>>>| list.iter().flatten().map(ToString::to_string).collect::<BTreeSet<_>>();
    match field {
        Field::Name => customer["name"].as_str() == tenant.name.as_deref(),
        Field::Emails if emails == EmailRule::Add => set(&customer["emails"]).is_superset(&wanted(&tenant.emails)),
        Field::Emails => set(&customer["emails"]) == wanted(&tenant.emails),
        Field::GroupTags => set(&customer["group_tags"]) == wanted(&tenant.group_tags),
        Field::Properties => object_holds(&customer["properties"], tenant.properties.as_ref()),
        Field::Mapping => object_holds(&customer["parent_schema_datasource_mapping"], tenant.mapping.as_ref()),
        Field::IsDemoGroup => customer["is_demo_group"].as_bool() == tenant.is_demo_group,
        Field::HierarchyLevelName => customer["hierarchy_level"].as_str() == tenant.hierarchy_level_name.as_deref(),
        Field::ParentProvidedId => customer["parent_provided_id"].as_str() == tenant.parent_provided_id.as_deref(),
    }
}

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn object_holds(held: &Value, wanted: Option<&Object>) -> bool {
    let held = members(held);
    match wanted {
        None => true,
        Some(Object::Whole(text)) => held == members(&serde_json::from_str(text).unwrap()),
        Some(Object::Keys(keys)) => keys.iter().all(|(key, value)| {
            held.get(&**key) == value.as_ref().map(|value| serde_json::from_str(value).unwrap()).as_ref()
        }),
    }
}

/// The body that writes one field, with everything of others' that is stored.
fn body(customer: &Value, tenant: &Tenant, field: Field, emails: EmailRule) -> Value {
    let object = |held: &Value, wanted: &Option<Object>| match wanted {
        Some(Object::Keys(keys)) => {
            let mut held = members(held);
            for (key, value) in keys {
                held.remove(&**key);
                held.extend(value.iter().map(|value| (key.to_string(), serde_json::from_str(value).unwrap())));
            }
            Value::Object(held)
        }
        Some(Object::Whole(text)) => serde_json::from_str(text).unwrap(),
        None => Value::Null,
    };
    let value = match field {
        Field::Name => json!(tenant.name),
        Field::Emails if emails == EmailRule::Add => {
            let others = customer["emails"].as_array().into_iter().flatten().cloned();
            Value::Array(tenant.emails.iter().flatten().map(|email| json!(email)).chain(others).collect())
        }
        Field::Emails => json!(tenant.emails),
        Field::GroupTags => json!(tenant.group_tags),
        Field::Properties => object(&customer["properties"], &tenant.properties),
        Field::Mapping => object(&customer["parent_schema_datasource_mapping"], &tenant.mapping),
        Field::IsDemoGroup => json!(tenant.is_demo_group),
        Field::HierarchyLevelName => json!(tenant.hierarchy_level_name),
        Field::ParentProvidedId => json!(tenant.parent_provided_id),
    };
    json!({"provided_id": tenant.provided_id, field.name(): value})
}

/// A copy of this Explo with the tags of a tenant, where they are to be made; whether all of them could be.
fn with_tags(world: &World, api: &Api, tenant: &Tenant) -> (Api, bool) {
    let mut copy = api.clone();
    copy.faults.clear();
    let is_asked = world.scenario.tags == TagRule::Create && copy.behaviour.tag_calls == TagCalls::Present;
    let missing: Vec<_> = tenant.group_tags.iter().flatten().filter(|tag| is_asked && !has_tag(api, tag)).collect();
    let mut are_made = true;
    for tag in missing {
        let body = json!({"name": tag}).to_string();
        let request = Request {
            method: "POST",
            path: "/api/create_group_tag/",
            token: Some("team-token"),
            body: body.as_bytes(),
        };
        let answer: Value = serde_json::from_slice(&copy.answer(&request, Instant::now()).body).unwrap_or_default();
        are_made &= ["group_tag", "groupTag"].iter().any(|name| answer[*name].is_object());
    }
    (copy, are_made)
}

fn has_tag(api: &Api, tag: &str) -> bool {
    api.store().tags().contains(tag)
}

/// Whether this Explo lets one field be as it is wanted at all: tried on a copy.
pub fn allows(world: &World, api: &Api, tenant: &Tenant, field: Field) -> bool {
    let (mut copy, _) = with_tags(world, api, tenant);
    let emails = world.scenario.emails;
    let Some(customer) = stored(&copy, &tenant.provided_id) else { return false };
    let body = body(&customer, tenant, field, emails).to_string();
    let request =
        Request { method: "POST", path: "/api/update_customer/", token: Some("team-token"), body: body.as_bytes() };
    copy.answer(&request, Instant::now());
    stored(&copy, &tenant.provided_id).is_some_and(|customer| holds(&customer, tenant, field, emails))
}

/// Whether this Explo refuses what a tenant wants as a whole: tried on a copy.
pub fn refuses(world: &World, api: &Api, tenant: &Tenant) -> bool {
    let (mut copy, are_made) = with_tags(world, api, tenant);
    let emails = world.scenario.emails;
    let customer = stored(&copy, &tenant.provided_id);
    let path = if customer.is_some() { "/api/update_customer/" } else { "/api/create_customer/" };
    let mut whole = json!({"provided_id": tenant.provided_id});
    for field in managed(tenant) {
        let one = body(customer.as_ref().unwrap_or(&Value::Null), tenant, field, emails);
        whole[field.name()] = one[field.name()].clone();
    }
    let whole = whole.to_string();
    let request = Request { method: "POST", path, token: Some("team-token"), body: whole.as_bytes() };
    let reply = copy.answer(&request, Instant::now());
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    !are_made || reply.status != 200 || !answer["customer"].is_object()
}

/// Fields that this Explo shows otherwise than it holds them, in some answer that matters.
pub fn lies(behaviour: &Behaviour) -> Vec<Field> {
    let mut fields = Vec::new();
    fields.extend((behaviour.inherited_tags != Shown::Nowhere).then_some(Field::GroupTags));
    fields.extend((behaviour.level_shown != LevelShown::Stored).then_some(Field::HierarchyLevelName));
    fields.extend((behaviour.parent_filter != ParentFilter::Children).then_some(Field::ParentProvidedId));
    let hidden = matches!(behaviour.property_keys, PropertyKeys::Snake | PropertyKeys::Camel);
    fields.extend(hidden.then_some(Field::Properties));
    fields
}

/// The id under which a tenant's customer is: its own or, where nothing stands against a rename, the one before.
fn found_under(world: &World, api: &Api, tenant: &Tenant) -> String {
    let tenants = world.tenants.borrow();
    let may_be_missed = !world.scenario.trust_total && api.behaviour.order == Order::Shuffled;
    let is_ours = |previous: &&Cow<'_, str>| {
        let is_a_tenants = tenants.iter().any(|one| one.provided_id == **previous);
        let is_hidden = api.store().get(previous).is_some_and(|customer| api.store().is_hidden(customer));
        !is_a_tenants && !is_hidden && !may_be_missed && api.behaviour.churn.is_empty()
    };
    let previous = tenant.previous_provided_id.as_ref().filter(|_| stored(api, &tenant.provided_id).is_none());
    previous
        .filter(is_ours)
        .filter(|previous| stored(api, previous).is_some())
        .unwrap_or(&tenant.provided_id)
        .to_string()
}

/// What nobody asked to be changed of each tenant's customer, its token first of all: renamed or not, it is the same one.
pub fn unmanaged(world: &World) -> BTreeMap<String, Value> {
    let (tenants, api) = (world.tenants.borrow(), world.api.borrow());
    let rest = |tenant: &Tenant| {
        let customer = stored(&api, &found_under(world, &api, tenant))?;
        Some((tenant.provided_id.to_string(), rest(&customer, tenant, world.scenario.emails)))
    };
    tenants.iter().filter_map(rest).collect()
}

/// It is still there; addresses may have come to it.
pub fn check_unmanaged(world: &World, before: &BTreeMap<String, Value>) {
    let now = unmanaged(world);
    let emails = |customer: &Value| customer["emails"].as_array().cloned().unwrap_or_default();
    for (id, before) in before {
        let now = &now[id];
        let is_same = members(before).iter().all(|(name, value)| name == "emails" || *value == now[name]);
        let are_there = emails(before).iter().all(|email| emails(now).contains(email));
        assert!(is_same && are_there, "somebody else's data of {id}: {before} is {now}");
    }
}

/// The fields and keys that a tenant does not manage.
fn rest(customer: &Value, tenant: &Tenant, emails: EmailRule) -> Value {
    let mut rest = members(customer);
    rest.remove("provided_id");
    // It follows the parent's own id.
    rest.remove("parent_provided_id");
    for (name, object) in [("properties", &tenant.properties), ("parent_schema_datasource_mapping", &tenant.mapping)] {
        match object {
            None => {}
            Some(Object::Whole(_)) => drop(rest.remove(name)),
            Some(Object::Keys(keys)) => {
                let mut held = members(&rest[name]);
                held.retain(|key, _| !keys.iter().any(|(managed, _)| managed == key));
                rest.insert(name.to_owned(), Value::Object(held));
            }
        }
    }
    let listed = |field: Field| if field == Field::HierarchyLevelName { "hierarchy_level" } else { field.name() };
    for field in managed(tenant) {
        match field {
            Field::Properties | Field::Mapping => {}
            Field::Emails if emails == EmailRule::Add => {}
            _ => drop(rest.remove(listed(field))),
        }
    }
    for object in ["properties", "parent_schema_datasource_mapping"] {
        if rest.get(object) == Some(&Value::Null) {
            rest.insert(object.to_owned(), json!({}));
        }
    }
    Value::Object(rest)
}

/// What the calls of one run must be, however it ended.
pub fn check_calls(world: &World, calls: &[Call], is_planned: bool) {
    let tenants: HashMap<_, _> =
        world.tenants.borrow().iter().map(|one| (one.provided_id.clone(), one.clone())).collect();
    check_order(world, calls);
    check_attempts(world, calls);
    check_pauses(calls);
    check_pace(world, calls);
    let writes: Vec<_> = calls.iter().filter(|call| call.is_write()).collect();
    assert!(is_planned || writes.is_empty(), "a write without a plan: {writes:?}");
    check_renames(&writes);
    check_tags(world, calls, is_planned);
    for write in writes {
        let tenant = tenants.get(write.tenant_id()).unwrap_or_else(|| panic!("a stranger is written: {write:?}"));
        let managed: Vec<_> = managed(tenant).into_iter().map(Field::name).collect();
        assert!(write.fields().all(|field| managed.contains(&field)), "an unmanaged field is sent: {write:?}");
        assert!(write.fields().all(|field| !write.body[field].is_null()), "null is sent: {write:?}");
        if write.new_id().is_some() {
            let ids = (tenant.previous_provided_id.as_deref(), 0);
            assert_eq!((Some(write.provided_id()), write.fields().count()), ids, "not what was asked for: {write:?}");
        }
    }
}

/// Tags are made where that is asked for, before the first write, and only for tenants that have them.
fn check_tags(world: &World, calls: &[Call], is_planned: bool) {
    let creates: Vec<_> = calls.iter().filter(|call| call.endpoint == "create_group_tag").collect();
    let may_create = is_planned && world.scenario.tags == TagRule::Create;
    assert!(may_create || creates.is_empty(), "nobody asked for tags: {creates:?}");
    let first_write = calls.iter().position(Call::is_write).unwrap_or(calls.len());
    let (early, late) = calls.split_at(first_write);
    // One that failed at first is tried again behind all others.
    let is_again = |call: &&Call| early.iter().any(|first| first.endpoint == call.endpoint && first.body == call.body);
    let late = late.iter().filter(|call| call.endpoint == "create_group_tag").find(|call| !is_again(call));
    assert!(late.is_none(), "a tag after the first write: {late:?}");
    let tenants = world.tenants.borrow();
    for create in creates {
        let is_carried =
            tenants.iter().any(|tenant| tenant.group_tags.iter().flatten().any(|tag| create.body["name"] == **tag));
        assert!(is_carried, "nobody has this tag: {create:?}");
    }
}

/// A rename that was done is not asked for again, and nothing is written under an id that is on its way out.
fn check_renames(writes: &[&Call]) {
    for (number, rename) in writes.iter().enumerate().filter(|(_, write)| write.new_id().is_some()) {
        let again = writes[number + 1..].iter().find(|later| later.new_id() == rename.new_id());
        assert!(!rename.is_done || again.is_none(), "done, and asked for again: {rename:?}");
        let is_old = |write: &&&Call| write.new_id().is_none() && write.provided_id() == rename.provided_id();
        assert!(writes.iter().find(is_old).is_none(), "written under its old id: {rename:?}");
    }
}

/// No write before the listing is known to be complete.
fn check_order(world: &World, calls: &[Call]) {
    let Some(first_write) = calls.iter().position(Call::is_write) else { return };
    let (before, after) = calls.split_at(first_write);
    assert!(
        after.iter().all(|call| call.endpoint != "customers" || call.parent.is_some()),
        "listed again after a write"
    );
    if world.scenario.version == ListingVersion::V1 {
        let is_whole = |call: &Call| {
            call.parent.is_none() && call.answer.as_ref().is_some_and(|answer| answer.body["customers"].is_array())
        };
        return assert!(before.iter().any(is_whole), "written without a listing");
    }
    let pages = before.iter().filter(|call| call.endpoint == "customers" && call.parent.is_none());
    let came = pages.filter_map(|call| Some((call.page?, page(call)?)));
    let (mut seen, mut promised, mut least) = (BTreeSet::new(), None, u64::MAX);
    for (number, (total, tokens)) in came {
        if number == 1 {
            (promised, least) = (total, u64::MAX);
        }
        least = least.min(total.unwrap_or(u64::MAX));
        seen.extend(tokens);
    }
    if world.scenario.trust_total {
        let promised = promised.unwrap_or_else(|| panic!("written without a first page"));
        assert!(least >= promised && seen.len() as u64 >= promised, "written after {} of {promised}", seen.len());
    }
}

/// The total and the tokens of a page that came whole.
fn page(call: &Call) -> Option<(Option<u64>, Vec<String>)> {
    let answer = call.answer.as_ref().filter(|answer| answer.status == 200)?;
    let customers = answer.body["results"]["customers"].as_array()?;
    let total = ["total_count", "count", "totalCount"].iter().find_map(|name| answer.body[*name].as_u64());
    Some((total, customers.iter().map(|customer| customer["token"].as_str().unwrap().to_owned()).collect()))
}

/// Nothing is tried more often than is allowed; a 429 is no attempt.
fn check_attempts(world: &World, calls: &[Call]) {
    let mut attempts = BTreeMap::<_, u32>::new();
    for call in calls.iter().filter(|call| call.is_write()) {
        let is_throttled = call.answer.as_ref().is_some_and(|answer| answer.status == 429);
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

/// Calls begin at the configured rate at the most, but for what the pacer takes as on time.
fn check_pace(world: &World, calls: &[Call]) {
    let least = Duration::from_mins(1) / world.scenario.requests_per_minute;
    for pair in calls.windows(2) {
        let gap = pair[1].began - pair[0].began;
        assert!(gap + Duration::from_millis(4) > least, "{gap:?} between {pair:?}");
    }
}

/// Tags that don't exist are made or make their tenants invalid, and those that exist are left alone.
pub fn check_missing_tags(world: &World, before: &Api, report: &Report, calls: &[Call]) {
    let of = |endpoint| calls.iter().filter(move |call| call.endpoint == endpoint);
    let creates: Vec<_> = of("create_group_tag").collect();
    let made_before = creates.iter().find(|call| has_tag(before, call.body["name"].as_str().unwrap()));
    assert!(made_before.is_none(), "it was there: {made_before:?}");
    assert!(of("group_tags").count() <= 1 + creates.len(), "asked more than once which tags there are");
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
        let mut tags = write.body["group_tags"].as_array().into_iter().flatten().map(|tag| tag.as_str().unwrap());
        let is_known = |tag: &str| has_tag(before, tag) || creates.iter().any(|call| call.body["name"] == tag);
        assert!(!tells || tags.all(is_known), "a tag that does not exist is sent: {write:?}");
    }
}

/// Nothing is written that was there before.
pub fn check_needed(world: &World, before: &Api, calls: &[Call]) {
    for write in calls.iter().filter(|call| call.endpoint == "update_customer") {
        let tenants = world.tenants.borrow();
        // A rename names the id of before.
        let Some(tenant) = tenants.iter().find(|tenant| tenant.provided_id == write.provided_id()) else { continue };
        let Some(customer) = stored(before, &tenant.provided_id) else { continue };
        let lies = lies(&before.behaviour);
        for field in managed(tenant).into_iter().filter(|field| write.fields().any(|name| name == field.name())) {
            let was_held = holds(&customer, tenant, field, world.scenario.emails);
            let is_hidden = |id: &str| world.scenario.hidden.iter().any(|hidden| hidden == id);
            // Of whom no listing shows, nobody sees the place.
            let is_hidden =
                is_hidden(&tenant.provided_id) || tenant.parent_provided_id.as_deref().is_some_and(is_hidden);
            assert!(
                !was_held || is_hidden && field == Field::ParentProvidedId || lies.contains(&field),
                "{field:?} was as wanted in {customer}, and is sent: {write:?}"
            );
        }
    }
}

/// What a report says must be what the wire and Explo say.
pub fn check_report(world: &World, report: &Report, calls: &[Call]) {
    let (counts, outcomes, plan) = (report.counts(), report.outcomes(), &report.run.plan);
    let planned = counts.create + counts.update + counts.rename;
    let told = outcomes.applied + outcomes.failed + outcomes.unsettled + outcomes.deferred;
    assert_eq!(plan.changes.len(), planned);
    assert_eq!(told, if report.dry_run { 0 } else { planned }, "{outcomes:?} of {planned}");
    // A customer under the previous id of a tenant that has one under its own is nobody's, and no orphan.
    let renamed =
        plan.index.rows().min(world.tenants.borrow().iter().filter(|one| one.previous_provided_id.is_some()).count());
    let listed = counts.update + counts.unchanged + counts.unsettled + renamed;
    assert!(plan.with_tenant <= listed + counts.invalid, "{counts:?}");
    let is_found = |call: &&&Call| {
        call.answer
            .as_ref()
            .is_some_and(|answer| ["new_customer", "newCustomer"].iter().any(|name| answer.body[*name] == false))
    };
    let is_acknowledged = |call: &&Call| {
        call.answer.as_ref().is_some_and(|answer| answer.status == 200 && answer.body["customer"].is_object())
    };
    let mut planned = BTreeMap::new();
    for (number, change) in plan.changes.iter().enumerate() {
        let id = plan.provided_id(change);
        let tenant = plan.index.tenant(change.row());
        let is_heard = |call: &&Call| call.answer.as_ref().is_none_or(|answer| answer.status != 429);
        let is_rename = matches!(change, Change::Rename(_));
        let is_its = |call: &&Call| call.is_write() && call.tenant_id() == id && call.new_id().is_some() == is_rename;
        let writes = calls.iter().filter(is_its);
        let writes: Vec<_> = writes.filter(is_heard).collect();
        planned.insert(
            id.clone(),
            plan.differences(change).iter().map(|difference| difference.field.name()).collect::<Vec<_>>(),
        );
        match report.outcome(number) {
            // A create that found the customer there did nothing; the update that was to follow is deferred.
            Some(Outcome::Deferred | Outcome::Waiting(_)) | None => {
                assert!(writes.last().is_none_or(|call| is_found(&call)), "deferred, and sent: {writes:?}");
            }
            Some(Outcome::Applied) => {
                let looked = calls.iter().filter(|call| call.endpoint == "get_customer" && call.provided_id() == id);
                let acknowledged = looked.chain(writes.iter().copied()).any(|call| is_acknowledged(&call));
                assert!(acknowledged, "{id} is applied without an answer");
                let customer = stored(&world.api.borrow(), &id).unwrap();
                let lies = lies(&world.api.borrow().behaviour);
                for field in
                    planned[&id].iter().filter_map(|name| managed(&tenant).into_iter().find(|f| f.name() == *name))
                {
                    let is_held = holds(&customer, &tenant, field, world.scenario.emails);
                    assert!(
                        is_held || lies.contains(&field),
                        "{id} is applied, but {field:?} of {customer} is not {tenant:?}"
                    );
                }
            }
            Some(Outcome::Failed(_) | Outcome::Unsettled(_)) => {}
        }
    }
    for write in calls.iter().filter(|call| call.is_write()) {
        let id = write.tenant_id();
        let fields = planned.get(id).unwrap_or_else(|| panic!("not in the plan: {write:?}"));
        let creates = calls.iter().filter(|call| call.endpoint == "create_customer" && call.provided_id() == id);
        let is_existing = creates.into_iter().any(|call| is_found(&&call));
        if write.endpoint == "update_customer" && !is_existing {
            assert!(write.fields().all(|field| fields.contains(&field)), "{write:?} has more than {fields:?}");
        }
    }
}

/// Where nothing fails, the calls are those that were forecast.
pub fn check_forecast(report: &Report) {
    let applied = report.run.applied.as_ref().unwrap();
    let is_applied = |outcome: &Outcome| *outcome == Outcome::Applied;
    if !applied.outcomes.iter().all(is_applied) || !applied.existing.is_empty() {
        return;
    }
    let mut planned = report.calls_planned();
    planned.retain(|_, calls| *calls > 0);
    assert_eq!(report.calls_made, planned);
}
