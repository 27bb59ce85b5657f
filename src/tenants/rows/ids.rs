//! The ids of rows: of each a byte that tells what they are, its own in the lowest bits, then the previous and the parent's; and
//! behind it the ids themselves, a UUID in its sixteen bytes. Where rows have nothing but UUIDs, these alone.

use std::borrow::Cow;

use uuid::Uuid;

use super::bytes::{decode, encode};
use crate::model::Tenant;

/// An id that a row has not.
const NONE: u8 = 0;

/// One that is a text, behind its length.
const TEXT: u8 = 1;

/// A UUID that is written as most are: lower case, with hyphens.
const UUID: u8 = 2;

/// The bits that tell which of these an id is.
const KIND: u8 = 2;

/// The ids of one row.
pub(crate) struct Ids<'r> {
    /// The row's own.
    pub(crate) provided_id: Cow<'r, str>,
    /// The one that it had before.
    pub(crate) previous: Option<Cow<'r, str>>,
    /// Its parent's.
    pub(crate) parent: Option<Cow<'r, str>>,
}

/// The ids of the rows of a block.
#[derive(Debug)]
pub(super) enum BlockIds {
    /// Each row has one, which is a UUID.
    Uuids(Box<[Uuid]>),
    /// As they were put.
    Any(Box<[u8]>),
}

impl BlockIds {
    /// Those of so many rows.
    pub(super) fn of(ids: &[u8], rows: usize) -> Self {
        let each = ids.chunks_exact(1 + size_of::<Uuid>());
        // What such a byte begins is just so long, and then comes the next.
        if ids.len() == rows * (1 + size_of::<Uuid>()) && each.clone().all(|id| id[0] == UUID) {
            Self::Uuids(each.filter_map(|id| Uuid::from_slice(&id[1..]).ok()).collect())
        } else {
            Self::Any(ids.into())
        }
    }

    /// Those of one of them.
    pub(super) fn nth(&self, number: usize) -> Ids<'_> {
        match self {
            Self::Uuids(uuids) => Ids { provided_id: printed(uuids[number]), previous: None, parent: None },
            Self::Any(ids) => nth(ids, number),
        }
    }
}

/// Puts the ids of a row at the end.
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

/// The UUID that is printed as just this text.
fn uuid(id: &str) -> Option<Uuid> {
    let is_plain = id.len() == 36 && !id.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_plain { Uuid::try_parse_ascii(id.as_bytes()).ok() } else { None }
}

fn printed(uuid: Uuid) -> Cow<'static, str> {
    Cow::Owned(uuid.hyphenated().to_string())
}

/// The ids of one of the rows that were put.
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

/// What the ids of a row are.
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
