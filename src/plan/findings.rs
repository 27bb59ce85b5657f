//! What earlier runs found out about writes, as hashes of both sides in the comparison form: what did not settle, what was
//! acknowledged just before, and which customers exist though no listing shows them.
//!
//! A finding holds until either side changes.

use std::collections::{BTreeMap, HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_64;

use super::{Difference, Fingerprints, Plan, Rule, Unsettled};
use crate::model::{Field, Tenant};

/// Findings by tenant and field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    unsettled: HashMap<String, BTreeMap<Field, (Sides, Rule)>>,
    /// Of the last run that applied something: a difference that is there again was not written for good, or came back.
    acknowledged: HashMap<String, BTreeMap<Field, Sides>>,
    /// Tenants whose customer is not listed → the fingerprint of what it was made to hold.
    unlisted: HashMap<String, u64>,
}

/// Hashes of what is wanted and what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sides {
    wanted: u64,
    seen: u64,
}

impl Findings {
    /// Why writing this difference is of no use, where that is known.
    #[must_use]
    pub fn rule(&self, provided_id: &str, difference: &Difference) -> Option<Rule> {
        let (sides, rule) = self.unsettled.get(provided_id)?.get(&difference.field)?;
        (*sides == Sides::of(difference)).then_some(*rule)
    }

    /// Whether the last run wrote just this difference, and Explo acknowledged it: nothing is known of it yet.
    #[must_use]
    pub fn came_back(&self, provided_id: &str, difference: &Difference) -> bool {
        let written = self.acknowledged.get(provided_id).and_then(|fields| fields.get(&difference.field));
        written == Some(&Sides::of(difference)) && self.rule(provided_id, difference).is_none()
    }

    /// Whether the tenant's customer exists, unlisted, and was made to hold just this.
    #[must_use]
    pub fn is_unlisted(&self, tenant: &Tenant) -> bool {
        self.unlisted.get(&tenant.provided_id) == Some(&lasting_fingerprint(tenant))
    }

    /// The tenant's customer exists and holds what is wanted, though the listing does not show it.
    pub fn learn_unlisted(&mut self, tenant: &Tenant) {
        self.unlisted.insert(tenant.provided_id.clone(), lasting_fingerprint(tenant));
    }

    /// A new run's findings begin: of earlier ones those stay whose tenants are there, and of the unlisted customers those
    /// that were not listed this time either.
    pub fn begin_run(&mut self, plan: &Plan) {
        self.acknowledged.clear();
        self.unsettled.retain(|provided_id, _| plan.index.has(provided_id));
        let unlisted: HashSet<_> = plan.unlisted.iter().map(|row| plan.index.provided_id(*row)).collect();
        self.unlisted.retain(|provided_id, _| unlisted.contains(provided_id.as_str()));
    }

    /// A difference that came back and was neither looked at nor written: the next run may look.
    pub fn keep_acknowledged(&mut self, provided_id: &str, difference: &Difference) {
        let fields = self.acknowledged.entry(provided_id.to_owned()).or_default();
        fields.insert(difference.field, Sides::of(difference));
    }

    /// These differences of a tenant were written, and all but the unsettled ones settled.
    pub fn learn(&mut self, provided_id: &str, written: &[Difference], unsettled: &[Unsettled]) {
        for difference in written {
            if let Some(known) = self.unsettled.get_mut(provided_id) {
                known.remove(&difference.field);
            }
            let acknowledged = self.acknowledged.entry(provided_id.to_owned()).or_default();
            acknowledged.insert(difference.field, Sides::of(difference));
        }
        for Unsettled { difference, rule, .. } in unsettled {
            let known = self.unsettled.entry(provided_id.to_owned()).or_default();
            known.insert(difference.field, (Sides::of(difference), *rule));
        }
        if self.unsettled.get(provided_id).is_some_and(BTreeMap::is_empty) {
            self.unsettled.remove(provided_id);
        }
    }
}

/// The same in every run.
fn lasting_fingerprint(tenant: &Tenant) -> u64 {
    Fingerprints::new(0).of_tenant(tenant)
}

impl Sides {
    fn of(difference: &Difference) -> Self {
        Self { wanted: xxh3_64(difference.new.as_bytes()), seen: xxh3_64(difference.old.as_bytes()) }
    }
}
