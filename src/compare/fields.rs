//! Comparing one tenant with one customer, field by field, and deriving what to send.
//!
//! | field | equal when |
//! |---|---|
//! | name, level | the same characters; no level is the empty one |
//! | parent | the same id, where somebody looked: no record shows it |
//! | emails, tags | the same set; with `emails = "add"`, nothing wanted is missing |
//! | properties | the same keys and values, numbers by value; of dotted columns their keys alone; where the listing has a style of its own for keys, whatever their style |
//! | mapping | the same, and `213` is `"213"` |

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
};

use serde::{Deserialize, Serialize};

use super::rules::{EmailRule, KeyStyle, Rules};
use crate::model::{Customer, Field, Managed, Object, Scope, Tenant, json};

/// A field in which a customer is not what its tenant wants; both sides as canonical JSON of what is managed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The field.
    pub field: Field,
    /// What Explo has.
    #[serde(rename = "old")]
    pub current: String,
    /// What is wanted.
    #[serde(rename = "new")]
    pub wanted: String,
}

/// The fields that differ, in order.
#[must_use]
pub fn compare(tenant: &Tenant<'_>, customer: &Customer<'_>, rules: Rules) -> Vec<Difference> {
    Field::ALL.into_iter().filter_map(|field| difference(tenant, customer, field, rules)).collect()
}

/// One field, if it differs.
pub(crate) fn difference(
    tenant: &Tenant<'_>,
    customer: &Customer<'_>,
    field: Field,
    rules: Rules,
) -> Option<Difference> {
    let (wanted, current) = sides(tenant, customer, field, rules);
    let wanted = wanted?;
    (current != wanted).then_some(Difference { field, current, wanted })
}

/// One field in the comparison form: what is wanted, where the tenant has it, and what Explo has of what is managed.
#[must_use]
pub fn sides(tenant: &Tenant<'_>, customer: &Customer<'_>, field: Field, rules: Rules) -> (Option<String>, String) {
    (wanted_form(tenant, customer, field, rules), current_form(tenant, customer, field, rules))
}

/// All that a tenant manages, as different from what can't be read: that is `null`. The parent aside, which no record shows.
#[must_use]
pub fn managed_differences(tenant: &Tenant<'_>, rules: Rules) -> Vec<Difference> {
    let nobody = Customer::default();
    let difference = |field| {
        let wanted = wanted_form(tenant, &nobody, field, rules)?;
        Some(Difference { field, current: "null".to_owned(), wanted })
    };
    Field::ALL.into_iter().filter_map(difference).collect()
}

/// Whether writing these fields carries values that are others', so that the current ones must be read first.
#[must_use]
pub fn needs_current(managed: &Managed, fields: &[Field], rules: Rules) -> bool {
    let partial = |scope: &Scope| matches!(scope, Scope::Keys(_));
    fields.iter().any(|field| match field {
        Field::Properties => partial(&managed.properties),
        Field::Mapping => partial(&managed.mapping),
        Field::Emails => rules.emails == EmailRule::Add,
        Field::Name | Field::GroupTags | Field::IsDemoGroup | Field::HierarchyLevelName | Field::ParentProvidedId => {
            false
        }
    })
}

/// What to send: the tenant with these fields alone, and with others' keys and addresses carried over from `current`.
#[must_use]
pub fn wanted<'t>(
    tenant: &'t Tenant<'_>,
    fields: &[Field],
    current: Option<&'t Customer<'_>>,
    rules: Rules,
) -> Tenant<'t> {
    let sent = |field| fields.contains(&field);
    let text = |text: &'t Option<Cow<'_, str>>| text.as_deref().map(Cow::Borrowed);
    let list = |list: &'t [Cow<'_, str>]| list.iter().map(|element| Cow::Borrowed(&**element));
    let carry = |object: &'t Option<Object<'_>>, held: fn(&Customer<'_>) -> String| {
        object.as_ref().map(|object| Object::Whole(carried(object, current.map(held).as_deref().unwrap_or("{}"))))
    };
    let emails = tenant.emails.as_deref().map(|emails| {
        let others = current.filter(|_| rules.emails == EmailRule::Add).map_or(&[][..], |current| &current.emails);
        let ours: HashSet<&str> =
            if others.is_empty() { HashSet::new() } else { emails.iter().map(|email| &**email).collect() };
        let others = others.iter().filter(|email| !ours.contains(&***email)).map(|email| Cow::Borrowed(&**email));
        list(emails).chain(others).collect()
    });
    Tenant {
        provided_id: Cow::Borrowed(&tenant.provided_id),
        previous_provided_id: None,
        parent_provided_id: text(&tenant.parent_provided_id).filter(|_| sent(Field::ParentProvidedId)),
        name: text(&tenant.name).filter(|_| sent(Field::Name)),
        emails: emails.filter(|_| sent(Field::Emails)),
        group_tags: tenant.group_tags.as_deref().map(|tags| list(tags).collect()).filter(|_| sent(Field::GroupTags)),
        properties: carry(&tenant.properties, |held| held.properties.clone().into_owned())
            .filter(|_| sent(Field::Properties)),
        mapping: carry(&tenant.mapping, |held| {
            json::object(json::members(&held.mapping).map(|(key, value)| (key, as_sent(value))))
        })
        .filter(|_| sent(Field::Mapping)),
        is_demo_group: tenant.is_demo_group.filter(|_| sent(Field::IsDemoGroup)),
        hierarchy_level_name: text(&tenant.hierarchy_level_name).filter(|_| sent(Field::HierarchyLevelName)),
    }
}

