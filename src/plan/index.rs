//! The tenants while a run lasts: an entry of fixed size for each, found by its id, beside the rows encoded. Their ids are close
//! together, for each customer is looked up; the rest is seldom read. A customer is probed against it and forgotten.
//!
//! Refuses rows that share an id: none of them is planned.

mod parents;

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashTable;

use super::{Fingerprints, arena::Arena};
use crate::model::{Customer, Invalid, Managed, Object, Row, Tenant};

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
    by_id: HashTable<Slot>,
    /// By the hash of a previous id, which all rows may share; with where the ids are.
    claims: BTreeMap<(u64, RowNumber), usize>,
    /// Of each row, and of each claim of a repeated one, the [`Ids`], and where its fields are.
    ids: Arena,
    /// Of each row the [`Fields`].
    fields: Arena,
    /// The distinct sets of managed fields; most queries have one.
    shapes: Vec<Managed>,
    /// Id, where there is one → why its rows can't be planned.
    invalid: BTreeMap<Option<String>, String>,
    rows: usize,
}

#[derive(Debug)]
struct Entry {
    fingerprint: u64,
    /// Where the ids are.
    ids: usize,
    shape: u32,
    state: State,
}

/// The number of a row, with a part of its id's hash: to look into the row itself is to wait for its memory.
#[derive(Debug)]
struct Slot {
    hash: u32,
    row: u32,
}

/// A row's own id, the previous one, the parent's.
type Ids<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

/// Name, addresses, tags, properties, mapping, demo flag, level.
type Fields = (
    Option<String>,
    Option<Vec<String>>,
    Option<Vec<String>>,
    Option<Object>,
    Option<Object>,
    Option<bool>,
    Option<String>,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No customer with this id was seen yet.
    Unlisted,
    Listed,
    /// Its customer is known, though no listing shows it.
    Hidden,
    /// Its customer was seen under the previous id, and is to get this one.
    Renamed,
    /// Not to be planned.
    Aside,
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
    /// It has the previous id of these tenants, and no row has this id.
    Previous(Vec<RowNumber>),
    /// It has no tenant.
    Orphan,
}

impl Slot {
    #[expect(clippy::cast_possible_truncation, reason = "a part will do")]
    fn part(id: u64) -> u32 {
        id as u32
    }

