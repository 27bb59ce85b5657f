//! The tenants during a run: a fingerprint for each, found by the hash of its id, and the rows, which are rarely read.
//! Customers are compared with it one by one, and dropped.
//!
//! Rejects rows that share an id: none of them is planned.

mod back;
mod claims;
mod leaving;
mod mark;
mod parents;
mod probe;
mod renames;
mod returning;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::rows::{Ids, RowNumber, Rows};
use crate::{
    compare::{Fingerprints, Layouts, lasting_fingerprint, measure, with_parent},
    model::{Field, Invalid, Managed, Row, Slots, Tenant},
};
use back::Back;
use claims::Claims;
use mark::{Mark, State};
pub use probe::Probe;

/// For each reason, the places of this many rows without an id are named.
const PLACES: usize = 3;

/// At most this many reasons of rows without an id are named; the others share one text.
const REASONS: usize = 100;
const FURTHER: &str = "for further reasons";

/// The tenants of one run.
#[derive(Debug)]
pub struct Index {
    /// Of ids.
    ids: Fingerprints,
    /// Of what rows want.
    fingerprints: Fingerprints,
    /// The layouts of tenants, and of customers.
    layouts: (Layouts, Layouts),
    /// For each row, the fingerprint of what it wants, combined with the hash of its id.
    wanted: Vec<u64>,
    marks: Vec<Mark>,
    rows: Rows,
    /// The upper half of each id's hash, with the row's number plus one.
    by_id: Slots,
    claims: Claims,
    /// What tenants get back that their rows do not manage.
    back: BTreeMap<RowNumber, Back>,
    /// The distinct sets of managed fields; most queries have one.
    shapes: Vec<Managed>,
    shape_numbers: HashMap<Managed, u32>,
    /// Id → why its rows can't be planned.
    invalid: BTreeMap<String, String>,
    /// For rows without an id: reason → their number, and the first places.
    nameless: BTreeMap<String, (usize, Vec<String>)>,
    count: usize,
}

impl Index {
    /// An empty index.
    #[must_use]
    pub fn new(fingerprints: Fingerprints) -> Self {
        Self::of(fingerprints, fingerprints)
    }

    /// An empty index whose fingerprints are the remembered ones, except those of ids.
    #[must_use]
    pub fn lasting(ids: Fingerprints) -> Self {
        Self::of(ids, Fingerprints::LASTING)
    }

    fn of(ids: Fingerprints, fingerprints: Fingerprints) -> Self {
        Self {
            ids,
            fingerprints,
            layouts: Default::default(),
            wanted: Vec::new(),
            marks: Vec::new(),
            rows: Rows::default(),
            by_id: Slots::default(),
            claims: Claims::default(),
            back: BTreeMap::new(),
            shapes: Vec::new(),
            shape_numbers: HashMap::new(),
            invalid: BTreeMap::new(),
            nameless: BTreeMap::new(),
            count: 0,
        }
    }

    /// Adds a row of the source.
    pub fn insert(&mut self, row: &Row<'_>) {
        self.count += 1;
        match row {
            Ok(tenant) => match measure(tenant, None) {
                Ok(()) => self.insert_tenant(tenant, self.ids.of_id(&tenant.provided_id)),
                Err(reason) => self.insert_invalid(&Invalid {
                    provided_id: Some(tenant.provided_id.clone().into_owned()),
                    previous_provided_id: tenant.previous_provided_id.clone().map(Cow::into_owned),
                    reason,
                    place: String::new(),
                }),
            },
            Err(invalid) => self.insert_invalid(invalid),
        }
    }

    fn insert_invalid(&mut self, Invalid { provided_id, previous_provided_id, reason, place }: &Invalid) {
        if let Some(provided_id) = provided_id {
            self.insert_ids(provided_id, previous_provided_id.as_deref());
            self.reject(provided_id, reason);
            return;
        }
        let is_further = self.nameless.len() >= REASONS && !self.nameless.contains_key(reason);
        let reason = if is_further { FURTHER } else { reason };
        let (rows, places) = self.nameless.entry(reason.to_owned()).or_default();
        *rows += 1;
        if places.len() < PLACES {
            places.push(place.clone());
        }
    }

