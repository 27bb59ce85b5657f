//! One number for everything that a row manages: equal for tenant and customer exactly when [`compare`](super::compare()) finds
//! nothing (but for `emails = "add"`, and where a key has another style, an unequal number only means that a closer look is due).
//!
//! The seed is drawn anew for each process, so that nobody can choose ids that collide.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::model::{Customer, Field, Managed, Object, Scope, Tenant, json};

/// A set of so many elements needs no memory of its own.
const FEW: usize = 8;

/// Makes fingerprints that can be compared with each other and with nobody else's.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprints {
    seed: u64,
}

impl Fingerprints {
    /// Fingerprints under a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The fingerprint of an id.
    #[must_use]
    pub fn of_id(self, provided_id: &str) -> u64 {
        self.text(provided_id)
    }

    /// The fingerprint of what a tenant wants.
    #[must_use]
    pub fn of_tenant(self, tenant: &Tenant) -> u64 {
        let list = |list: &Vec<String>| self.set(list.iter().map(String::as_str));
        Combined(self.seed)
            .with(Field::Name, tenant.name.as_deref().map(|name| self.text(name)))
            .with(Field::Emails, tenant.emails.as_ref().map(list))
            .with(Field::GroupTags, tenant.group_tags.as_ref().map(list))
            .with(Field::Properties, tenant.properties.as_ref().map(|wanted| self.wanted(wanted, Self::value)))
            .with(Field::Mapping, tenant.mapping.as_ref().map(|wanted| self.wanted(wanted, Self::mapped)))
            .with(Field::IsDemoGroup, tenant.is_demo_group.map(u64::from))
            .with(Field::HierarchyLevelName, tenant.hierarchy_level_name.as_deref().map(|level| self.text(level)))
            .0
    }

    /// The fingerprint of what a customer holds, as far as it is managed.
    #[must_use]
    pub fn of_customer(self, customer: &Customer<'_>, managed: &Managed) -> u64 {
        let held = |object, scope: &Scope, value| (*scope != Scope::None).then(|| self.held(object, scope, value));
        Combined(self.seed)
            .with(Field::Name, managed.name.then(|| self.text(&customer.name)))
            .with(Field::Emails, managed.emails.then(|| self.set(customer.emails.iter().map(|email| &**email))))
            .with(Field::GroupTags, managed.group_tags.then(|| self.set(customer.group_tags.iter().map(|tag| &**tag))))
            .with(Field::Properties, held(&customer.properties, &managed.properties, Self::value))
            .with(Field::Mapping, held(&customer.mapping, &managed.mapping, Self::mapped))
            .with(Field::IsDemoGroup, managed.is_demo_group.then_some(u64::from(customer.is_demo_group)))
            .with(Field::HierarchyLevelName, managed.hierarchy_level_name.then(|| self.text(&customer.hierarchy_level)))
            .0
    }

    fn text(self, text: &str) -> u64 {
        xxh3_64_with_seed(text.as_bytes(), self.seed)
    }

    /// Neither order nor repetition counts.
    fn set<'a>(self, elements: impl ExactSizeIterator<Item = &'a str>) -> u64 {
        let (mut few, mut many) = ([0; FEW], Vec::new());
        let hashes = if elements.len() <= FEW {
            &mut few[..elements.len()]
        } else {
            many.resize(elements.len(), 0);
            &mut many[..]
        };
        for (hash, element) in hashes.iter_mut().zip(elements) {
            *hash = self.text(element);
        }
        hashes.sort_unstable();
        let mut before = None;
        let distinct = hashes.iter().copied().filter(|hash| before.replace(*hash) != Some(*hash));
        distinct.fold(0, mix)
    }

    fn wanted(self, object: &Object, value: fn(Self, &str) -> u64) -> u64 {
        match object {
            Object::Whole(object) => self.held(object, &Scope::Whole, value),
            Object::Keys(keys) => keys
                .iter()
                .filter_map(|(key, json)| Some(mix(self.text(key), value(self, json.as_deref()?))))
                .fold(0, u64::wrapping_add),
        }
    }

    /// A sum, for the order of keys does not count. A key in another style than the managed one counts: a closer look is due.
    fn held(self, object: &str, scope: &Scope, value: fn(Self, &str) -> u64) -> u64 {
        json::members(object)
            .filter(|(key, _)| scope.covers(key) || scope.resembles(key))
            .map(|(key, json)| mix(self.text(&key), value(self, json)))
            .fold(0, u64::wrapping_add)
    }

    fn value(self, json: &str) -> u64 {
        match json.as_bytes().first() {
            Some(b'"') => mix(1, self.text(&json::string(json))),
            Some(b'{') => mix(2, self.held(json, &Scope::Whole, Self::value)),
            Some(b'[') => json::elements(json).fold(3, |hash, element| mix(hash, self.value(element))),
            Some(b'-' | b'0'..=b'9') => {
                let number = json::Decimal::of(json);
                mix(mix(4 + u64::from(number.negative), number.point.cast_unsigned()), self.text(&number.digits))
            }
            _ => mix(6, self.text(json)),
        }
    }

    fn mapped(self, json: &str) -> u64 {
        self.text(&json::as_text(json))
    }
}

/// The fields' hashes folded into one; a field that is not managed leaves no trace.
struct Combined(u64);

impl Combined {
    fn with(self, field: Field, hash: Option<u64>) -> Self {
        Self(hash.map_or(self.0, |hash| mix(self.0 ^ (field as u64 + 1), hash)))
    }
}

/// Folds the 128-bit product of two numbers: every bit of the result depends on every bit of both, and on their order.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9E37_79B9_7F4A_7C15) * u128::from(b ^ 0xD1B5_4A32_D192_ED03);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are folded")]
    let folded = (product as u64) ^ ((product >> 64) as u64);
    folded.rotate_left(23) ^ a
}
