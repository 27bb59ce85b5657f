//! Customers and the objects around them, as answers show them.

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use super::{
    Behaviour, Store, StoredCustomer,
    casing::{restyled, string},
    choice::{EmptyObjects, GroupShown, KeyStyle, LevelShown, MappingValues, PropertyKeys, Shown, Success},
    customer::Members,
    odd::OddField,
};

/// An object of an answer: keys in both styles, and values.
pub(super) struct Object<'a> {
    style: KeyStyle,
    members: Vec<([&'static str; 2], Value<'a>)>,
}

/// A value in an answer.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Value<'a> {
    Flag(bool),
    Number(usize),
    Text(Cow<'a, str>),
    Customer(View<'a>),
    Customers(Vec<View<'a>>),
    Object(Object<'a>),
    Objects(Vec<Object<'a>>),
}

/// A field of a customer.
#[derive(Serialize)]
#[serde(untagged)]
enum OddOr<'a, T> {
    Odd(&'a RawValue),
    Usual(T),
}

/// A customer to be shown.
pub(super) struct View<'a> {
    pub(super) customer: &'a StoredCustomer,
    pub(super) store: &'a Store,
    pub(super) behaviour: &'a Behaviour,
    /// Whether a listing shows it, or the answer to another call.
    pub(super) is_listed: bool,
}

impl<'a> Object<'a> {
    /// An empty one.
    pub(super) fn new(behaviour: &Behaviour) -> Self {
        Self { style: behaviour.keys, members: Vec::new() }
    }

    /// Adds a member; its key is given in `snake_case` and `camelCase`.
    pub(super) fn with(mut self, keys: [&'static str; 2], value: Value<'a>) -> Self {
        self.members.push((keys, value));
        self
    }

    /// Adds `success`.
    pub(super) fn succeeded(self, succeeded: bool, behaviour: &Behaviour) -> Self {
        let value = match behaviour.success {
            Success::One => Value::Number(usize::from(succeeded)),
            Success::True => Value::Flag(succeeded),
        };
        self.with(["success"; 2], value)
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.members.iter().map(|(keys, value)| (keys[self.style as usize], value)))
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (customer, behaviour) = (self.customer, self.behaviour);
        let key = |keys: [&'static str; 2]| keys[behaviour.keys as usize];
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("token", &customer.token)?;
        let odd = customer.odd.map(|odd| (odd.field(), odd.json()));
        let odd = |of: OddField| odd.as_ref().filter(|(field, _)| *field == of).map(|(_, json)| &**json);
        map.serialize_entry("name", &shown(odd(OddField::Name), || &customer.name))?;
        map.serialize_entry(key(["provided_id", "providedId"]), &customer.provided_id)?;
        map.serialize_entry(key(["is_demo_group", "isDemoGroup"]), &customer.is_demo_group)?;
        map.serialize_entry("emails", &shown(odd(OddField::Emails), || &customer.emails))?;
        map.serialize_entry(key(["group_tags", "groupTags"]), &self.group_tags())?;
        let own = customer.properties.as_ref();
        let properties = || self.own(own.map(|members| self.properties(members)));
        map.serialize_entry("properties", &shown(odd(OddField::Properties), properties))?;
        let computed = self.computed(own, |ancestor| ancestor.properties.as_ref());
        let properties = shown(odd(OddField::Properties), || self.properties(&computed));
        map.serialize_entry(key(["computed_properties", "computedProperties"]), &properties)?;
        let group = match behaviour.access_group {
            GroupShown::Shown => customer.access_group.as_ref(),
            GroupShown::Null => None,
        };
        map.serialize_entry(key(["access_group", "accessGroup"]), &group)?;
        let own = customer.parent_schema_datasource_mapping.as_ref();
        let keys = ["parent_schema_datasource_mapping", "parentSchemaDatasourceMapping"];
        map.serialize_entry(key(keys), &self.own(own.map(|members| self.mapping(members))))?;
        let computed = self.computed(own, |ancestor| ancestor.parent_schema_datasource_mapping.as_ref());
        let keys = ["computed_parent_schema_datasource_mapping", "computedParentSchemaDatasourceMapping"];
        map.serialize_entry(key(keys), &self.mapping(&computed))?;
        let level = key(["hierarchy_level", "hierarchyLevel"]);
        match behaviour.level_shown {
            LevelShown::Stored => map.serialize_entry(level, &customer.hierarchy_level)?,
            LevelShown::Null => map.serialize_entry(level, &())?,
            LevelShown::Missing => {}
        }
        map.end()
    }
}

impl View<'_> {
    fn group_tags(&self) -> Cow<'_, [String]> {
        let are_inherited = match self.behaviour.inherited_tags {
            Shown::Nowhere => false,
            Shown::Listed => self.is_listed,
            Shown::Everywhere => true,
        };
        let own = &self.customer.group_tags;
        if !are_inherited || self.customer.parent_provided_id.is_none() {
            return Cow::Borrowed(own);
        }
        let mut seen: BTreeSet<_> = own.iter().collect();
        let inherited = self.store.ancestors(self.customer).flat_map(|ancestor| &ancestor.group_tags);
        let inherited: Vec<_> = inherited.filter(|tag| seen.insert(tag)).cloned().collect();
        Cow::Owned([own.clone(), inherited].concat())
    }

    /// The customer's own value, or if it has none that of the nearest parent.
    fn computed<'s>(
        &'s self,
        own: Option<&'s Members>,
        of: impl Fn(&'s StoredCustomer) -> Option<&'s Members>,
    ) -> Cow<'s, Members> {
        if self.customer.parent_provided_id.is_none() {
            return own.map_or_else(|| Cow::Owned(Members::new()), Cow::Borrowed);
        }
        let mut computed = own.cloned().unwrap_or_default();
        for (key, value) in self.store.ancestors(self.customer).filter_map(of).flatten() {
            computed.entry(key.clone()).or_insert_with(|| value.clone());
        }
        Cow::Owned(computed)
    }

    fn properties<'m>(&self, members: &'m Members) -> Cow<'m, Members> {
        let style = match self.behaviour.property_keys {
            PropertyKeys::Stored => None,
            PropertyKeys::SnakeListed => self.is_listed.then_some(KeyStyle::Snake),
            PropertyKeys::CamelListed => self.is_listed.then_some(KeyStyle::Camel),
            PropertyKeys::Snake => Some(KeyStyle::Snake),
            PropertyKeys::Camel => Some(KeyStyle::Camel),
        };
        style.map_or(Cow::Borrowed(members), |style| Cow::Owned(restyled(members, style)))
    }

    fn mapping<'m>(&self, members: &'m Members) -> Cow<'m, Members> {
        match self.behaviour.mapping_values {
            MappingValues::Sent => Cow::Borrowed(members),
            MappingValues::Numbers => {
                let shown = |value: &RawValue| number(value).unwrap_or_else(|| value.to_owned());
                Cow::Owned(members.iter().map(|(key, value)| (key.clone(), shown(value))).collect())
            }
        }
    }

    fn own<'m>(&self, members: Option<Cow<'m, Members>>) -> Option<Cow<'m, Members>> {
        match self.behaviour.empty_objects {
            EmptyObjects::Stored => members,
            EmptyObjects::Null => members.filter(|members| !members.is_empty()),
            EmptyObjects::Braces => members.or_else(|| Some(Cow::Owned(Members::new()))),
        }
    }
}

/// The odd value, if there is one, else the usual one.
fn shown<T>(odd: Option<&RawValue>, usual: impl FnOnce() -> T) -> OddOr<'_, T> {
    odd.map_or_else(|| OddOr::Usual(usual()), OddOr::Odd)
}

/// The whole number in a string, if it is one.
fn number(value: &RawValue) -> Option<Box<RawValue>> {
    let text = string(value)?;
    let is_number = text.parse::<u64>().is_ok_and(|number| number.to_string() == text);
    is_number.then(|| RawValue::from_string(text.into_owned()).ok()).flatten()
}
