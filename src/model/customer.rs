//! A customer: what Explo holds, as a listing or an answer shows it.

use std::{borrow::Cow, fmt};

/// Bytes of the largest record of a customer that is read, in a listing or in an answer: what it unpacks to could be ten
/// times as large.
pub const LARGEST_RECORD: usize = 1 << 20;

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

/// A customer of which a listing or an answer can't be read whole: its id and token, as far as they can be.
#[derive(Clone, PartialEq, Eq)]
pub struct Partial<'a> {
    /// As that of a [`Customer`].
    pub token: Cow<'a, str>,
    /// As that of a [`Customer`]; `None` also where it can't be read.
    pub provided_id: Option<Cow<'a, str>>,
    /// Why there is no more.
    pub gap: Gap,
}

/// Why a record is not read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It has more bytes than [`LARGEST_RECORD`]; its id can be read, or it has none.
    TooLarge,
    /// Something in it is not what it should be.
    Unreadable,
}

/// What is shown of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// All that is read.
    Whole(Customer<'a>),
    /// Its id and token at the most.
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
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Partial<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Partial { token: own(self.token), provided_id: self.provided_id.map(own), gap: self.gap }
    }
}

impl Record<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Record<'static> {
        match self {
            Self::Whole(customer) => Record::Whole(customer.into_owned()),
            Self::Partial(partial) => Record::Partial(partial.into_owned()),
        }
    }

    /// The credential that embeds the customer's dashboards; empty where there is none to be read.
    #[must_use]
    pub fn token(&self) -> &str {
        match self {
            Self::Whole(customer) => &customer.token,
            Self::Partial(partial) => &partial.token,
        }
    }

    /// The shared id, where there is one to be read.
    #[must_use]
    pub fn provided_id(&self) -> Option<&str> {
        match self {
            Self::Whole(customer) => customer.provided_id.as_deref(),
            Self::Partial(partial) => partial.provided_id.as_deref(),
        }
    }
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

/// Without the token.
impl fmt::Debug for Partial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provided_id, gap, .. } = self;
        f.debug_struct("Partial").field("provided_id", provided_id).field("gap", gap).finish_non_exhaustive()
    }
}