/// Another's value of a mapping: a number may be how a string is listed, and all else is sent as it came.
fn as_sent(value: &str) -> String {
    let is_number = value.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if is_number { json::quote(&json::as_text(value)) } else { value.to_owned() }
}

/// The wanted object where `held` is the current one: unmanaged members stay as they are.
fn carried<'t>(object: &'t Object<'_>, held: &str) -> Cow<'t, str> {
    match object {
        Object::Whole(object) => Cow::Borrowed(object),
        Object::Keys(keys) => {
            let managed: HashSet<&str> = keys.iter().map(|(key, _)| &**key).collect();
            let others = json::members(held).filter(|(key, _)| !managed.contains(&**key));
            let others = others.map(|(key, value)| (key, value.to_owned()));
            let ours = keys.iter().filter_map(|(key, value)| Some((key.clone(), value.as_deref()?.to_owned())));
            Cow::Owned(json::object(others.chain(ours)))
        }
    }
}

/// What is wanted, in the comparison form; `None` where the tenant leaves the field alone.
fn wanted_form(tenant: &Tenant<'_>, customer: &Customer<'_>, field: Field, rules: Rules) -> Option<String> {
    Some(match field {
        Field::Name => json::quote(tenant.name.as_ref()?),
        Field::Emails => {
            let others = if rules.emails == EmailRule::Add { &*customer.emails } else { &[] };
            let others = others.iter().map(|email| &**email);
            set_form(tenant.emails.as_ref()?.iter().map(|email| &**email).chain(others))
        }
        Field::GroupTags => set_form(tenant.group_tags.as_ref()?.iter().map(|tag| &**tag)),
        Field::Properties => object_form(tenant.properties.as_ref()?, json::canonical),
        Field::Mapping => object_form(tenant.mapping.as_ref()?, |value| json::quote(&json::as_text(value))),
        Field::IsDemoGroup => tenant.is_demo_group?.to_string(),
        Field::HierarchyLevelName => json::quote(tenant.hierarchy_level_name.as_ref()?),
        Field::ParentProvidedId => {
            json::quote(customer.parent_provided_id.as_ref().and(tenant.parent_provided_id.as_ref())?)
        }
    })
}

/// What Explo has, in the comparison form, as far as the tenant manages it.
fn current_form(tenant: &Tenant<'_>, customer: &Customer<'_>, field: Field, rules: Rules) -> String {
    match field {
        Field::Name => json::quote(&customer.name),
        Field::Emails => set_form(customer.emails.iter().map(|email| &**email)),
        Field::GroupTags => set_form(customer.group_tags.iter().map(|tag| &**tag)),
        Field::Properties => {
            let listed = &*customer.properties;
            let styled = match rules.keys {
                KeyStyle::AsListed => None,
                KeyStyle::AsWanted => tenant.properties.as_ref().and_then(|wanted| in_style(listed, wanted)),
            };
            held_form(styled.as_deref().unwrap_or(listed), &tenant.managed().properties, json::canonical)
        }
        Field::Mapping => mapping_form(&customer.mapping, &tenant.managed().mapping),
        Field::IsDemoGroup => customer.is_demo_group.to_string(),
        Field::HierarchyLevelName => json::quote(&customer.hierarchy_level),
        Field::ParentProvidedId => json::quote(customer.parent_provided_id.as_deref().unwrap_or_default()),
    }
}

/// A set of strings in the comparison form.
pub(crate) fn set_form<'a>(elements: impl Iterator<Item = &'a str>) -> String {
    json::array(elements.collect::<BTreeSet<_>>().into_iter().map(json::quote))
}

fn object_form(object: &Object<'_>, value: impl Fn(&str) -> String) -> String {
    match object {
        Object::Whole(object) => held_form(object, &Scope::Whole, value),
        Object::Keys(keys) => json::object(keys.iter().filter_map(|(key, json)| Some((key, value(json.as_deref()?))))),
    }
}

/// Listed properties with their keys in the style of the wanted ones, where they have another.
fn in_style(listed: &str, wanted: &Object<'_>) -> Option<String> {
    let style = match wanted {
        Object::Whole(object) => json::canonical(object),
        Object::Keys(keys) => {
            let or_null =
                |json: &Option<Cow<'_, str>>| json.as_deref().map_or_else(|| "null".to_owned(), json::canonical);
            json::object(keys.iter().map(|(key, json)| (key, or_null(json))))
        }
    };
    json::restyled(&json::canonical(listed), &style)
}

fn mapping_form(object: &str, scope: &Scope) -> String {
    held_form(object, scope, |value| json::quote(&json::as_text(value)))
}

fn held_form(object: &str, scope: &Scope, value: impl Fn(&str) -> String) -> String {
    let covered = json::members(object).filter(|(key, _)| scope.covers(key));
    json::object(covered.map(|(key, json)| (key, value(json))))
}
