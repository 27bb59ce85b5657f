//! Who changed what, and when: one event for each change that Explo acknowledged. It has the fields, and of each value a
//! digest, so that two values can be told apart; the values themselves only if [`show_values`] was called.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use ring::digest::{SHA256, digest};
use serde::Serialize;
use tracing::Level;

use super::Outcome;
use crate::{
    model::{json, told_id},
    plan::{Change, Offboard, Plan},
};

/// The target of these events.
pub const AUDIT: &str = "audit";

static VALUES: AtomicBool = AtomicBool::new(false);

/// From now on the events have the values.
pub fn show_values() {
    VALUES.store(true, Ordering::Relaxed);
}

#[derive(Serialize)]
struct Sides {
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<String>,
    new: String,
}

/// Tells of a change, if it was acknowledged and somebody listens.
pub(super) fn tell(plan: &Plan, change: &Change, outcome: &Outcome) {
    let is_acknowledged = matches!(outcome, Outcome::Applied | Outcome::Unsettled(_));
    if !is_acknowledged || !tracing::event_enabled!(target: AUDIT, Level::INFO) {
        return;
    }
    let provided_id = plan.provided_id(change);
    let is_new = matches!(change, Change::Create(_));
    let differences = plan.differences(change);
    let mut fields: BTreeMap<_, _> = differences
        .iter()
        .map(|difference| {
            let old = (!is_new).then(|| shown(&difference.current));
            (difference.field.name(), Sides { old, new: shown(&difference.wanted) })
        })
        .collect();
    if let Change::Rename(row) = change {
        let (old, new) = (plan.previous_provided_id(*row), &*provided_id);
        fields.insert("provided_id", Sides { old: Some(json::quote(&old)), new: json::quote(new) });
    }
    let offboard = change.as_offboard().map(Offboard::in_words);
    let fields = serde_json::to_string(&fields).unwrap_or_default();
    tracing::info!(
        target: AUDIT,
        { tenant.id = &*told_id(&provided_id), change = change.kind(), offboard, fields, outcome = outcome.name() },
        "acknowledged"
    );
}

/// A value as JSON, or its digest.
fn shown(value: &str) -> String {
    if VALUES.load(Ordering::Relaxed) {
        return value.to_owned();
    }
    // Its beginning is enough to tell values apart.
    let beginning =
        digest(&SHA256, value.as_bytes()).as_ref().first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    format!("sha256:{beginning:016x}")
}
