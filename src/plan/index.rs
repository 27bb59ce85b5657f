//! The tenants while a run lasts: an entry of fixed size for each, found by a hash of its id, beside one arena that holds
//! the rows encoded. A customer is probed against it and forgotten.
//!
//! Refuses rows that share an id: none of them is planned.

use std::collections::BTreeMap;

use hashbrown::HashTable;

use super::Fingerprints;
use crate::model::{Customer, Invalid, Managed, Row, Tenant};

/// The number of a row, in the order of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowNumber(u32);

/// Bytes of what is told about rows without an id, more or less.
const LONGEST_REASON: usize = 400;

/// The tenants of one run.
#[derive(Debug)]
pub struct Index {
    fingerprints: Fingerprints,
    entries: Vec<Entry>,
    by_id: HashTable<u32>,
    arena: Vec<u8>,
    /// The distinct sets of managed fields; most queries have one.
    shapes: Vec<Managed>,
    /// Id, where there is one → why its rows can't be planned.
    invalid: BTreeMap<Option<String>, String>,
    rows: usize,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    fingerprint: u64,
    offset: usize,
    shape: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No customer with this id was seen yet.
    Unlisted,
    Listed,
    Invalid,
}

/// What a customer is to the tenants.
#[derive(Debug, PartialEq, Eq)]
pub enum Probe {
    /// It holds what its tenant wants.
    Equal(RowNumber),
    /// It may differ from this tenant: compare.
    Differs(RowNumber),
    /// Its tenant is invalid, or another customer was seen under the same id.
    Ignored,
    /// It has no tenant.
    Orphan,
}

impl Index {
    /// An empty index.
    #[must_use]
    pub fn new(fingerprints: Fingerprints) -> Self {
        Self {
            fingerprints,
            entries: Vec::new(),
            by_id: HashTable::new(),
            arena: Vec::new(),
            shapes: Vec::new(),
            invalid: BTreeMap::new(),
            rows: 0,
        }
    }

    /// Takes one row of the source.
    pub fn insert(&mut self, row: Row) {
        self.rows += 1;
        match row {
            Ok(tenant) => self.insert_tenant(&tenant),
            Err(Invalid { provided_id, reason }) => {
                if let Some(id) = &provided_id {
                    self.insert_tenant(&Tenant { provided_id: id.clone(), ..Tenant::default() });
                }
                self.reject(provided_id, &reason);
            }
        }
    }

    fn insert_tenant(&mut self, tenant: &Tenant) {
        let id = self.fingerprints.of_id(&tenant.provided_id);
        if let Some(row) = self.find(id, &tenant.provided_id) {
            let twice = "more than one row has this provided_id: make the query return it once";
            self.entries[row.0 as usize].state = State::Invalid;
            self.invalid.entry(Some(tenant.provided_id.clone())).or_insert_with(|| twice.to_owned());
            return;
        }
        let Ok(number) = u32::try_from(self.entries.len()) else { return };
        let shape = self.shape(tenant);
        let fingerprint = self.fingerprints.of_tenant(tenant);
        let offset = self.arena.len();
        match postcard::to_extend(tenant, std::mem::take(&mut self.arena)) {
            Ok(arena) => self.arena = arena,
            Err(error) => unreachable!("a vector takes any row: {error}"),
        }
        self.entries.push(Entry { id, fingerprint, offset, shape, state: State::Unlisted });
        self.by_id.insert_unique(id, number, |&number| self.entries[number as usize].id);
    }

    /// Marks a tenant as impossible to plan; of several reasons the first is kept. Rows without an id are told together.
    pub fn reject(&mut self, provided_id: Option<String>, reason: &str) {
        let is_nameless = provided_id.is_none();
        if let Some(id) = &provided_id
            && let Some(row) = self.find(self.fingerprints.of_id(id), id)
        {
            self.entries[row.0 as usize].state = State::Invalid;
        }
        let told = self.invalid.entry(provided_id).or_default();
        if told.is_empty() || is_nameless && told.len() < LONGEST_REASON {
            let separator = if told.is_empty() { "" } else { "; " };
            told.extend([separator, reason]);
        }
    }

    /// Says what a customer is to the tenants, and marks its tenant as listed.
    pub fn probe(&mut self, customer: &Customer<'_>) -> Probe {
        let Some(provided_id) = customer.provided_id.as_deref() else { return Probe::Ignored };
        let Some(row) = self.find(self.fingerprints.of_id(provided_id), provided_id) else { return Probe::Orphan };
        let entry = &mut self.entries[row.0 as usize];
        if entry.state != State::Unlisted {
            return Probe::Ignored;
        }
        entry.state = State::Listed;
        let held = self.fingerprints.of_customer(customer, &self.shapes[entry.shape as usize]);
        if held == entry.fingerprint { Probe::Equal(row) } else { Probe::Differs(row) }
    }

    /// The tenants that no customer was probed for, in the order of reading.
    pub fn unlisted(&self) -> impl Iterator<Item = RowNumber> {
        let numbered = (0..).zip(&self.entries);
        numbered.filter(|(_, entry)| entry.state == State::Unlisted).map(|(number, _)| RowNumber(number))
    }

    /// The tenant with this id, be it invalid.
    #[must_use]
    pub fn tenant_of(&self, provided_id: &str) -> Option<Tenant> {
        self.find(self.fingerprints.of_id(provided_id), provided_id).map(|row| self.tenant(row))
    }

    /// One tenant, decoded.
    #[must_use]
    pub fn tenant(&self, row: RowNumber) -> Tenant {
        self.decode(row)
    }

    /// The id of one tenant, without decoding the rest.
    #[must_use]
    pub fn provided_id(&self, row: RowNumber) -> &str {
        self.decode(row)
    }

    /// How many rows were read, invalid ones included.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The ids that can't be planned, sorted, with the reasons.
    #[must_use]
    pub fn invalid(&self) -> &BTreeMap<Option<String>, String> {
        &self.invalid
    }

    fn find(&self, id: u64, provided_id: &str) -> Option<RowNumber> {
        let same = |&number: &u32| {
            self.entries[number as usize].id == id && self.decode::<&str>(RowNumber(number)) == provided_id
        };
        self.by_id.find(id, same).copied().map(RowNumber)
    }

    fn shape(&mut self, tenant: &Tenant) -> u32 {
        let known = self.shapes.iter().position(|shape| tenant.manages(shape));
        let position = known.unwrap_or_else(|| {
            self.shapes.push(tenant.managed());
            self.shapes.len() - 1
        });
        u32::try_from(position).unwrap_or(u32::MAX)
    }

    /// The row, or the beginning of it: the id comes first.
    fn decode<'a, T: serde::Deserialize<'a>>(&'a self, RowNumber(number): RowNumber) -> T {
        match postcard::take_from_bytes(&self.arena[self.entries[number as usize].offset..]) {
            Ok((value, _)) => value,
            Err(error) => unreachable!("the arena holds what insert encoded: {error}"),
        }
    }
}
