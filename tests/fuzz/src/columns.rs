//! A row: each line is a column's name (with a `?` where its NULL leaves the field alone), a kind of cell, and a text.

use std::{borrow::Cow, collections::HashSet};

use explo_sync::{
    compare::{Fingerprints, Rules, to_send},
    explo::wire::Body,
    model::{Field, Object, Row, Tenant, json},
    source::{Cell, Columns, row},
    tenants::Index,
};

pub fn target(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (mut names, mut leave_null, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for line in text.lines() {
        let mut parts = line.splitn(3, ' ');
        let (name, kind, text) = (parts.next().unwrap(), parts.next().unwrap_or_default(), parts.next());
        let text = Cow::Borrowed(text.unwrap_or_default());
        cells.push(match kind {
            "bool" => Cell::Bool(text == "t"),
            "number" => Cell::Number(text),
            "text" => Cell::Text(text),
            "json" => Cell::Json(text),
            "array" => Cell::Array(text),
            "binary" => Cell::Binary,
            _ => Cell::Null,
        });
        names.push(name.trim_end_matches('?'));
        leave_null.extend(name.strip_suffix('?').map(str::to_owned));
    }
    match Columns::named(names, &leave_null) {
        Err(mistakes) => assert!(!mistakes.is_empty()),
        Ok(columns) => assert_sound(&row(&columns, cells.into_iter(), "row 1")),
    }
}

fn assert_sound(row: &Row) {
    let tenant = match row {
        Ok(tenant) => tenant,
        Err(invalid) => return assert!(!invalid.reason.is_empty()),
    };
    assert!(!tenant.provided_id.is_empty());
    for list in [&tenant.emails, &tenant.group_tags].into_iter().flatten() {
        assert!(list.iter().all(|element| !element.is_empty()), "{list:?}");
        assert_eq!(list.iter().collect::<HashSet<_>>().len(), list.len(), "{list:?}");
    }
    assert_object(tenant.properties.as_ref(), |_| true);
    assert_object(tenant.mapping.as_ref(), |value| value.starts_with('"'));
    assert_eq!(&kept(tenant), tenant, "a row is the same after it was put away");
    let sent = to_send(tenant, &Field::ALL, None, Rules::default());
    let body = serde_json::to_string(&Body::from(&sent)).unwrap();
    assert_eq!(json::members(json::checked(&body).unwrap()).count(), 1 + managed(tenant), "{body}");
}

fn assert_object(object: Option<&Object>, is_value: impl Fn(&str) -> bool) {
    let assert_value = |value: &str| assert!(json::checked(value) == Ok(value) && is_value(value), "{value}");
    match object {
        None => {}
        Some(Object::Whole(text)) => {
            assert!(json::checked(text) == Ok(text) && json::is_object(text), "{text}");
            json::members(text).for_each(|(_, value)| assert_value(value));
        }
        Some(Object::Keys(keys)) => keys.iter().filter_map(|(_, value)| value.as_deref()).for_each(assert_value),
    }
}

fn kept(tenant: &Tenant) -> Tenant<'static> {
    let mut index = Index::new(Fingerprints::new(0));
    index.insert(&Ok(tenant.clone()));
    let row = index.absent().next().unwrap();
    index.tenant(row)
}

/// How many fields the row manages.
fn managed(tenant: &Tenant) -> usize {
    let Tenant {
        provided_id: _,
        previous_provided_id: _,
        parent_provided_id,
        name,
        emails,
        group_tags,
        properties,
        mapping,
        is_demo_group,
        hierarchy_level_name,
        offboard: _,
    } = tenant;
    [
        name.is_some(),
        emails.is_some(),
        group_tags.is_some(),
        properties.is_some(),
        mapping.is_some(),
        is_demo_group.is_some(),
        hierarchy_level_name.is_some(),
        parent_provided_id.is_some(),
    ]
    .into_iter()
    .map(usize::from)
    .sum()
}
