//! The changes of a plan: those that are alike as one line, the others one by one.
//!
//! | alike, more than twenty times | one line |
//! |---|---|
//! | the same fields go from the same values to the same | `~ 2,505 × mapping  main: "213" → "7"`, and three ids |
//! | the same fields, and keys of objects | `~ 2,505 × name`, and three of them with their values |

use std::{
    collections::HashMap,
    io::{self, Write},
};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    lines::{DIM, GREEN, RED, SHOWN, Style, YELLOW, named, write_list},
    words::{difference_in_words, grouped, place_in_words},
};
use crate::{
    compare::Difference,
    model::{Field, shown},
    plan::{Change, Plan},
    report::Report,
};

const NEXT: &str = "to offboard by the next run: the ledger must know its customer by this id and token first";

/// Changes of a group that are shown.
const SAMPLES: usize = 3;

/// Changes that are alike.
struct Group<'p> {
    count: usize,
    first: Vec<&'p Change>,
}

pub(super) fn write_changes(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.run.plan;
    let (renames, others) = plan.changes.split_at(plan.renames().count());
    let (creates, others) = others.split_at(plan.creates());
    let (updates, offboards) = others.split_at(plan.updates().count());
    write_list('>', YELLOW, renames, style, out, |change| {
        let new = named(plan, &plan.provided_id(change), style);
        format!("{} → {new}", shown(&plan.previous_provided_id(change.row())))
    })?;
    if !renames.is_empty() {
        writeln!(
            out,
            "    {YELLOW}JWTs name the provided_id{YELLOW:#}: the application must use the new one as soon as the rename is applied."
        )?;
    }
    write_list('+', GREEN, creates, style, out, |change| described(plan, change, style))?;
    write_updates(plan, updates, style, out)?;
    write_list('-', RED, offboards, style, out, |change| offboarded(plan, change, style))?;
    write_list('-', DIM, &plan.quiet.leaving_next, style, out, |row| {
        format!("{}  {NEXT}", named(plan, &plan.index.provided_id(*row), style))
    })
}

/// Who leaves, with the customer's name, what happens and why.
fn offboarded(plan: &Plan, change: &Change, style: Style) -> String {
    let id = shown(&plan.provided_id(change));
    let Some(offboard) = change.as_offboard() else { return id };
    let name = if style.values { format!("  {DIM}{}{DIM:#}", shown(&offboard.name)) } else { String::new() };
    let emptied: Vec<_> = offboard
        .differences
        .iter()
        .map(
            |difference| {
                if style.values { difference_in_words(difference) } else { difference.field.name().to_owned() }
            },
        )
        .collect();
    let emptied = if emptied.is_empty() { String::new() } else { format!("  {}", emptied.join(", ")) };
    format!("{id}{name}  {}{emptied}", offboard.in_words())
}

/// Writes one line for the updates that are alike, then the others. With `style.all`, every update has its line.
fn write_updates(plan: &Plan, updates: &[Change], style: Style, out: &mut dyn Write) -> io::Result<()> {
    let all: Vec<_> = updates.iter().collect();
    let line = |change: &&Change| described(plan, change, style);
    if style.all || updates.len() <= SHOWN {
        return write_list('~', YELLOW, &all, style, out, line);
    }
    let (equal, others) = groups(&all, |change| in_words(change, style));
    for group in &equal {
        let ids: Vec<_> = group.first.iter().map(|change| named(plan, &plan.provided_id(change), style)).collect();
        writeln!(out, "  {YELLOW}~{YELLOW:#} {} × {}", grouped(group.count), in_words(group.first[0], style))?;
        writeln!(out, "      {DIM}for example{DIM:#} {}", ids.join(", "))?;
    }
    let (similar, others) = groups(&others, places);
    for group in &similar {
        writeln!(out, "  {YELLOW}~{YELLOW:#} {} × {}, for example", grouped(group.count), places(group.first[0]))?;
        for change in &group.first {
            writeln!(out, "      {}", described(plan, change, style).replace('\n', "\n  "))?;
        }
    }
    write_list('~', YELLOW, &others, style, out, line)
}

/// The groups of more than [`SHOWN`] changes for which `of` gives the same text, the largest first, and the other changes.
fn groups<'p>(changes: &[&'p Change], of: impl Fn(&Change) -> String) -> (Vec<Group<'p>>, Vec<&'p Change>) {
    let hashes: Vec<_> = changes.iter().map(|change| xxh3_64(of(change).as_bytes())).collect();
    let mut groups: HashMap<u64, Group<'p>> = HashMap::new();
    for (change, hash) in changes.iter().zip(&hashes) {
        let group = groups.entry(*hash).or_insert(Group { count: 0, first: Vec::new() });
        group.count += 1;
        if group.first.len() < SAMPLES {
            group.first.push(change);
        }
    }
    groups.retain(|_, group| group.count > SHOWN);
    let others =
        changes.iter().zip(&hashes).filter(|(_, hash)| !groups.contains_key(hash)).map(|(change, _)| *change).collect();
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| of(a.first[0]).cmp(&of(b.first[0]))));
    (groups, others)
}

/// What an update changes. If values are not shown, neither are the keys of objects: only field names.
fn in_words(change: &Change, style: Style) -> String {
    let in_words = |difference: &Difference| {
        if style.values { difference_in_words(difference) } else { difference.field.name().to_owned() }
    };
    differences(change).iter().map(in_words).collect::<Vec<_>>().join(", ")
}

/// The fields of an update, and the keys of objects.
fn places(change: &Change) -> String {
    differences(change).iter().map(place_in_words).collect::<Vec<_>>().join(", ")
}

fn differences(change: &Change) -> &[Difference] {
    change.as_update().map_or(&[], |update| &update.differences)
}

/// One change: the id, the name beside it, and what changes.
fn described(plan: &Plan, change: &Change, style: Style) -> String {
    let id = named(plan, &plan.provided_id(change), style);
    if !style.values {
        return format!("{id}  {}", plan.fields_of(change).into_iter().map(Field::name).collect::<Vec<_>>().join(", "));
    }
    let lines: Vec<_> = differences(change).iter().map(difference_in_words).collect();
    let separator = if lines.len() == 1 { "  " } else { "\n      " };
    lines.into_iter().fold(id, |text, line| text + separator + &line)
}
