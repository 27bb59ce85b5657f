//! The plan: what one run would change, as data.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use super::{News, Offboard, Population, Tags};
use crate::{
    compare::{Difference, Rule, Rules, Unsettled, compare, needs_current},
    model::{Customer, Field, Invalid, json},
    tenants::{Index, RowNumber},
};

/// One change of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Give the customer with the tenant's previous id the tenant's own id.
    Rename(RowNumber),
    /// Create the customer of this tenant.
    Create(RowNumber),
    /// Change some fields of the customer.
    Update(Update),
    /// Lock out or delete the customer of a tenant that left.
    Offboard(Offboard),
}

/// The fields of one customer that are to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The tenant's row.
    pub row: RowNumber,
    /// The differences; never empty.
    pub differences: Vec<Difference>,
}

/// The result of comparing tenants with customers.
#[derive(Debug)]
pub struct Plan {
    /// The tenants that the changes refer to.
    pub index: Index,
    /// In the order of application: renames, creates, updates, offboardings; parents before children (of those that are
    /// deleted, after them), otherwise by id. A tenant can have both a rename and an update.
    pub changes: Vec<Change>,
    /// The customers as a whole: counts, orphans, unreadable records.
    pub population: Population,
    /// The tenants that can't be planned, sorted by id.
    pub invalid: Vec<Invalid>,
    /// The tenants for which there is nothing to do.
    pub quiet: Quiet,
    /// What the answers to some changes must show.
    pub expected: Expected,
    /// What to remember of the listing.
    pub news: News,
    /// What is known of the tags that changes send.
    pub tags: Tags,
    /// How fields were compared.
    pub rules: Rules,
    /// When the run began, in seconds since 1970.
    pub now: u64,
}

/// Tenants whose customers are left as they are.
#[derive(Debug, Default)]
pub struct Quiet {
    /// How many customers have the wanted values, including hidden ones.
    pub unchanged: usize,
    /// Tenants whose customer exists although no listing shows it.
    pub hidden: Vec<RowNumber>,
    /// Differences known not to settle, sorted by id; they are not sent.
    pub unsettled: Vec<(RowNumber, Unsettled)>,
    /// How many customers have only such differences.
    pub unsettled_customers: usize,
    /// Tenants that failed before and are not looked up before their next try.
    pub waiting: Vec<RowNumber>,
    /// Tenants that leave with the next run: the ledger must know their customers by id and token first.
    pub leaving_next: Vec<RowNumber>,
    /// Changes of a saved plan that Explo shows already, by row and [turn](Change::turn); nothing is sent for them.
    pub done: BTreeSet<(RowNumber, u8)>,
}

/// What the answers to some changes must show, in addition to the wanted values.
#[derive(Debug, Default)]
pub struct Expected {
    /// Fields sent although they did not settle before, to see whether they do now.
    pub checks: BTreeMap<RowNumber, BTreeSet<(Field, Rule)>>,
    /// Tenants whose customer an earlier run moved without effect, to see whether the move works now.
    pub moved_again: BTreeSet<RowNumber>,
    /// Hashes of the listed tokens of customers that get another id: a rename must not change them.
    pub renamed_tokens: BTreeMap<RowNumber, u64>,
}

impl Change {
    /// The tenant's row.
    #[must_use]
    pub fn row(&self) -> RowNumber {
        match self {
            Self::Rename(row)
            | Self::Create(row)
            | Self::Update(Update { row, .. })
            | Self::Offboard(Offboard { row, .. }) => *row,
        }
    }

    /// The rank of its kind in the order of application.
    #[must_use]
    pub fn turn(&self) -> u8 {
        match self {
            Self::Rename(_) => 0,
            Self::Create(_) => 1,
            Self::Update(_) => 2,
            Self::Offboard(_) => 3,
        }
    }

    /// The update, if the change is one.
    #[must_use]
    pub fn as_update(&self) -> Option<&Update> {
        match self {
            Self::Update(update) => Some(update),
            Self::Rename(_) | Self::Create(_) | Self::Offboard(_) => None,
        }
    }

    /// The offboarding, if the change is one.
    #[must_use]
    pub fn as_offboard(&self) -> Option<&Offboard> {
        match self {
            Self::Offboard(offboard) => Some(offboard),
            Self::Rename(_) | Self::Create(_) | Self::Update(_) => None,
        }
    }

    /// Whether the change puts the customer under its parent.
    #[must_use]
    pub fn places(&self) -> bool {
        match self {
            Self::Rename(_) | Self::Offboard(_) => false,
            Self::Create(_) => true,
            Self::Update(update) => update.old_parent().is_some(),
        }
    }

    /// The kind, as reports name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rename(_) => "rename",
            Self::Create(_) => "create",
            Self::Update(_) => "update",
            Self::Offboard(_) => "offboard",
        }
    }
}

impl Update {
    /// The fields that differ, in order.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        self.differences.iter().map(|difference| difference.field).collect()
    }

    /// The parent under which the customer was found, if the update changes the parent.
    #[must_use]
    pub fn old_parent(&self) -> Option<String> {
        let moves = self.differences.iter().find(|difference| difference.field == Field::ParentProvidedId);
        moves.map(|difference| json::string(&difference.current).into_owned())
    }

    /// Whether the customer gets another parent or level.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.fields().iter().any(|field| matches!(field, Field::HierarchyLevelName | Field::ParentProvidedId))
    }
}

