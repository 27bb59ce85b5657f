//! What create and update do to the store.

use super::{
    Behaviour, Store, StoreError, StoredCustomer,
    choice::{Existing, Hidden, Ids, Nulls, OnUpdate, UnknownTags},
    customer::{ACCESS_GROUP, Members},
    fields::{Fields, Given, Values},
    odd::OddField,
};

/// Where the customer is, and whether it is new.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) position: usize,
    pub(super) is_new: bool,
}

impl Store {
    /// Get or create.
    pub(super) fn create(&mut self, mut fields: Fields, behaviour: &Behaviour) -> Result<Written, StoreError> {
        let id = kept_id(fields.provided_id.take().unwrap_or_default(), behaviour.ids);
        if id.is_empty() {
            return Err(refused("provided_id is required"));
        }
        let values = fields.values(behaviour)?;
        if let Some(position) = self.position(&id, behaviour.ids) {
            if behaviour.existing == Existing::Updated {
                self.write(position, values, behaviour)?;
            }
            return Ok(Written { position, is_new: false });
        }
        if values.name.as_ref().is_none_or(String::is_empty) {
            return Err(refused("name is required"));
        }
        let hierarchy_level = behaviour.levels.first().cloned();
        let access_group = Some(ACCESS_GROUP.to_owned());
        let new = StoredCustomer { provided_id: Some(id), hierarchy_level, access_group, ..StoredCustomer::default() };
        let parent = self.checked_parent(&new, &values, behaviour)?;
        self.check_tags(&values, behaviour)?;
        let position = self.customers().len();
        self.add(new);
        self.set(position, values, parent, behaviour);
        Ok(Written { position, is_new: true })
    }

    /// Updates the given fields, keeps the others.
    pub(super) fn update(&mut self, mut fields: Fields, behaviour: &Behaviour) -> Result<Written, StoreError> {
        let id = fields.provided_id.take().unwrap_or_default();
        let position = self.known(&id, behaviour)?;
        let new_id = fields.new_provided_id.take().map(|new_id| kept_id(new_id, behaviour.ids));
        let new_id = new_id.filter(|new_id| self.at(position).provided_id.as_ref() != Some(new_id));
        if let Some(new_id) = &new_id {
            if new_id.is_empty() {
                return Err(refused("new_provided_id is empty"));
            }
            if self.position(new_id, behaviour.ids).is_some_and(|taken| taken != position) {
                return Err(refused("a customer with the new provided_id exists"));
            }
        }
        self.write(position, fields.values(behaviour)?, behaviour)?;
        if let Some(new_id) = new_id {
            self.rename(position, new_id);
        }
        Ok(Written { position, is_new: false })
    }

    /// The customer's position; an error if there is no such customer.
    pub(super) fn known(&self, provided_id: &str, behaviour: &Behaviour) -> Result<usize, StoreError> {
        let is_known = |position: &usize| match behaviour.hidden {
            Hidden::Reachable => true,
            Hidden::Unknown => !self.is_hidden(self.at(*position)),
        };
        self.position(provided_id, behaviour.ids).filter(is_known).ok_or(StoreError::Unknown("provided_id"))
    }

    fn write(&mut self, position: usize, values: Values, behaviour: &Behaviour) -> Result<(), StoreError> {
        let parent = self.checked_parent(self.at(position), &values, behaviour)?;
        self.check_tags(&values, behaviour)?;
        self.set(position, values, parent, behaviour);
        Ok(())
    }

    fn check_tags(&self, values: &Values, behaviour: &Behaviour) -> Result<(), StoreError> {
        let unknown = values.group_tags.iter().flatten().find(|tag| !self.tags().contains(*tag));
        match (unknown, behaviour.unknown_tags) {
            (Some(tag), UnknownTags::Refused) => Err(refused(format!("there is no group tag named {tag}"))),
            (Some(_), UnknownTags::Made) | (None, _) => Ok(()),
        }
    }

