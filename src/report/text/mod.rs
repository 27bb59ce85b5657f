//! The report as text: the changes, then the counts, then the cost (of a dry run) or the outcomes.

mod changes;
mod outcomes;
mod words;

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style as Paint};

use super::Report;
use crate::{
    compare::Unsettled,
    model::{Gap, json, printable, shown},
    plan::{Class, Plan},
};
use changes::write_changes;
use outcomes::{write_forecast, write_held, write_outcomes};
pub(super) use words::time;
pub use words::{counted, grouped};

/// Lines of one kind that are shown without `-v`.
const SHOWN: usize = 20;

/// How much is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Show names, addresses and other values, not only ids and field names.
    pub values: bool,
    /// Show every line of a long list.
    pub all: bool,
}

const GREEN: Paint = AnsiColor::Green.on_default();
const YELLOW: Paint = AnsiColor::Yellow.on_default();
const RED: Paint = AnsiColor::Red.on_default();
const DIM: Paint = Paint::new().dimmed();
const BOLD: Paint = Paint::new().bold();

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
    write_list('?', DIM, &plan.population.orphans, style, out, |orphan| shown(orphan))?;
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
    write_list('-', YELLOW, &report.run.skipped, style, out, |id| {
        format!("{}  changed in Explo since the plan was made: left alone", shown(id))
    })?;
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

/// An id, and beside it the name of its tenant if values are shown.
fn named(plan: &Plan, provided_id: &str, style: Style) -> String {
    let tenant = if style.values { plan.index.tenant_of(provided_id) } else { None };
    match tenant.and_then(|tenant| tenant.name) {
        Some(name) => format!("{}  {DIM}{}{DIM:#}", shown(provided_id), shown(&name)),
        None => shown(provided_id),
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

fn write_list<T>(
    mark: char,
    paint: Paint,
    list: &[T],
    style: Style,
    out: &mut dyn Write,
    line: impl Fn(&T) -> String,
) -> io::Result<()> {
    let shown = if style.all { list.len() } else { SHOWN };
    for element in list.iter().take(shown) {
        writeln!(out, "  {paint}{mark}{paint:#} {}", line(element))?;
    }
    match list.len().saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "  {paint}{mark}{paint:#} {DIM}… and {} more (-v shows all){DIM:#}", grouped(more)),
    }
}

fn write_counts(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.run.plan;
    let orphans = if plan.population.orphans.is_empty() { "" } else { " (left alone)" };
    let unsettled = match plan.quiet.unsettled_customers {
        0 => String::new(),
        customers => format!(" {} known not to settle,", grouped(customers)),
    };
    let renames = match plan.renames().count() {
        0 => String::new(),
        renames => format!("{} to rename, ", grouped(renames)),
    };
    writeln!(
        out,
        "{BOLD}{renames}{} to create, {} to update{BOLD:#}, {} unchanged,{unsettled} {} orphaned{orphans}, {} invalid.",
        grouped(plan.creates()),
        grouped(Class::Update.count(plan)),
        grouped(plan.quiet.unchanged),
        grouped(plan.population.orphans.len()),
        grouped(plan.index.count_of_invalid()),
    )
}