impl Plan {
    /// The id of the tenant that a change is about.
    #[must_use]
    pub fn provided_id(&self, change: &Change) -> Cow<'_, str> {
        self.index.provided_id(change.row())
    }

    /// The id under which the customer that a change is about is listed, if it is.
    #[must_use]
    pub fn listed_id(&self, change: &Change) -> Cow<'_, str> {
        self.index.listed_id(change.row())
    }

    /// The id that the tenant's customer had before a rename.
    #[must_use]
    pub fn previous_provided_id(&self, row: RowNumber) -> Cow<'_, str> {
        self.index.previous_provided_id(row).unwrap_or_default()
    }

    /// The fields that a change sets (a rename: none; a create: those that differ from an empty customer).
    #[must_use]
    pub fn differences<'p>(&'p self, change: &'p Change) -> Cow<'p, [Difference]> {
        match change {
            Change::Rename(_) => Cow::Borrowed(&[]),
            Change::Update(update) => Cow::Borrowed(&update.differences),
            Change::Offboard(offboard) => Cow::Borrowed(&offboard.differences),
            Change::Create(row) => Cow::Owned(compare(&self.index.tenant(*row), &Customer::none(), Rules::default())),
        }
    }

    /// The fields of [`differences`](Self::differences), without reading the values.
    #[must_use]
    pub fn fields_of(&self, change: &Change) -> Vec<Field> {
        match change {
            Change::Rename(_) => Vec::new(),
            Change::Create(row) => {
                let parent = self.index.parent_provided_id(*row).map(|_| Field::ParentProvidedId);
                self.index.filled(*row).chain(parent).collect()
            }
            Change::Update(update) => update.fields(),
            Change::Offboard(offboard) => offboard.fields(),
        }
    }

    /// Whether Explo shows what a change of a saved plan wants, so that nothing is sent for it.
    #[must_use]
    pub fn is_done(&self, change: &Change) -> bool {
        !self.quiet.done.is_empty() && self.quiet.done.contains(&(change.row(), change.turn()))
    }

    /// The customers without a tenant that are not offboarded, sorted.
    #[must_use]
    pub fn orphans_left_alone(&self) -> Vec<&str> {
        let is_left = |id: &&str| self.index.row(id).is_none_or(|row| !self.index.is_leaving(row));
        self.population.orphans.iter().map(String::as_str).filter(is_left).collect()
    }

    /// How many tenants leave whose customer nothing is done to: it is locked out, deleted, or was never made.
    #[must_use]
    pub fn have_left(&self) -> usize {
        let planned: HashSet<_> = self.offboards().map(|offboard| offboard.row).collect();
        let next = &self.quiet.leaving_next;
        self.index.leaving().filter(|row| !planned.contains(row) && !next.contains(row)).count()
    }

    /// For how many seconds the rows of orphans have been gone, as far as the ledger knows them, in ascending order.
    #[must_use]
    pub fn ages_of_orphans(&self) -> Vec<u64> {
        let known = |id: &String| self.news.rows_gone.get(id);
        let since = self.population.orphans.iter().filter_map(known);
        let mut ages: Vec<_> = since.map(|since| self.news.clock.saturating_sub(*since)).collect();
        ages.sort_unstable();
        ages
    }

    /// The updates.
    pub fn updates(&self) -> impl Iterator<Item = &Update> {
        self.changes.iter().filter_map(Change::as_update)
    }

    /// The tenants whose customers get another id; they come first among the changes.
    pub fn renames(&self) -> impl Iterator<Item = RowNumber> {
        self.changes.iter().map_while(|change| match change {
            Change::Rename(row) => Some(*row),
            Change::Create(_) | Change::Update(_) | Change::Offboard(_) => None,
        })
    }

    /// The offboardings; they come last among the changes.
    pub fn offboards(&self) -> impl Iterator<Item = &Offboard> {
        self.changes.iter().filter_map(Change::as_offboard)
    }

    /// How many customers are to be created.
    #[must_use]
    pub fn creates(&self) -> usize {
        self.changes.iter().filter(|change| matches!(change, Change::Create(_))).count()
    }

    /// How many of these creates are of remembered customers that were not listed.
    #[must_use]
    pub fn creates_of_lacking(&self) -> usize {
        let is_created = |id: &&String| self.index.row(id).is_some_and(|row| self.index.is_absent(row));
        self.news.lacking.keys().filter(is_created).count()
    }

    /// How many updates touch each field.
    #[must_use]
    pub fn fields(&self) -> BTreeMap<Field, usize> {
        let mut fields = BTreeMap::new();
        for difference in self.updates().flat_map(|update| &update.differences) {
            *fields.entry(difference.field).or_insert(0) += 1;
        }
        fields
    }

    /// Whether an update must read the customer first, because it also sends values that the tenant does not manage.
    #[must_use]
    pub fn carries(&self, update: &Update) -> bool {
        needs_current(self.index.managed(update.row), &update.fields(), self.rules)
    }
}