    /// The parent that the customer will have; checks that it exists, is in the same group and on a higher level.
    fn checked_parent(
        &self,
        customer: &StoredCustomer,
        values: &Values,
        behaviour: &Behaviour,
    ) -> Result<Option<String>, StoreError> {
        let place = |level: Option<&String>| behaviour.levels.iter().position(|name| Some(name) == level);
        let level = values.level.as_ref().filter(|level| !level.is_empty());
        if !behaviour.levels.is_empty() && level.is_some() && place(level).is_none() {
            return Err(refused("there is no hierarchy level with this name"));
        }
        let wanted = match (&values.parent, behaviour.nulls) {
            (Given::Value(id), _) => Some(id),
            (Given::Null, Nulls::Cleared) => None,
            (Given::Null, Nulls::Ignored) | (Given::Absent, _) => customer.parent_provided_id.as_ref(),
        };
        let Some(wanted) = wanted else { return Ok(None) };
        let found = self.position(wanted, behaviour.ids).map(|position| self.at(position));
        let parent = found.filter(|parent| self.is_hidden(parent) == self.is_hidden(customer));
        let parent = parent.ok_or_else(|| refused("there is no customer with the given parent_provided_id"))?;
        let mut above = std::iter::once(parent).chain(self.ancestors(parent));
        if above.any(|above| above.provided_id == customer.provided_id) {
            return Err(refused("a customer can't be below itself"));
        }
        let own = place(level.or(customer.hierarchy_level.as_ref()));
        if !behaviour.levels.is_empty() && place(parent.hierarchy_level.as_ref()) >= own {
            return Err(refused("the parent is not on a higher level"));
        }
        Ok(parent.provided_id.clone())
    }

    fn set(&mut self, position: usize, values: Values, parent: Option<String>, behaviour: &Behaviour) {
        for tag in values.group_tags.iter().flatten() {
            let _ = self.add_tag(tag);
        }
        self.at_mut(position).set(values, parent, behaviour);
    }
}

impl StoredCustomer {
    fn set(&mut self, values: Values, parent: Option<String>, behaviour: &Behaviour) {
        fn replace<T>(old: &mut T, new: Option<T>) {
            if let Some(new) = new {
                *old = new;
            }
        }
        self.odd = self.odd.filter(|odd| match odd.field() {
            OddField::Name => values.name.is_none(),
            OddField::Emails => values.emails.is_none(),
            OddField::Properties => values.properties.is_none(),
        });
        replace(&mut self.name, values.name);
        match (values.emails, behaviour.emails) {
            (Some(emails), OnUpdate::Merge) => {
                let new: Vec<_> = emails.into_iter().filter(|email| !self.emails.contains(email)).collect();
                self.emails.extend(new);
            }
            (emails, _) => replace(&mut self.emails, emails),
        }
        replace(&mut self.group_tags, values.group_tags);
        object(&mut self.properties, values.properties, behaviour.properties);
        object(&mut self.parent_schema_datasource_mapping, values.mapping, behaviour.mapping);
        replace(&mut self.is_demo_group, values.is_demo_group);
        replace(&mut self.hierarchy_level, values.level.map(|level| Some(level).filter(|level| !level.is_empty())));
        self.parent_provided_id = parent;
    }
}

fn object(old: &mut Option<Members>, new: Option<Members>, on_update: OnUpdate) {
    match (old, new, on_update) {
        (Some(old), Some(new), OnUpdate::Merge) => old.extend(new),
        (old, Some(new), _) => *old = Some(new),
        (_, None, _) => {}
    }
}

fn kept_id(id: String, ids: Ids) -> String {
    match ids {
        Ids::Exact | Ids::Folded => id,
        Ids::Trimmed => id.trim().to_owned(),
    }
}

fn refused(reason: impl Into<String>) -> StoreError {
    StoreError::Refused(reason.into())
}
