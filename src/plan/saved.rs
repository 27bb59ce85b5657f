//! A plan as data that outlives its run: what one instance would change, with every value, to be reviewed and then
//! applied. It has no tokens.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, Serializer};

use super::{Change, Expected, News, Plan, Population, Quiet, Tags, Update};
use crate::{
    compare::{Difference, Fingerprints, Rules},
    model::{Object, Tenant, json},
    tenants::{Index, RowNumber},
};

/// The version of the format.
const VERSION: u8 = 1;

/// A plan with its values. `C` is a list of changes, or makes them one by one while they are written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan<C = Vec<SavedChange>> {
    version: u8,
    /// The instance that made the plan.
    pub instance: String,
    rules: Rules,
    /// Customers listed, and those of them that have a tenant: the bases of the guard.
    bases: (usize, usize),
    access_groups: BTreeSet<String>,
    /// Tags to create first.
    #[serde(default)]
    tags: BTreeSet<String>,
    changes: C,
}

/// One change, with everything that its tenant wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedChange {
    tenant: Tenant<'static>,
    change: SavedKind,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedKind {
    Rename,
    Create,
    /// The differences.
    Update(Vec<Difference>),
}

/// The changes of a plan, made one at a time while they are written.
#[derive(Debug)]
pub struct Changes<'p>(&'p Plan);

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.changes.iter().map(|change| SavedChange {
            tenant: self.0.index.tenant(change.row()),
            change: match change {
                Change::Rename(_) => SavedKind::Rename,
                Change::Create(_) => SavedKind::Create,
                Change::Update(update) => SavedKind::Update(update.differences.clone()),
            },
        }))
    }
}

impl<'p> SavedPlan<Changes<'p>> {
    /// The saved form of a plan.
    #[must_use]
    pub fn of(plan: &'p Plan, instance: &str) -> Self {
        Self {
            version: VERSION,
            instance: instance.to_owned(),
            rules: plan.rules,
            bases: (plan.population.customers, plan.population.with_tenant),
            access_groups: plan.population.access_groups.clone(),
            tags: plan.tags.to_make.clone(),
            changes: Changes(plan),
        }
    }
}

impl SavedPlan {
    /// Turns it back into a plan, to be applied at `now`, in seconds since 1970; refuses one that [`SavedPlan::of`]
    /// can't have written.
    pub fn restore(self, fingerprints: Fingerprints, now: u64) -> Result<Plan, &'static str> {
        if self.version != VERSION {
            return Err("it was written by another version of explo-sync");
        }
        if !self.changes.iter().all(is_sound) {
            return Err("it has a tenant that no query can return");
        }
        if !self.changes.is_sorted_by_key(|saved| saved.change.turn()) {
            return Err("its changes are out of order");
        }
        let changes = Vec::with_capacity(self.changes.len());
        let mut restored = Restored { index: Index::new(fingerprints), changes, renamed: BTreeSet::new() };
        self.changes.into_iter().try_for_each(|saved| restored.add(saved))?;
        Ok(Plan {
            changes: restored.changes,
            index: restored.index,
            rules: self.rules,
            now,
            population: Population {
                customers: self.bases.0,
                with_tenant: self.bases.1,
                access_groups: self.access_groups,
                ..Population::default()
            },
            invalid: Vec::new(),
            quiet: Quiet::default(),
            expected: Expected::default(),
            news: News::default(),
            tags: Tags::to_make(self.tags),
        })
    }
}

impl SavedKind {
    /// The rank of the kind in the order of application.
    fn turn(&self) -> u8 {
        match self {
            Self::Rename => 0,
            Self::Create => 1,
            Self::Update(_) => 2,
        }
    }
}

/// The changes of a plan, while they are restored.
struct Restored {
    index: Index,
    changes: Vec<Change>,
    /// Customers renamed and not updated yet: no others may have a second change.
    renamed: BTreeSet<RowNumber>,
}

impl Restored {
    fn add(&mut self, SavedChange { tenant, change }: SavedChange) -> Result<(), &'static str> {
        let twice = "it names a customer twice";
        if matches!(&change, SavedKind::Update(differences) if differences.is_empty()) {
            return Err("it has an update without fields");
        }
        let row = match (self.index.row(&tenant.provided_id), &change) {
            (None, _) => {
                let provided_id = tenant.provided_id.clone();
                self.index.insert(&Ok(tenant));
                let row = self.index.row(&provided_id).ok_or(twice)?;
                if matches!(change, SavedKind::Update(_)) {
                    self.index.list(row);
                }
                row
            }
            (Some(row), SavedKind::Update(_)) if self.renamed.remove(&row) && self.index.tenant(row) == tenant => row,
            (Some(_), _) => return Err(twice),
        };
        self.changes.push(match change {
            SavedKind::Rename => {
                self.renamed.insert(row);
                self.index.rename(row);
                Change::Rename(row)
            }
            SavedKind::Create => Change::Create(row),
            SavedKind::Update(differences) => Change::Update(Update { row, differences }),
        });
        Ok(())
    }
}

/// A plan may have been edited by hand, and all later code relies on valid JSON in it.
fn is_sound(SavedChange { tenant, change }: &SavedChange) -> bool {
    let previous = tenant.previous_provided_id.as_deref().filter(|previous| *previous != tenant.provided_id);
    let has_ids = !tenant.provided_id.is_empty()
        && previous != Some("")
        && tenant.parent_provided_id.as_deref() != Some("")
        && (*change != SavedKind::Rename || previous.is_some());
    let is_json = |text: &str| json::checked(text) == Ok(text);
    let objects = [&tenant.properties, &tenant.mapping];
    let are_sound = objects.into_iter().flatten().all(|object| match object {
        Object::Whole(text) => is_json(text) && json::is_object(text),
        Object::Keys(keys) => keys.iter().all(|(_, value)| value.as_deref().is_none_or(is_json)),
    });
    has_ids && are_sound
}