    fn insert_ids(&mut self, provided_id: &str, previous: Option<&str>) {
        let previous_provided_id = previous.map(Cow::Borrowed);
        let tenant = Tenant { provided_id: provided_id.into(), previous_provided_id, ..Tenant::default() };
        self.insert_tenant(&tenant, self.ids.of_id(provided_id));
    }

    /// Adds a row that must not be planned, if its ids matter for a rename from one of the previous ids.
    pub fn insert_aside(&mut self, row: &Row<'_>, previous_ids: &BTreeSet<String>) {
        let (provided_id, previous) = match row {
            Ok(tenant) => (Some(&*tenant.provided_id), tenant.previous_provided_id.as_deref()),
            Err(invalid) => (invalid.provided_id.as_deref(), invalid.previous_provided_id.as_deref()),
        };
        let Some(provided_id) = provided_id.filter(|provided_id| self.row(provided_id).is_none()) else { return };
        let concerns = |id: &str| previous_ids.contains(id);
        if concerns(provided_id) || previous.is_some_and(concerns) {
            self.insert_ids(provided_id, previous);
            if let Some(row) = self.row(provided_id) {
                self.mark(row, State::Aside);
            }
        }
    }

    fn insert_tenant(&mut self, tenant: &Tenant<'_>, id: u64) {
        if let Some(row) = self.find(id, &tenant.provided_id) {
            let twice = "more than one row has this provided_id: make the query return it once";
            self.mark(row, State::Invalid);
            self.invalid.entry(tenant.provided_id.clone().into_owned()).or_insert_with(|| twice.to_owned());
            self.claim(tenant, row, |previous| Some(previous.into()));
            return;
        }
        let Ok(number) = u32::try_from(self.marks.len()) else { return };
        let shape = self.shape(tenant);
        self.wanted.push(self.fingerprints.of_tenant(tenant, &mut self.layouts.0) ^ id);
        self.marks.push(Mark::new(shape, tenant));
        self.rows.push(tenant);
        self.by_id.insert((id >> 32 << 32) | (u64::from(number) + 1));
        self.claim(tenant, RowNumber(number), |_| None);
    }

    /// Marks a tenant as impossible to plan; the first reason is kept.
    pub fn reject(&mut self, provided_id: &str, reason: &str) {
        if let Some(row) = self.row(provided_id) {
            self.mark(row, State::Invalid);
        }
        self.invalid.entry(provided_id.to_owned()).or_insert_with(|| reason.to_owned());
    }

    /// The fields that a row manages.
    pub(crate) fn managed(&self, row: RowNumber) -> &Managed {
        &self.shapes[self.marks[row.0 as usize].shape() as usize]
    }

    fn is(&self, row: RowNumber, state: State) -> bool {
        self.marks[row.0 as usize].is(state)
    }

    fn mark(&mut self, row: RowNumber, state: State) {
        self.marks[row.0 as usize].set(state);
        self.claims.forget_rivals();
    }

    fn numbers(&self) -> impl Iterator<Item = RowNumber> {
        (0..).zip(&self.marks).map(|(number, _)| RowNumber(number))
    }

    /// Sorts parts by a number and then by the id of their row; parts of one row keep their order.
    pub(crate) fn sort<T>(&self, parts: &mut Vec<T>, of: impl Fn(&T) -> (u32, RowNumber)) {
        // Decoding an id is slow; most comparisons are decided by its first bytes, which are kept.
        let keyed = (0_u32..).zip(parts.drain(..)).map(|(place, part)| {
            let (number, row) = of(&part);
            let (id, mut beginning) = (self.provided_id(row), [0; 16]);
            let length = id.len().min(beginning.len());
            beginning[..length].copy_from_slice(&id.as_bytes()[..length]);
            ((number, beginning), place, part)
        });
        let mut keyed: Vec<_> = keyed.collect();
        let id = |part: &T| self.provided_id(of(part).1);
        keyed.sort_unstable_by(|(a, place, one), (b, other_place, other)| {
            a.cmp(b).then_with(|| id(one).cmp(&id(other))).then(place.cmp(other_place))
        });
        parts.extend(keyed.into_iter().map(|(.., part)| part));
    }

