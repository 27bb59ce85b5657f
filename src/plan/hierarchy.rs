//! Parents and children: judged among the tenants, and compared with the children that Explo lists for each parent.
//!
//! | the parent is | then |
//! |---|---|
//! | a listed customer | its children are listed, and a child that is missing there moves |
//! | a tenant whose customer is to be created | the child is created, or moves, after it |
//! | to be renamed | its old id counts as the new one |
//! | not a tenant nor a listed customer, or invalid, or below the child | the child is invalid, and all below it |
//! | a tenant that leaves and has no customer | the same |
//!
//! A tenant with a parent needs a level, because Explo puts a new customer without a level at the root.

use std::collections::{BTreeMap, HashMap};

use crate::{
    model::shown,
    tenants::{Index, RowNumber},
};

const NO_LEVEL: &str =
    "parent_provided_id needs hierarchy_level_name beside it: Explo puts a customer without a level at the root";

/// How many ids of a chain a message names; the rest is left out.
const TOLD: usize = 4;

/// Where a tenant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// This many tenants are above it.
    Below(u32),
    /// It can't be planned, by its own fault.
    At(Fault),
    /// It can't be planned, because one above it can't.
    BelowInvalid,
}

/// What is wrong with a tenant's parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NoLevel,
    Unknown,
    /// Its tenant leaves, and has no customer.
    Left,
    Circle,
}

/// The tenants that have a parent, each with its standing.
#[derive(Debug, Default)]
pub(super) struct Hierarchy {
    standings: HashMap<RowNumber, Standing>,
}

impl Hierarchy {
    /// Judges all tenants that have a parent. `is_customer` decides about an id that is not a tenant's, `has_left` about a
    /// tenant that leaves.
    pub(super) fn judge(
        index: &Index,
        is_customer: impl Fn(&str) -> bool,
        has_left: impl Fn(RowNumber) -> bool,
    ) -> Self {
        let mut hierarchy = Self::default();
        for row in index.with_parent() {
            hierarchy.climb(index, row, &is_customer, &has_left);
        }
        hierarchy
    }

    /// The tenants that can't be planned, with the reason, in no order.
    pub(super) fn invalid(&self, index: &Index) -> Vec<(RowNumber, String)> {
        let invalid = self.standings.iter().filter_map(|(row, standing)| match standing {
            Standing::Below(_) => None,
            Standing::At(Fault::NoLevel) => Some((*row, NO_LEVEL.to_owned())),
            Standing::At(Fault::Unknown) => Some((*row, unknown(index, *row))),
            Standing::At(Fault::Left) => Some((*row, left(index, *row))),
            Standing::At(Fault::Circle) => {
                Some((*row, format!("its parents form a circle: {}", self.chain(index, *row))))
            }
            Standing::BelowInvalid => {
                Some((*row, format!("it is below an invalid tenant: {}", self.chain(index, *row))))
            }
        });
        invalid.collect()
    }

    /// How many tenants are above this one.
    pub(super) fn depth(&self, row: RowNumber) -> u32 {
        match self.standings.get(&row) {
            Some(Standing::Below(above)) => *above,
            Some(Standing::At(_) | Standing::BelowInvalid) | None => 0,
        }
    }

    /// Climbs from a tenant to the first known standing; then every tenant on the way has one.
    fn climb(
        &mut self,
        index: &Index,
        row: RowNumber,
        is_customer: &impl Fn(&str) -> bool,
        has_left: &impl Fn(RowNumber) -> bool,
    ) {
        let (mut way, mut on_it, mut at) = (Vec::new(), HashMap::new(), row);
        let end = loop {
            match self.standings.get(&at) {
                _ if index.is_invalid(at) => break Standing::BelowInvalid,
                Some(Standing::Below(above)) => break Standing::Below(above + 1),
                Some(Standing::At(_) | Standing::BelowInvalid) => break Standing::BelowInvalid,
                None => {}
            }
            // One that leaves moves nowhere.
            let parent = index.parent_provided_id(at).filter(|_| !index.is_leaving(at));
            let Some(parent) = parent else { break Standing::Below(1) };
            if let Some(&first) = on_it.get(&at) {
                let circle = way.split_off(first).into_iter();
                self.standings.extend(circle.map(|row| (row, Standing::At(Fault::Circle))));
                break Standing::BelowInvalid;
            }
            on_it.insert(at, way.len());
            let fault = match index.parent(at) {
                _ if !index.has_level(at) => Fault::NoLevel,
                Some(above) if has_left(above) => Fault::Left,
                Some(above) => {
                    way.push(at);
                    at = above;
                    continue;
                }
                None if is_customer(&parent) => {
                    self.standings.insert(at, Standing::Below(0));
                    break Standing::Below(1);
                }
                None => Fault::Unknown,
            };
            self.standings.insert(at, Standing::At(fault));
            break Standing::BelowInvalid;
        };
        for (below, row) in (0..).zip(way.into_iter().rev()) {
            let standing = if let Standing::Below(above) = end { Standing::Below(above + below) } else { end };
            self.standings.insert(row, standing);
        }
    }

