//! What to send of a tenant, and whether the current values must be read first.

use std::{borrow::Cow, collections::HashSet};

use super::{
    form::as_text,
    rules::{EmailRule, Rules},
};
use crate::model::{Customer, Field, Managed, Object, Scope, Tenant, json};

/// Whether writing these fields also sends values that the tenant does not manage, so that they must be read first.
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

/// What to send: only these fields of the tenant, with the unmanaged keys and addresses of `current` added.
#[must_use]
pub fn to_send<'t>(
    tenant: &'t Tenant<'_>,
    fields: &[Field],
    current: Option<&'t Customer<'_>>,
    rules: Rules,
) -> Tenant<'t> {
    let sent = |field| fields.contains(&field);
    let text = |text: &'t Option<Cow<'_, str>>| text.as_deref().map(Cow::Borrowed);
    let list = |list: &'t [Cow<'_, str>]| list.iter().map(|element| Cow::Borrowed(&**element));
    let carry = |object: &'t Option<Object<'_>>, of: fn(&Customer<'_>) -> String| {
        object.as_ref().map(|object| Object::Whole(carried(object, current.map(of).as_deref().unwrap_or("{}"))))
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
        properties: carry(&tenant.properties, |current| current.properties.clone().into_owned())
            .filter(|_| sent(Field::Properties)),
        mapping: carry(&tenant.mapping, |current| {
            json::object(json::members(&current.mapping).map(|(key, value)| (key, as_sent(value))))
        })
        .filter(|_| sent(Field::Mapping)),
        is_demo_group: tenant.is_demo_group.filter(|_| sent(Field::IsDemoGroup)),
        hierarchy_level_name: text(&tenant.hierarchy_level_name).filter(|_| sent(Field::HierarchyLevelName)),
        offboard: None,
    }
}

/// An unmanaged value of a mapping: a number is sent as a string, because Explo may list strings as numbers; other
/// values are sent unchanged.
fn as_sent(value: &str) -> String {
    let is_number = value.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if is_number { json::quote(&as_text(value)) } else { value.to_owned() }
}

/// The wanted object with the unmanaged members of `current`.
fn carried<'t>(object: &'t Object<'_>, current: &str) -> Cow<'t, str> {
    match object {
        Object::Whole(object) => Cow::Borrowed(object),
        Object::Keys(keys) => {
            let managed: HashSet<&str> = keys.iter().map(|(key, _)| &**key).collect();
            let others = json::members(current).filter(|(key, _)| !managed.contains(&**key));
            let others = others.map(|(key, value)| (key, value.to_owned()));
            let ours = keys.iter().filter_map(|(key, value)| Some((key.clone(), value.as_deref()?.to_owned())));
            Cow::Owned(json::object(others.chain(ours)))
        }
    }
}