    /// The valid tenants without an observed customer, in the order of reading.
    pub fn absent(&self) -> impl Iterator<Item = RowNumber> {
        self.numbers().filter(|row| self.is(*row, State::Absent))
    }

    /// Whether a row has this id.
    #[must_use]
    pub fn has(&self, provided_id: &str) -> bool {
        self.row(provided_id).is_some()
    }

    /// Whether no customer was observed for this tenant, which is valid.
    pub(crate) fn is_absent(&self, row: RowNumber) -> bool {
        self.is(row, State::Absent)
    }

    /// Whether a customer was listed under the tenant's own id.
    pub(crate) fn is_listed(&self, row: RowNumber) -> bool {
        self.is(row, State::Listed)
    }

    /// Whether the tenant's customer is to get another id.
    pub(crate) fn is_renamed(&self, row: RowNumber) -> bool {
        self.is(row, State::Renamed) || self.is(row, State::LeavingRenamed)
    }

    /// Whether the tenant is valid and its customer was listed, under its own id or the previous one.
    pub(crate) fn is_seen(&self, row: RowNumber) -> bool {
        self.is_listed(row) || self.is_renamed(row)
    }

    /// The number of tenants with a customer listed under their own id.
    pub(crate) fn listed(&self) -> usize {
        self.marks.iter().filter(|mark| mark.is(State::Listed)).count()
    }

    /// Notes that the tenant's customer exists although no listing shows it.
    pub(crate) fn hide(&mut self, row: RowNumber) {
        self.mark(row, State::Hidden);
    }

    /// Notes that the customer does not exist after all.
    pub(crate) fn unhide(&mut self, row: RowNumber) {
        self.mark(row, State::Absent);
    }

    /// Notes that nothing is planned for the tenant, which is valid.
    pub(crate) fn set_aside(&mut self, row: RowNumber) {
        self.mark(row, State::Aside);
    }

    /// Whether a row has no id that can be read.
    pub(crate) fn has_nameless(&self) -> bool {
        !self.nameless.is_empty()
    }

    /// Whether the tenant can't be planned.
    pub(crate) fn is_invalid(&self, row: RowNumber) -> bool {
        self.is(row, State::Invalid)
    }

    /// Notes that the tenant's customer was listed.
    pub(crate) fn list(&mut self, row: RowNumber) {
        self.mark(row, State::Listed);
    }

