//! The changes of a plan: those that are alike as one line, the others one by one.
//!
//! | alike, more than twenty times | one line |
//! |---|---|
//! | the same fields go from the same values to the same | `~ 2,505 × mapping  main: "213" → "7"`, and three ids |
//! | the same fields, and keys of objects | `~ 2,505 × name`, and three of them with their values |

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
};

use anstyle::Style as Paint;

use super::{
    DIM, GREEN, SHOWN, Style, YELLOW, named,
    words::{difference_in_words, grouped, place_in_words},
    write_list,
};
use crate::{
    model::{Field, shown},
    plan::{Change, Plan},
    report::Report,
};

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
    let (creates, updates) = others.split_at(plan.creates());
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
    write_grouped('+', GREEN, plan, creates, style, out)?;
    write_grouped('~', YELLOW, plan, updates, style, out)
}

/// Writes one line for the changes that are alike, then the others. With `style.all`, every change has its line.
fn write_grouped(
    mark: char,
    paint: Paint,
    plan: &Plan,
    changes: &[Change],
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let line = |change: &&Change| described(plan, change, style);
    if style.all || changes.len() <= SHOWN {
        return write_list(mark, paint, &changes.iter().collect::<Vec<_>>(), style, out, line);
    }
    let all: Vec<_> = changes.iter().collect();
    let (equal, others) = groups(&all, |change| in_words(plan, change, style));
    for group in &equal {
        let ids: Vec<_> = group.first.iter().map(|change| named(plan, &plan.provided_id(change), style)).collect();
        writeln!(out, "  {paint}{mark}{paint:#} {} × {}", grouped(group.count), in_words(plan, group.first[0], style))?;
        writeln!(out, "      {DIM}for example{DIM:#} {}", ids.join(", "))?;
    }
    let (similar, others) = groups(&others, |change| places(plan, change));
    for group in &similar {
        writeln!(
            out,
            "  {paint}{mark}{paint:#} {} × {}, for example",
            grouped(group.count),
            places(plan, group.first[0])
        )?;
        for change in &group.first {
            writeln!(out, "      {}", described(plan, change, style).replace("\n", "\n  "))?;
        }
    }
    write_list(mark, paint, &others, style, out, line)
}

/// The groups of more than [`SHOWN`] changes for which `of` gives the same text, the largest first, and the other changes. A
/// change without a text is in no group.
fn groups<'p>(changes: &[&'p Change], of: impl Fn(&Change) -> String) -> (Vec<Group<'p>>, Vec<&'p Change>) {
    let hash = |change: &Change| {
        let text = of(change);
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        (!text.is_empty()).then(|| hasher.finish())
    };
    let mut groups: HashMap<u64, Group<'p>> = HashMap::new();
    let hashes: Vec<_> = changes.iter().map(|change| hash(change)).collect();
    for (change, hash) in changes.iter().zip(&hashes) {
        let Some(hash) = hash else { continue };
        let group = groups.entry(*hash).or_insert(Group { count: 0, first: Vec::new() });
        group.count += 1;
        if group.first.len() < SAMPLES {
            group.first.push(change);
        }
    }
    groups.retain(|_, group| group.count > SHOWN);
    let is_single = |hash: &Option<u64>| hash.is_none_or(|hash| !groups.contains_key(&hash));
    let others = changes.iter().zip(&hashes).filter(|(_, hash)| is_single(hash)).map(|(change, _)| *change).collect();
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| of(a.first[0]).cmp(&of(b.first[0]))));
    (groups, others)
}

/// What a change does, with the values if these are shown: so new customers are never the same.
fn in_words(plan: &Plan, change: &Change, style: Style) -> String {
    match change {
        _ if !style.values => places(plan, change),
        Change::Update(update) => update.differences.iter().map(difference_in_words).collect::<Vec<_>>().join(", "),
        Change::Rename(_) | Change::Create(_) => String::new(),
    }
}

/// The fields of a change, and of an update the keys of objects. With their values, creates are told one by one.
fn places(plan: &Plan, change: &Change) -> String {
    match change {
        Change::Update(update) => update.differences.iter().map(place_in_words).collect::<Vec<_>>().join(", "),
        Change::Rename(_) | Change::Create(_) => {
            plan.fields_of(change).into_iter().map(Field::name).collect::<Vec<_>>().join(", ")
        }
    }
}

/// One change: the id, the name beside it, and what changes.
fn described(plan: &Plan, change: &Change, style: Style) -> String {
    let id = named(plan, &plan.provided_id(change), style);
    if !style.values {
        return format!("{id}  {}", plan.fields_of(change).into_iter().map(Field::name).collect::<Vec<_>>().join(", "));
    }
    let lines: Vec<_> = match change {
        Change::Update(update) => update.differences.iter().map(difference_in_words).collect(),
        Change::Rename(_) | Change::Create(_) => Vec::new(),
    };
    let separator = if lines.len() == 1 { "  " } else { "\n      " };
    lines.into_iter().fold(id, |text, line| text + separator + &line)
}
