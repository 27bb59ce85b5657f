//! The report as text: the changes, then the counts, then the cost (of a dry run) or the outcomes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style as Paint};

use super::{Outcomes, Report};
use crate::{
    applier::Outcome,
    compare::{Difference, Unsettled},
    model::{Field, Gap, json, printable, shown},
    plan::{Change, Class, Held},
};

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
        "{BOLD}{}{BOLD:#}: {} tenants in {}, {} customers in {}",
        report.instance,
        grouped(plan.index.rows()),
        printable(&report.source),
        grouped(plan.population.customers),
        printable(&report.base_url)
    )?;
    write_changes(report, style, out)?;
    write_list('?', DIM, &plan.population.orphans, style, out, |orphan| shown(orphan))?;
    write_list('!', RED, &plan.invalid, style, out, |invalid| {
        let id = invalid.provided_id.as_deref().map_or("(no id)".to_owned(), shown);
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
        described_unsettled(id, unsettled, style)
    })?;
    if report.run.applied.is_some() {
        write_outcomes(report, style, out)
    } else {
        write_forecast(report, out)?;
        report.run.held.iter().try_for_each(|held| write_held(report, *held, out))
    }
}

fn write_changes(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.run.plan;
    let (renames, others) = plan.changes.split_at(plan.renames().count());
    let (creates, updates) = others.split_at(plan.creates());
    write_list('>', YELLOW, renames, style, out, |change| {
        format!("{} → {}", shown(&plan.previous_provided_id(change.row())), shown(&plan.provided_id(change)))
    })?;
    if !renames.is_empty() {
        writeln!(
            out,
            "    {YELLOW}JWTs name the provided_id{YELLOW:#}: the application must use the new one as soon as the rename is applied."
        )?;
    }
    write_list('+', GREEN, creates, style, out, |change| described(report, change, style))?;
    write_list('~', YELLOW, updates, style, out, |change| described(report, change, style))?;
    write_tags(&plan.tags_to_make(&report.run.due), style, out)
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

fn described(report: &Report, change: &Change, style: Style) -> String {
    let plan = &report.run.plan;
    let mut text = shown(&plan.provided_id(change));
    if !style.values {
        let fields: Vec<_> = plan.fields_of(change).into_iter().map(Field::name).collect();
        let _ = write!(text, "  {}", fields.join(", "));
        return text;
    }
    let differences = plan.differences(change);
    if Report::is_create(change) {
        let name = differences.iter().find(|difference| difference.field == Field::Name);
        let _ = name.map(|name| write!(text, "  {}", shown(&name.wanted)));
        return text;
    }
    let lines: Vec<_> = differences.iter().map(difference_in_words).collect();
    let separator = if lines.len() == 1 { "  " } else { "\n      " };
    for line in &lines {
        text.extend([separator, line]);
    }
    text
}

/// Names the wanted value first, unlike a change: it was written, and Explo shows the current one.
fn described_unsettled(id: &str, Unsettled { difference, rule, .. }: &Unsettled, style: Style) -> String {
    let field = difference.field.name();
    let sides = if style.values {
        format!(" (wanted {}, Explo shows {})", shown(&difference.wanted), shown(&difference.current))
    } else {
        String::new()
    };
    format!("{}  {field} does not settle: {rule}{sides}", shown(id))
}

fn difference_in_words(Difference { field, current, wanted }: &Difference) -> String {
    let parts: Vec<String> = match field {
        Field::Emails | Field::GroupTags => {
            let (current, wanted): (BTreeSet<_>, BTreeSet<_>) =
                (json::elements(current).collect(), json::elements(wanted).collect());
            let gone = current.difference(&wanted).map(|element| format!("−{}", shown(element)));
            gone.chain(wanted.difference(&current).map(|element| format!("+{}", shown(element)))).collect()
        }
        Field::Properties | Field::Mapping => {
            let (current, wanted): (BTreeMap<_, _>, BTreeMap<_, _>) =
                (json::members(current).collect(), json::members(wanted).collect());
            let keys: BTreeSet<_> = current.keys().chain(wanted.keys()).collect();
            let moved = keys
                .into_iter()
                .map(|key| (current.get(key), wanted.get(key), key))
                .filter(|(current, wanted, _)| current != wanted);
            let side = |value: Option<&&str>| value.map_or_else(|| "nothing".to_owned(), |value| shown(value));
            moved
                .map(|(current, wanted, key)| format!("{}: {} → {}", shown(key), side(current), side(wanted)))
                .collect()
        }
        Field::Name | Field::IsDemoGroup | Field::HierarchyLevelName | Field::ParentProvidedId => {
            vec![format!("{} → {}", shown(current), shown(wanted))]
        }
    };
    format!("{}  {}", field.name(), parts.join(", "))
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

fn write_forecast(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let due = &report.run.due;
    let waiting = report.run.plan.changes.len() - due.count() - due.left;
    if waiting > 0 {
        writeln!(
            out,
            "Waiting because the tenant failed before: {} (--retry-failed tries them now).",
            grouped(waiting)
        )?;
    }
    let calls = report.calls_planned().into_iter();
    let writes: Vec<_> =
        calls.filter(|(endpoint, n)| *endpoint != crate::explo::Endpoint::Customers && *n > 0).collect();
    if writes.is_empty() {
        return writeln!(out, "Nothing to do.");
    }
    let total: usize = writes.iter().map(|(_, n)| n).sum();
    let parts: Vec<_> = writes.iter().map(|(endpoint, n)| format!("{} {endpoint}", grouped(*n))).collect();
    let time = time(report.estimated_seconds());
    let rate = report.requests_per_minute;
    writeln!(out, "Applying it takes {} calls ({}): {time} at {rate} per minute.", grouped(total), parts.join(", "))
}

fn write_outcomes(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.run.plan;
    let numbered = || plan.changes.iter().enumerate().map(|(n, change)| (change, report.outcome(n)));
    let failed: Vec<_> = numbered()
        .filter_map(|(change, outcome)| match outcome {
            Some(Outcome::Failed { reason, .. } | Outcome::Waiting(reason)) => {
                Some(format!("{}  {}", shown(&plan.provided_id(change)), printable(reason)))
            }
            _ => None,
        })
        .collect();
    write_list('✗', RED, &failed, style, out, Clone::clone)?;
    if let Some(applied) = &report.run.applied {
        write_list('=', DIM, &applied.existing, style, out, |id| {
            format!("{}  existed already, though the listing did not show it", shown(id))
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
    let ended = report.run.applied.as_ref().is_some_and(|applied| applied.end.is_some());
    let what = if ended { "The run ended early" } else { "The ledger lacks a part of this run" };
    report.error().map_or(Ok(()), |error| writeln!(out, "{RED}{what}:{RED:#} {}", printable(&error)))
}

fn write_held(report: &Report, Held { class, count, limit }: Held, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.run.plan;
    let name = class.name();
    writeln!(out, "{RED}Held by the guard:{RED:#} {name} {} is over the limit of {}.", grouped(count), grouped(limit))?;
    let of_class = |change: &&Change| match (class, change) {
        (Class::Create, Change::Create(_))
        | (Class::Update, Change::Update(_))
        | (Class::Rename, Change::Rename(_)) => true,
        (Class::Mapping, Change::Update(update)) => update.fields().contains(&Field::Mapping),
        (Class::Create | Class::Rename | Class::Orphan, Change::Update(_))
        | (_, Change::Create(_) | Change::Rename(_)) => false,
    };
    let samples: Vec<String> = if class == Class::Orphan {
        plan.population.orphans.iter().take(3).map(|id| shown(id)).collect()
    } else {
        plan.changes.iter().filter(of_class).take(3).map(|change| shown(&plan.provided_id(change))).collect()
    };
    writeln!(out, "  for example {}", samples.join(", "))?;
    if class == Class::Update {
        let fields = plan.fields().into_iter().map(|(field, n)| format!("{} {}", field.name(), grouped(n)));
        writeln!(out, "  fields that change: {}", fields.collect::<Vec<_>>().join(", "))?;
    }
    writeln!(
        out,
        "  nothing is written; if the plan is right, let it through once: explo-sync sync --allow {name}={count}"
    )
}

/// About so long.
pub(super) fn time(seconds: u64) -> String {
    match seconds {
        0..=90 => format!("about {seconds} s"),
        91..=5400 => format!("about {} min", seconds.div_ceil(60)),
        _ => format!("about {}.{} h", seconds / 3600, seconds % 3600 / 360),
    }
}

/// 1,234,567.
#[must_use]
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let comma = |(n, digit): (usize, char)| {
        let is_due = n > 0 && (digits.len() - n).is_multiple_of(3);
        [is_due.then_some(','), Some(digit)].into_iter().flatten()
    };
    digits.chars().enumerate().flat_map(comma).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_many_keys_is_told_key_by_key() {
        const MANY: usize = 100_000;
        let object = |prefix: &str| json::object((0..MANY).map(|n| (format!("{prefix}{n}"), n.to_string())));
        let told =
            difference_in_words(&Difference { field: Field::Properties, current: object("a"), wanted: object("b") });
        assert_eq!(told.matches(" → nothing").count(), MANY);
        assert!(
            told.starts_with("properties  a0: 0 → nothing, a1: 1 → nothing, a10: 10 → nothing, "),
            "{}",
            &told[..80]
        );
        assert!(told.ends_with(", b99999: nothing → 99999"));
        let current = r#"{"a":1,"b":2,"c":3}"#.to_owned();
        let told = difference_in_words(&Difference {
            field: Field::Mapping,
            current,
            wanted: r#"{"b":2,"c":"3","d":4}"#.to_owned(),
        });
        assert_eq!(told, r#"mapping  a: 1 → nothing, c: 3 → "3", d: nothing → 4"#);
    }
}