    /// The ids above a tenant, up to the first with a fault.
    fn chain(&self, index: &Index, row: RowNumber) -> String {
        let above = std::iter::successors(index.parent(row), |above| {
            let is_below = self.standings.get(above) == Some(&Standing::BelowInvalid);
            let is_round = self.standings.get(above) == Some(&Standing::At(Fault::Circle)) && *above != row;
            (is_below || is_round).then(|| index.parent(*above)).flatten()
        });
        let mut ids: Vec<_> = above.take(TOLD + 1).map(|row| shown(&index.provided_id(row))).collect();
        if ids.len() > TOLD {
            ids.truncate(TOLD);
            ids.push("…".to_owned());
        }
        ids.join(" → ")
    }
}

fn unknown(index: &Index, row: RowNumber) -> String {
    let parent = shown(&index.parent_provided_id(row).unwrap_or_default());
    format!("its parent_provided_id {parent} names neither a tenant nor a listed customer")
}

fn left(index: &Index, row: RowNumber) -> String {
    let parent = shown(&index.parent_provided_id(row).unwrap_or_default());
    format!("its parent_provided_id {parent} names a tenant that leaves and has no customer")
}

/// The parents under which Explo listed customers.
#[derive(Debug, Default)]
pub struct Placed {
    /// The parents whose children were asked for; false if Explo gave no answer.
    asked: BTreeMap<String, bool>,
    /// Child → id of the first parent under which it was found; `None` for the wanted parent.
    found: HashMap<RowNumber, Option<String>>,
}

impl Placed {
    /// Notes the children listed for a parent; `None` if Explo gave no answer. A child listed under its wanted parent
    /// stays there even if another parent lists it, because a listing may show grandchildren.
    pub fn observe(&mut self, index: &Index, parent: &str, children: Option<&[String]>) {
        self.asked.insert(parent.to_owned(), children.is_some());
        for child in children.into_iter().flatten().filter_map(|child| index.of_id_or_previous(child)) {
            let place = self.found.entry(child).or_insert_with(|| Some(parent.to_owned()));
            if index.listed_parent(child).as_deref() == Some(parent) {
                *place = None;
            }
        }
    }

    /// The parents whose children were asked for.
    pub(super) fn asked(&self) -> impl Iterator<Item = &str> {
        self.asked.keys().map(String::as_str)
    }

    /// Whether Explo listed the children of this parent; `None` if it was not asked.
    pub(super) fn lists(&self, parent: &str) -> Option<bool> {
        self.asked.get(parent).copied()
    }

    /// Whether a child was found under its wanted parent.
    #[must_use]
    pub fn is_below_wanted(&self, child: RowNumber) -> bool {
        self.found.get(&child) == Some(&None)
    }

    /// The current parent of a child that is not under its wanted parent, which may not exist yet; empty if it was
    /// found nowhere. `None` if it is under the wanted parent, or Explo was not asked.
    #[must_use]
    pub fn elsewhere(&self, index: &Index, child: RowNumber) -> Option<&str> {
        let is_known = index.listed_parent(child).is_none_or(|parent| self.lists(&parent) == Some(true));
        match self.found.get(&child) {
            Some(Some(other)) if is_known => Some(other),
            None if is_known => Some(""),
            Some(_) | None => None,
        }
    }
}
