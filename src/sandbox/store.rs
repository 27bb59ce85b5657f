//! The customers and tags of the sandbox, oldest first.

use std::collections::{BTreeSet, HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::{
    Odd,
    choice::{Ids, Second},
    customer::StoredCustomer,
};

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such customer.
    #[error("there is no customer with the given {0}")]
    Unknown(&'static str),
    /// The request is not allowed.
    #[error("{0}")]
    Refused(String),
    /// It is to be deleted, and has children.
    #[error("the customer has children")]
    Parent,
}

/// Limit of parents above a customer: more than there can be levels, and the end of a cycle.
const MOST_ANCESTORS: usize = 8;

/// Customers, oldest first, and tags. If two customers have one `provided_id`, calls reach the first.
#[derive(Debug, Clone, Default)]
pub struct Store {
    customers: Vec<StoredCustomer>,
    by_id: HashMap<String, usize>,
    /// The ids of customers in data visibility groups that the token can't see.
    hidden: HashSet<String>,
    /// The data visibility groups of which the token sees no customer.
    hidden_groups: HashSet<String>,
    tags: BTreeSet<String>,
    seed: u64,
    /// Number of tokens assigned so far.
    tokens: u64,
}

impl Store {
    /// A store with these customers and their tags.
    pub fn new(customers: impl IntoIterator<Item = StoredCustomer>) -> Self {
        let mut store = Self::default();
        customers.into_iter().for_each(|customer| store.add(customer));
        store
    }

    /// Reads customers from a JSON array or from JSON lines.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let customers = if text.trim_start().starts_with('[') {
            serde_json::from_str(text)?
        } else {
            serde_json::Deserializer::from_str(text).into_iter().collect::<Result<Vec<StoredCustomer>, _>>()?
        };
        Ok(Self::new(customers))
    }

    /// Sets the seed of the tokens of later customers.
    pub(super) fn seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Adds a customer with its tags; it gets a token, `sandbox-token-` and 32 hexadecimal digits, if it has none.
    pub fn add(&mut self, mut customer: StoredCustomer) {
        if customer.token.is_empty() {
            customer.token = self.new_token();
        }
        self.tags.extend(customer.group_tags.iter().cloned());
        if let Some(id) = &customer.provided_id {
            self.by_id.entry(id.clone()).or_insert(self.customers.len());
        }
        self.customers.push(customer);
    }

    /// Every customer.
    #[must_use]
    pub fn customers(&self) -> &[StoredCustomer] {
        &self.customers
    }

    /// Hides customers from listings, as a data visibility group does.
    pub fn hide(&mut self, provided_ids: impl IntoIterator<Item = String>) {
        self.hidden.extend(provided_ids);
    }

    /// Hides the customers of a data visibility group from listings.
    pub fn hide_group(&mut self, access_group: impl Into<String>) {
        self.hidden_groups.insert(access_group.into());
    }

    /// Whether listings omit the customer.
    #[must_use]
    pub fn is_hidden(&self, customer: &StoredCustomer) -> bool {
        let is_in = |hidden: &HashSet<String>, name: Option<&String>| {
            !hidden.is_empty() && name.is_some_and(|name| hidden.contains(name))
        };
        is_in(&self.hidden, customer.provided_id.as_ref()) || is_in(&self.hidden_groups, customer.access_group.as_ref())
    }

    /// Makes a customer odd: a strict client can't read its record.
    pub fn make_odd(&mut self, provided_id: &str, odd: Odd) -> Result<(), StoreError> {
        self.customer(provided_id)?.odd = Some(odd);
        Ok(())
    }

    /// Adds a second customer with the same `provided_id`, and a token and name of its own.
    pub fn twice(&mut self, provided_id: &str, second: Second) -> Result<(), StoreError> {
        let position = self.place_of(provided_id)?;
        let first = &self.customers[position];
        let mut twin = StoredCustomer { name: format!("{} again", first.name), ..first.clone() };
        twin.token = self.new_token();
        self.customers.insert(position + usize::from(second == Second::After), twin);
        self.number();
        Ok(())
    }

    /// Gives a customer another token.
    pub fn rotate_token(&mut self, provided_id: &str) -> Result<(), StoreError> {
        let position = self.place_of(provided_id)?;
        self.retoken(position);
        Ok(())
    }

    /// Swaps the `provided_id`s of two customers; each keeps its children and stays listed or hidden.
    pub fn swap_ids(&mut self, one: &str, other: &str) -> Result<(), StoreError> {
        let positions = [self.place_of(one)?, self.place_of(other)?];
        let [Some(one), Some(other)] = positions.map(|position| self.customers[position].provided_id.clone()) else {
            return Err(StoreError::Unknown("provided_id"));
        };
        let swapped = |id: &String| match id {
            id if *id == one => other.clone(),
            id if *id == other => one.clone(),
            id => id.clone(),
        };
        self.hidden = self.hidden.iter().map(swapped).collect();
        for customer in &mut self.customers {
            customer.parent_provided_id = customer.parent_provided_id.as_ref().map(swapped);
        }
        for position in positions {
            let id = &mut self.customers[position].provided_id;
            *id = id.as_ref().map(swapped);
        }
        self.number();
        Ok(())
    }

    /// One customer.
    #[must_use]
    pub fn get(&self, provided_id: &str) -> Option<&StoredCustomer> {
        self.by_id.get(provided_id).map(|position| &self.customers[*position])
    }

    /// One customer, to change; its `provided_id` must stay.
    pub fn customer(&mut self, provided_id: &str) -> Result<&mut StoredCustomer, StoreError> {
        let position = self.place_of(provided_id)?;
        Ok(&mut self.customers[position])
    }

    /// Every tag.
    #[must_use]
    pub fn tags(&self) -> &BTreeSet<String> {
        &self.tags
    }

    /// Removes a tag; customers that have it keep it.
    pub fn remove_tag(&mut self, name: &str) {
        self.tags.remove(name);
    }

    /// Creates a tag; an error if it exists.
    pub fn add_tag(&mut self, name: &str) -> Result<(), StoreError> {
        let added = self.tags.insert(name.to_owned());
        if added { Ok(()) } else { Err(StoreError::Refused("a group tag with this name exists".to_owned())) }
    }

    /// Removes a customer that has no children.
    pub fn delete(&mut self, token: &str) -> Result<(), StoreError> {
        let position = self.customers.iter().position(|customer| customer.token == token);
        self.remove(position.ok_or(StoreError::Unknown("current_token"))?)
    }

    /// Where the customer with this id is.
    pub(super) fn position(&self, provided_id: &str, ids: Ids) -> Option<usize> {
        let exact = |id: &str| self.by_id.get(id).copied();
        match ids {
            Ids::Exact => exact(provided_id),
            Ids::Trimmed => exact(provided_id.trim()),
            Ids::Folded => exact(provided_id).or_else(|| {
                let folded = provided_id.to_lowercase();
                let is_it = |id: &String| id.to_lowercase() == folded;
                self.customers.iter().position(|customer| customer.provided_id.as_ref().is_some_and(is_it))
            }),
        }
    }

    pub(super) fn at(&self, position: usize) -> &StoredCustomer {
        &self.customers[position]
    }

    pub(super) fn at_mut(&mut self, position: usize) -> &mut StoredCustomer {
        &mut self.customers[position]
    }

    /// The next listed customer after a position; after the last comes the first.
    pub(super) fn next_listed(&self, position: usize) -> Option<&StoredCustomer> {
        let (before, rest) = self.customers.split_at(position);
        rest.iter().skip(1).chain(before).find(|customer| !self.is_hidden(customer))
    }

    /// The parents above a customer, the nearest first.
    pub(super) fn ancestors<'s>(&'s self, customer: &'s StoredCustomer) -> impl Iterator<Item = &'s StoredCustomer> {
        let parent = |customer: &&'s StoredCustomer| {
            let id = customer.parent_provided_id.as_ref()?;
            self.by_id.get(id).map(|position| &self.customers[*position])
        };
        std::iter::successors(parent(&customer), parent).take(MOST_ANCESTORS)
    }

    /// Removes the customer there, if it has no children.
    pub(super) fn remove(&mut self, position: usize) -> Result<(), StoreError> {
        let id = &self.customers[position].provided_id;
        if id.is_some() && self.customers.iter().any(|customer| customer.parent_provided_id == *id) {
            return Err(StoreError::Parent);
        }
        self.customers.remove(position);
        self.number();
        Ok(())
    }

    /// Gives the customer there another token.
    pub(super) fn retoken(&mut self, position: usize) {
        self.customers[position].token = self.new_token();
    }

    /// Gives the customer there another id; it keeps its children and stays listed or hidden.
    pub(super) fn rename(&mut self, position: usize, id: String) {
        let old = self.customers[position].provided_id.replace(id.clone());
        if let Some(old) = old {
            if self.hidden.contains(&old) {
                self.hidden.insert(id.clone());
            }
            let second = self.customers.iter().position(|customer| customer.provided_id.as_ref() == Some(&old));
            if let Some(second) = second {
                self.by_id.insert(old.clone(), second);
            } else {
                self.hidden.remove(&old);
                self.by_id.remove(&old);
            }
            let is_parent = |parent: &&mut String| **parent == old;
            let parents = self.customers.iter_mut().filter_map(|customer| customer.parent_provided_id.as_mut());
            parents.filter(is_parent).for_each(|parent| parent.clone_from(&id));
        }
        self.by_id.insert(id, position);
    }

    /// Moves a customer to another place in the order.
    pub(super) fn relocate(&mut self, from: usize, to: usize) {
        let customer = self.customers.remove(from);
        self.customers.insert(to, customer);
        self.number();
    }

    fn place_of(&self, provided_id: &str) -> Result<usize, StoreError> {
        self.by_id.get(provided_id).copied().ok_or(StoreError::Unknown("provided_id"))
    }

    fn new_token(&mut self) -> String {
        let hash = xxh3_128_with_seed(&self.tokens.to_le_bytes(), self.seed);
        self.tokens += 1;
        format!("sandbox-token-{hash:032x}")
    }

    fn number(&mut self) {
        let ids = self.customers.iter().enumerate().rev();
        self.by_id = ids.filter_map(|(n, customer)| Some((customer.provided_id.clone()?, n))).collect();
    }
}
