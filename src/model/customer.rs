//! A customer: its current values, as a listing or an answer shows them.

use std::{borrow::Cow, fmt};

/// The largest record of a customer that is read, in bytes, from a listing or an answer. In memory it could take ten
/// times as much.
pub const LARGEST_RECORD: usize = 1 << 20;

/// One customer of Explo, borrowed from the page that showed it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Customer<'a> {
    /// The credential that embeds its dashboards; a secret. Empty if the answer had none.
    pub token: Cow<'a, str>,
    /// The shared id; `None` for a customer that was created without one.
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
    /// The level; empty if no levels are set up.
    pub hierarchy_level: Cow<'a, str>,
    /// The parent's id; empty if it is not the parent asked about; `None` if Explo was not asked, because no record has
    /// it.
    pub parent_provided_id: Option<Cow<'a, str>>,
    /// The data visibility group, if any.
    pub access_group: Option<Cow<'a, str>>,
}

/// A customer whose record can't be read completely: its id and token, if these can be read.
#[derive(Clone, PartialEq, Eq)]
pub struct Partial<'a> {
    /// As in [`Customer`].
    pub token: Cow<'a, str>,
    /// As in [`Customer`]; also `None` if it can't be read.
    pub provided_id: Option<Cow<'a, str>>,
    /// Why the rest is missing.
    pub gap: Gap,
}

/// Why a record is not read completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It has more bytes than [`LARGEST_RECORD`]; its id can be read, or it has none.
    TooLarge,
    /// A value in it has an unexpected type or form.
    Unreadable,
}

/// The record of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// The complete record.
    Whole(Customer<'a>),
    /// At most its id and token.
    Partial(Partial<'a>),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "its record is too large to be read",
            Self::Unreadable => "its record can't be read",
        })
    }
}

impl Partial<'_> {
    /// The same as an owned value.
    #[must_use]
    pub fn into_owned(self) -> Partial<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Partial { token: own(self.token), provided_id: self.provided_id.map(own), gap: self.gap }
    }
}

impl Record<'_> {
    /// The same as an owned value.
    #[must_use]
    pub fn into_owned(self) -> Record<'static> {
        match self {
            Self::Whole(customer) => Record::Whole(customer.into_owned()),
            Self::Partial(partial) => Record::Partial(partial.into_owned()),
        }
    }

    /// The credential that embeds the customer's dashboards; empty if none can be read.
    #[must_use]
    pub fn token(&self) -> &str {
        match self {
            Self::Whole(customer) => &customer.token,
            Self::Partial(partial) => &partial.token,
        }
    }

    /// The shared id, if one can be read.
    #[must_use]
    pub fn provided_id(&self) -> Option<&str> {
        match self {
            Self::Whole(customer) => customer.provided_id.as_deref(),
            Self::Partial(partial) => partial.provided_id.as_deref(),
        }
    }
}

impl Customer<'_> {
    /// The empty customer with no parent, with which a tenant without a customer is compared.
    #[must_use]
    pub fn none() -> Self {
        Self { parent_provided_id: Some("".into()), ..Self::default() }
    }

    /// The same as an owned value.
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

/// Without the token.
impl fmt::Debug for Partial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provided_id, gap, .. } = self;
        f.debug_struct("Partial").field("provided_id", provided_id).field("gap", gap).finish_non_exhaustive()
    }
}
