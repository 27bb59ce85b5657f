//! The body of a create or update, and what the server makes of its values.

use serde::{Deserialize, Deserializer};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Behaviour,
    casing::string,
    choice::{Nulls, Spaces},
    customer::Members,
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

/// What is to be written: the fields that were given, in the form in which they are kept.
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
    pub(super) fn values(self, behaviour: &Behaviour) -> Values {
        let nulls = behaviour.nulls;
        let texts = |texts: Vec<String>| texts.into_iter().map(|kept| text(&kept, behaviour)).collect();
        let properties = |members: Members| {
            members.into_iter().map(|(key, value)| (key, property(value, behaviour))).collect::<Members>()
        };
        Values {
            name: self.name.read(nulls).map(|name| text(&name, behaviour)),
            emails: self.emails.read(nulls).map(texts),
            group_tags: self.group_tags.read(nulls).map(texts),
            properties: self.properties.read(nulls).map(properties),
            mapping: self.mapping.read(nulls),
            is_demo_group: self.is_demo_group.read(nulls),
            level: self.hierarchy_level_name.read(nulls),
            parent: self.parent_provided_id,
        }
    }
}

/// A text as the server keeps it.
pub(super) fn text(given: &str, behaviour: &Behaviour) -> String {
    let kept = match behaviour.spaces {
        Spaces::Kept => given,
        Spaces::Trimmed => given.trim(),
    };
    kept.chars().take(behaviour.cut_at.unwrap_or(usize::MAX)).collect()
}

fn property(value: Box<RawValue>, behaviour: &Behaviour) -> Box<RawValue> {
    if behaviour.spaces == Spaces::Kept && behaviour.cut_at.is_none() {
        return value;
    }
    let kept = string(&value).and_then(|given| to_raw_value(&text(&given, behaviour)).ok());
    kept.unwrap_or(value)
}
