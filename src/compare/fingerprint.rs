//! One number for everything that a row manages: equal for tenant and customer exactly when [`compare`](super::compare()) finds
//! nothing (but for `emails = "add"`, and where a key has another style, an unequal number only means that a closer look is due).
//!
//! The seed is drawn anew for each process, so that nobody can choose ids that collide.

use std::{borrow::Cow, iter};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::model::{Customer, Field, Layout, Managed, Object, Scan, Scope, Tenant, json};

/// A set of so many elements needs no memory of its own.
const FEW: usize = 8;

/// Digits of a number that any 64 bits can hold.
const SMALL: usize = 18;

/// The keys of the objects before.
#[derive(Debug, Default)]
pub struct Layouts {
    properties: Layout<u64>,
    mapping: Layout<u64>,
}

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
    pub fn of_tenant(self, tenant: &Tenant<'_>, layouts: &mut Layouts) -> u64 {
        let list = |list: &Vec<Cow<'_, str>>| self.set(list.iter().map(|element| &**element));
        let properties = tenant.properties.as_ref();
        let mapping = tenant.mapping.as_ref();
        Combined(self.seed)
            .with(Field::Name, tenant.name.as_deref().map(|name| self.text(name)))
            .with(Field::Emails, tenant.emails.as_ref().map(list))
            .with(Field::GroupTags, tenant.group_tags.as_ref().map(list))
            .with(Field::Properties, properties.map(|wanted| self.wanted(wanted, Self::value, &mut layouts.properties)))
            .with(Field::Mapping, mapping.map(|wanted| self.wanted(wanted, Self::mapped, &mut layouts.mapping)))
            .with(Field::IsDemoGroup, tenant.is_demo_group.map(u64::from))
            .with(Field::HierarchyLevelName, tenant.hierarchy_level_name.as_deref().map(|level| self.text(level)))
            .0
    }

    /// The fingerprint of what a customer holds, as far as it is managed.
    #[must_use]
    pub fn of_customer(self, customer: &Customer<'_>, managed: &Managed, layouts: &mut Layouts) -> u64 {
        let Customer { properties, mapping, .. } = customer;
        Combined(self.seed)
            .with(Field::Name, managed.name.then(|| self.text(&customer.name)))
            .with(Field::Emails, managed.emails.then(|| self.set(customer.emails.iter().map(|email| &**email))))
            .with(Field::GroupTags, managed.group_tags.then(|| self.set(customer.group_tags.iter().map(|tag| &**tag))))
            .with(Field::Properties, self.held(properties, &managed.properties, Self::value, &mut layouts.properties))
            .with(Field::Mapping, self.held(mapping, &managed.mapping, Self::mapped, &mut layouts.mapping))
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

    fn wanted(self, object: &Object<'_>, value: impl Value, layout: &mut Layout<u64>) -> u64 {
        match object {
            Object::Whole(object) => self.members(&mut Scan::new(object), value, layout),
            Object::Keys(keys) => keys
                .iter()
                .filter_map(|(key, json)| Some(mix(self.text(key), value(self, &mut Scan::new(json.as_deref()?)))))
                .fold(0, u64::wrapping_add),
        }
    }

    fn held(self, object: &str, scope: &Scope, value: impl Value, layout: &mut Layout<u64>) -> Option<u64> {
        match scope {
            Scope::None => None,
            Scope::Whole => Some(self.members(&mut Scan::new(object), value, layout)),
            Scope::Keys(_) => Some(self.some_members(&mut Scan::new(object), scope, value)),
        }
    }

    /// A sum, for the order of keys does not count. What is no JSON was refused before.
    fn members(self, scan: &mut Scan<'_>, value: impl Value, layout: &mut Layout<u64>) -> u64 {
        let (mut sum, mut place) = (0_u64, 0);
        if let Ok(true) = scan.enter(b'{') {
            while let Ok(Some(key)) = layout.key(scan, place, |key| self.text(key)) {
                sum = sum.wrapping_add(mix(key, value(self, scan)));
                place += 1;
            }
        }
        sum
    }

    /// A key in another style than the managed one counts: a closer look is due.
    fn some_members(self, scan: &mut Scan<'_>, scope: &Scope, value: impl Value) -> u64 {
        let (mut sum, mut is_first) = (0_u64, true);
        if let Ok(true) = scan.enter(b'{') {
            while let Ok(Some(key)) = scan.key(is_first) {
                is_first = false;
                if scope.covers(&key) || scope.resembles(&key) {
                    sum = sum.wrapping_add(mix(self.text(&key), value(self, scan)));
                } else {
                    let _ = scan.value(json::MAX_DEPTH);
                }
            }
        }
        sum
    }

    fn elements(self, scan: &mut Scan<'_>) -> u64 {
        let (mut hash, mut is_first) = (3, true);
        if let Ok(true) = scan.enter(b'[') {
            while let Ok(true) = scan.has_element(is_first) {
                is_first = false;
                hash = mix(hash, self.value(scan));
            }
        }
        hash
    }

    fn value(self, scan: &mut Scan<'_>) -> u64 {
        if let Some(plain) = scan.plain() {
            return mix(1, self.text(plain));
        }
        match scan.ahead() {
            Some(b'{') => mix(2, self.members(scan, Self::value, &mut Layout::default())),
            Some(b'[') => self.elements(scan),
            ahead => {
                let json = scan.value(json::MAX_DEPTH).unwrap_or_default();
                match ahead {
                    Some(b'"') => mix(1, self.text(&json::string(json))),
                    Some(b'-' | b'0'..=b'9') => self.number(json),
                    _ => mix(6, self.text(json)),
                }
            }
        }
    }

    fn number(self, json: &str) -> u64 {
        if let Some(number) = small_number(json) {
            return mix(4, number);
        }
        let json::Decimal { negative, digits, point } = json::Decimal::of(json);
        let sign = 4 + u64::from(negative);
        match usize::try_from(point).ok().filter(|point| (digits.len()..=SMALL).contains(point)) {
            Some(point) => {
                let digits = digits.bytes().chain(iter::repeat_n(b'0', point - digits.len()));
                mix(sign, digits.fold(0, |number, digit| 10 * number + u64::from(digit - b'0')))
            }
            None => mix(mix(sign, point.cast_unsigned()), self.text(&digits)),
        }
    }

    fn mapped(self, scan: &mut Scan<'_>) -> u64 {
        match scan.plain() {
            Some(plain) => self.text(plain),
            None => self.text(&json::as_text(scan.value(json::MAX_DEPTH).unwrap_or_default())),
        }
    }
}

/// The hash of the value that comes next.
trait Value: Fn(Fingerprints, &mut Scan<'_>) -> u64 {}

impl<F: Fn(Fingerprints, &mut Scan<'_>) -> u64> Value for F {}

/// A number of few digits, and nothing else.
fn small_number(json: &str) -> Option<u64> {
    let with = |number, digit: u8| digit.is_ascii_digit().then(|| 10 * number + u64::from(digit - b'0'));
    if json.len() <= SMALL { json.bytes().try_fold(0, with) } else { None }
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
