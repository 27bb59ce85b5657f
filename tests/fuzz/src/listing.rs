//! An answer of Explo: a page of the listing, or one customer.

use std::borrow::Cow;

use explo_sync::{
    compare::{Fingerprints, Rules, compare},
    explo::{ListingVersion, Page, Shown, Unusable, wire::read_answer},
    model::{Customer, Gap, LARGEST_RECORD, Object, Partial, Record, Tenant, json},
    tenants::{Index, Probe},
};

pub fn target(data: &[u8]) {
    for version in [ListingVersion::V1, ListingVersion::V2] {
        let Ok(listed) = customers(data, version) else { continue };
        listed.iter().for_each(assert_sound);
        let again = json::array(listed.iter().map(encoded));
        let page = match version {
            ListingVersion::V1 => format!(r#"{{"success":1,"customers":{again}}}"#),
            ListingVersion::V2 => format!(r#"{{"results":{{"customers":{again}}}}}"#),
        };
        assert_eq!(customers(page.as_bytes(), version), Ok(listed));
    }
    match read_answer(data) {
        Ok((is_new, Record::Whole(customer))) => {
            assert_sound(&customer);
            let answer = format!(r#"{{"success":1,"new_customer":{is_new},"customer":{}}}"#, encoded(&customer));
            assert_eq!(read_answer(answer.as_bytes()).unwrap(), (is_new, Record::Whole(customer)));
        }
        Ok((_, Record::Partial(partial))) => assert_small(&partial),
        Err(_) => {}
    }
}

/// Those whose records are read whole.
fn customers(page: &[u8], version: ListingVersion) -> Result<Vec<Customer<'static>>, Unusable> {
    let (mut customers, mut partials) = (Vec::new(), 0);
    let read = Page::read(page, version, &mut |shown| match shown {
        Shown::Customer(customer) => customers.push(customer.clone().into_owned()),
        Shown::Partial(partial, record) => {
            assert_small(&partial);
            assert!(partial.gap == Gap::Unreadable || record.len() > LARGEST_RECORD);
            partials += 1;
        }
    })?;
    assert_eq!(read.customers, customers.len() + partials);
    Ok(customers)
}

fn assert_small(partial: &Partial<'_>) {
    let texts = [Some(&*partial.token), partial.provided_id.as_deref()];
    assert!(texts.into_iter().flatten().all(|text| text.len() <= LARGEST_RECORD));
}

/// Its objects have a normal form, and it is what a tenant wants that wants just this.
fn assert_sound(customer: &Customer<'_>) {
    for object in [&customer.properties, &customer.mapping] {
        let normal = explo_sync::compare::canonical(object);
        assert_eq!(explo_sync::compare::canonical(json::checked(&normal).unwrap()), normal);
    }
    let Some(tenant) = tenant(customer) else { return };
    assert_eq!(compare(&tenant, customer, Rules::default()), []);
    let mut index = Index::new(Fingerprints::new(0));
    index.insert(&Ok(tenant));
    assert!(matches!(index.probe(customer), Probe::Equal(_)));
}

fn tenant<'c>(customer: &'c Customer<'_>) -> Option<Tenant<'c>> {
    let text = |text: &'c str| Cow::Borrowed(text);
    let list = |list: &'c [Cow<'_, str>]| list.iter().map(|element| text(element)).collect();
    Some(Tenant {
        provided_id: text(customer.provided_id.as_deref()?),
        previous_provided_id: None,
        parent_provided_id: None,
        name: Some(text(&customer.name)),
        emails: Some(list(&customer.emails)),
        group_tags: Some(list(&customer.group_tags)),
        properties: Some(Object::Whole(text(&customer.properties))),
        mapping: Some(Object::Whole(text(&customer.mapping))),
        is_demo_group: Some(customer.is_demo_group),
        hierarchy_level_name: Some(text(&customer.hierarchy_level)),
        offboard: None,
    })
}

fn encoded(customer: &Customer<'_>) -> String {
    let optional = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), json::quote);
    let members = [
        ("token", json::quote(&customer.token)),
        ("provided_id", optional(customer.provided_id.as_deref())),
        ("name", json::quote(&customer.name)),
        ("emails", json::array(customer.emails.iter().map(|email| json::quote(email)))),
        ("group_tags", json::array(customer.group_tags.iter().map(|tag| json::quote(tag)))),
        ("properties", customer.properties.clone().into_owned()),
        ("parent_schema_datasource_mapping", customer.mapping.clone().into_owned()),
        ("is_demo_group", customer.is_demo_group.to_string()),
        ("hierarchy_level", json::quote(&customer.hierarchy_level)),
        ("access_group", optional(customer.access_group.as_deref())),
    ];
    json::object(members.into_iter())
}
