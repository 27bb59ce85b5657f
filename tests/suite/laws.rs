//! Laws of comparing, over random tenants and customers.

use std::borrow::Cow;

use explo_sync::{
    compare::{EmailRule, Fingerprints, KeyStyle, Layouts, Rules, compare, needs_current, to_send},
    memory::Memory,
    model::{Customer, Field, Object, Tenant, json},
    plan::{Allowances, Census, Change, Extent, Guard, Inquiry, Plan},
    tenants::Index,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

/// Few values, so that equal ones are frequent; among them those that only look different.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["", "a", "A", "b", "ab", "é", "e\u{301}", "\"", "\\", "\u{0}", "213", "a,b", " a"])
            .prop_map(str::to_owned),
        ".{0,6}",
    ]
}

/// The same value in several spellings, and different values in similar ones.
fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec![
            "1",
            "1.0",
            "10e-1",
            "-1",
            "0",
            "-0.0",
            "0.1",
            "1e2",
            "100",
            "12345678901234567890.1",
            "null",
            "true"
        ])
        .prop_map(str::to_owned),
        text().prop_map(|text| json::quote(&text)),
        Just(r#""\u0061""#.to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|parts| format!("[ {} ]", parts.join(" , "))),
            vec((select(vec!["a", "b", "c"]), inner), 0..3).prop_map(|members| object(&members)),
        ]
    })
}

fn object(members: &[(&str, String)]) -> String {
    let mut seen = std::collections::BTreeSet::new();
    let distinct = members.iter().filter(|(key, _)| seen.insert(*key));
    let members: Vec<_> = distinct.map(|(key, value)| format!("{} : {value}", json::quote(key))).collect();
    format!("{{{}}}", members.join(","))
}

fn json_object() -> impl Strategy<Value = String> {
    vec((select(vec!["a", "b", "c"]), json_value()), 0..4).prop_map(|members| object(&members))
}

fn mapping_value() -> impl Strategy<Value = String> {
    select(vec!["213", "\"213\"", "\"214\"", "213.0", "\"\"", "\"a\""]).prop_map(str::to_owned)
}

fn mapping_object() -> impl Strategy<Value = String> {
    vec((select(vec!["40", "134"]), mapping_value()), 0..3).prop_map(|members| object(&members))
}

fn managed_object(
    whole: impl Strategy<Value = String> + 'static,
    value: impl Strategy<Value = String> + 'static,
    keys: Vec<&'static str>,
) -> impl Strategy<Value = Object<'static>> {
    let single = vec((select(keys), option::of(value)), 1..3).prop_map(|keys| {
        let keys: std::collections::BTreeMap<_, _> =
            keys.into_iter().map(|(key, value)| (key.into(), value.map(Cow::Owned))).collect();
        Object::Keys(keys.into_iter().collect())
    });
    prop_oneof![whole.prop_map(|whole| Object::Whole(whole.into())), single]
}

prop_compose! {
    fn tenant()(
        provided_id in select(vec!["t1", "t2", "t3", "t4"]),
        previous in option::weighted(0.4, select(vec!["t1", "t2", "t3", "t4", "s1", "s2"])),
        parent in option::weighted(0.3, select(vec!["t1", "t2", "t3", "t4", "s1", "s2"])),
        name in option::weighted(0.8, text()),
        emails in option::of(vec(text(), 0..4)),
        group_tags in option::of(vec(text(), 0..4)),
        properties in option::of(managed_object(json_object(), json_value(), vec!["a", "b"])),
        mapping in option::of(managed_object(mapping_object(), mapping_value(), vec!["40", "134"])),
        is_demo_group in option::of(any::<bool>()),
        hierarchy_level_name in option::of(text()),
    ) -> Tenant<'static> {
        let (provided_id, previous_provided_id) = (provided_id.into(), previous.map(Cow::Borrowed));
        let parent_provided_id = parent.map(Cow::Borrowed);
        let (name, hierarchy_level_name) = (name.map(Cow::Owned), hierarchy_level_name.map(Cow::Owned));
        let own = |list: Vec<String>| list.into_iter().map(Cow::Owned).collect();
        let (emails, group_tags) = (emails.map(own), group_tags.map(own));
        Tenant {
            provided_id, previous_provided_id, parent_provided_id, name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level_name,
            offboard: None,
        }
    }
}

prop_compose! {
    fn customer()(
        provided_id in select(vec!["t1", "t2", "t3", "s1", "s2"]),
        name in text(),
        emails in vec(text(), 0..4),
        group_tags in vec(text(), 0..4),
        properties in json_object(),
        mapping in mapping_object(),
        is_demo_group in any::<bool>(),
        hierarchy_level in text(),
    ) -> Customer<'static> {
        let own = |list: Vec<String>| list.into_iter().map(Cow::Owned).collect();
        Customer {
            token: Cow::Owned(format!("token of {provided_id}")),
            provided_id: Some(Cow::Borrowed(provided_id)),
            name: name.into(),
            emails: own(emails),
            group_tags: own(group_tags),
            properties: properties.into(),
            mapping: mapping.into(),
            is_demo_group,
            hierarchy_level: hierarchy_level.into(),
            parent_provided_id: None,
            access_group: None,
        }
    }
}

