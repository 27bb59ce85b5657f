//! What is known of a row, except what it wants, in four bytes.

use crate::model::{Field, Object, Tenant, json};

/// From the lowest bits up: the state, the filled fields, and the number of the set of managed fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(u32);

/// The state of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// No customer with this id was listed so far.
    Absent,
    Listed,
    /// Its customer exists although no listing shows it.
    Hidden,
    /// Its customer was listed under the previous id, and is to get this one.
    Renamed,
    /// Not to be planned.
    Aside,
    Invalid,
    /// The tenant leaves.
    Leaving,
    /// The same, and its customer was listed under the previous id, and is to get this one.
    LeavingRenamed,
}

/// Bits of the state, and of the fields except the parent.
const STATE: u32 = 3;
const FIELDS: u32 = 7;

impl Mark {
    /// The mark of a row; `shape` is the number of its set of managed fields, of which there are few.
    pub(super) fn new(shape: u32, tenant: &Tenant<'_>) -> Self {
        let bits = Field::ALL.into_iter().filter(|field| is_filled(tenant, *field)).map(|field| 1 << field as u32);
        let state = if tenant.offboard.is_some() { State::Leaving } else { State::Absent };
        Self(shape << (STATE + FIELDS) | bits.sum::<u32>() << STATE | state as u32)
    }

    pub(super) fn is(self, state: State) -> bool {
        self.0 & ((1 << STATE) - 1) == state as u32
    }

    pub(super) fn set(&mut self, state: State) {
        self.0 = self.0 >> STATE << STATE | state as u32;
    }

    pub(super) fn shape(self) -> u32 {
        self.0 >> (STATE + FIELDS)
    }

    pub(super) fn filled(self) -> impl Iterator<Item = Field> {
        let filled = self.0 >> STATE;
        Field::ALL.into_iter().filter(move |field| (*field as u32) < FIELDS && filled >> *field as u32 & 1 == 1)
    }
}

/// Whether the field differs from that of an empty customer.
fn is_filled(tenant: &Tenant<'_>, field: Field) -> bool {
    let is_text = |text: &Option<_>| text.as_deref().is_some_and(|text: &str| !text.is_empty());
    match field {
        Field::Name => is_text(&tenant.name),
        Field::Emails => tenant.emails.as_ref().is_some_and(|emails| !emails.is_empty()),
        Field::GroupTags => tenant.group_tags.as_ref().is_some_and(|tags| !tags.is_empty()),
        Field::Properties => tenant.properties.as_ref().is_some_and(has_members),
        Field::Mapping => tenant.mapping.as_ref().is_some_and(has_members),
        Field::IsDemoGroup => tenant.is_demo_group == Some(true),
        Field::HierarchyLevelName => is_text(&tenant.hierarchy_level_name),
        Field::ParentProvidedId => false,
    }
}

fn has_members(object: &Object<'_>) -> bool {
    match object {
        Object::Whole(object) => !json::is_empty(object),
        Object::Keys(keys) => keys.iter().any(|(_, value)| value.is_some()),
    }
}
