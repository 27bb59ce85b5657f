//! The report as text: the changes, then the counts, then the cost (of a dry run) or the outcomes.

mod changes;
mod lines;
mod outcomes;
mod words;

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use super::Report;
use crate::{
    compare::Unsettled,
    model::{Gap, json, printable, shown},
    plan::{Class, Plan},
};
use changes::write_changes;
pub use lines::Style;
pub(super) use lines::{BOLD, DIM, GREEN, RED, YELLOW};
use lines::{SHOWN, named, write_list};
use outcomes::{write_forecast, write_held, write_outcomes};
use words::age;
pub use words::{counted, grouped};
pub(super) use words::{moved, time};

/// Writes the plan and its outcomes.
pub fn write_text(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.run.plan;
    writeln!(
        out,
        "{BOLD}{}{BOLD:#}: {} in {}, {} in {}",
        report.instance,
        counted(plan.index.rows(), "tenant"),
        printable(&report.source),
        counted(plan.population.customers, "customer"),
        printable(&report.base_url)
    )?;
    write_changes(report, style, out)?;
    write_tags(&plan.tags_to_make(&report.run.due), style, out)?;
    write_list('?', DIM, &plan.orphans_left_alone(), style, out, |orphan| shown(orphan))?;
    write_list('!', RED, &plan.invalid, style, out, |invalid| {
        let id = invalid.provided_id.as_deref().map_or("(no id)".to_owned(), |id| named(plan, id, style));
        format!("{id}  {}", printable(&plan.reason(invalid, style.values)))
    })?;
    // If the customer has a tenant, that tenant is in the list of invalid ones.
    let is_strange = |id: &&Option<String>| id.as_deref().is_none_or(|id| !plan.index.has(id));
    let unreadable: Vec<_> = plan.population.unreadable.iter().filter(is_strange).collect();
    write_list('!', YELLOW, &unreadable, style, out, |id| {
        format!("{}  {}: left alone", id.as_deref().map_or("(no id)".to_owned(), shown), Gap::Unreadable)
    })?;
    let skipped: Vec<_> = report.run.skipped.iter().collect();
    write_list('-', YELLOW, &skipped, style, out, |(id, reason)| format!("{}  {reason}: left alone", shown(id)))?;
    write_counts(report, out)?;
    write_list('≠', YELLOW, &report.unsettled(), style, out, |(id, unsettled)| {
        described_unsettled(plan, id, unsettled, style)
    })?;
    if report.run.applied.is_some() {
        write_outcomes(report, style, out)
    } else {
        write_forecast(report, out)?;
        write_held(report, style, out)
    }
}

fn write_tags(tags: &BTreeSet<&str>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if tags.is_empty() {
        return Ok(());
    }
    let most = if style.all { tags.len() } else { SHOWN };
    let named: Vec<_> = tags.iter().take(most).map(|tag| shown(&json::quote(tag))).collect();
    let more = if tags.len() > most { ", …" } else { "" };
    let named = if style.values { format!(": {}{more}", named.join(", ")) } else { String::new() };
    writeln!(out, "    {GREEN}Group tags to create first{GREEN:#}, {}{named}", grouped(tags.len()))
}

/// Names the wanted value first, unlike a change: it was written, and Explo shows the current one.
fn described_unsettled(plan: &Plan, id: &str, Unsettled { difference, rule, .. }: &Unsettled, style: Style) -> String {
    let field = difference.field.name();
    let sides = if style.values {
        format!(" (wanted {}, Explo shows {})", shown(&difference.wanted), shown(&difference.current))
    } else {
        String::new()
    };
    format!("{}  {field} does not settle: {rule}{sides}", named(plan, id, style))
}

fn write_counts(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.run.plan;
    let orphans = orphans(plan);
    let unsettled = match plan.quiet.unsettled_customers {
        0 => String::new(),
        customers => format!(" {} known not to settle,", grouped(customers)),
    };
    let renames = match plan.renames().count() {
        0 => String::new(),
        renames => format!("{} to rename, ", grouped(renames)),
    };
    let offboards = match plan.offboards().count() {
        0 => String::new(),
        offboards => format!(", {} to offboard", grouped(offboards)),
    };
    let left = match plan.have_left() {
        0 => String::new(),
        left => format!(" {} left before,", grouped(left)),
    };
    writeln!(
        out,
        "{BOLD}{renames}{} to create, {} to update{offboards}{BOLD:#}, {} unchanged,{unsettled}{left} {} orphaned{orphans}, {} \
         invalid.",
        grouped(plan.creates()),
        grouped(Class::Update.count(plan)),
        grouped(plan.quiet.unchanged),
        grouped(plan.population.orphans.len()),
        grouped(plan.index.count_of_invalid()),
    )
}

/// What happens to the orphans, and for how long the rows of those are gone that were tenants' once.
fn orphans(plan: &Plan) -> String {
    let (all, alone, ages) = (plan.population.orphans.len(), plan.orphans_left_alone().len(), plan.ages_of_orphans());
    let left = match alone {
        0 => None,
        alone if alone == all => Some("left alone".to_owned()),
        alone => Some(format!("{} left alone", grouped(alone))),
    };
    let gone =
        ages.last().map(|oldest| format!("the rows of {} are gone, for up to {}", grouped(ages.len()), age(*oldest)));
    let told: Vec<_> = left.into_iter().chain(gone).collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join("; ")) }
}
