//! A customer as one line of JSON, in the shape of Explo's listing.

use std::io;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::Customer;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    provided_id: Option<&'a str>,
    name: &'a str,
    emails: &'a [std::borrow::Cow<'a, str>],
    group_tags: &'a [std::borrow::Cow<'a, str>],
    properties: &'a RawValue,
    parent_schema_datasource_mapping: &'a RawValue,
    is_demo_group: bool,
    hierarchy_level: Option<&'a str>,
    access_group: Option<&'a str>,
}

/// Writes one customer and a line feed; `with_token`: includes its token, a secret that embeds its dashboards.
pub fn write_customer(customer: &Customer<'_>, with_token: bool, out: &mut dyn io::Write) -> io::Result<()> {
    let object = |text: &'_ str| RawValue::from_string(if text.is_empty() { "{}" } else { text }.to_owned());
    let (properties, mapping) = (object(&customer.properties)?, object(&customer.mapping)?);
    let line = Line {
        token: with_token.then_some(&*customer.token),
        provided_id: customer.provided_id.as_deref(),
        name: &customer.name,
        emails: &customer.emails,
        group_tags: &customer.group_tags,
        properties: &properties,
        parent_schema_datasource_mapping: &mapping,
        is_demo_group: customer.is_demo_group,
        hierarchy_level: Some(&*customer.hierarchy_level).filter(|level| !level.is_empty()),
        access_group: customer.access_group.as_deref(),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}
