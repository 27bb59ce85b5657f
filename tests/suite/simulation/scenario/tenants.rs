//! The tenants of a world, with values that servers treat differently.

use std::{borrow::Cow, collections::BTreeMap};

use explo_sync::{
    model::{Object, Tenant},
    sandbox::{Behaviour, Existing, Ids, PropertyKeys},
};
use rand::{RngExt, rngs::SmallRng, seq::IndexedRandom};
use serde_json::value::RawValue;

/// The columns of the query.
#[expect(clippy::struct_excessive_bools, reason = "one for each plain column")]
pub struct Shape {
    emails: bool,
    group_tags: bool,
    properties: Managed,
    mapping: Managed,
    is_demo_group: bool,
    level: bool,
    parents: bool,
    renames: bool,
    /// Two ids may differ only in case.
    twins: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Managed {
    Nothing,
    Whole,
    Keys,
}

/// An object whose values keep their text.
pub type Members = BTreeMap<String, Box<RawValue>>;

const NAMES: [&str; 12] = [
    "Ann",
    "ANN",
    " Ann ",
    "Ann-Marie of the long name",
    "O'Brien \"x\" \\",
    "\u{202e}evil",
    "a\u{0}b\n",
    "Zoë",
    "",
    "Zoe\u{308}",
    "Two  spaces",
    "Smith & <Sons>",
];
pub const EMAILS: [&str; 9] = [
    "a@x.example",
    "B@x.example",
    " c@x.example",
    "d@x.example",
    "e+tag@x.example",
    "Zoe@X.example",
    "two  spaces@x.example",
    "zoe\u{308}@x.example",
    "r&d@x.example",
];
pub const TAGS: [&str; 4] = ["red", "green", "Blue", "a tag of many words"];
/// Tags that do not exist.
pub const NO_TAGS: [&str; 3] = ["no such tag", " no", "nor this"];
const KEYS: [&str; 4] = ["plan", "filterValue", "seat_count", "Odd-Key"];
pub const VALUES: [&str; 14] = [
    "1",
    "\"pro\"",
    "\" padded \"",
    "true",
    r#"{"innerKey":1}"#,
    "[1,2]",
    "\"\"",
    "1.0",
    "0.1000000000000000055",
    "12345678901234567890123",
    "1e400",
    "\"R & D\"",
    "\"two  spaces\"",
    "[\"e\u{301}\"]",
];
const IDS: [&str; 7] = ["", "\"", "/../", "é", "\u{202e}", "'; drop table x; --", " "];

pub fn shape(random: &mut SmallRng, behaviour: &Behaviour) -> Shape {
    let kinds = [Managed::Nothing, Managed::Whole, Managed::Keys];
    // If no answer shows the true keys, they can't be preserved.
    let hides_keys = matches!(behaviour.property_keys, PropertyKeys::Snake | PropertyKeys::Camel);
    Shape {
        emails: random.random_bool(0.7),
        group_tags: random.random_bool(0.5),
        properties: kinds[random.random_range(0..if hides_keys { 2 } else { 3 })],
        mapping: kinds[random.random_range(0..3)],
        is_demo_group: random.random_bool(0.3),
        level: random.random_bool(0.4),
        parents: random.random_bool(0.5),
        renames: random.random_bool(0.5),
        // If a create of one id writes to the other id's customer, the two would be written for ever.
        twins: behaviour.ids != Ids::Folded || behaviour.existing == Existing::Left,
    }
}

pub fn some(random: &mut SmallRng, pool: &[&'static str]) -> Vec<Cow<'static, str>> {
    pool.iter().filter(|_| random.random_bool(0.35)).map(|&text| text.into()).collect()
}

pub fn members(random: &mut SmallRng, keys: &[&'static str], values: &[&str]) -> Members {
    let keys = some(random, keys);
    let value = |key: Cow<'_, str>| (key.into_owned(), serde_json::from_str(values.choose(random).unwrap()).unwrap());
    keys.into_iter().map(value).collect()
}

fn object(
    random: &mut SmallRng,
    managed: Managed,
    keys: &[&'static str],
    values: &[&'static str],
    drops: bool,
) -> Option<Object<'static>> {
    let mut value = |key: &'static str| {
        let value = (!drops || random.random_bool(0.8)).then(|| Cow::Borrowed(*values.choose(random).unwrap()));
        (key.into(), value)
    };
    match managed {
        Managed::Nothing => None,
        Managed::Keys => Some(Object::Keys(keys[..2].iter().map(|key| value(key)).collect())),
        Managed::Whole => Some(Object::Whole(serde_json::to_string(&members(random, keys, values)).unwrap().into())),
    }
}

pub fn tenant(random: &mut SmallRng, shape: &Shape, number: usize) -> Tenant<'static> {
    let mut tags = some(random, &TAGS);
    for missing in NO_TAGS {
        if random.random_bool(0.08) {
            tags.push(missing.into());
        }
    }
    Tenant {
        provided_id: provided_id(random, shape, number).into(),
        parent_provided_id: shape.parents.then(|| parent_id(random, number)).flatten().map(Cow::Owned),
        previous_provided_id: shape.renames.then(|| previous_id(random, number)).flatten().map(Cow::Owned),
        name: random.random_bool(0.95).then(|| Cow::Borrowed(*NAMES.choose(random).unwrap())),
        emails: shape.emails.then(|| some(random, &EMAILS)),
        group_tags: shape.group_tags.then_some(tags),
        properties: object(random, shape.properties, &KEYS, &VALUES, true),
        mapping: object(random, shape.mapping, &["40", "134"], &["\"213\"", "\"386\"", "\"x\""], false),
        is_demo_group: shape.is_demo_group.then(|| random.random_bool(0.5)),
        hierarchy_level_name: shape.level.then(|| "Level 2".into()),
        offboard: None,
    }
}

/// Some ids are unusual; one may be another's in another case.
fn provided_id(random: &mut SmallRng, shape: &Shape, number: usize) -> String {
    match random.random_range(0..20) {
        0..4 => format!("t{number}{}", IDS.choose(random).unwrap()),
        4 if shape.twins && number > 0 => format!("T{}", number - 1),
        _ => format!("t{number}"),
    }
}

/// Most parents are earlier tenants; some make a cycle, or do not exist.
fn parent_id(random: &mut SmallRng, number: usize) -> Option<String> {
    match random.random_range(0..20) {
        0..7 if number > 0 => Some(format!("t{}", random.random_range(0..number))),
        7..12 => Some("the parent".to_owned()),
        12 => Some(format!("t{}", random.random_range(0..12))),
        13 => Some("nobody".to_owned()),
        _ => None,
    }
}

/// Most previous ids belong to no other tenant; some belong to another, or are named by two tenants.
fn previous_id(random: &mut SmallRng, number: usize) -> Option<String> {
    match random.random_range(0..10) {
        0..4 => Some(format!("old-{number}")),
        4 => Some(format!("old-{}", number / 2)),
        5 => Some(format!("t{}", random.random_range(0..12))),
        _ => None,
    }
}
