//! Comparing one tenant with one customer, field by field.
//!
//! | field | equal when |
//! |---|---|
//! | name, level | the same characters; no level equals the empty one |
//! | parent | the same id, if Explo was asked for it: no record shows it |
//! | emails, tags | the same set; with `emails = "add"`, nothing wanted is missing |
//! | properties | the same keys and values, numbers by value; of dotted columns, only their keys |
//! | mapping | the same keys and values; `213` equals `"213"` |
//!
//! If the listing has a key style of its own, the style of property keys does not count.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    form::{self, Form, Keys, Text},
    rules::{EmailRule, KeyStyle, Rules},
    style::in_style,
};
use crate::model::{Customer, Field, Managed, Tenant, json};

/// The keys of the objects read before, in a form.
#[derive(Debug)]
pub struct Layouts<F: Form> {
    properties: Keys<F>,
    mapping: Keys<F>,
}

impl<F: Form> Default for Layouts<F> {
    fn default() -> Self {
        Self { properties: Keys::<F>::default(), mapping: Keys::<F>::default() }
    }
}

/// A field in which a customer differs from its tenant; both sides as canonical JSON of the managed part.
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

/// The difference in one field, if any.
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

/// Both sides of one field in normal form: wanted, if the tenant manages it, and the managed part of the current value.
#[must_use]
pub fn sides(tenant: &Tenant<'_>, customer: &Customer<'_>, field: Field, rules: Rules) -> (Option<String>, String) {
    let managed = tenant.managed();
    let current = |customer: &Customer<'_>| current(Text, customer, field, &managed, &mut Layouts::default());
    match (field, rules) {
        (Field::Emails, Rules { emails: EmailRule::Add, .. }) => {
            let all = |emails: &Vec<_>| Text.set(texts(emails).chain(texts(&customer.emails)));
            (tenant.emails.as_ref().map(all), current(customer))
        }
        (Field::Properties, Rules { keys: KeyStyle::AsWanted, .. }) => {
            let styled = tenant.properties.as_ref().and_then(|wanted| in_style(&customer.properties, wanted));
            let properties = Cow::Borrowed(styled.as_deref().unwrap_or(&customer.properties));
            let styled = Customer { properties, ..Customer::default() };
            (wanted(Text, tenant, field, &mut Layouts::default()), current(&styled))
        }
        (Field::ParentProvidedId, _) => {
            let shown = customer.parent_provided_id.as_deref();
            let wanted = tenant.parent_provided_id.as_deref().filter(|_| shown.is_some());
            (wanted.map(json::quote), json::quote(shown.unwrap_or_default()))
        }
        _ => (wanted(Text, tenant, field, &mut Layouts::default()), current(customer)),
    }
}

/// What a tenant wants of a field, in a form; `None` if it does not manage the field. Not for the parent, which no
/// record shows.
pub(super) fn wanted<F: Form>(form: F, tenant: &Tenant<'_>, field: Field, keys: &mut Layouts<F>) -> Option<F::Value> {
    let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(|text| form.text(text));
    let set = |list: &Option<Vec<_>>| list.as_ref().map(|list| form.set(texts(list)));
    match field {
        Field::Name => text(&tenant.name),
        Field::Emails => set(&tenant.emails),
        Field::GroupTags => set(&tenant.group_tags),
        Field::Properties => Some(form::wanted(form, tenant.properties.as_ref()?, &mut keys.properties, form::any)),
        Field::Mapping => Some(form::wanted(form, tenant.mapping.as_ref()?, &mut keys.mapping, form::mapped)),
        Field::IsDemoGroup => tenant.is_demo_group.map(|flag| form.flag(flag)),
        Field::HierarchyLevelName => text(&tenant.hierarchy_level_name),
        Field::ParentProvidedId => None,
    }
}

/// The managed part of a customer's field, in a form.
pub(super) fn current<F: Form>(
    form: F,
    customer: &Customer<'_>,
    field: Field,
    managed: &Managed,
    keys: &mut Layouts<F>,
) -> F::Value {
    let Customer { name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level, .. } = customer;
    match field {
        Field::Name => form.text(name),
        Field::Emails => form.set(texts(emails)),
        Field::GroupTags => form.set(texts(group_tags)),
        Field::Properties => form::current(form, properties, &managed.properties, &mut keys.properties, form::any),
        Field::Mapping => form::current(form, mapping, &managed.mapping, &mut keys.mapping, form::mapped),
        Field::IsDemoGroup => form.flag(*is_demo_group),
        Field::HierarchyLevelName => form.text(hierarchy_level),
        Field::ParentProvidedId => form.text(customer.parent_provided_id.as_deref().unwrap_or_default()),
    }
}

fn texts<'t>(list: &'t [Cow<'_, str>]) -> impl Iterator<Item = &'t str> {
    list.iter().map(|text| &**text)
}

/// Every managed field as a difference, with `null` for a current value that can't be read. Without the parent, which
/// no record shows.
#[must_use]
pub fn managed_differences(tenant: &Tenant<'_>, rules: Rules) -> Vec<Difference> {
    let nobody = Customer::default();
    let difference = |field| {
        let wanted = sides(tenant, &nobody, field, rules).0?;
        Some(Difference { field, current: "null".to_owned(), wanted })
    };
    Field::ALL.into_iter().filter_map(difference).collect()
}
