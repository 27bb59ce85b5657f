//! What a seed stands for: tenants, customers, and an Explo with its habits.

use std::borrow::Cow;

use explo_sync::{
    explo::ListingVersion,
    model::{Object, Tenant},
    plan::{EmailRule, TagRule},
    sandbox::{
        Api, Behaviour, Churn, EmptyObjects, Existing, FailureShape, Ids, KeyStyle, LevelShown, MappingValues,
        OnUpdate, Order, PageSizeName, ParentFilter, PastEnd, PropertyKeys, Shown, Spaces, Store, StoredCustomer,
        Success, TagCalls, Total, TotalOf, UnknownParameters, UnknownTags, V1Filters, V2,
    },
};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::world::World;

/// The settings of a world.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    pub emails: EmailRule,
    pub tags: TagRule,
    pub version: ListingVersion,
    pub trust_total: bool,
    pub page_size: usize,
    pub side_by_side: usize,
    pub max_attempts: u32,
    pub requests_per_minute: u32,
    /// The ids of customers that no listing shows.
    pub hidden: Vec<String>,
}

/// Which columns the query has.
#[expect(clippy::struct_excessive_bools, reason = "one for each plain column")]
struct Shape {
    emails: bool,
    group_tags: bool,
    properties: Managed,
    mapping: Managed,
    is_demo_group: bool,
    level: bool,
    parents: bool,
    renames: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Managed {
    Nothing,
    Whole,
    Keys,
}

const NAMES: [&str; 9] =
    ["Ann", "ANN", " Ann ", "Ann-Marie of the long name", "O'Brien \"x\" \\", "\u{202e}evil", "a\u{0}b\n", "Zoë", ""];
const EMAILS: [&str; 5] = ["a@x.example", "B@x.example", " c@x.example", "d@x.example", "e+tag@x.example"];
const TAGS: [&str; 4] = ["red", "green", "Blue", "a tag of many words"];
/// Nobody has these.
const NO_TAGS: [&str; 3] = ["no such tag", " no", "nor this"];
const KEYS: [&str; 4] = ["plan", "filterValue", "seat_count", "Odd-Key"];
const VALUES: [&str; 7] = ["1", "\"pro\"", "\" padded \"", "true", r#"{"innerKey":1}"#, "[1,2]", "\"\""];
const IDS: [&str; 6] = ["", "\"", "/../", "é", "\u{202e}", "'; drop table x; --"];

impl World {
    /// The world of a seed; `is_steady` leaves out habits that make a listing fail now and then.
    pub fn of(seed: u64, is_steady: bool) -> Self {
        let random = &mut SmallRng::seed_from_u64(seed);
        let mut behaviour = behaviour(random, is_steady);
        let trust_total = behaviour.total != Total::Missing && behaviour.total_of == TotalOf::Visible;
        // Where a create writes to a customer that exists, one that a listing misses can't be spared,
        if (behaviour.order == Order::Shuffled || !behaviour.churn.is_empty()) && !trust_total {
            behaviour.existing = Existing::Left;
        }
        let shape = shape(random, &behaviour);
        let count = random.random_range(0..12);
        let tenants: Vec<_> = (0..count).map(|number| tenant(random, &shape, number)).collect();
        let listed: Vec<_> = tenants.iter().filter(|_| random.random_bool(0.7)).collect();
        let mut customers: Vec<_> = listed.into_iter().map(|tenant| customer(random, tenant)).collect();
        for number in 0..customers.len() {
            rename(random, &tenants, &mut customers, number);
        }
        let parent =
            json!({"provided_id": "the parent", "name": "P", "group_tags": ["red"], "access_group": "Production"});
        let parent: StoredCustomer = serde_json::from_value(parent).unwrap();
        let strangers = random.random_range(0..8);
        customers.extend((0..strangers).map(|number| stranger(random, number)));
        customers.push(parent);
        let ids: Vec<_> = customers.iter().filter_map(|customer| customer.provided_id.clone()).collect();
        for customer in &mut customers {
            customer.parent_provided_id = customer.parent_provided_id.take().filter(|parent| ids.contains(parent));
        }
        for customer in &mut customers {
            keep(customer, &behaviour);
        }
        // Others made them in no order.
        for position in (1..customers.len()).rev() {
            customers.swap(position, random.random_range(0..=position));
        }
        // and neither can one that nobody sees.
        let may_hide = if behaviour.existing == Existing::Left { 0.05 } else { 0.0 };
        let hidden: Vec<_> = customers.iter().filter_map(|customer| customer.provided_id.clone()).collect();
        let hidden: Vec<_> =
            hidden.into_iter().filter(|id| !id.starts_with("the ") && random.random_bool(may_hide)).collect();
        let mut store = Store::new(customers);
        for tag in TAGS {
            let _ = store.add_tag(tag);
        }
        store.hide(hidden.clone());
        let is_old = behaviour.v2 == V2::Missing;
        let version = if is_old { ListingVersion::V1 } else { ListingVersion::V2 };
        let mut api = Api::new(store, seed);
        api.behaviour = behaviour;
        let scenario = Scenario {
            seed,
            tags: if random.random_bool(0.4) { TagRule::Create } else { TagRule::Invalid },
            emails: if random.random_bool(0.2) { EmailRule::Add } else { EmailRule::Replace },
            version,
            trust_total,
            page_size: *[3, 5, 1000].choose(random).unwrap(),
            side_by_side: random.random_range(1..5),
            max_attempts: random.random_range(1..5),
            requests_per_minute: *[60, 120, 6000].choose(random).unwrap(),
            hidden,
        };
        Self::new(scenario, api, tenants)
    }
}

fn behaviour(random: &mut SmallRng, is_steady: bool) -> Behaviour {
    let mut one = |choices: &[usize]| if random.random_bool(0.2) { *choices.choose(random).unwrap() } else { 0 };
    let mut pick = |count: usize| one(&(0..count).collect::<Vec<_>>());
    Behaviour {
        page_size_name: [PageSizeName::Both, PageSizeName::Snake, PageSizeName::Camel, PageSizeName::Neither][pick(4)],
        unknown_parameters: [UnknownParameters::Ignored, UnknownParameters::Refused][pick(2)],
        total: [Total::TotalCount, Total::Count, Total::Both, Total::Missing][pick(4)],
        total_of: [TotalOf::Visible, TotalOf::All][pick(2)],
        past_end: [PastEnd::NotFound, PastEnd::Empty][pick(2)],
        order: [Order::Created, Order::Newest, Order::Shuffled][pick(if is_steady { 2 } else { 3 })],
        churn: [vec![], vec![Churn::Add, Churn::Touch], vec![Churn::Delete, Churn::Rename], vec![Churn::Reorder]]
            [pick(if is_steady { 1 } else { 4 })]
        .clone(),
        keys: [KeyStyle::Snake, KeyStyle::Camel][pick(2)],
        property_keys: [
            PropertyKeys::Stored,
            PropertyKeys::SnakeListed,
            PropertyKeys::CamelListed,
            PropertyKeys::Snake,
            PropertyKeys::Camel,
        ][pick(5)],
        inherited_tags: [Shown::Nowhere, Shown::Listed, Shown::Everywhere][pick(3)],
        mapping_values: [MappingValues::Sent, MappingValues::Numbers][pick(2)],
        empty_objects: [EmptyObjects::Stored, EmptyObjects::Null, EmptyObjects::Braces][pick(3)],
        level_shown: [LevelShown::Stored, LevelShown::Null, LevelShown::Missing][pick(3)],
        success: [Success::One, Success::True][pick(2)],
        failure_shape: [FailureShape::Status, FailureShape::Ok, FailureShape::Html, FailureShape::Unknown][pick(4)],
        emails: [OnUpdate::Replace, OnUpdate::Merge][pick(2)],
        properties: [OnUpdate::Replace, OnUpdate::Merge][pick(2)],
        mapping: [OnUpdate::Replace, OnUpdate::Merge][pick(2)],
        spaces: [Spaces::Kept, Spaces::Trimmed][pick(2)],
        parent_filter: [ParentFilter::Children, ParentFilter::Descendants, ParentFilter::Ignored][pick(3)],
        v1_filters: [V1Filters::Query, V1Filters::Body][pick(2)],
        cut_at: [None, Some(8)][pick(2)],
        ids: [Ids::Exact, Ids::Folded][pick(2)],
        existing: [Existing::Left, Existing::Updated][pick(2)],
        unknown_tags: [UnknownTags::Refused, UnknownTags::Made][pick(2)],
        v2: [V2::Present, V2::Missing][pick(2)],
        tag_calls: [TagCalls::Present, TagCalls::Missing][pick(2)],
        ..Behaviour::default()
    }
}

fn shape(random: &mut SmallRng, behaviour: &Behaviour) -> Shape {
    let kinds = [Managed::Nothing, Managed::Whole, Managed::Keys];
    // Where no answer tells the true keys, nobody can keep them.
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
    }
}

fn some(random: &mut SmallRng, pool: &[&'static str]) -> Vec<Cow<'static, str>> {
    pool.iter().filter(|_| random.random_bool(0.35)).map(|&text| text.into()).collect()
}

fn members(random: &mut SmallRng, keys: &[&'static str], values: &[&str]) -> Value {
    let keys = some(random, keys);
    let value = |key: Cow<'_, str>| (key.into_owned(), serde_json::from_str(values.choose(random).unwrap()).unwrap());
    Value::Object(keys.into_iter().map(value).collect())
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
        Managed::Whole => Some(Object::Whole(members(random, keys, values).to_string().into())),
    }
}

fn tenant(random: &mut SmallRng, shape: &Shape, number: usize) -> Tenant<'static> {
    let decoration = if random.random_bool(0.2) { *IDS.choose(random).unwrap() } else { "" };
    let mut tags = some(random, &TAGS);
    for missing in NO_TAGS {
        if random.random_bool(0.08) {
            tags.push(missing.into());
        }
    }
    Tenant {
        provided_id: format!("t{number}{decoration}").into(),
        parent_provided_id: shape.parents.then(|| parent_id(random, number)).flatten().map(Cow::Owned),
        previous_provided_id: shape.renames.then(|| previous_id(random, number)).flatten().map(Cow::Owned),
        name: random.random_bool(0.95).then(|| Cow::Borrowed(*NAMES.choose(random).unwrap())),
        emails: shape.emails.then(|| some(random, &EMAILS)),
        group_tags: shape.group_tags.then_some(tags),
        properties: object(random, shape.properties, &KEYS, &VALUES, true),
        mapping: object(random, shape.mapping, &["40", "134"], &["\"213\"", "\"386\"", "\"x\""], false),
        is_demo_group: shape.is_demo_group.then(|| random.random_bool(0.5)),
        hierarchy_level_name: shape.level.then(|| "Level 2".into()),
    }
}

/// Most are tenants before this one; some go round, or are nobody's.
fn parent_id(random: &mut SmallRng, number: usize) -> Option<String> {
    match random.random_range(0..20) {
        0..7 if number > 0 => Some(format!("t{}", random.random_range(0..number))),
        7..12 => Some("the parent".to_owned()),
        12 => Some(format!("t{}", random.random_range(0..12))),
        13 => Some("nobody".to_owned()),
        _ => None,
    }
}

/// Most are new to the tenants; some are another's, or two tenants'.
fn previous_id(random: &mut SmallRng, number: usize) -> Option<String> {
    match random.random_range(0..10) {
        0..4 => Some(format!("old-{number}")),
        4 => Some(format!("old-{}", number / 2)),
        5 => Some(format!("t{}", random.random_range(0..12))),
        _ => None,
    }
}

/// The customer may still have the id that its tenant had before.
fn rename(random: &mut SmallRng, tenants: &[Tenant], customers: &mut [StoredCustomer], number: usize) {
    let tenant = tenants.iter().find(|tenant| Some(&*tenant.provided_id) == customers[number].provided_id.as_deref());
    let previous = tenant.and_then(|tenant| tenant.previous_provided_id.clone());
    let is_free = |id: &str| customers.iter().all(|customer| customer.provided_id.as_deref() != Some(id));
    if let Some(previous) = previous.filter(|previous| is_free(previous) && random.random_bool(0.7)) {
        customers[number].provided_id = Some(previous.into_owned());
    }
}

/// A customer that has something of its tenant and something of its own.
fn customer(random: &mut SmallRng, tenant: &Tenant) -> StoredCustomer {
    let mut properties = members(random, &["theirs", "theirKey", "plan", "filterValue"], &VALUES);
    let mut mapping = members(random, &["40", "41"], &["\"213\"", "\"9\""]);
    for (object, wanted) in [(&mut properties, &tenant.properties), (&mut mapping, &tenant.mapping)] {
        match wanted {
            Some(Object::Whole(text)) if random.random_bool(0.5) => *object = serde_json::from_str(text).unwrap(),
            _ => {}
        }
    }
    let emails = tenant.emails.clone().filter(|_| random.random_bool(0.5)).unwrap_or_else(|| some(random, &EMAILS));
    let tags = tenant.group_tags.clone().filter(|_| random.random_bool(0.5));
    let tags =
        tags.filter(|tags| !tags.iter().any(|tag| NO_TAGS.contains(&&**tag))).unwrap_or_else(|| some(random, &TAGS));
    let name = tenant.name.clone().filter(|_| random.random_bool(0.6)).unwrap_or_else(|| "Old name".into());
    let group = if random.random_bool(0.97) { "Production" } else { "Elsewhere" };
    serde_json::from_value(json!({
        "provided_id": tenant.provided_id,
        "name": name,
        "emails": emails,
        "group_tags": tags,
        "properties": properties,
        "parent_schema_datasource_mapping": mapping,
        "is_demo_group": random.random_bool(0.2),
        "hierarchy_level": if random.random_bool(0.5) { json!("Level 2") } else { Value::Null },
        "access_group": group,
        "parent_provided_id": parent_of(random, tenant),
    }))
    .unwrap()
}

/// The wanted one where that can't go round, another, or none.
fn parent_of(random: &mut SmallRng, tenant: &Tenant) -> Value {
    let number = |id: &str| id.strip_prefix('t').and_then(|number| number.parse::<usize>().ok());
    let is_before = |parent: &&Cow<'_, str>| *parent == "the parent" || number(parent) < number(&tenant.provided_id);
    let wanted = tenant.parent_provided_id.as_ref().filter(is_before);
    match (random.random_range(0..5), wanted) {
        (0, _) => json!("the parent"),
        (1..4, Some(wanted)) => json!(wanted),
        _ => Value::Null,
    }
}

/// What others wrote went through the same Explo.
fn keep(customer: &mut StoredCustomer, behaviour: &Behaviour) {
    let kept = |text: &str| {
        let text = if behaviour.spaces == Spaces::Trimmed { text.trim() } else { text };
        text.chars().take(behaviour.cut_at.unwrap_or(usize::MAX)).collect::<String>()
    };
    customer.name = kept(&customer.name);
    for list in [&mut customer.emails, &mut customer.group_tags] {
        *list = list.iter().map(|text| kept(text)).collect();
    }
    for value in customer.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        if let Ok(text) = serde_json::from_str::<String>(value.get()) {
            *value = serde_json::value::to_raw_value(&kept(&text)).unwrap();
        }
    }
}

fn stranger(random: &mut SmallRng, number: usize) -> StoredCustomer {
    let id = if random.random_bool(0.1) { Value::Null } else { json!(format!("stranger-{number}")) };
    let customer = json!({"provided_id": id, "name": "Stranger", "emails": ["s@x.example"], "properties": {"theirs": 1.5},
        "access_group": "Production"});
    serde_json::from_value(customer).unwrap()
}
