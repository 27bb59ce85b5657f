//! Tenants and customers with many keys, addresses, tags or ids, each compared in one of the ways there are. The bench and the
//! tests share them.

use std::borrow::Cow;

use explo_sync::{
    compare::{EmailRule, Fingerprints, KeyStyle, Layouts, Rules, compare, predict, to_send},
    memory::Memory,
    model::{Customer, Field, Object, Tenant, json},
    plan::{Answer, Census, Extent, Inquiry, Plan},
    source::{Cell, Columns, row},
    tenants::Index,
};

/// A way to compare many of something: its name, and what it takes for so many; the result says how many were found to differ.
pub type Way = (&'static str, fn(usize) -> Box<dyn Fn() -> usize>);

/// All of them.
pub const WAYS: [Way; 15] = [
    ("properties: equal", |n| properties(whole(n, "k"), members(n, "k"), KeyStyle::AsListed)),
    ("properties: replaced", |n| properties(whole(n, "new"), members(n, "old"), KeyStyle::AsListed)),
    ("properties: in another style", |n| properties(whole(n, "someKey"), members(n, "some_key"), KeyStyle::AsWanted)),
    ("dotted columns: equal", |n| properties(keys(n, "k"), members(n, "k"), KeyStyle::AsListed)),
    ("dotted columns: among others", |n| properties(keys(n, "k"), members(n, "other"), KeyStyle::AsListed)),
    ("dotted columns: in another style", |n| {
        properties(keys(n, "someKey"), members(n, "some_key"), KeyStyle::AsWanted)
    }),
    ("dotted columns: carrying others", carrying_keys),
    ("mapping: replaced", mapping),
    ("emails: replaced", |n| emails(n, EmailRule::Replace)),
    ("emails: added", |n| emails(n, EmailRule::Add)),
    ("tags: replaced", tags),
    ("predicted", predicted),
    ("ids: one claimed by all", claims),
    ("ids: parents by the old one", parents),
    ("columns: NULL left alone", columns),
];

fn key(prefix: &str, n: usize) -> String {
    format!("{prefix}{n}")
}

/// The text of an object with so many keys.
fn members(n: usize, prefix: &str) -> String {
    let members: Vec<_> = (0..n).map(|n| format!("\"{}\":{n}", key(prefix, n))).collect();
    format!("{{{}}}", members.join(","))
}

fn whole(n: usize, prefix: &str) -> Object<'static> {
    Object::Whole(members(n, prefix).into())
}

fn keys(n: usize, prefix: &str) -> Object<'static> {
    Object::Keys((0..n).rev().map(|n| (key(prefix, n).into(), Some(n.to_string().into()))).collect())
}

fn list(n: usize, prefix: &str) -> Vec<Cow<'static, str>> {
    (0..n).map(|n| format!("{prefix}{n}@tenant.example").into()).collect()
}

