//! The guard: holds a plan that would change too much.
//!
//! | class | counts | base of the percentage | floor |
//! |---|---|---|---|
//! | create | new customers | customers listed | `create_floor` |
//! | update | updates | customers that have a tenant | `floor` |
//! | rename | customers that get another id | customers that have a tenant | the lower of 3 and `floor` |
//! | mapping | updates that touch the mapping | customers that have a tenant | the lower of 3 and `floor` |
//! | orphan | customers without a tenant | customers listed, by `max_orphan_percent` | none |
//!
//! Creates of remembered customers that the listing lacks have the lower floor as well, because the listing may be
//! wrong.

use std::{collections::BTreeMap, str::FromStr};

use serde::{Serialize, Serializer};

use super::Plan;
use crate::model::Field;

/// The highest floor of the classes that decide whose data is shown.
const LOW_FLOOR: usize = 3;

/// What the guard counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// New customers.
    Create,
    /// Customers that change.
    Update,
    /// Customers that get another id.
    Rename,
    /// Customers whose mapping changes.
    Mapping,
    /// Customers without a tenant.
    Orphan,
}

impl Class {
    /// Every class, in order.
    pub const ALL: [Self; 5] = [Self::Create, Self::Update, Self::Rename, Self::Mapping, Self::Orphan];

    /// The name in reports and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Rename => "rename",
            Self::Mapping => "mapping",
            Self::Orphan => "orphan",
        }
    }

    /// How many of this class a plan has.
    #[must_use]
    pub fn count(self, plan: &Plan) -> usize {
        match self {
            Self::Create => plan.creates(),
            Self::Update => plan.updates().count(),
            Self::Rename => plan.renames().count(),
            Self::Mapping => plan.updates().filter(|update| update.fields().contains(&Field::Mapping)).count(),
            Self::Orphan => plan.population.orphans.len(),
        }
    }
}

impl Serialize for Class {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Lets up to N changes of a class pass, for this run: `CLASS=N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    class: Class,
    count: usize,
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form =
            || format!("'{text}' is not CLASS=N, where CLASS is one of {}", Class::ALL.map(Class::name).join(", "));
        let (class, count) = text.split_once('=').ok_or_else(form)?;
        let class = Class::ALL.into_iter().find(|known| known.name() == class).ok_or_else(form)?;
        let count = count.parse().map_err(|_| form())?;
        Ok(Self { class, count })
    }
}

/// What the user allowed; of several allowances for one class, the highest counts.
#[derive(Debug, Clone, Default)]
pub struct Allowances(BTreeMap<Class, usize>);

impl FromIterator<Allowance> for Allowances {
    fn from_iter<I: IntoIterator<Item = Allowance>>(allowances: I) -> Self {
        let mut highest = BTreeMap::new();
        for Allowance { class, count } in allowances {
            let known = highest.entry(class).or_insert(0);
            *known = count.max(*known);
        }
        Self(highest)
    }
}

/// How much a run may change.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    /// This many updates always pass.
    pub floor: usize,
    /// This many creates always pass.
    pub create_floor: usize,
    /// Above the floor: percent of the base.
    pub percent: usize,
    /// Percent of the listed customers that may have no tenant.
    pub max_orphan_percent: usize,
}

/// A class that is over its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The class.
    pub class: Class,
    /// How many the plan has.
    pub count: usize,
    /// How many it may have.
    pub limit: usize,
}

/// What the guard would let pass in addition to the plan: for updates that are found only while applying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spare {
    /// Further updates.
    pub updates: usize,
    /// Further updates that touch the mapping.
    pub mappings: usize,
}

impl Guard {
    /// How many of a class a plan may have; exactly this many still pass.
    #[must_use]
    pub fn limit(&self, class: Class, plan: &Plan, allowances: &Allowances) -> usize {
        let share = |percent: usize, base: usize| percent.saturating_mul(base) / 100;
        let limit = match class {
            Class::Create => self.create_floor.max(share(self.percent, plan.population.customers)),
            Class::Update => self.floor.max(share(self.percent, plan.population.with_tenant)),
            Class::Rename | Class::Mapping => {
                self.floor.min(LOW_FLOOR).max(share(self.percent, plan.population.with_tenant))
            }
            Class::Orphan => share(self.max_orphan_percent, plan.population.customers),
        };
        limit.max(allowances.0.get(&class).copied().unwrap_or(0))
    }

    /// The limit of each class.
    #[must_use]
    pub fn limits(&self, plan: &Plan, allowances: &Allowances) -> BTreeMap<Class, usize> {
        Class::ALL.into_iter().map(|class| (class, self.limit(class, plan, allowances))).collect()
    }

    /// The classes that hold the plan; if empty, it may be applied.
    #[must_use]
    pub fn held(&self, plan: &Plan, allowances: &Allowances) -> Vec<Held> {
        let is_over = |held: &Held| held.count > held.limit;
        let judge = |class: Class| {
            let held = Held { class, count: class.count(plan), limit: self.limit(class, plan, allowances) };
            let lacking = || Some(self.lacking(plan, allowances)).filter(|_| class == Class::Create);
            Some(held).filter(is_over).or_else(|| lacking().filter(is_over))
        };
        Class::ALL.into_iter().filter_map(judge).collect()
    }

    /// The creates of remembered customers that the listing lacks, with their lower limit.
    fn lacking(&self, plan: &Plan, allowances: &Allowances) -> Held {
        let low = Self { create_floor: self.floor.min(LOW_FLOOR), ..*self };
        let limit = low.limit(Class::Create, plan, allowances);
        Held { class: Class::Create, count: plan.creates_of_lacking(), limit }
    }

    /// How much is left below the limits.
    #[must_use]
    pub fn spare(&self, plan: &Plan, allowances: &Allowances) -> Spare {
        let left = |class: Class| self.limit(class, plan, allowances).saturating_sub(class.count(plan));
        Spare { updates: left(Class::Update), mappings: left(Class::Mapping) }
    }
}

impl Spare {
    /// Counts one update of these fields if there is room for it; returns whether there is.
    pub fn spend(&mut self, fields: &[Field]) -> bool {
        let mapping = usize::from(fields.contains(&Field::Mapping));
        let room = self.updates >= 1 && self.mappings >= mapping;
        if room {
            self.updates -= 1;
            self.mappings -= mapping;
        }
        room
    }
}
