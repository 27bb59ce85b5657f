//! The customers and tags of the sandbox, and what each call does to them.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Deserialize;

use super::customer::{Members, StoredCustomer};

/// What a call is refused for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such customer.
    #[error("there is no customer with the given {0}")]
    Unknown(&'static str),
    /// The request can't be done.
    #[error("{0}")]
    Refused(String),
}

/// The body of a create or update.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Fields {
    pub(super) provided_id: Option<String>,
    new_provided_id: Option<String>,
    name: Option<String>,
    emails: Option<Vec<String>>,
    group_tags: Option<Vec<String>>,
    properties: Option<Members>,
    mapping: Option<Members>,
    is_demo_group: Option<bool>,
    hierarchy_level_name: Option<String>,
}

/// Customers in the order of their making, and the tags there are.
#[derive(Debug, Default)]
pub struct Store {
    customers: Vec<StoredCustomer>,
    by_id: HashMap<String, usize>,
    /// The ids of customers in data visibility groups that the token can't see.
    hidden: HashSet<String>,
    tags: BTreeSet<String>,
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

    /// Adds a customer with its tags; it gets a token if it has none.
    pub fn add(&mut self, mut customer: StoredCustomer) {
        if customer.token.is_empty() {
            customer.token = format!("{:032x}", rand::random::<u128>());
        }
        self.tags.extend(customer.group_tags.iter().cloned());
        if let Some(id) = &customer.provided_id {
            self.by_id.insert(id.clone(), self.customers.len());
        }
        self.customers.push(customer);
    }

    /// Every customer.
    #[must_use]
    pub fn customers(&self) -> &[StoredCustomer] {
        &self.customers
    }

    /// The customers that a listing shows.
    pub(super) fn visible(&self) -> impl Iterator<Item = &StoredCustomer> {
        let is_hidden = |id: &String| self.hidden.contains(id);
        self.customers.iter().filter(move |customer| !customer.provided_id.as_ref().is_some_and(is_hidden))
    }

    /// Hides customers from listings, as a data visibility group does.
    pub fn hide(&mut self, provided_ids: impl IntoIterator<Item = String>) {
        self.hidden.extend(provided_ids);
    }

    /// One customer.
    pub fn customer(&mut self, provided_id: &str) -> Result<&mut StoredCustomer, StoreError> {
        let position = self.by_id.get(provided_id).ok_or(StoreError::Unknown("provided_id"))?;
        Ok(&mut self.customers[*position])
    }

    /// Every tag.
    #[must_use]
    pub fn tags(&self) -> &BTreeSet<String> {
        &self.tags
    }

    /// Makes a tag, once.
    pub fn add_tag(&mut self, name: &str) -> Result<(), StoreError> {
        let added = self.tags.insert(name.to_owned());
        if added { Ok(()) } else { Err(StoreError::Refused("a group tag with this name exists".to_owned())) }
    }

    /// Removes a customer.
    pub fn delete(&mut self, token: &str) -> Result<(), StoreError> {
        let position = self.customers.iter().position(|customer| customer.token == token);
        self.customers.remove(position.ok_or(StoreError::Unknown("current_token"))?);
        self.number();
        Ok(())
    }

    /// Get or create: true for a new one; an existing one stays as it is.
    pub(super) fn create(&mut self, fields: Fields) -> Result<(bool, &StoredCustomer), StoreError> {
        let id = fields.provided_id.clone().filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| StoreError::Refused("provided_id is required".to_owned()))?;
        let is_new = !self.by_id.contains_key(&id);
        if is_new {
            let name = fields.name.as_ref().filter(|name| !name.is_empty());
            name.ok_or_else(|| StoreError::Refused("name is required".to_owned()))?;
            self.check_tags(&fields)?;
            let access_group = Some("Production".to_owned());
            self.add(StoredCustomer { provided_id: Some(id.clone()), access_group, ..StoredCustomer::default() });
            self.customer(&id)?.set(fields);
        }
        Ok((is_new, self.customer(&id)?))
    }

    pub(super) fn update(&mut self, mut fields: Fields) -> Result<&StoredCustomer, StoreError> {
        self.check_tags(&fields)?;
        let mut id = fields.provided_id.take().unwrap_or_default();
        self.customer(&id)?;
        if let Some(new_id) = fields.new_provided_id.take().filter(|new_id| *new_id != id) {
            if self.by_id.contains_key(&new_id) {
                return Err(StoreError::Refused("a customer with the new provided_id exists".to_owned()));
            }
            self.customer(&id)?.provided_id = Some(new_id.clone());
            self.number();
            id = new_id;
        }
        let customer = self.customer(&id)?;
        customer.set(fields);
        Ok(customer)
    }

    fn check_tags(&self, fields: &Fields) -> Result<(), StoreError> {
        match fields.group_tags.iter().flatten().find(|tag| !self.tags.contains(*tag)) {
            Some(tag) => Err(StoreError::Refused(format!("there is no group tag named {tag}"))),
            None => Ok(()),
        }
    }

    fn number(&mut self) {
        let ids = self.customers.iter().enumerate();
        self.by_id = ids.filter_map(|(n, customer)| Some((customer.provided_id.clone()?, n))).collect();
    }
}

impl StoredCustomer {
    /// Replaces what is given, keeps the rest.
    fn set(&mut self, fields: Fields) {
        fn replace<T>(old: &mut T, new: Option<T>) {
            if let Some(new) = new {
                *old = new;
            }
        }
        replace(&mut self.name, fields.name);
        replace(&mut self.emails, fields.emails);
        replace(&mut self.group_tags, fields.group_tags);
        replace(&mut self.properties, fields.properties.map(Some));
        replace(&mut self.parent_schema_datasource_mapping, fields.mapping.map(Some));
        replace(&mut self.is_demo_group, fields.is_demo_group);
        replace(&mut self.hierarchy_level, fields.hierarchy_level_name.map(Some));
    }
}
