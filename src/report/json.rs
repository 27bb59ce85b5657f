//! The report for programs: one JSON object. Without `values` it names fields and omits their values.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    io,
};

use serde::{Serialize, Serializer, ser::SerializeSeq};
use serde_json::value::RawValue;

use super::{Counts, Exit, Outcomes, Report};
use crate::{
    applier::Outcome,
    compare,
    explo::Endpoint,
    model::{json, told_id},
    plan::{Change, Held},
};

/// Version of the object's shape.
const VERSION: u8 = 1;

/// Writes the report and a line feed.
pub fn write_json(report: &Report, exit: Exit, values: bool, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Document::of(report, exit, values))?;
    out.write_all(b"\n")
}

/// Writes the error of a run that has no plan, and a line feed.
pub fn write_failure(error: &str, exit: Exit, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &serde_json::json!({"version": VERSION, "error": error, "exit": exit as u8}))?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    version: u8,
    instance: &'a str,
    run_id: &'a str,
    dry_run: bool,
    tenants: usize,
    customers: usize,
    listing: Listing<'a>,
    counts: Counts,
    fields: BTreeMap<&'static str, usize>,
    held: &'a [Held],
    calls: Calls<'a>,
    changes: Changes<'a>,
    orphans: &'a [String],
    skipped: Vec<&'a String>,
    invalid: Vec<InvalidTenant<'a>>,
    unsettled: Vec<Unsettled<'a>>,
    outcomes: Outcomes,
    error: Option<String>,
    exit: u8,
}

#[derive(Serialize)]
struct Listing<'a> {
    passes: usize,
    pages: usize,
    complete: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unreadable: &'a [Option<String>],
}

#[derive(Serialize)]
struct Calls<'a> {
    planned: BTreeMap<&'static str, usize>,
    made: BTreeMap<&'static str, usize>,
    estimated_seconds: u64,
    /// The tags that `create_group_tag` creates.
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<BTreeSet<&'a str>>,
}

#[derive(Serialize)]
struct InvalidTenant<'a> {
    provided_id: Option<Cow<'a, str>>,
    reason: Cow<'a, str>,
}

#[derive(Serialize)]
struct Unsettled<'a> {
    provided_id: Cow<'a, str>,
    field: &'static str,
    rule: String,
}

/// The changes, converted one at a time while they are written: a plan may have a million.
struct Changes<'a> {
    report: &'a Report,
    values: bool,
}

#[derive(Serialize)]
struct OneChange<'a> {
    kind: &'static str,
    provided_id: Cow<'a, str>,
    fields: BTreeMap<&'static str, Values<'a>>,
    outcome: Option<&'static str>,
    error: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct Values<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<&'a RawValue>,
}

impl<'a> Document<'a> {
    fn of(report: &'a Report, exit: Exit, values: bool) -> Self {
        let plan = &report.run.plan;
        let named = |calls: BTreeMap<Endpoint, usize>| {
            calls.into_iter().filter(|(_, n)| *n > 0).map(|(endpoint, n)| (endpoint.name(), n)).collect()
        };
        let invalid = plan.invalid.iter();
        Self {
            version: VERSION,
            instance: &report.instance,
            run_id: &report.run_id,
            dry_run: report.dry_run,
            tenants: plan.index.rows(),
            customers: plan.population.customers,
            listing: Listing {
                passes: report.run.listing.passes,
                pages: report.run.listing.pages,
                complete: report.run.listing.pages > 0,
                unreadable: &plan.population.unreadable,
            },
            counts: report.counts(),
            fields: plan.fields().into_iter().map(|(field, n)| (field.name(), n)).collect(),
            held: &report.run.held,
            calls: Calls {
                planned: named(report.calls_planned()),
                made: named(report.calls_made.clone()),
                estimated_seconds: report.estimated_seconds(),
                tags: values.then(|| plan.tags_to_make(&report.run.due)).filter(|tags| !tags.is_empty()),
            },
            changes: Changes { report, values },
            orphans: &plan.population.orphans,
            skipped: report.run.skipped.keys().collect(),
            invalid: invalid
                .map(|tenant| InvalidTenant {
                    provided_id: tenant.provided_id.as_deref().map(told_id),
                    reason: plan.reason(tenant, values),
                })
                .collect(),
            unsettled: unsettled(report),
            outcomes: report.outcomes(),
            error: report.error(),
            exit: exit as u8,
        }
    }
}

fn unsettled(report: &Report) -> Vec<Unsettled<'_>> {
    let named = |(provided_id, unsettled): (_, &compare::Unsettled)| Unsettled {
        provided_id,
        field: unsettled.difference.field.name(),
        rule: unsettled.rule.to_string(),
    };
    report.unsettled().into_iter().map(named).collect()
}

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plan = &self.report.run.plan;
        let mut sequence = serializer.serialize_seq(Some(plan.changes.len()))?;
        for (number, change) in plan.changes.iter().enumerate() {
            let outcome = self.report.outcome(number);
            let error = match outcome {
                Some(Outcome::Failed { reason, .. } | Outcome::Waiting(reason)) => Some(reason.as_str()),
                Some(Outcome::Applied | Outcome::Unsettled(_) | Outcome::Deferred) | None => None,
            };
            let differences = if self.values { plan.differences(change) } else { Cow::Borrowed(&[][..]) };
            let ids = match change {
                Change::Rename(row) => Some([plan.previous_provided_id(*row), plan.provided_id(change)]),
                Change::Create(_) | Change::Update(_) | Change::Offboard(_) => None,
            };
            let ids = ids.map(|ids| ids.map(|id| json::quote(&id)));
            let ids = ids.iter().map(|[old, new]| ("provided_id", self.values(change, old, new)));
            let named = plan.fields_of(change).into_iter().map(|field| (field.name(), Values::default()));
            let shown = differences.iter().map(|difference| {
                (difference.field.name(), self.values(change, &difference.current, &difference.wanted))
            });
            sequence.serialize_element(&OneChange {
                kind: change.kind(),
                provided_id: plan.provided_id(change),
                fields: ids.chain(named).chain(shown).collect(),
                outcome: outcome.map(Outcome::name),
                error,
            })?;
        }
        sequence.end()
    }
}

impl Changes<'_> {
    fn values<'d>(&self, change: &Change, old: &'d str, new: &'d str) -> Values<'d> {
        let raw = |text: &'d str, shown: bool| shown.then(|| serde_json::from_str(text).ok()).flatten();
        Values { old: raw(old, self.values && !Report::is_create(change)), new: raw(new, self.values) }
    }
}
