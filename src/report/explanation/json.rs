//! The same for programs: one JSON object. Without `values` it has no names and values; a token it never has.

use std::{borrow::Cow, collections::BTreeMap, io};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{reasons, time};
use crate::{
    memory::{Action, Departed},
    model::{Customer, json, told_id},
    plan::{self, Comparison, Decision, Explanation, FieldSides},
};

/// Version of the object's shape.
const VERSION: u8 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u8,
    instance: &'a str,
    provided_id: Cow<'a, str>,
    /// Whether there is a row.
    row: bool,
    /// What the row wants, by field; `null` if nothing can be wanted.
    wanted: Option<Values>,
    /// What Explo has, by field; `null` if no customer can be read.
    current: Option<Values>,
    fields: Vec<Compared>,
    decision: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Candidate<'a>>,
    remembered: Option<Remembered<'a>>,
    exit: u8,
}

/// Values in normal form.
type Values = BTreeMap<&'static str, Box<RawValue>>;

#[derive(Serialize)]
struct Compared {
    field: &'static str,
    comparison: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Candidate<'a> {
    provided_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct Remembered<'a> {
    token: bool,
    synced_at: Option<String>,
    hidden: bool,
    failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    offboarded: Option<Offboarded<'a>>,
}

#[derive(Serialize)]
struct Offboarded<'a> {
    action: Action,
    at: &'a str,
}

/// Writes the explanation, with the exit code of the command, and a line feed.
pub fn write_explanation_json(
    explanation: &Explanation,
    (instance, exit): (&str, u8),
    values: bool,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let Explanation { provided_id, tenant, customer, candidates, remembered, .. } = explanation;
    let sides = explanation.fields();
    let wanted = sides.iter().filter_map(|sides| Some((sides.field.name(), sides.wanted.as_deref()?)));
    let wanted = explanation.readable().map(|_| shown(wanted, values)).transpose()?;
    let current = customer.as_ref().map(|customer| all_of(customer, values)).transpose()?;
    let document = Document {
        version: VERSION,
        instance,
        provided_id: told_id(provided_id),
        row: tenant.is_some(),
        wanted,
        current,
        fields: sides.iter().map(|sides| field(sides, values)).collect::<serde_json::Result<_>>()?,
        decision: decision(explanation),
        reason: reasons(explanation, values).join(" "),
        candidates: candidates.iter().map(|candidate| Candidate::of(candidate, values)).collect(),
        remembered: remembered.as_ref().map(|remembered| Remembered {
            token: remembered.has_token,
            synced_at: remembered.synced_at.map(time),
            hidden: remembered.is_hidden,
            failures: remembered.failures,
            offboarded: remembered
                .offboarded
                .as_ref()
                .map(|(Departed { action, at, .. }, _)| Offboarded { action: *action, at }),
        }),
        exit,
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

impl<'a> Candidate<'a> {
    fn of(candidate: &'a plan::Candidate, values: bool) -> Self {
        Self { provided_id: told_id(&candidate.provided_id), name: candidate.name.as_deref().filter(|_| values) }
    }
}

fn raw(text: &str) -> serde_json::Result<Box<RawValue>> {
    RawValue::from_string(text.to_owned())
}

fn shown<'t>(fields: impl Iterator<Item = (&'static str, &'t str)>, values: bool) -> serde_json::Result<Values> {
    fields.filter(|_| values).map(|(field, value)| Ok((field, raw(value)?))).collect()
}

/// All that Explo shows of a customer, but for its token.
fn all_of(customer: &Customer<'_>, values: bool) -> serde_json::Result<Values> {
    let list = |list: &Vec<Cow<'_, str>>| json::array(list.iter().map(|text| json::quote(text)));
    let object = |text: &str| if text.is_empty() { "{}".to_owned() } else { text.to_owned() };
    let parent = customer.parent_provided_id.as_deref().map(|parent| ("parent_provided_id", json::quote(parent)));
    let fields = [
        ("name", json::quote(&customer.name)),
        ("emails", list(&customer.emails)),
        ("group_tags", list(&customer.group_tags)),
        ("properties", object(&customer.properties)),
        ("mapping", object(&customer.mapping)),
        ("is_demo_group", customer.is_demo_group.to_string()),
        ("hierarchy_level_name", json::quote(&customer.hierarchy_level)),
    ];
    let fields: Vec<_> = fields.into_iter().chain(parent).collect();
    shown(fields.iter().map(|(field, value)| (*field, value.as_str())), values)
}

fn field(sides: &FieldSides, values: bool) -> serde_json::Result<Compared> {
    let side = |side: &Option<String>| side.as_deref().filter(|_| values).map(raw).transpose();
    Ok(Compared {
        field: sides.field.name(),
        comparison: match sides.comparison {
            Comparison::LeftAlone => "left_alone",
            Comparison::New => "new",
            Comparison::Equal => "equal",
            Comparison::Differs => "differs",
            Comparison::Unsettled => "unsettled",
        },
        wanted: side(&sides.wanted)?,
        current: side(&sides.current)?,
    })
}

fn decision(explanation: &Explanation) -> &'static str {
    match explanation.decision {
        Decision::Unknown => "unknown",
        Decision::Orphan(_) => "orphan",
        Decision::Claimed(_) => "rename",
        Decision::Invalid(_) => "invalid",
        Decision::Undecided => "undecided",
        Decision::Unchanged => "unchanged",
        Decision::Spared => "unsettled",
        Decision::Due(_) => explanation.changes().next().map_or("unchanged", |change| change.kind()),
        Decision::Waiting(_) => "waiting",
        Decision::Deferred { .. } => "deferred",
    }
}
