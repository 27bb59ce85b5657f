//! How a plan ends: what it will cost, what the guard holds, or what came of it, and the next command.

use std::io::{self, Write};

use super::{
    lines::{DIM, GREEN, RED, Style, YELLOW, named, write_list},
    words::{counted, grouped, time},
};
use crate::{
    applier::Outcome,
    model::{printable, shown},
    plan::{Class, Held},
    report::{Exit, Outcomes, Report},
};

/// Changes of a held class that are shown.
const SAMPLES: usize = 3;

pub(super) fn write_forecast(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let due = &report.run.due;
    let waiting = report.run.plan.changes.len() - report.run.plan.quiet.done.len() - due.count() - due.left;
    if waiting > 0 {
        writeln!(
            out,
            "Waiting because the tenant failed before: {} (--retry-failed tries them now).",
            grouped(waiting)
        )?;
    }
    let calls = report.calls_to_apply();
    if calls.is_empty() {
        return writeln!(out, "Nothing to do.");
    }
    let total: usize = calls.values().sum();
    let parts: Vec<_> = calls.iter().map(|(endpoint, n)| format!("{} {endpoint}", grouped(*n))).collect();
    let time = time(report.estimated_seconds());
    let rate = report.requests_per_minute;
    let calls = counted(total, "call");
    writeln!(out, "Applying it takes {calls} ({}): {time} at {rate} per minute.", parts.join(", "))
}

/// The outcomes, with what failed; of a run that ended early also what is done, and the command that carries it on.
pub(super) fn write_outcomes(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.run.plan;
    let changes = || plan.changes.iter().enumerate().map(|(n, change)| (change, report.outcome(n)));
    let has_ended = report.run.applied.as_ref().is_some_and(|applied| applied.end.is_some());
    let is_stopped = has_ended || report.exit(false) == Exit::Stopped;
    if is_stopped {
        let done = changes().filter(|(_, outcome)| matches!(outcome, Some(Outcome::Applied))).map(|(change, _)| change);
        write_list('✓', GREEN, &done.collect::<Vec<_>>(), style, out, |change| {
            format!("{}  {}", named(plan, &plan.provided_id(change), style), change.kind())
        })?;
    }
    let failed: Vec<_> = changes()
        .filter_map(|(change, outcome)| match outcome {
            Some(Outcome::Failed { reason, .. } | Outcome::Waiting(reason)) => {
                Some(format!("{}  {}", named(plan, &plan.provided_id(change), style), printable(reason)))
            }
            _ => None,
        })
        .collect();
    write_list('✗', RED, &failed, style, out, Clone::clone)?;
    let done: Vec<_> = plan.changes.iter().filter(|change| plan.is_done(change)).collect();
    write_list('=', DIM, &done, style, out, |change| {
        let id = named(plan, &plan.provided_id(change), style);
        format!("{id}  Explo has the planned values already: nothing was sent")
    })?;
    if let Some(applied) = &report.run.applied {
        write_list('=', DIM, &applied.existing, style, out, |id| {
            format!("{}  existed already, though the listing did not show it", named(plan, id, style))
        })?;
    }
    let Outcomes { applied, failed, unsettled, deferred } = report.outcomes();
    let paint = if failed + unsettled + deferred == 0 { GREEN } else { YELLOW };
    writeln!(
        out,
        "{paint}Applied {}, failed {}, unsettled {}, deferred {}.{paint:#}",
        grouped(applied),
        grouped(failed),
        grouped(unsettled),
        grouped(deferred)
    )?;
    let what = if has_ended { "The run ended early" } else { "The ledger lacks a part of this run" };
    report.error().map_or(Ok(()), |error| writeln!(out, "{RED}{what}:{RED:#} {}", printable(&error)))?;
    if is_stopped { write_next(report, out) } else { Ok(()) }
}

/// How a stopped run is carried on.
fn write_next(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.run.listing.pages == 0 {
        // A saved plan, or some tenants alone.
        return writeln!(out, "To carry it on, give the same command again.");
    }
    writeln!(out, "To carry it on: {}", report.command(&report.run.held_next))
}

/// Each class that the guard holds, with samples, and one command that lets the whole plan through.
pub(super) fn write_held(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let (plan, held) = (&report.run.plan, &report.run.held);
    for Held { class, count, limit } in held {
        let name = class.name();
        let (count, limit) = (grouped(*count), grouped(*limit));
        writeln!(out, "{RED}Held by the guard:{RED:#} {name} {count} is over the limit of {limit}.")?;
        let samples: Vec<String> = if *class == Class::Orphan {
            plan.population.orphans.iter().take(SAMPLES).map(|id| shown(id)).collect()
        } else {
            let of_class = plan.changes.iter().filter(|change| class.counts(change));
            of_class.take(SAMPLES).map(|change| named(plan, &plan.provided_id(change), style)).collect()
        };
        writeln!(out, "  for example {}", samples.join(", "))?;
        if *class == Class::Update {
            let fields = plan.fields().into_iter().map(|(field, n)| format!("{} {}", field.name(), grouped(n)));
            writeln!(out, "  fields that change: {}", fields.collect::<Vec<_>>().join(", "))?;
        }
    }
    if held.is_empty() {
        return Ok(());
    }
    writeln!(out, "Nothing is written. If the plan is right, let it through once:\n  {}", report.command_through())
}