fn tenant(fields: Tenant<'static>) -> Tenant<'static> {
    Tenant { provided_id: "t".into(), ..fields }
}

/// Compares in every way that a run does, with fingerprints first.
fn differing(tenant: &Tenant<'_>, customer: &Customer<'_>, rules: Rules) -> usize {
    let fingerprints = Fingerprints::new(7);
    let wants = fingerprints.of_tenant(tenant, &mut Layouts::default());
    let holds = fingerprints.of_customer(customer, &tenant.managed(), &mut Layouts::default());
    let differences = compare(tenant, customer, rules);
    assert!(wants != holds || differences.is_empty());
    differences.len()
}

fn properties(wants: Object<'static>, holds: String, keys: KeyStyle) -> Box<dyn Fn() -> usize> {
    let tenant = tenant(Tenant { properties: Some(wants), ..Tenant::default() });
    let customer = Customer { properties: holds.into(), ..Customer::default() };
    Box::new(move || differing(&tenant, &customer, Rules::default().with(keys)))
}

fn carrying_keys(n: usize) -> Box<dyn Fn() -> usize> {
    let tenant = tenant(Tenant { properties: Some(keys(n, "k")), ..Tenant::default() });
    let customer = Customer { properties: members(n, "other").into(), ..Customer::default() };
    Box::new(move || {
        let sent = to_send(&tenant, &[Field::Properties], Some(&customer), Rules::default());
        match sent.properties {
            Some(Object::Whole(properties)) => json::members(&properties).count(),
            _ => 0,
        }
    })
}

fn mapping(n: usize) -> Box<dyn Fn() -> usize> {
    let tenant = tenant(Tenant { mapping: Some(whole(n, "new")), ..Tenant::default() });
    let customer = Customer { mapping: members(n, "old").into(), ..Customer::default() };
    Box::new(move || differing(&tenant, &customer, Rules::default()))
}

fn emails(n: usize, emails: EmailRule) -> Box<dyn Fn() -> usize> {
    let tenant = tenant(Tenant { emails: Some(list(n, "new")), ..Tenant::default() });
    let customer = Customer { emails: list(n, "old"), ..Customer::default() };
    let rules = Rules { emails, ..Rules::default() };
    Box::new(move || {
        let sent = to_send(&tenant, &[Field::Emails], Some(&customer), rules);
        differing(&tenant, &customer, rules) + sent.emails.map_or(0, |emails| emails.len())
    })
}

/// As many tenants as it takes: Explo's customers have one MiB at the most.
fn tags(n: usize) -> Box<dyn Fn() -> usize> {
    let lists = list(n, "new").into_iter().zip(list(n, "old")).collect::<Vec<_>>();
    let (tenants, customers): (Vec<_>, Vec<_>) = (0_usize..)
        .zip(lists.chunks(10_000))
        .map(|(place, lists)| {
            let (new, old) = lists.iter().cloned().unzip();
            let (provided_id, name) = (Cow::from(key("t", place)), Cow::from("T"));
            let tenant = Tenant {
                provided_id: provided_id.clone(),
                name: Some(name.clone()),
                group_tags: Some(new),
                ..Tenant::default()
            };
            (tenant, Customer { provided_id: Some(provided_id), name, group_tags: old, ..Customer::default() })
        })
        .unzip();
    Box::new(move || {
        let mut plan = plan(&tenants, &customers);
        let questions = plan.questions().map_or(0, |questions| questions.len());
        plan.answer(Answer::Tags(Some(std::collections::BTreeSet::new())));
        questions + plan.invalid.len()
    })
}

fn predicted(n: usize) -> Box<dyn Fn() -> usize> {
    let quoted = |prefix: &str| json::array(list(n, prefix).iter().map(|email| json::quote(email)));
    let (old, new) =
        (explo_sync::compare::canonical(&members(n, "old")), explo_sync::compare::canonical(&members(n, "new")));
    let (old_list, new_list) = (quoted("Old"), quoted("New"));
    Box::new(move || {
        let habits = [predict::lower_case(&new_list), predict::union(&old_list, &new_list), predict::union(&old, &new)];
        habits.iter().map(|habit| json::elements(habit).count() + 2 * json::members(habit).count()).sum()
    })
}

fn plan(tenants: &[Tenant<'_>], customers: &[Customer<'_>]) -> Plan {
    let mut index = Index::new(Fingerprints::new(7));
    for tenant in tenants {
        index.insert(&Ok(tenant.clone()));
    }
    let memory = Memory::default();
    let mut census = Census::new(index, Rules::default(), &memory, Extent::All);
    for customer in customers {
        census.observe(customer);
    }
    census.close().finish()
}

/// A tenant with a name that may have had another id.
fn claiming(n: usize, previous: Option<&'static str>, parent: Option<&'static str>) -> Tenant<'static> {
    Tenant {
        provided_id: key("t", n).into(),
        previous_provided_id: previous.map(Cow::Borrowed),
        parent_provided_id: parent.map(Cow::Borrowed),
        name: Some("T".into()),
        hierarchy_level_name: Some("L".into()),
        ..Tenant::default()
    }
}

fn customer(provided_id: &str) -> Customer<'static> {
    Customer {
        token: format!("token of {provided_id}").into(),
        provided_id: Some(provided_id.to_owned().into()),
        name: "T".into(),
        hierarchy_level: "L".into(),
        ..Customer::default()
    }
}

/// All have had one id that is listed; of the last half no customer is there.
fn claims(n: usize) -> Box<dyn Fn() -> usize> {
    let tenants: Vec<_> = (0..n).map(|n| claiming(n, Some("old"), None)).collect();
    let mut customers: Vec<_> = (0..n / 2).map(|n| customer(&key("t", n))).collect();
    customers.push(customer("old"));
    Box::new(move || plan(&tenants, &customers).invalid.len())
}

/// Half of them have had one id, and all but the last of these are there; the others are below the customer that has it.
fn parents(n: usize) -> Box<dyn Fn() -> usize> {
    let renamed = n / 2 - 1;
    let tenants =
        (0..n).map(|n| if n <= renamed { claiming(n, Some("old"), None) } else { claiming(n, None, Some("old")) });
    let tenants: Vec<_> = tenants.collect();
    let mut customers: Vec<_> = (0..renamed).map(|n| customer(&key("t", n))).collect();
    customers.push(customer("old"));
    Box::new(move || plan(&tenants, &customers).changes.len())
}

/// Each column is NULL.
fn columns(n: usize) -> Box<dyn Fn() -> usize> {
    let names: Vec<_> = (0..n).map(|n| format!("properties.k{n}")).collect();
    let all = std::iter::once("provided_id").chain(names.iter().map(String::as_str));
    let columns = Columns::named(all, &names).unwrap();
    Box::new(move || {
        let cells = std::iter::once(Cell::Text("t".into())).chain((0..n).map(|_| Cell::Null));
        usize::from(row(&columns, cells, "row 1").unwrap().properties.is_none())
    })
}
