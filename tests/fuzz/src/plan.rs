//! A plan file: `sync --plan` takes it from whoever wrote it.

use explo_sync::{
    compare::{Fingerprints, to_send},
    explo::wire::Body,
    model::{Customer, Field, json},
    plan::{Change, Plan, SavedPlan},
};

pub fn target(data: &[u8]) {
    let Ok(saved) = SavedPlan::read(data) else { return };
    let instance = saved.instance.clone();
    let Ok(plan) = saved.restore(Fingerprints::new(0), 0) else { return };
    let text = |plan: &Plan| serde_json::to_string(&SavedPlan::of(plan, &instance, "")).unwrap();
    let again = SavedPlan::read(text(&plan).as_bytes()).unwrap().restore(Fingerprints::new(0), 0).unwrap();
    assert_eq!(text(&again), text(&plan));
    plan.changes.iter().for_each(|change| assert_can_be_sent(&plan, change));
    assert!(plan.updates().filter(|update| plan.carries(update)).count() <= plan.updates().count());
}

fn assert_can_be_sent(plan: &Plan, change: &Change) {
    let fields = match change {
        Change::Rename(row) => {
            return assert!(!["", &*plan.provided_id(change)].contains(&&*plan.previous_provided_id(*row)));
        }
        Change::Create(_) => Field::ALL.to_vec(),
        Change::Update(update) => update.fields(),
        Change::Offboard(offboard) => offboard.fields(),
    };
    let (tenant, current) = (plan.index.tenant(change.row()), Customer::default());
    let tenant = to_send(&tenant, &fields, Some(&current), plan.rules);
    let body = serde_json::to_string(&Body::from(&tenant)).unwrap();
    let sent: Vec<_> = json::members(json::checked(&body).unwrap()).map(|(name, _)| name).collect();
    for (field, is_wanted) in [(Field::Properties, tenant.properties), (Field::Mapping, tenant.mapping)] {
        assert_eq!(is_wanted.is_some(), sent.iter().any(|name| name == field.name()), "{body}");
    }
}
