//! The world of a seed: tenants, customers, and an Explo with its behaviour.

mod customers;
mod habits;
mod tenants;

use explo_sync::{
    compare::{EmailRule, TagRule},
    explo::ListingVersion,
    model::Tenant,
    sandbox::{
        Api, Behaviour, Existing, Fault, FaultKind, GroupShown, Markup, Odd, Order, PastEnd, Second, Store, Total,
        TotalOf, V2,
    },
};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};

use super::world::World;
pub use customers::{ANOTHERS, OURS, keep};

/// Whether worlds may have unreadable customers, totals that are too high, and answers with another listed customer's
/// token.
pub const STRICT: bool = true;

/// The settings of a world.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    /// Nothing changes except by the program.
    pub is_steady: bool,
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
    /// The tenants whose calls always fail.
    pub broken: Vec<String>,
}

/// Kinds of permanent failures. Some are applied nevertheless.
const FAILURES: [FaultKind; 13] = [
    FaultKind::Status(500),
    FaultKind::Status(503),
    FaultKind::Status(409),
    FaultKind::Status(422),
    FaultKind::Forbidden,
    FaultKind::Throttle(Some(60)),
    FaultKind::HangBefore,
    FaultKind::DropBefore,
    FaultKind::Html,
    FaultKind::Empty,
    FaultKind::StatusAfter(502),
    FaultKind::DropAfter,
    FaultKind::HangAfter,
];

/// Records that can't be read.
const ODD: [Odd; 5] =
    [Odd::PropertiesList, Odd::EmailsText, Odd::HalfSurrogate, Odd::DeepProperties, Odd::LargeProperties];

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 1,
            is_steady: true,
            emails: EmailRule::Replace,
            tags: TagRule::Invalid,
            version: ListingVersion::V2,
            trust_total: true,
            page_size: 1000,
            side_by_side: 1,
            max_attempts: 1,
            requests_per_minute: 120,
            hidden: Vec::new(),
            broken: Vec::new(),
        }
    }
}

impl World {
    /// The world of a seed; `is_steady` excludes behaviour with which a listing fails now and then.
    pub fn of(seed: u64, is_steady: bool) -> Self {
        let random = &mut SmallRng::seed_from_u64(seed);
        let mut behaviour = habits::behaviour(random, is_steady);
        let trust_total = behaviour.total != Total::Missing && behaviour.total_of == TotalOf::Visible;
        // If only the last page shows the end of the list, there must be such a page.
        if !trust_total && matches!(behaviour.past_end, PastEnd::First | PastEnd::Last) {
            behaviour.past_end = PastEnd::Empty;
        }
        // If a create writes to an existing customer, a customer that the listing misses can't be protected,
        if (behaviour.order == Order::Shuffled || !behaviour.churn.is_empty()) && !trust_total {
            behaviour.existing = Existing::Left;
        }
        let emails = email_rule(random, &behaviour);
        let foreign = foreign(random, &behaviour);
        let shape = tenants::shape(random, &behaviour);
        let counts = if random.random_bool(0.05) { 15..36 } else { 0..12 };
        let count = random.random_range(counts);
        let tenants: Vec<_> = (0..count).map(|number| tenants::tenant(random, &shape, number)).collect();
        let tenants = distinct(tenants);
        let customers = customers::customers(random, &tenants, foreign, &behaviour);
        // and neither can a hidden one.
        let may_hide = if behaviour.existing == Existing::Left { 0.05 } else { 0.0 };
        let ids: Vec<_> = customers.iter().filter_map(|customer| customer.provided_id.clone()).collect();
        let hidden = ids.iter().filter(|id| !id.starts_with("the ") && random.random_bool(may_hide)).cloned();
        let hidden: Vec<_> = hidden.collect();
        let mut store = Store::new(customers);
        for tag in tenants::TAGS {
            let _ = store.add_tag(tag);
        }
        store.hide(hidden.clone());
        store.hide_group(ANOTHERS);
        disturb(random, &mut store, &ids);
        let broken = broken(random, &tenants);
        let mut api = Api::new(store, seed);
        api.faults.extend(broken.as_ref().map(|(kind, ids)| Fault::new(*kind).of(ids.iter().cloned())));
        let version = if behaviour.v2 == V2::Missing { ListingVersion::V1 } else { ListingVersion::V2 };
        api.behaviour = behaviour;
        let scenario = Scenario {
            seed,
            is_steady,
            tags: if random.random_bool(0.4) { TagRule::Create } else { TagRule::Invalid },
            emails,
            version,
            trust_total,
            page_size: *[3, 5, 1000].choose(random).unwrap(),
            side_by_side: random.random_range(1..5),
            max_attempts: random.random_range(1..5),
            requests_per_minute: *[60, 120, 6000].choose(random).unwrap(),
            hidden,
            broken: broken.map(|(_, ids)| ids).unwrap_or_default(),
        };
        Self::new(scenario, api, tenants)
    }
}

fn email_rule(random: &mut SmallRng, behaviour: &Behaviour) -> EmailRule {
    let adds = random.random_bool(0.2);
    // A preserved address would be escaped once more with each write.
    if adds && behaviour.markup == Markup::Kept { EmailRule::Add } else { EmailRule::Replace }
}

/// The share of customers of another team: none is listed, and only the group distinguishes them.
fn foreign(random: &mut SmallRng, behaviour: &Behaviour) -> f64 {
    let share = match random.random_range(0..40) {
        0 => 1.0,
        1..3 => 0.2,
        _ => 0.0,
    };
    let can_be_told = behaviour.access_group == GroupShown::Shown && behaviour.existing == Existing::Left;
    if can_be_told { share } else { 0.0 }
}

fn distinct(mut tenants: Vec<Tenant<'static>>) -> Vec<Tenant<'static>> {
    let mut ids = std::collections::BTreeSet::new();
    tenants.retain(|tenant| ids.insert(tenant.provided_id.clone()));
    tenants
}

/// Adds customers with the same id, and unreadable records.
fn disturb(random: &mut SmallRng, store: &mut Store, ids: &[String]) {
    if let Some(id) = ids.choose(random).filter(|_| random.random_bool(0.08)) {
        store.twice(id, *[Second::After, Second::Before].choose(random).unwrap()).unwrap();
    }
    if let Some(id) = ids.choose(random).filter(|_| STRICT && random.random_bool(0.1)) {
        store.make_odd(id, *ODD.choose(random).unwrap()).unwrap();
    }
}

/// Tenants whose calls always fail: some, or all in a range of ids.
fn broken(random: &mut SmallRng, tenants: &[Tenant<'_>]) -> Option<(FaultKind, Vec<String>)> {
    if tenants.is_empty() || !random.random_bool(0.15) {
        return None;
    }
    let kind = *FAILURES.choose(random).unwrap();
    let mut ids: Vec<_> = tenants.iter().map(|tenant| tenant.provided_id.to_string()).collect();
    ids.sort_unstable();
    // After three answers of 403, a run blames the token.
    let most = if kind == FaultKind::Forbidden { 2 } else { ids.len() };
    let count = random.random_range(1..=most.min(ids.len()));
    if random.random_bool(0.5) {
        ids.drain(..random.random_range(0..=ids.len() - count));
        ids.truncate(count);
    } else {
        while ids.len() > count {
            ids.swap_remove(random.random_range(0..ids.len()));
        }
    }
    Some((kind, ids))
}