    /// The part again in all bits.
    fn spread(&self) -> u64 {
        u64::from(self.hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Index {
    /// An empty index.
    #[must_use]
    pub fn new(fingerprints: Fingerprints) -> Self {
        Self {
            fingerprints,
            entries: Vec::new(),
            by_id: HashTable::new(),
            claims: BTreeMap::new(),
            ids: Arena::default(),
            fields: Arena::default(),
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
            Err(Invalid { provided_id, previous_provided_id, reason }) => {
                if let Some(id) = &provided_id {
                    let ids = Tenant { provided_id: id.clone(), previous_provided_id, ..Tenant::default() };
                    self.insert_tenant(&ids);
                }
                self.reject(provided_id, &reason);
            }
        }
    }

    /// Takes a row that is not to be planned, for what its ids say about a rename from one of the previous ids.
    pub fn insert_aside(&mut self, row: Row, previous_ids: &BTreeSet<String>) {
        let (provided_id, previous_provided_id) = match row {
            Ok(Tenant { provided_id, previous_provided_id, .. }) => (Some(provided_id), previous_provided_id),
            Err(Invalid { provided_id, previous_provided_id, .. }) => (provided_id, previous_provided_id),
        };
        let Some(provided_id) = provided_id.filter(|provided_id| self.row(provided_id).is_none()) else { return };
        let concerns = |id: &String| previous_ids.contains(id);
        if concerns(&provided_id) || previous_provided_id.as_ref().is_some_and(concerns) {
            self.insert_tenant(&Tenant { provided_id, previous_provided_id, ..Tenant::default() });
            if let Some(entry) = self.entries.last_mut() {
                entry.state = State::Aside;
            }
        }
    }

    fn insert_tenant(&mut self, tenant: &Tenant) {
        let id = self.fingerprints.of_id(&tenant.provided_id);
        if let Some(row) = self.find(id, &tenant.provided_id) {
            let twice = "more than one row has this provided_id: make the query return it once";
            self.entries[row.0 as usize].state = State::Invalid;
            self.invalid.entry(Some(tenant.provided_id.clone())).or_insert_with(|| twice.to_owned());
            if tenant.previous_provided_id.is_some() {
                let ids = self.ids.encode(&(&tenant.provided_id, &tenant.previous_provided_id, None::<&str>));
                self.claim(tenant, row, ids);
            }
            return;
        }
        let Ok(number) = u32::try_from(self.entries.len()) else { return };
        let shape = self.shape(tenant);
        let fingerprint = self.fingerprints.of_tenant(tenant);
        let ids = self.encode(tenant);
        self.entries.push(Entry { fingerprint, ids, shape, state: State::Unlisted });
        let slot = Slot { hash: Slot::part(id), row: number };
        self.by_id.insert_unique(slot.spread(), slot, Slot::spread);
        self.claim(tenant, RowNumber(number), ids);
    }

    /// Notes the previous id of a tenant; its own says nothing.
    fn claim(&mut self, tenant: &Tenant, row: RowNumber, ids: usize) {
        if let Some(previous) = tenant.previous_provided_id.as_ref().filter(|previous| **previous != tenant.provided_id)
        {
            let previous_id = self.fingerprints.of_id(previous);
            self.claims.insert((previous_id, row), ids);
        }
    }

    /// Marks a tenant as impossible to plan; of several reasons the first is kept. Rows without an id are told together.
    pub fn reject(&mut self, provided_id: Option<String>, reason: &str) {
        let is_nameless = provided_id.is_none();
        if let Some(id) = &provided_id
            && let Some(row) = self.row(id)
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
        let Some(row) = self.row(provided_id) else {
            let claimants: Vec<_> = self.claimants(provided_id).collect();
            return if claimants.is_empty() { Probe::Orphan } else { Probe::Previous(claimants) };
        };
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

    /// Whether a row has this id.
    #[must_use]
    pub fn has(&self, provided_id: &str) -> bool {
        self.find(self.fingerprints.of_id(provided_id), provided_id).is_some()
    }

    /// The tenants that have a previous id, in no order.
    pub(super) fn with_previous_id(&self) -> impl Iterator<Item = RowNumber> {
        self.claims.keys().map(|(_, row)| *row)
    }

    /// The tenants that have this previous id.
    pub(super) fn claimants(&self, previous: &str) -> impl Iterator<Item = RowNumber> {
        let hash = self.fingerprints.of_id(previous);
        let claims = self.claims.range((hash, RowNumber(0))..=(hash, RowNumber(u32::MAX)));
        let is_it = move |ids: usize| self.ids.decode::<Ids<'_>>(ids).1 == Some(previous);
        claims.filter(move |(_, ids)| is_it(**ids)).map(|((_, row), _)| *row)
    }

    /// No customer was seen for this tenant, and it is valid.
    pub(super) fn is_unlisted(&self, row: RowNumber) -> bool {
        self.entries[row.0 as usize].state == State::Unlisted
    }

    /// A customer was seen under the tenant's own id.
    pub(super) fn is_listed(&self, row: RowNumber) -> bool {
        self.entries[row.0 as usize].state == State::Listed
    }

    /// The tenant's customer is to get another id.
    pub(super) fn is_renamed(&self, row: RowNumber) -> bool {
        self.entries[row.0 as usize].state == State::Renamed
    }

    /// A customer was seen for this tenant, be it under the previous id, and it is valid.
    pub(super) fn is_seen(&self, row: RowNumber) -> bool {
        self.is_listed(row) || self.is_renamed(row)
    }

    /// How many tenants a customer was seen for, under their own id.
    pub(super) fn listed(&self) -> usize {
        self.entries.iter().filter(|entry| entry.state == State::Listed).count()
    }

    /// The tenant's customer exists, though no listing shows it.
    pub(super) fn hide(&mut self, row: RowNumber) {
        self.entries[row.0 as usize].state = State::Hidden;
    }

    /// The tenant can't be planned.
    pub(super) fn is_invalid(&self, row: RowNumber) -> bool {
        self.entries[row.0 as usize].state == State::Invalid
    }

    /// The tenant's customer was seen.
    pub(super) fn list(&mut self, row: RowNumber) {
        self.entries[row.0 as usize].state = State::Listed;
    }

    /// From now on the tenant's customer is to get another id.
    pub(super) fn rename(&mut self, row: RowNumber) {
        self.entries[row.0 as usize].state = State::Renamed;
    }

    /// The tenant with this id, be it invalid.
    #[must_use]
    pub fn tenant_of(&self, provided_id: &str) -> Option<Tenant> {
        self.row(provided_id).map(|row| self.tenant(row))
    }

    /// One tenant, decoded; a parent that is to be renamed has its new id.
    #[must_use]
    pub fn tenant(&self, row: RowNumber) -> Tenant {
        let mut tenant = self.decode(row);
        if tenant.parent_provided_id.is_some() {
            tenant.parent_provided_id = self.wanted_parent(row).map(str::to_owned);
        }
        tenant
    }

    /// The id of one tenant, without decoding the rest.
    #[must_use]
    pub fn provided_id(&self, row: RowNumber) -> &str {
        self.ids.decode(self.entries[row.0 as usize].ids)
    }

    /// The previous id of one tenant, likewise.
    #[must_use]
    pub fn previous_provided_id(&self, row: RowNumber) -> Option<&str> {
        self.ids(row).1
    }

    /// The row has a name.
    pub(super) fn has_name(&self, row: RowNumber) -> bool {
        self.shapes[self.entries[row.0 as usize].shape as usize].name
    }

    /// The id under which the tenant's customer is listed, if it is.
    pub(super) fn listed_id(&self, row: RowNumber) -> &str {
        let previous = self.previous_provided_id(row).filter(|_| self.is_renamed(row));
        previous.unwrap_or_else(|| self.provided_id(row))
    }

    /// The tenant that has this id, or is to lose it.
    pub(super) fn of_id_or_previous(&self, provided_id: &str) -> Option<RowNumber> {
        self.row(provided_id).or_else(|| self.claimants(provided_id).find(|claimant| self.is_renamed(*claimant)))
    }

    /// The row with this id.
    pub(super) fn row(&self, provided_id: &str) -> Option<RowNumber> {
        self.find(self.fingerprints.of_id(provided_id), provided_id)
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
        let sought = Slot { hash: Slot::part(id), row: 0 };
        let is_it = |slot: &Slot| slot.hash == sought.hash && self.provided_id(RowNumber(slot.row)) == provided_id;
        self.by_id.find(sought.spread(), is_it).map(|slot| RowNumber(slot.row))
    }

    fn shape(&mut self, tenant: &Tenant) -> u32 {
        let known = self.shapes.iter().position(|shape| tenant.manages(shape));
        let position = known.unwrap_or_else(|| {
            self.shapes.push(tenant.managed());
            self.shapes.len() - 1
        });
        u32::try_from(position).unwrap_or(u32::MAX)
    }

    fn ids(&self, row: RowNumber) -> Ids<'_> {
        self.ids.decode(self.entries[row.0 as usize].ids)
    }

    /// Encodes a row; tells where its ids are.
    fn encode(&mut self, tenant: &Tenant) -> usize {
        let Tenant { provided_id, previous_provided_id, parent_provided_id, .. } = tenant;
        let Tenant { name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level_name, .. } = tenant;
        let fields =
            self.fields.encode(&(name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level_name));
        self.ids.encode(&((provided_id, previous_provided_id, parent_provided_id), fields))
    }

    fn decode(&self, row: RowNumber) -> Tenant {
        let ids: (Ids<'_>, usize) = self.ids.decode(self.entries[row.0 as usize].ids);
        let ((provided_id, previous_provided_id, parent_provided_id), fields) = ids;
        let fields: Fields = self.fields.decode(fields);
        let (name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level_name) = fields;
        Tenant {
            provided_id: provided_id.to_owned(),
            previous_provided_id: previous_provided_id.map(str::to_owned),
            parent_provided_id: parent_provided_id.map(str::to_owned),
            name,
            emails,
            group_tags,
            properties,
            mapping,
            is_demo_group,
            hierarchy_level_name,
        }
    }
}