/// The customer after the fields that a tenant has were written to it, by a server that replaces.
fn written(mut customer: Customer<'static>, sent: &Tenant) -> Customer<'static> {
    let list = |list: &Vec<Cow<'_, str>>| list.iter().map(|element| element.to_string().into()).collect();
    let whole = |object: &Object| match object {
        Object::Whole(text) => Cow::Owned(text.to_string()),
        Object::Keys(_) => panic!("only whole objects are sent"),
    };
    if let Some(name) = &sent.name {
        customer.name = name.to_string().into();
    }
    if let Some(level) = &sent.hierarchy_level_name {
        customer.hierarchy_level = level.to_string().into();
    }
    customer.is_demo_group = sent.is_demo_group.unwrap_or(customer.is_demo_group);
    customer.emails = sent.emails.as_ref().map_or(customer.emails, list);
    customer.group_tags = sent.group_tags.as_ref().map_or(customer.group_tags, list);
    customer.properties = sent.properties.as_ref().map_or(customer.properties, whole);
    customer.mapping = sent.mapping.as_ref().map_or(customer.mapping, whole);
    customer
}

/// Whether both have the same fingerprint, after the keys of others were seen.
fn are_alike(
    fingerprints: Fingerprints,
    tenant: &Tenant,
    customer: &Customer<'_>,
    before: &(Tenant<'_>, Customer<'_>),
) -> bool {
    let (mut wanted, mut held) = (Layouts::default(), Layouts::default());
    let mut both = |tenant: &Tenant<'_>, customer: &Customer<'_>| {
        let of_customer = fingerprints.of_customer(customer, &tenant.managed(), &mut held);
        fingerprints.of_tenant(tenant, &mut wanted) == of_customer
    };
    both(&before.0, &before.1);
    both(tenant, customer)
}

fn plan(tenants: &[Tenant], customers: &[Customer<'_>], rules: Rules) -> Plan {
    let mut index = Index::new(Fingerprints::new(7));
    for tenant in tenants {
        index.insert(&Ok(tenant.clone()));
    }
    let memory = Memory::default();
    let mut census = Census::new(index, rules, &memory, Extent::All);
    for customer in customers {
        census.observe(customer);
    }
    census.close().finish()
}

/// What a plan says, without the numbers of rows, which depend on the order of reading.
fn told(plan: &Plan) -> String {
    let changes: Vec<_> =
        plan.changes.iter().map(|change| (change.kind(), plan.provided_id(change), plan.differences(change))).collect();
    let numbers = (plan.quiet.unchanged, plan.population.customers, plan.population.with_tenant);
    format!("{changes:?} {:?} {:?} {numbers:?}", plan.population.orphans, plan.invalid)
}

fn distinct<T>(list: Vec<T>, id: impl Fn(&T) -> String) -> Vec<T> {
    let mut seen = std::collections::HashSet::new();
    list.into_iter().filter(|element| seen.insert(id(element))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn fingerprints_are_equal_exactly_when_comparing_finds_nothing(
        tenant in tenant(), customer in customer(), before in (tenant(), customer()), seed in any::<u64>(),
    ) {
        let equal = are_alike(Fingerprints::new(seed), &tenant, &customer, &before);
        let differences = compare(&tenant, &customer, Rules::default());
        prop_assert_eq!(equal, differences.is_empty(), "{:?}", differences);
    }

    #[test]
    fn with_added_emails_an_equal_fingerprint_still_means_equal(
        tenant in tenant(), customer in customer(), before in (tenant(), customer()),
    ) {
        if are_alike(Fingerprints::new(1), &tenant, &customer, &before) {
            prop_assert_eq!(compare(&tenant, &customer, Rules { emails: EmailRule::Add, ..Rules::default() }), vec![]);
        }
    }

    #[test]
    fn a_customer_that_was_written_equals_its_tenant(tenant in tenant(), customer in customer(), add in any::<bool>()) {
        let rules = Rules { emails: if add { EmailRule::Add } else { EmailRule::Replace }, ..Rules::default() };
        let fields: Vec<Field> = compare(&tenant, &customer, rules).iter().map(|difference| difference.field).collect();
        let current = needs_current(&tenant.managed(), &fields, rules).then_some(&customer);
        let sent = to_send(&tenant, &fields, current, rules);
        let after = written(customer.clone(), &sent);
        prop_assert_eq!(compare(&tenant, &after, rules), vec![]);
        for email in customer.emails.iter().filter(|_| add) {
            prop_assert!(after.emails.contains(email), "an address of somebody else is gone");
        }
        if let Some(Object::Keys(keys)) = &tenant.properties {
            let others = |held: &str| -> Vec<String> {
                let others = json::members(held).filter(|(key, _)| !keys.iter().any(|(managed, _)| managed == key));
                let mut others: Vec<_> = others.map(|(key, value)| format!("{key}={}", explo_sync::compare::canonical(value))).collect();
                others.sort();
                others
            };
            prop_assert_eq!(others(&after.properties), others(&customer.properties), "another key was touched");
        }
    }

    #[test]
    fn a_plan_does_not_depend_on_the_order_of_its_inputs(
        tenants in vec(tenant(), 0..5), customers in vec(customer(), 0..5), rotate in 0_usize..5,
    ) {
        let customers = distinct(customers, |customer| customer.token.to_string());
        let before = told(&plan(&tenants, &customers, Rules::default()));
        let (mut tenants, mut customers) = (distinct(tenants, |tenant| format!("{tenant:?}")), customers);
        let twice = told(&plan(&tenants, &customers, Rules::default()));
        tenants.reverse();
        let turn = rotate.min(customers.len());
        customers.rotate_left(turn);
        let after = told(&plan(&tenants, &customers, Rules::default()));
        prop_assert_eq!(after, twice);
        prop_assert!(!before.is_empty());
    }

    #[test]
    fn the_fields_of_a_change_are_those_that_differ(tenants in vec(tenant(), 0..5), customers in vec(customer(), 0..5)) {
        let plan = plan(&tenants, &customers, Rules::default());
        for change in &plan.changes {
            let fields: Vec<_> = plan.differences(change).iter().map(|difference| difference.field).collect();
            prop_assert_eq!(plan.fields_of(change), fields, "{:?}", plan.index.tenant(change.row()));
        }
    }

    #[test]
    fn applying_a_plan_and_planning_again_gives_nothing(tenants in vec(tenant(), 0..5), customers in vec(customer(), 0..5)) {
        let tenants = distinct(tenants, |tenant| tenant.provided_id.to_string());
        let mut customers = distinct(customers, |customer| customer.token.to_string());
        let rules = Rules::default();
        let first = plan(&tenants, &customers, rules);
        for change in &first.changes {
            let tenant = first.index.tenant(change.row());
            match change {
                Change::Rename(row) => {
                    let (old, new) = (first.previous_provided_id(*row), &*tenant.provided_id);
                    prop_assert!(customers.iter().all(|customer| customer.provided_id.as_deref() != Some(new)));
                    let held = customers.iter_mut().find(|customer| customer.provided_id.as_deref() == Some(&*old)).unwrap();
                    held.provided_id = Some(Cow::Owned(new.to_owned()));
                }
                Change::Create(_) => {
                    let new = Customer {
                        token: Cow::Owned(format!("token of {}", tenant.provided_id)),
                        provided_id: Some(tenant.provided_id.clone()),
                        ..Customer::default()
                    };
                    customers.push(written(new, &to_send(&tenant, &Field::ALL, None, rules)));
                }
                Change::Offboard(offboard) => prop_assert!(false, "nobody leaves: {offboard:?}"),
                Change::Update(update) => {
                    let id = Some(&*tenant.provided_id);
                    let held = customers.iter_mut().find(|customer| customer.provided_id.as_deref() == id).unwrap();
                    let current = held.clone();
                    *held = written(held.clone(), &to_send(&tenant, &update.fields(), Some(&current), rules));
                }
            }
        }
        let second = plan(&tenants, &customers, rules);
        prop_assert_eq!(second.changes.len(), 0);
        prop_assert_eq!(&second.population.orphans, &first.population.orphans);
        let guard = Guard { floor: 0, create_floor: 0, percent: 0, max_orphan_percent: 100 };
        prop_assert_eq!(guard.held(&second, &Allowances::default()), vec![]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_customer_is_doubtful_if_it_matters_whose_the_style_of_its_keys_is(
        tenant in tenant(), customer in customer(), held in vec((select(vec!["a", "A", "b", "B"]), json_value()), 0..4),
    ) {
        let tenant = Tenant { previous_provided_id: None, parent_provided_id: None, ..tenant };
        let (provided_id, properties) = (Some(tenant.provided_id.clone()), object(&held).into());
        let customer = Customer { provided_id, properties, ..customer };
        let compared = |keys| compare(&tenant, &customer, Rules::default().with(keys));
        let mut index = Index::new(Fingerprints::new(7));
        index.insert(&Ok(tenant.clone()));
        let memory = Memory::default();
        let mut census = Census::new(index, Rules::default(), &memory, Extent::All);
        census.observe(&customer);
        let is_doubtful = census.close().questions().is_some();
        prop_assert_eq!(is_doubtful, compared(KeyStyle::AsListed) != compared(KeyStyle::AsWanted));
    }
}
