//! The rows of all tenants in compact form: the ids side by side, UUIDs as sixteen bytes, and everything else in
//! compressed blocks of a few rows each.

mod bytes;
mod ids;

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
};

use lz4_flex::block;
use serde::{Deserialize, Serialize};

use crate::model::{Object, Tenant};
use bytes::{decode, encode};
pub(super) use ids::Ids;
use ids::Kept;

/// The number of a row, in the order of reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowNumber(pub(super) u32);

/// Rows per block: larger blocks compress better, but take longer to unpack.
const ROWS: usize = 96;

/// A block with this many bytes ends even if it has fewer rows.
const LARGEST: usize = 1 << 16;

/// Rows can only be added.
#[derive(Debug, Default)]
pub(super) struct Rows {
    blocks: Vec<Block>,
    /// The rows that are not packed yet, and the number of the first.
    open: Open,
    first_open: RowNumber,
    /// The block that was unpacked last.
    unpacked: Mutex<Option<(usize, Vec<u8>)>>,
}

#[derive(Debug)]
struct Block {
    first: RowNumber,
    /// For each row a length, then its ids in so many bytes.
    ids: Box<[u8]>,
    /// For each row a length, then its [`Fields`]; all of it compressed.
    fields: Box<[u8]>,
}

#[derive(Debug, Default)]
struct Open {
    rows: usize,
    /// For each row a length, then its ids in so many bytes.
    ids: Vec<u8>,
    /// For each row a length, then its [`Fields`].
    fields: Vec<u8>,
    /// A buffer for one row.
    part: Vec<u8>,
}

/// Name, addresses, tags, properties, mapping, demo flag, level, when it leaves.
type Fields<'t> = (
    Option<Cow<'t, str>>,
    Option<Vec<Cow<'t, str>>>,
    Option<Vec<Cow<'t, str>>>,
    Option<Object<'t>>,
    Option<Object<'t>>,
    Option<bool>,
    Option<Cow<'t, str>>,
    Option<u64>,
);

impl RowNumber {
    fn after(self, rows: usize) -> Self {
        Self(self.0.saturating_add(u32::try_from(rows).unwrap_or(u32::MAX)))
    }

    fn since(self, first: Self) -> usize {
        (self.0 - first.0) as usize
    }
}

impl Rows {
    /// Adds the row with the next number.
    pub(super) fn push(&mut self, tenant: &Tenant<'_>) {
        let Open { ids, fields, part, .. } = &mut self.open;
        put(&Kept::of(tenant), part, ids);
        let Tenant { name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level_name, .. } = tenant;
        let kept =
            (name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level_name, tenant.offboard);
        put(&kept, part, fields);
        self.open.rows += 1;
        if self.open.rows == ROWS || self.open.fields.len() >= LARGEST {
            self.pack();
        }
    }

    fn pack(&mut self) {
        let Open { rows, ids, fields, .. } = &mut self.open;
        let packed = block::compress_prepend_size(fields).into();
        self.blocks.push(Block { first: self.first_open, ids: ids.as_slice().into(), fields: packed });
        self.first_open = self.first_open.after(*rows);
        *rows = 0;
        ids.clear();
        fields.clear();
    }

    /// The ids of one row.
    pub(super) fn ids(&self, row: RowNumber) -> Ids<'_> {
        let (ids, first) = match self.block(row).map(|number| &self.blocks[number]) {
            Some(Block { first, ids, .. }) => (&**ids, *first),
            None => (&*self.open.ids, self.first_open),
        };
        nth::<Kept<'_>>(ids, row.since(first)).ids()
    }

    /// The packed block of a row; `None` if it is not packed yet.
    fn block(&self, row: RowNumber) -> Option<usize> {
        (row < self.first_open).then(|| self.blocks.partition_point(|block| block.first <= row) - 1)
    }

    /// One complete row.
    pub(super) fn tenant(&self, row: RowNumber) -> Tenant<'static> {
        let Ids { provided_id, previous, parent } = self.ids(row);
        let fields: Fields<'static> = match self.block(row) {
            None => nth(&self.open.fields, row.since(self.first_open)),
            Some(number) => {
                let mut unpacked = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
                let (_, fields) = match unpacked.take() {
                    Some(last) if last.0 == number => unpacked.insert(last),
                    _ => unpacked.insert((number, self.unpack(number))),
                };
                nth(fields, row.since(self.blocks[number].first))
            }
        };
        let (name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level_name, offboard) = fields;
        let own = |id: Cow<'_, str>| Cow::Owned(id.into_owned());
        Tenant {
            provided_id: own(provided_id),
            previous_provided_id: previous.map(own),
            parent_provided_id: parent.map(own),
            name,
            emails,
            group_tags,
            properties,
            mapping,
            is_demo_group,
            hierarchy_level_name,
            offboard,
        }
    }

    fn unpack(&self, number: usize) -> Vec<u8> {
        match block::decompress_size_prepended(&self.blocks[number].fields) {
            Ok(fields) => fields,
            Err(error) => unreachable!("the block is what was packed: {error}"),
        }
    }
}

/// Appends a part of a row, with its length before it.
fn put(kept: &impl Serialize, part: &mut Vec<u8>, end: &mut Vec<u8>) {
    part.clear();
    encode(kept, part);
    encode(&part.len(), end);
    end.extend_from_slice(part);
}

/// The part of one row, from the parts of all rows.
fn nth<'b, T: Deserialize<'b>>(mut bytes: &'b [u8], number: usize) -> T {
    for _ in 0..number {
        let length: usize = decode(&mut bytes);
        bytes = &bytes[length..];
    }
    let _: usize = decode(&mut bytes);
    decode(&mut bytes)
}
