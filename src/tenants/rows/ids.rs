//! The ids of rows. For each row one byte tells the kinds of its ids (from the lowest bits: own, previous, parent); the
//! ids follow, UUIDs as sixteen bytes. If all rows of a block have nothing but a UUID, only the UUIDs are stored.

use std::borrow::Cow;

use uuid::Uuid;

use super::bytes::{decode, encode};
use crate::model::Tenant;

/// The row does not have this id.
const NONE: u8 = 0;

/// A text, with its length before it.
const TEXT: u8 = 1;

/// A UUID in the usual notation: lower case, with hyphens.
const UUID: u8 = 2;

/// Bits per kind.
const KIND: u8 = 2;

/// The ids of one row.
pub(crate) struct Ids<'r> {
    /// The row's own id.
    pub(crate) provided_id: Cow<'r, str>,
    /// Its previous id.
    pub(crate) previous: Option<Cow<'r, str>>,
    /// Its parent's id.
    pub(crate) parent: Option<Cow<'r, str>>,
}

/// The ids of the rows of a block.
#[derive(Debug)]
pub(super) enum BlockIds {
    /// Each row has only its own id, which is a UUID.
    Uuids(Box<[Uuid]>),
    /// As written by [`put`].
    Any(Box<[u8]>),
}

impl BlockIds {
    /// The ids of this many rows.
    pub(super) fn of(ids: &[u8], rows: usize) -> Self {
        let each = ids.chunks_exact(1 + size_of::<Uuid>());
        // An id with this first byte has exactly this length, so each chunk is one row.
        if ids.len() == rows * (1 + size_of::<Uuid>()) && each.clone().all(|id| id[0] == UUID) {
            Self::Uuids(each.filter_map(|id| Uuid::from_slice(&id[1..]).ok()).collect())
        } else {
            Self::Any(ids.into())
        }
    }

    /// The ids of one row.
    pub(super) fn nth(&self, number: usize) -> Ids<'_> {
        match self {
            Self::Uuids(uuids) => Ids { provided_id: printed(uuids[number]), previous: None, parent: None },
            Self::Any(ids) => nth(ids, number),
        }
    }
}

/// Appends the ids of a row.
pub(super) fn put(end: &mut Vec<u8>, tenant: &Tenant<'_>) {
    let kinds = end.len();
    end.push(0);
    let ids =
        [Some(&*tenant.provided_id), tenant.previous_provided_id.as_deref(), tenant.parent_provided_id.as_deref()];
    for (place, id) in (0..).zip(ids) {
        let kind = match id.map(|id| (id, uuid(id))) {
            None => NONE,
            Some((_, Some(uuid))) => {
                end.extend_from_slice(uuid.as_bytes());
                UUID
            }
            Some((id, None)) => {
                encode(&id, end);
                TEXT
            }
        };
        end[kinds] |= kind << (KIND * place);
    }
}

/// The UUID whose usual notation is exactly this text.
fn uuid(id: &str) -> Option<Uuid> {
    let is_plain = id.len() == 36 && !id.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_plain { Uuid::try_parse_ascii(id.as_bytes()).ok() } else { None }
}

fn printed(uuid: Uuid) -> Cow<'static, str> {
    Cow::Owned(uuid.hyphenated().to_string())
}

/// The ids of one of the rows that were written.
pub(super) fn nth(mut ids: &[u8], number: usize) -> Ids<'_> {
    for _ in 0..number {
        for kind in kinds(&mut ids) {
            skip(kind, &mut ids);
        }
    }
    let [own, previous, parent] = kinds(&mut ids);
    Ids {
        provided_id: take(own, &mut ids).unwrap_or_default(),
        previous: take(previous, &mut ids),
        parent: take(parent, &mut ids),
    }
}

/// The kinds of a row's ids.
fn kinds(ids: &mut &[u8]) -> [u8; 3] {
    let kinds = ids.split_off_first().copied().unwrap_or_default();
    [0, 1, 2].map(|place| kinds >> (KIND * place) & 3)
}

fn take<'i>(kind: u8, ids: &mut &'i [u8]) -> Option<Cow<'i, str>> {
    match kind {
        UUID => {
            let (uuid, rest) = ids.split_first_chunk()?;
            *ids = rest;
            Some(printed(Uuid::from_bytes(*uuid)))
        }
        TEXT => Some(Cow::Borrowed(decode(ids))),
        _ => None,
    }
}

fn skip(kind: u8, ids: &mut &[u8]) {
    match kind {
        UUID => *ids = &ids[size_of::<Uuid>()..],
        TEXT => drop(decode::<&str>(ids)),
        _ => {}
    }
}