    /// The tenant with this id, valid or not.
    #[must_use]
    pub fn tenant_of(&self, provided_id: &str) -> Option<Tenant<'static>> {
        self.row(provided_id).map(|row| self.tenant(row))
    }

    /// One tenant, decoded; a parent that is to be renamed has its new id.
    #[must_use]
    pub fn tenant(&self, row: RowNumber) -> Tenant<'static> {
        let mut tenant = self.with_back(row, self.rows.tenant(row));
        if tenant.parent_provided_id.is_some() {
            tenant.parent_provided_id = self.wanted_parent(row).map(|parent| parent.into_owned().into());
        }
        tenant
    }

    /// The id of one tenant, without decoding the rest.
    #[must_use]
    pub fn provided_id(&self, row: RowNumber) -> Cow<'_, str> {
        self.ids_of(row).provided_id
    }

    /// The ids of all rows, invalid ones included, in the order of reading.
    pub(crate) fn provided_ids(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.numbers().map(|row| self.provided_id(row))
    }

    /// The previous id of one tenant, without decoding the rest.
    #[must_use]
    pub fn previous_provided_id(&self, row: RowNumber) -> Option<Cow<'_, str>> {
        self.ids_of(row).previous
    }

    /// Whether the row has a name.
    pub(crate) fn has_name(&self, row: RowNumber) -> bool {
        self.managed(row).name
    }

    /// The fields in which the tenant differs from an empty customer, except the parent.
    pub(crate) fn filled(&self, row: RowNumber) -> impl Iterator<Item = Field> {
        self.marks[row.0 as usize].filled()
    }

    /// The id under which the tenant's customer is listed, if it is.
    pub(crate) fn listed_id(&self, row: RowNumber) -> Cow<'_, str> {
        let previous = self.previous_provided_id(row).filter(|_| self.is_renamed(row));
        previous.unwrap_or_else(|| self.provided_id(row))
    }

    /// The row with this id.
    pub(crate) fn row(&self, provided_id: &str) -> Option<RowNumber> {
        self.find(self.ids.of_id(provided_id), provided_id)
    }

    /// How many rows were read, invalid ones included.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.count
    }

    /// The rows that can't be planned: rows without an id, grouped by reason, then ids, sorted, each with its reason.
    #[must_use]
    pub fn invalid(&self) -> Vec<Invalid> {
        let told = |(reason, (rows, places)): (&String, &(usize, Vec<String>))| {
            let (places, more) = (places.join(", "), if *rows > places.len() { ", …" } else { "" });
            if *rows == 1 { format!("{places}: {reason}") } else { format!("{rows} rows: {reason} ({places}{more})") }
        };
        let nameless = self.nameless.iter().map(|group| (None, told(group)));
        let named = self.invalid.iter().map(|(id, reason)| (Some(id.clone()), reason.clone()));
        let invalid = |(provided_id, reason)| Invalid { provided_id, reason, ..Invalid::default() };
        nameless.chain(named).map(invalid).collect()
    }

    /// Their number: ids, and rows without an id.
    #[must_use]
    pub fn count_of_invalid(&self) -> usize {
        self.invalid.len() + self.nameless.values().map(|(rows, _)| rows).sum::<usize>()
    }

    fn find(&self, id: u64, provided_id: &str) -> Option<RowNumber> {
        self.by_id.find(id, |word| self.provided_id(number(word)) == provided_id).map(number)
    }

    fn shape(&mut self, tenant: &Tenant<'_>) -> u32 {
        let last = self.marks.last().map(|mark| mark.shape());
        if let Some(last) = last.filter(|last| tenant.manages(&self.shapes[*last as usize])) {
            return last;
        }
        let shapes = &mut self.shapes;
        *self.shape_numbers.entry(tenant.managed()).or_insert_with_key(|managed| {
            shapes.push(managed.clone());
            u32::try_from(shapes.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// The lasting fingerprint of what a tenant wants, if there is one.
    #[must_use]
    pub fn wanted_of(&self, provided_id: &str) -> Option<u64> {
        self.row(provided_id).map(|row| self.lasting_fingerprint(row, provided_id))
    }

    /// The [lasting fingerprint](lasting_fingerprint) of what a row with this id wants.
    pub(crate) fn lasting_fingerprint(&self, row: RowNumber, provided_id: &str) -> u64 {
        if !self.fingerprints.are_lasting() {
            return lasting_fingerprint(&self.tenant(row));
        }
        let fingerprint = self.wanted[row.0 as usize] ^ self.ids.of_id(provided_id);
        let has_parent = self.managed(row).parent_provided_id;
        with_parent(fingerprint, has_parent.then(|| self.wanted_parent(row)).flatten().as_deref())
    }

    fn ids_of(&self, row: RowNumber) -> Ids<'_> {
        self.rows.ids(row)
    }
}

/// The row in a word of the table of ids.
#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
fn number(word: u64) -> RowNumber {
    RowNumber(word as u32 - 1)
}
