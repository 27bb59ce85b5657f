//! One number for everything that a row manages: equal for tenant and customer exactly if [`compare`](super::compare())
//! finds nothing. With `emails = "add"`, or if a key has another style or occurs twice, unequal numbers only mean that the two
//! must be compared.
//!
//! The seed is random for each process, so that ids can't be chosen to collide.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{fields, form::Form};
use crate::model::{Customer, Field, Managed, Scope, Tenant};

/// The keys of the objects read before.
pub type Layouts = fields::Layouts<Fingerprints>;

/// Makes fingerprints; only those with the same seed can be compared.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprints {
    seed: u64,
}

/// Kinds of values that must differ even if their characters are the same.
const TEXT: u64 = 1;
const OBJECT: u64 = 2;
const ARRAY: u64 = 3;
const WORD: u64 = 4;
const SET: u64 = 5;

impl Fingerprints {
    /// The same in every run, so that they can be remembered.
    pub const LASTING: Self = Self { seed: 0 };

    /// Fingerprints with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Whether they are the same in every run.
    #[must_use]
    pub fn are_lasting(self) -> bool {
        self.seed == Self::LASTING.seed
    }

    /// The fingerprint of an id.
    #[must_use]
    pub fn of_id(self, provided_id: &str) -> u64 {
        self.key(provided_id)
    }

    /// The fingerprint of what a tenant wants.
    #[must_use]
    pub fn of_tenant(self, tenant: &Tenant<'_>, keys: &mut Layouts) -> u64 {
        fold(self.seed, |field| fields::wanted(self, tenant, field, keys))
    }

    /// The fingerprint of the managed part of a customer.
    #[must_use]
    pub fn of_customer(self, customer: &Customer<'_>, managed: &Managed, keys: &mut Layouts) -> u64 {
        fold(self.seed, |field| managed.has(field).then(|| fields::current(self, customer, field, managed, keys)))
    }
}

/// Folds the hashes of the fields into one, but for the parent; fields without one are skipped.
pub(super) fn fold(seed: u64, mut hash: impl FnMut(Field) -> Option<u64>) -> u64 {
    let fields = Field::ALL.into_iter().filter(|field| *field != Field::ParentProvidedId);
    fields.fold(seed, |all, field| hash(field).map_or(all, |hash| mix(all ^ (field as u64 + 1), hash)))
}

impl Form for Fingerprints {
    type Value = u64;
    type Key = u64;

    fn text(self, characters: &str) -> u64 {
        mix(TEXT, self.key(characters))
    }

    fn word(self, word: &str) -> u64 {
        mix(WORD, self.key(word))
    }

    fn set<'e>(self, elements: impl Iterator<Item = &'e str>) -> u64 {
        elements.fold(SET, |sum, element| sum.wrapping_add(self.text(element)))
    }

    fn array(self, elements: impl Iterator<Item = u64>) -> u64 {
        elements.fold(ARRAY, mix)
    }

    fn key(self, name: &str) -> u64 {
        xxh3_64_with_seed(name.as_bytes(), self.seed)
    }

    fn object(self, members: impl Iterator<Item = (u64, u64)>) -> u64 {
        mix(OBJECT, members.fold(0, |sum: u64, (key, value)| sum.wrapping_add(mix(key, value))))
    }

    /// Counts keys that resemble a managed one in another style as well, so that these customers are compared.
    fn counts(self, key: &str, managed: &Scope) -> bool {
        managed.covers(key) || managed.resembles(key)
    }
}

/// A fingerprint of what a tenant wants, with its parent, that is the same in every run.
#[must_use]
pub fn lasting_fingerprint(tenant: &Tenant<'_>) -> u64 {
    let fingerprint = Fingerprints::LASTING.of_tenant(tenant, &mut Layouts::default());
    with_parent(fingerprint, tenant.parent_provided_id.as_deref())
}

/// A lasting fingerprint together with the wanted parent, which no customer shows.
#[must_use]
pub fn with_parent(fingerprint: u64, parent: Option<&str>) -> u64 {
    fingerprint ^ parent.map_or(0, |parent| xxh3_64(parent.as_bytes()))
}

/// A fingerprint of a customer's values that its tenant manages; the same in every run.
#[must_use]
pub fn lasting_fingerprint_of(customer: &Customer<'_>, tenant: &Tenant<'_>) -> u64 {
    Fingerprints::LASTING.of_customer(customer, &tenant.managed(), &mut Layouts::default())
}

/// Folds the 128-bit product of two numbers: every bit of the result depends on every bit of both, and on their order.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9E37_79B9_7F4A_7C15) * u128::from(b ^ 0xD1B5_4A32_D192_ED03);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are folded")]
    let folded = (product as u64) ^ ((product >> 64) as u64);
    folded.rotate_left(23) ^ a
}
