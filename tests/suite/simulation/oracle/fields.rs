//! The stored and the wanted values of a field, compared by value, not by spelling.

use std::{borrow::Cow, collections::BTreeMap};

use explo_sync::{
    compare::EmailRule,
    model::{Field, Object, Tenant},
    sandbox::StoredCustomer,
};
use serde_json::{Map, Value, json, value::RawValue};

type Members = BTreeMap<String, Box<RawValue>>;

/// The fields that a tenant has.
pub fn managed(tenant: &Tenant<'_>) -> Vec<Field> {
    Field::ALL.into_iter().filter(|field| !wanted(tenant, *field).is_null()).collect()
}

/// The wanted value of one field; null if the tenant leaves it alone.
pub fn wanted(tenant: &Tenant<'_>, field: Field) -> Value {
    match field {
        Field::Name => json!(tenant.name),
        Field::Emails => tenant.emails.as_ref().map_or(Value::Null, |emails| set(emails)),
        Field::GroupTags => tenant.group_tags.as_ref().map_or(Value::Null, |tags| set(tags)),
        Field::Properties => tenant.properties.as_ref().map_or(Value::Null, wanted_members),
        Field::Mapping => tenant.mapping.as_ref().map_or(Value::Null, wanted_members),
        Field::IsDemoGroup => json!(tenant.is_demo_group),
        Field::HierarchyLevelName => json!(tenant.hierarchy_level_name),
        Field::ParentProvidedId => json!(tenant.parent_provided_id),
    }
}

/// The stored value of one field, as far as the tenant manages it.
pub fn held(customer: &StoredCustomer, tenant: &Tenant<'_>, field: Field) -> Value {
    let members = |held: &Option<Members>, managed: &Option<Object<'_>>| {
        let mut held = plain(held.as_ref());
        if let (Value::Object(held), Some(Object::Keys(keys))) = (&mut held, managed) {
            held.retain(|key, _| keys.iter().any(|(managed, _)| managed == key));
        }
        held
    };
    match field {
        Field::Name => json!(customer.name),
        Field::Emails => set(&customer.emails),
        Field::GroupTags => set(&customer.group_tags),
        Field::Properties => members(&customer.properties, &tenant.properties),
        Field::Mapping => members(&customer.parent_schema_datasource_mapping, &tenant.mapping),
        Field::IsDemoGroup => json!(customer.is_demo_group),
        Field::HierarchyLevelName => json!(customer.hierarchy_level),
        Field::ParentProvidedId => json!(customer.parent_provided_id),
    }
}

/// Whether the stored value of one field is the wanted one.
pub fn holds(customer: &StoredCustomer, tenant: &Tenant<'_>, field: Field, emails: EmailRule) -> bool {
    match field {
        // Unmanaged addresses stay.
        Field::Emails if emails == EmailRule::Add => {
            tenant.emails.iter().flatten().all(|email| customer.emails.iter().any(|held| *held == **email))
        }
        _ => held(customer, tenant, field) == wanted(tenant, field),
    }
}

/// An object with its values in normal form; empty if there is none.
pub fn plain(members: Option<&Members>) -> Value {
    Value::Object(members.into_iter().flatten().map(|(key, value)| (key.clone(), json!(normal(value.get())))).collect())
}

fn set<T: AsRef<str>>(list: &[T]) -> Value {
    let set: std::collections::BTreeSet<_> = list.iter().map(AsRef::as_ref).collect();
    json!(set)
}

fn wanted_members(object: &Object<'_>) -> Value {
    let member = |(key, value): (&Cow<'_, str>, &str)| (key.to_string(), json!(normal(value)));
    match object {
        Object::Whole(text) => {
            let members: Members = serde_json::from_str(text).unwrap();
            plain(Some(&members))
        }
        Object::Keys(keys) => {
            Value::Object(keys.iter().filter_map(|(key, value)| Some(member((key, value.as_deref()?)))).collect())
        }
    }
}

/// JSON with its numbers by value, exact to the last digit.
fn normal(value: &str) -> String {
    let value = value.trim();
    match value.as_bytes()[0] {
        b'{' => {
            let members: Members = serde_json::from_str(value).unwrap();
            let members: Map<_, _> = members.into_iter().map(|(key, held)| (key, json!(normal(held.get())))).collect();
            json!(members).to_string()
        }
        b'[' => {
            let elements: Vec<Box<RawValue>> = serde_json::from_str(value).unwrap();
            json!(elements.iter().map(|element| normal(element.get())).collect::<Vec<_>>()).to_string()
        }
        b'-' | b'0'..=b'9' => decimal(value),
        b'"' => json!(serde_json::from_str::<String>(value).unwrap()).to_string(),
        _ => value.to_owned(),
    }
}

/// A number as its sign, its digits and a power of ten.
fn decimal(number: &str) -> String {
    let (sign, number) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let power = exponent.parse::<i64>().unwrap() - i64::try_from(fraction.len()).unwrap();
    let short = digits.trim_end_matches('0');
    let power = power + i64::try_from(digits.len() - short.len()).unwrap();
    match short.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => format!("{sign}{digits}e{power}"),
    }
}

#[test]
fn numbers_are_compared_by_value_to_the_last_digit() {
    assert_eq!(decimal("1.0"), decimal("10e-1"));
    assert_eq!(decimal("-0.50"), "-5e-1");
    assert_eq!(decimal("0.00"), "0");
    assert_ne!(decimal("0.1"), decimal("0.1000000000000000055"));
    assert_eq!(normal(r#"{"b": [1.50, "1.50"], "a": null}"#), normal(r#"{"a":null,"b":[15e-1,"1.50"]}"#));
}
