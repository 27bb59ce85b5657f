//! A tenant: one row of the source, and what it manages of its customer.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Field, Keys};

/// What the source wants one customer to be, borrowed from its row. `None`: this row does not manage the field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant<'a> {
    /// The id that both sides share; never empty.
    pub provided_id: Cow<'a, str>,
    /// The id under which its customer may still exist; never empty.
    pub previous_provided_id: Option<Cow<'a, str>>,
    /// See [`Field::ParentProvidedId`]; never empty.
    #[serde(default)]
    pub parent_provided_id: Option<Cow<'a, str>>,
    /// See [`Field::Name`].
    pub name: Option<Cow<'a, str>>,
    /// Without repetitions; the order is that of the source.
    pub emails: Option<Vec<Cow<'a, str>>>,
    /// Without repetitions; the order is that of the source.
    pub group_tags: Option<Vec<Cow<'a, str>>>,
    /// Values are any JSON.
    pub properties: Option<Object<'a>>,
    /// Values are JSON strings.
    pub mapping: Option<Object<'a>>,
    /// See [`Field::IsDemoGroup`].
    pub is_demo_group: Option<bool>,
    /// See [`Field::HierarchyLevelName`].
    pub hierarchy_level_name: Option<Cow<'a, str>>,
    /// When the row says that the tenant leaves, in seconds since 1970; 0 for a plain yes.
    #[serde(default)]
    pub offboard: Option<u64>,
}

/// A managed JSON object: all of it, or some keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Object<'a> {
    /// The text of a JSON object; keys that it lacks are removed.
    Whole(Cow<'a, str>),
    /// Key → the text of its JSON value, or `None` to remove the key; all other keys are kept.
    Keys(Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>),
}

/// Which fields, and which keys of the two objects, a row manages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "one for each field")]
pub struct Managed {
    /// The name.
    pub name: bool,
    /// The addresses.
    pub emails: bool,
    /// The tags.
    pub group_tags: bool,
    /// The keys of the properties.
    pub properties: Scope,
    /// The keys of the mapping.
    pub mapping: Scope,
    /// The demo flag.
    pub is_demo_group: bool,
    /// The level.
    pub hierarchy_level_name: bool,
    /// The parent.
    pub parent_provided_id: bool,
}

/// How much of an object is managed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// No key.
    None,
    /// Every key.
    Whole,
    /// Only these keys.
    Keys(Keys),
}

impl Tenant<'_> {
    /// The same as an owned value.
    #[must_use]
    pub fn into_owned(self) -> Tenant<'static> {
        let list = |list: Vec<Cow<'_, str>>| list.into_iter().map(own).collect();
        Tenant {
            provided_id: own(self.provided_id),
            previous_provided_id: self.previous_provided_id.map(own),
            parent_provided_id: self.parent_provided_id.map(own),
            name: self.name.map(own),
            emails: self.emails.map(list),
            group_tags: self.group_tags.map(list),
            properties: self.properties.map(Object::into_owned),
            mapping: self.mapping.map(Object::into_owned),
            is_demo_group: self.is_demo_group,
            hierarchy_level_name: self.hierarchy_level_name.map(own),
            offboard: self.offboard,
        }
    }

    /// The fields that this row manages.
    #[must_use]
    pub fn managed(&self) -> Managed {
        Managed {
            name: self.name.is_some(),
            emails: self.emails.is_some(),
            group_tags: self.group_tags.is_some(),
            properties: Scope::of(self.properties.as_ref()),
            mapping: Scope::of(self.mapping.as_ref()),
            is_demo_group: self.is_demo_group.is_some(),
            hierarchy_level_name: self.hierarchy_level_name.is_some(),
            parent_provided_id: self.parent_provided_id.is_some(),
        }
    }

    /// Whether this row manages exactly `managed`; does not allocate.
    #[must_use]
    pub fn manages(&self, managed: &Managed) -> bool {
        managed.name == self.name.is_some()
            && managed.emails == self.emails.is_some()
            && managed.group_tags == self.group_tags.is_some()
            && managed.properties.is_of(self.properties.as_ref())
            && managed.mapping.is_of(self.mapping.as_ref())
            && managed.is_demo_group == self.is_demo_group.is_some()
            && managed.hierarchy_level_name == self.hierarchy_level_name.is_some()
            && managed.parent_provided_id == self.parent_provided_id.is_some()
    }
}

impl Managed {
    /// Whether a field is managed, at least in part.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        match field {
            Field::Name => self.name,
            Field::Emails => self.emails,
            Field::GroupTags => self.group_tags,
            Field::Properties => self.properties != Scope::None,
            Field::Mapping => self.mapping != Scope::None,
            Field::IsDemoGroup => self.is_demo_group,
            Field::HierarchyLevelName => self.hierarchy_level_name,
            Field::ParentProvidedId => self.parent_provided_id,
        }
    }
}

impl Object<'_> {
    fn into_owned(self) -> Object<'static> {
        match self {
            Self::Whole(object) => Object::Whole(own(object)),
            Self::Keys(keys) => Object::Keys(keys.into_iter().map(|(key, value)| (own(key), value.map(own))).collect()),
        }
    }
}

fn own(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

impl Scope {
    fn of(object: Option<&Object<'_>>) -> Self {
        match object {
            None => Self::None,
            Some(Object::Whole(_)) => Self::Whole,
            Some(Object::Keys(keys)) => Self::Keys(keys.iter().map(|(key, _)| key.clone().into_owned()).collect()),
        }
    }

    fn is_of(&self, object: Option<&Object<'_>>) -> bool {
        match (self, object) {
            (Self::None, None) | (Self::Whole, Some(Object::Whole(_))) => true,
            (Self::Keys(keys), Some(Object::Keys(pairs))) => keys.iter().eq(pairs.iter().map(|(key, _)| key)),
            _ => false,
        }
    }

    /// Whether `key` is managed.
    #[must_use]
    pub fn covers(&self, key: &str) -> bool {
        match self {
            Self::None => false,
            Self::Whole => true,
            Self::Keys(keys) => keys.has(key),
        }
    }

    /// Whether `key` may be a managed one in another style.
    #[must_use]
    pub fn resembles(&self, key: &str) -> bool {
        matches!(self, Self::Keys(keys) if keys.has_like(key))
    }
}

/// A row that can't be planned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invalid {
    /// Its id, if it has one.
    pub provided_id: Option<String>,
    /// Its previous id, if known.
    pub previous_provided_id: Option<String>,
    /// What is wrong: the column and the kind of value, never the value itself.
    pub reason: String,
    /// The row's position in the source, if it has no id.
    pub place: String,
}

/// One row of the source: a tenant, or the reason why it can't be planned.
pub type Row<'a> = Result<Tenant<'a>, Invalid>;

/// The id of a row, if it has one.
#[must_use]
pub fn id_of<'r>(row: &'r Row<'_>) -> Option<&'r str> {
    match row {
        Ok(tenant) => Some(&tenant.provided_id),
        Err(invalid) => invalid.provided_id.as_deref(),
    }
}

/// Receives rows, one by one.
pub type TakeRow<'t> = &'t mut dyn FnMut(&Row<'_>);
