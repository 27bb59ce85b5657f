//! A customer as JSON, in the shape of Explo's listing.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::Customer;

/// All that Explo shows of a customer.
#[derive(Debug, Serialize)]
pub struct Exported<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    provided_id: Option<&'a str>,
    name: &'a str,
    emails: &'a [Cow<'a, str>],
    group_tags: &'a [Cow<'a, str>],
    properties: Box<RawValue>,
    parent_schema_datasource_mapping: Box<RawValue>,
    is_demo_group: bool,
    hierarchy_level: Option<&'a str>,
    access_group: Option<&'a str>,
}

impl<'a> Exported<'a> {
    /// A customer; `with_token`: includes its token, a secret that embeds its dashboards.
    pub fn of(customer: &'a Customer<'_>, with_token: bool) -> serde_json::Result<Self> {
        let object = |text: &str| RawValue::from_string(if text.is_empty() { "{}" } else { text }.to_owned());
        Ok(Self {
            token: with_token.then_some(&*customer.token),
            provided_id: customer.provided_id.as_deref(),
            name: &customer.name,
            emails: &customer.emails,
            group_tags: &customer.group_tags,
            properties: object(&customer.properties)?,
            parent_schema_datasource_mapping: object(&customer.mapping)?,
            is_demo_group: customer.is_demo_group,
            hierarchy_level: Some(&*customer.hierarchy_level).filter(|level| !level.is_empty()),
            access_group: customer.access_group.as_deref(),
        })
    }
}
