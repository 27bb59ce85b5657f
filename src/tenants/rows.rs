//! The rows of all tenants in compact form: the ids side by side, UUIDs as sixteen bytes, and everything else in
//! compressed blocks of a few rows each.

mod bytes;
mod ids;

use std::{
    borrow::Cow,
    fmt,
    sync::{Mutex, PoisonError},
};

use lz4_flex::block::{self, CompressTable};
use serde::Deserialize;

use crate::model::{Object, Tenant};
use bytes::{decode, encode};
use ids::BlockIds;
pub(super) use ids::Ids;

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
    ids: BlockIds,
    /// Compressed.
    fields: Box<[u8]>,
    /// The length of the fields in bytes, uncompressed.
    length: usize,
}

#[derive(Debug, Default)]
struct Open {
    rows: usize,
    /// As written by [`ids::put`].
    ids: Vec<u8>,
    /// For each row its length, then its [`Fields`].
    fields: Vec<u8>,
    /// A buffer for one row.
    row: Vec<u8>,
    packer: Packer,
}

/// Name, addresses, tags, properties, mapping, demo flag, level.
type Fields<'t> = (
    Option<Cow<'t, str>>,
    Option<Vec<Cow<'t, str>>>,
    Option<Vec<Cow<'t, str>>>,
    Option<Object<'t>>,
    Option<Object<'t>>,
    Option<bool>,
    Option<Cow<'t, str>>,
);

/// Buffers that are reused for each block.
#[derive(Default)]
struct Packer {
    packed: Vec<u8>,
    table: CompressTable,
}

impl Packer {
    fn pack(&mut self, bytes: &[u8]) -> &[u8] {
        self.packed.resize(block::get_maximum_output_size(bytes.len()), 0);
        match block::compress_into_with_table(bytes, &mut self.packed, &mut self.table) {
            Ok(length) => &self.packed[..length],
            Err(error) => unreachable!("there is room for the largest output: {error}"),
        }
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

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
        ids::put(&mut self.open.ids, tenant);
        let Tenant { name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level_name, .. } = tenant;
        let fields = (name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level_name);
        self.open.row.clear();
        encode(&fields, &mut self.open.row);
        encode(&self.open.row.len(), &mut self.open.fields);
        self.open.fields.extend_from_slice(&self.open.row);
        self.open.rows += 1;
        if self.open.rows == ROWS || self.open.fields.len() >= LARGEST {
            self.pack();
        }
    }

    fn pack(&mut self) {
        let Open { rows, ids, fields, packer, .. } = &mut self.open;
        let packed = packer.pack(fields).into();
        let ids_of_rows = BlockIds::of(ids, *rows);
        self.blocks.push(Block { first: self.first_open, ids: ids_of_rows, fields: packed, length: fields.len() });
        self.first_open = self.first_open.after(*rows);
        *rows = 0;
        ids.clear();
        fields.clear();
    }

    /// The ids of one row.
    pub(super) fn ids(&self, row: RowNumber) -> Ids<'_> {
        match self.block(row).map(|number| &self.blocks[number]) {
            Some(Block { first, ids, .. }) => ids.nth(row.since(*first)),
            None => ids::nth(&self.open.ids, row.since(self.first_open)),
        }
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
        let (name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level_name) = fields;
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
        }
    }

    fn unpack(&self, number: usize) -> Vec<u8> {
        let Block { fields, length, .. } = &self.blocks[number];
        match block::decompress(fields, *length) {
            Ok(fields) => fields,
            Err(error) => unreachable!("the block is what was packed: {error}"),
        }
    }
}

/// One row of a block.
fn nth<T: for<'f> Deserialize<'f>>(mut fields: &[u8], number: usize) -> T {
    for _ in 0..number {
        let length: usize = decode(&mut fields);
        fields = &fields[length..];
    }
    let _: usize = decode(&mut fields);
    decode(&mut fields)
}
