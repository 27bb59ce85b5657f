//! The body of a create or update, and the fields that it writes.

use serde::{Deserialize, Deserializer};

use super::{
    Behaviour, StoreError,
    choice::Nulls,
    customer::Members,
    kept::{address, property, text},
};

/// The body, as it was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    pub(super) provided_id: Option<String>,
    pub(super) new_provided_id: Option<String>,
    name: Given<String>,
    emails: Given<Vec<String>>,
    group_tags: Given<Vec<String>>,
    properties: Given<Members>,
    mapping: Given<Members>,
    is_demo_group: Given<bool>,
    hierarchy_level_name: Given<String>,
    parent_provided_id: Given<String>,
}

/// The fields to write, in the form in which they are stored.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) name: Option<String>,
    pub(super) emails: Option<Vec<String>>,
    pub(super) group_tags: Option<Vec<String>>,
    pub(super) properties: Option<Members>,
    pub(super) mapping: Option<Members>,
    pub(super) is_demo_group: Option<bool>,
    /// Empty: no level.
    pub(super) level: Option<String>,
    pub(super) parent: Given<String>,
}

/// A field that may be absent, or `null`.
#[derive(Debug, Default)]
pub(super) enum Given<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

impl<T: Default> Given<T> {
    fn read(self, nulls: Nulls) -> Option<T> {
        match (self, nulls) {
            (Self::Value(value), _) => Some(value),
            (Self::Null, Nulls::Cleared) => Some(T::default()),
            (Self::Null, Nulls::Ignored) | (Self::Absent, _) => None,
        }
    }
}

impl Fields {
    pub(super) fn values(self, behaviour: &Behaviour) -> Result<Values, StoreError> {
        let nulls = behaviour.nulls;
        let name = self.name.read(nulls).map(|name| text(&name, behaviour));
        let longest = behaviour.longest_name.unwrap_or(usize::MAX);
        if name.as_ref().is_some_and(|name| name.chars().count() > longest) {
            return Err(StoreError::Refused(format!("name has more than {longest} characters")));
        }
        let addresses = |given: Vec<String>| given.iter().map(|email| address(email, behaviour)).collect();
        let tags = |given: Vec<String>| given.iter().map(|tag| text(tag, behaviour)).collect();
        let properties = |members: Members| {
            members.into_iter().map(|(key, value)| (key, property(value, behaviour))).collect::<Members>()
        };
        Ok(Values {
            name,
            emails: self.emails.read(nulls).map(addresses),
            group_tags: self.group_tags.read(nulls).map(tags),
            properties: self.properties.read(nulls).map(properties),
            mapping: self.mapping.read(nulls),
            is_demo_group: self.is_demo_group.read(nulls),
            level: self.hierarchy_level_name.read(nulls),
            parent: self.parent_provided_id,
        })
    }
}
