//! The ids of rows: a UUID in its sixteen bytes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::Tenant;

/// The ids of one row.
pub(crate) struct Ids<'r> {
    /// The row's own id.
    pub(crate) provided_id: Cow<'r, str>,
    /// Its previous id.
    pub(crate) previous: Option<Cow<'r, str>>,
    /// Its parent's id.
    pub(crate) parent: Option<Cow<'r, str>>,
}

/// The same, in the same order, as they are kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept<'r>(#[serde(borrow)] Id<'r>, Option<Id<'r>>, Option<Id<'r>>);

#[derive(Serialize, Deserialize)]
enum Id<'r> {
    /// A UUID in the usual notation: lower case, with hyphens.
    Uuid([u8; 16]),
    Text(&'r str),
}

impl<'r> Id<'r> {
    fn of(id: &'r str) -> Self {
        let is_plain = id.len() == 36 && !id.bytes().any(|byte| byte.is_ascii_uppercase());
        let uuid = if is_plain { Uuid::try_parse_ascii(id.as_bytes()).ok() } else { None };
        uuid.map_or(Self::Text(id), |uuid| Self::Uuid(uuid.into_bytes()))
    }

    fn printed(self) -> Cow<'r, str> {
        match self {
            Self::Uuid(bytes) => Cow::Owned(Uuid::from_bytes(bytes).hyphenated().to_string()),
            Self::Text(id) => Cow::Borrowed(id),
        }
    }
}

impl<'r> Kept<'r> {
    pub(super) fn of(tenant: &'r Tenant<'_>) -> Self {
        let id = |id: &'r Option<Cow<'_, str>>| id.as_deref().map(Id::of);
        let Tenant { provided_id, previous_provided_id, parent_provided_id, .. } = tenant;
        Self(Id::of(provided_id), id(previous_provided_id), id(parent_provided_id))
    }

    pub(super) fn ids(self) -> Ids<'r> {
        let Self(own, previous, parent) = self;
        Ids { provided_id: own.printed(), previous: previous.map(Id::printed), parent: parent.map(Id::printed) }
    }
}
