//! A plan as data that outlives its run: what one instance was going to change, with every value, to be looked at and then
//! carried out. It holds values, but no token.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Change, Difference, Fingerprints, Index, Plan, Rules, Update};
use crate::model::{Object, Tenant, json};

/// The version of the shape.
const VERSION: u8 = 1;

/// A plan with its values.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    version: u8,
    /// Whose plan it is.
    pub instance: String,
    rules: Rules,
    /// Customers listed, and those of them that have a tenant: the bases of the guard.
    bases: (usize, usize),
    access_groups: BTreeSet<String>,
    changes: Vec<SavedChange>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedChange {
    tenant: Tenant,
    /// What differed; `None` for a customer to be made.
    differences: Option<Vec<Difference>>,
}

impl SavedPlan {
    /// Takes what a plan would change.
    #[must_use]
    pub fn of(plan: &Plan, instance: &str) -> Self {
        let saved = |change: &Change| SavedChange {
            tenant: plan.index.tenant(change.row()),
            differences: match change {
                Change::Create(_) => None,
                Change::Update(update) => Some(update.differences.clone()),
            },
        };
        let changes = plan.changes.iter().map(saved).collect();
        Self {
            version: VERSION,
            instance: instance.to_owned(),
            rules: plan.rules,
            bases: (plan.customers, plan.with_tenant),
            access_groups: plan.access_groups.clone(),
            changes,
        }
    }

    /// The plan again; refused where it can't have come from [`SavedPlan::of`].
    pub fn restore(self, fingerprints: Fingerprints) -> Result<Plan, &'static str> {
        if self.version != VERSION {
            return Err("it was written by another version of explo-sync");
        }
        if !self.changes.iter().all(|saved| is_sound(&saved.tenant)) {
            return Err("it has a tenant that no row of a query gives");
        }
        let mut index = Index::new(fingerprints);
        for saved in &self.changes {
            index.insert(Ok(saved.tenant.clone()));
        }
        if !index.invalid().is_empty() {
            return Err("it names a customer twice");
        }
        let rows: Vec<_> = index.unlisted().collect();
        let change = |(row, saved): (_, SavedChange)| match saved.differences {
            None => Change::Create(row),
            Some(differences) => Change::Update(Update { row, differences }),
        };
        Ok(Plan {
            changes: rows.into_iter().zip(self.changes).map(change).collect(),
            index,
            rules: self.rules,
            orphans: Vec::new(),
            invalid: Vec::new(),
            unchanged: 0,
            unsettled: Vec::new(),
            unsettled_customers: 0,
            listed: Vec::new(),
            looks: 0,
            customers: self.bases.0,
            with_tenant: self.bases.1,
            access_groups: self.access_groups,
        })
    }
}

/// Whoever edits a plan by hand may break the JSON within it, and everything after this relies on that.
fn is_sound(tenant: &Tenant) -> bool {
    let is_json = |text: &str| json::checked(text) == Ok(text);
    let objects = [&tenant.properties, &tenant.mapping];
    let are_sound = objects.into_iter().flatten().all(|object| match object {
        Object::Whole(text) => is_json(text) && json::is_object(text),
        Object::Keys(keys) => keys.iter().all(|(_, value)| value.as_deref().is_none_or(is_json)),
    });
    !tenant.provided_id.is_empty() && are_sound
}
