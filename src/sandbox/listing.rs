//! The two listings: filters, order, pages.

use std::collections::BTreeMap;

use rand::{rngs::SmallRng, seq::SliceRandom};
use serde::Deserialize;

use super::{
    Behaviour, FaultKind, Store, StoredCustomer,
    choice::{Order, PageSizeName, ParentFilter, PastEnd, Total, TotalOf, UnknownParameters, V1Filters},
    endpoint::Version,
    reply::Reply,
    view::{Object, Value, View},
};

/// Page size if the requested one is ignored.
const USUAL_PAGE: usize = 20;

/// The largest page, as documented.
const LARGEST_PAGE: usize = 1000;

const PARENT: &str = "parent_provided_id";
const LEVEL: &str = "hierarchy_level_name";

/// Which customers are listed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    parent_provided_id: Option<String>,
    hierarchy_level_name: Option<String>,
}

/// Answers a listing call, possibly with a fault.
pub(super) fn list(
    store: &Store,
    behaviour: &Behaviour,
    version: Version,
    (query, body): (&str, &[u8]),
    fault: Option<FaultKind>,
    random: &mut SmallRng,
) -> Reply {
    let mut parameters: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut take = |name: &str| parameters.remove(name);
    let from_query = Filters { parent_provided_id: take(PARENT), hierarchy_level_name: take(LEVEL) };
    let paging = (version == Version::V2).then(|| {
        let number = take("page").map_or(Ok(1), |page| page.parse()).unwrap_or(0);
        let (snake, camel) = match behaviour.page_size_name {
            PageSizeName::Both => (take("page_size"), take("pageSize")),
            PageSizeName::Snake => (take("page_size"), None),
            PageSizeName::Camel => (None, take("pageSize")),
            PageSizeName::Neither => (None, None),
        };
        let size = snake.or(camel).and_then(|size| size.parse().ok()).unwrap_or(USUAL_PAGE);
        (number, size.min(behaviour.largest_page.unwrap_or(LARGEST_PAGE)).max(1))
    });
    if let (UnknownParameters::Refused, Some(name)) = (behaviour.unknown_parameters, parameters.keys().next()) {
        return Reply::detail(400, &format!("Unknown query parameter: {name}"));
    }
    let filters = match (version, behaviour.v1_filters) {
        (Version::V1, V1Filters::Body) => serde_json::from_slice(body).unwrap_or_default(),
        (Version::V2, _) | (Version::V1, V1Filters::Query) => from_query,
    };
    let mut found = filters.find(store, behaviour);
    leave_out(&mut found, store, fault);
    match behaviour.order {
        Order::Created => {}
        Order::Newest => found.reverse(),
        Order::Shuffled => found.shuffle(random),
    }
    let total = match behaviour.total_of {
        TotalOf::All => found.len(),
        TotalOf::Visible => found.iter().filter(|customer| !store.is_hidden(customer)).count(),
    };
    let lie = if fault == Some(FaultKind::Nobody) { 0 } else { behaviour.total_plus };
    let total = total.saturating_add_signed(lie);
    found.retain(|customer| !store.is_hidden(customer));
    let view = |customer| View { customer, store, behaviour, is_listed: true };
    let customers = ["customers"; 2];
    let Some((number, size)) = paging else {
        let all = Value::Customers(found.into_iter().map(view).collect());
        return Reply::json(200, &Object::new(behaviour).succeeded(true, behaviour).with(customers, all));
    };
    let last = found.len().div_ceil(size).max(1);
    let shown = match behaviour.past_end {
        PastEnd::First if number > last => 1,
        PastEnd::Last => number.min(last),
        PastEnd::NotFound | PastEnd::Empty | PastEnd::First => number,
    };
    let page: Vec<_> = found.into_iter().skip(size.saturating_mul(shown.max(1) - 1)).take(size).map(view).collect();
    if number == 0 || (page.is_empty() && number > 1 && behaviour.past_end == PastEnd::NotFound) {
        return Reply::detail(404, "Invalid page.");
    }
    let mut answer = Object::new(behaviour);
    if matches!(behaviour.total, Total::TotalCount | Total::Both) {
        answer = answer.with(["total_count", "totalCount"], Value::Number(total));
    }
    if matches!(behaviour.total, Total::Count | Total::Both) {
        answer = answer.with(["count"; 2], Value::Number(total));
    }
    let results = Object::new(behaviour).with(customers, Value::Customers(page));
    Reply::json(200, &answer.with(["results"; 2], Value::Object(results)))
}

/// Removes the customers that a fault hides: the newest ones, so that the pages of one listing agree.
fn leave_out(found: &mut Vec<&StoredCustomer>, store: &Store, fault: Option<FaultKind>) {
    let mut missing = match fault {
        Some(FaultKind::Nobody) => return found.clear(),
        Some(FaultKind::Fewer(missing)) => missing,
        Some(_) | None => return,
    };
    while missing > 0
        && let Some(last) = found.iter().rposition(|customer| !store.is_hidden(customer))
    {
        found.remove(last);
        missing -= 1;
    }
}

impl Filters {
    /// The customers that match the filters, hidden ones too.
    fn find<'s>(&self, store: &'s Store, behaviour: &Behaviour) -> Vec<&'s StoredCustomer> {
        let level = self.hierarchy_level_name.as_ref();
        let parent = self.parent_provided_id.as_ref().map(|id| {
            let position = store.position(id, behaviour.ids);
            position.and_then(|position| store.at(position).provided_id.as_ref())
        });
        let is_below = |customer: &StoredCustomer| match (parent, behaviour.parent_filter) {
            (None, _) | (_, ParentFilter::Ignored) => true,
            (Some(None), _) => false,
            (Some(parent), ParentFilter::Children) => customer.parent_provided_id.as_ref() == parent,
            (Some(parent), ParentFilter::Descendants) => {
                store.ancestors(customer).any(|ancestor| ancestor.provided_id.as_ref() == parent)
            }
        };
        let fits = |customer: &&StoredCustomer| {
            (level.is_none() || customer.hierarchy_level.as_ref() == level) && is_below(customer)
        };
        store.customers().iter().filter(fits).collect()
    }
}
