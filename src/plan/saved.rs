//! A plan as data that outlives its run: what one instance would change, with every value, to be reviewed and then
//! applied. It is plain JSON, has no tokens, and is written one change at a time.

mod change;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, Serializer, ser::Error as _, ser::SerializeSeq};

use super::{Change, Expected, News, Offboard, Plan, Population, Quiet, Tags, Update};
use crate::{
    compare::{Fingerprints, Rules},
    tenants::{Index, RowNumber},
};
use change::{Restored as Saved, SavedChange};

/// The version of the format.
const VERSION: u64 = 2;

/// A plan with its values. `C` is a list of changes, or makes them one by one while they are written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan<C = Vec<SavedChange>> {
    version: u64,
    /// The instance that made the plan.
    pub instance: String,
    /// Address of the Explo for which it was made; empty if that is not known.
    #[serde(default)]
    pub explo: String,
    rules: Rules,
    bases: Bases,
    access_groups: BTreeSet<String>,
    /// Tags to create first.
    #[serde(default)]
    tags: BTreeSet<String>,
    changes: C,
}

/// The bases of the guard's percentages.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bases {
    /// Customers listed.
    customers: usize,
    /// Those of them that have a tenant.
    with_tenant: usize,
}

/// The changes of a plan, made one at a time while they are written.
#[derive(Debug)]
pub struct Changes<'p>(&'p Plan);

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut changes = serializer.serialize_seq(Some(self.0.changes.len()))?;
        for change in &self.0.changes {
            changes.serialize_element(&SavedChange::of(self.0, change).map_err(S::Error::custom)?)?;
        }
        changes.end()
    }
}

impl<'p> SavedPlan<Changes<'p>> {
    /// The saved form of a plan.
    #[must_use]
    pub fn of(plan: &'p Plan, instance: &str, explo: &str) -> Self {
        Self {
            version: VERSION,
            instance: instance.to_owned(),
            explo: explo.to_owned(),
            rules: plan.rules,
            bases: Bases { customers: plan.population.customers, with_tenant: plan.population.with_tenant },
            access_groups: plan.population.access_groups.clone(),
            tags: plan.tags.to_make.clone(),
            changes: Changes(plan),
        }
    }
}

impl SavedPlan {
    /// Reads the text of a plan file. The message quotes no value of it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            version: u64,
        }
        match serde_json::from_slice(text) {
            Ok(Head { version }) if version != VERSION => Err(format!(
                "it was written by another version of explo-sync (its format is {version}, and this one reads {VERSION}): \
                 make it again with `sync --dry-run --out`"
            )),
            // The library's message could quote a value.
            _ => serde_json::from_slice(text).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                format!("line {line}, column {column}: it is not a plan of `sync --dry-run --out`")
            }),
        }
    }

    /// Turns it back into a plan, to be applied at `now`, in seconds since 1970; refuses one that [`SavedPlan::of`]
    /// can't have written.
    pub fn restore(self, fingerprints: Fingerprints, now: u64) -> Result<Plan, &'static str> {
        if !self.changes.is_sorted_by_key(|saved| saved.kind) {
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
                customers: self.bases.customers,
                with_tenant: self.bases.with_tenant,
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

/// The changes of a plan, while they are restored.
struct Restored {
    index: Index,
    changes: Vec<Change>,
    /// Customers renamed and not updated yet: no others may have a second change.
    renamed: BTreeSet<RowNumber>,
}

impl Restored {
    fn add(&mut self, saved: SavedChange) -> Result<(), &'static str> {
        let (tenant, change) = saved.restore()?;
        let twice = "it names a customer twice";
        let is_update = matches!(change, Saved::Update(_));
        let row = match self.index.row(&tenant.provided_id) {
            None => {
                let provided_id = tenant.provided_id.clone();
                self.index.insert(&Ok(tenant));
                let row = self.index.row(&provided_id).ok_or(twice)?;
                if is_update {
                    self.index.list(row);
                }
                row
            }
            Some(row) if is_update && self.renamed.remove(&row) && self.index.tenant(row) == tenant => row,
            Some(_) => return Err(twice),
        };
        self.changes.push(match change {
            Saved::Rename => {
                self.renamed.insert(row);
                self.index.rename(row);
                Change::Rename(row)
            }
            Saved::Create => Change::Create(row),
            Saved::Update(differences) => Change::Update(Update { row, differences }),
            Saved::Offboard(offboard, children) => {
                let children = children.iter().filter_map(|id| self.index.row(id)).filter(|child| *child != row);
                Change::Offboard(Offboard { row, children: children.collect(), ..offboard })
            }
        });
        Ok(())
    }
}
