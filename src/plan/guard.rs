//! The guard: holds a plan that would change too much.
//!
//! | class | counts | base of the percentage | floor |
//! |---|---|---|---|
//! | create | new customers | customers listed | `create_floor` |
//! | update | updates | customers that have a tenant | `floor` |
//! | rename | customers that get another id | customers that have a tenant | the lower of 3 and `floor` |
//! | mapping | updates that touch the mapping | customers that have a tenant | the lower of 3 and `floor` |
//! | offboard | customers that are locked out or deleted | customers that have a tenant, by the lower of 5 and `percent` | the lower of 3 and `floor` |
//! | orphan | customers without a tenant | customers listed, by `max_orphan_percent` | none |
//!
//! Nobody is offboarded while the ledger knows no customer of this instance.
//!
//! Creates of remembered customers that the listing lacks have the lower floor as well, because the listing may be
//! wrong.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Serialize, Serializer};

use super::{Change, Plan};
use crate::model::Field;

/// The highest floor of the classes that decide whose data is shown, or that destroy.
const LOW_FLOOR: usize = 3;

/// The highest percentage of the class that destroys.
const LOW_PERCENT: usize = 5;

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
    /// Customers of tenants that leave.
    Offboard,
}

impl Class {
    /// Every class, in order.
    pub const ALL: [Self; 6] = [Self::Create, Self::Update, Self::Rename, Self::Mapping, Self::Orphan, Self::Offboard];

    /// Those that count the changes of single tenants.
    pub const OF_CHANGES: [Self; 5] = [Self::Create, Self::Update, Self::Rename, Self::Mapping, Self::Offboard];

    /// The name in reports and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Rename => "rename",
            Self::Mapping => "mapping",
            Self::Orphan => "orphan",
            Self::Offboard => "offboard",
        }
    }

    /// How many of this class a plan has.
    #[must_use]
    pub fn count(self, plan: &Plan) -> usize {
        match self {
            Self::Orphan => plan.population.orphans.len(),
            Self::Create | Self::Update | Self::Rename | Self::Mapping | Self::Offboard => {
                plan.changes.iter().filter(|change| self.counts(change)).count()
            }
        }
    }

    /// Whether a change is of this class.
    #[must_use]
    pub fn counts(self, change: &Change) -> bool {
        match (self, change) {
            (Self::Create, Change::Create(_))
            | (Self::Update, Change::Update(_))
            | (Self::Rename, Change::Rename(_))
            | (Self::Offboard, Change::Offboard(_)) => true,
            (Self::Mapping, Change::Update(update)) => update.fields().contains(&Field::Mapping),
            (Self::Create | Self::Rename | Self::Orphan | Self::Offboard, Change::Update(_))
            | (_, Change::Create(_) | Change::Rename(_) | Change::Offboard(_)) => false,
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

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} is over the limit of {}", self.class.name(), self.count, self.limit)
    }
}

impl Guard {
    /// How many of a class a plan may have; exactly this many still pass.
    #[must_use]
    pub fn limit(&self, class: Class, plan: &Plan, allowances: &Allowances) -> usize {
        let limit = self.limit_of(class, plan.population.customers, plan.population.with_tenant);
        let is_blank = class == Class::Offboard && plan.population.is_blank;
        let limit = if is_blank { 0 } else { limit };
        limit.max(allowances.0.get(&class).copied().unwrap_or(0))
    }

    /// The limit with these bases: the customers listed, and those of them that have a tenant.
    fn limit_of(&self, class: Class, customers: usize, with_tenant: usize) -> usize {
        let base = match class {
            Class::Create | Class::Orphan => customers,
            Class::Update | Class::Rename | Class::Mapping | Class::Offboard => with_tenant,
        };
        self.floor_of(class).max(self.percent_of(class).saturating_mul(base) / 100)
    }

    /// The percentage of a class.
    #[must_use]
    pub fn percent_of(&self, class: Class) -> usize {
        match class {
            Class::Create | Class::Update | Class::Rename | Class::Mapping => self.percent,
            Class::Orphan => self.max_orphan_percent,
            Class::Offboard => self.percent.min(LOW_PERCENT),
        }
    }

    /// How many of a class always pass.
    #[must_use]
    pub fn floor_of(&self, class: Class) -> usize {
        match class {
            Class::Create => self.create_floor,
            Class::Update => self.floor,
            Class::Rename | Class::Mapping | Class::Offboard => self.low_floor(),
            Class::Orphan => 0,
        }
    }

    /// The floor of renames and mappings, and of creates of remembered customers that a listing lacks.
    #[must_use]
    pub fn low_floor(&self) -> usize {
        self.floor.min(LOW_FLOOR)
    }

    /// The classes that the guard will hold in the next run, without an allowance, if only these changes of the plan are done.
    #[must_use]
    pub fn held_next(&self, plan: &Plan, is_done: impl Fn(usize) -> bool) -> Vec<Held> {
        let changes = || plan.changes.iter().enumerate();
        let made = changes().filter(|(n, change)| is_done(*n) && Class::Create.counts(change)).count();
        let (customers, with_tenant) = (plan.population.customers + made, plan.population.with_tenant + made);
        let judge = |class: Class| {
            let count = changes().filter(|(n, change)| !is_done(*n) && class.counts(change)).count();
            let limit = self.limit_of(class, customers, with_tenant);
            (count > limit).then_some(Held { class, count, limit })
        };
        Class::ALL.into_iter().filter_map(judge).collect()
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

    /// The same for single tenants, if these changes were made before them: all together must keep to the limits.
    #[must_use]
    pub fn held_after(&self, plan: &Plan, earlier: &BTreeMap<Class, usize>) -> Vec<Held> {
        let judge = |class: Class| {
            let own = class.count(plan);
            let count = own + earlier.get(&class).copied().unwrap_or(0);
            let limit = self.limit(class, plan, &Allowances::default());
            (own > 0 && count > limit).then_some(Held { class, count, limit })
        };
        Class::OF_CHANGES.into_iter().filter_map(judge).collect()
    }

    /// Whether all these changes together keep to the limits.
    #[must_use]
    pub fn has_room(&self, plan: &Plan, earlier: &BTreeMap<Class, usize>, further: &BTreeMap<Class, usize>) -> bool {
        further.iter().filter(|(_, count)| **count > 0).all(|(class, count)| {
            let earlier = earlier.get(class).copied().unwrap_or(0);
            earlier + count <= self.limit(*class, plan, &Allowances::default())
        })
    }

    /// The creates of remembered customers that the listing lacks, with their lower limit.
    fn lacking(&self, plan: &Plan, allowances: &Allowances) -> Held {
        let low = Self { create_floor: self.low_floor(), ..*self };
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
