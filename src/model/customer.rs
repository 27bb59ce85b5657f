//! A customer: what Explo holds, as a listing or an answer shows it.

use std::{borrow::Cow, fmt};

/// One customer of Explo, borrowed from the page that showed it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Customer<'a> {
    /// The credential that embeds its dashboards; a secret. Empty where the answer had none.
    pub token: Cow<'a, str>,
    /// The shared id; `None` for a customer that was made without one.
    pub provided_id: Option<Cow<'a, str>>,
    /// The display name.
    pub name: Cow<'a, str>,
    /// A set, in any order.
    pub emails: Vec<Cow<'a, str>>,
    /// A set, in any order.
    pub group_tags: Vec<Cow<'a, str>>,
    /// The customer's own properties (not the inherited ones): the text of a JSON object, or nothing for an empty one.
    pub properties: Cow<'a, str>,
    /// The customer's own mapping: the text of a JSON object, or nothing for an empty one.
    pub mapping: Cow<'a, str>,
    /// Whether it is a demo.
    pub is_demo_group: bool,
    /// The level; empty where none is set up.
    pub hierarchy_level: Cow<'a, str>,
    /// The parent's id, empty where it is not the one that was looked for; `None` where nobody looked, for no record has it.
    pub parent_provided_id: Option<Cow<'a, str>>,
    /// The data visibility group, where there is one.
    pub access_group: Option<Cow<'a, str>>,
}

impl Customer<'_> {
    /// What a tenant that has none is compared with: under no parent.
    #[must_use]
    pub fn none() -> Self {
        Self { parent_provided_id: Some("".into()), ..Self::default() }
    }

    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Customer<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Customer {
            token: own(self.token),
            provided_id: self.provided_id.map(own),
            name: own(self.name),
            emails: self.emails.into_iter().map(own).collect(),
            group_tags: self.group_tags.into_iter().map(own).collect(),
            properties: own(self.properties),
            mapping: own(self.mapping),
            is_demo_group: self.is_demo_group,
            hierarchy_level: own(self.hierarchy_level),
            parent_provided_id: self.parent_provided_id.map(own),
            access_group: self.access_group.map(own),
        }
    }
}

/// Without the token.
impl fmt::Debug for Customer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Customer")
            .field("provided_id", &self.provided_id)
            .field("name", &self.name)
            .field("emails", &self.emails)
            .field("group_tags", &self.group_tags)
            .field("properties", &self.properties)
            .field("mapping", &self.mapping)
            .field("is_demo_group", &self.is_demo_group)
            .field("hierarchy_level", &self.hierarchy_level)
            .field("parent_provided_id", &self.parent_provided_id)
            .field("access_group", &self.access_group)
            .finish_non_exhaustive()
    }
}
