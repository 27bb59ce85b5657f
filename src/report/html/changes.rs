//! The changes as JSON for the page's script: an array with one change on each line, written one at a time.
//!
//! A change is `[kind, provided_id, name, {field: [[current, wanted, key], …], …}]`. `[]` stands for a side or a name that
//! is absent or not shown; without values a field has no sides. Sets have one pair for each element, objects one for each
//! key that differs. No text ends the script block: `<` is written as an escape.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    io::{self, Write},
};

use serde::{Serialize, Serializer};

use crate::{
    compare::Difference,
    model::{Field, json, printable, told_id},
    plan::Change,
    report::{Report, text::moved},
};

/// Writes the array.
pub(super) fn write(report: &Report, values: bool, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"[\n")?;
    for (number, change) in report.run.plan.changes.iter().enumerate() {
        if number > 0 {
            out.write_all(b",\n")?;
        }
        serde_json::to_writer(Inside(&mut *out), &line(report, change, values))?;
    }
    out.write_all(b"\n]")
}

type Line = (&'static str, String, Text, Fields);

fn line(report: &Report, change: &Change, values: bool) -> Line {
    let plan = &report.run.plan;
    let id = |id: &str| printable(&told_id(id));
    let name = || match change {
        Change::Offboard(offboard) => Some(printable(&offboard.name)),
        Change::Rename(_) | Change::Create(_) | Change::Update(_) => {
            plan.index.tenant(change.row()).name.map(|name| printable(&name))
        }
    };
    // The name of a new customer is among its fields.
    let name = if values && !Report::is_create(change) { name() } else { None };
    let provided_id = id(&plan.provided_id(change));
    let fields = match change {
        Change::Rename(row) => {
            let former = id(&plan.previous_provided_id(*row));
            vec![("provided_id", vec![Part::Value(Text(Some(former)), Text(Some(provided_id.clone())))])]
        }
        Change::Create(_) | Change::Update(_) | Change::Offboard(_) if values => {
            let told =
                |difference: &Difference| (difference.field.name(), parts(difference, Report::is_create(change)));
            plan.differences(change).iter().map(told).collect()
        }
        Change::Create(_) | Change::Update(_) | Change::Offboard(_) => {
            plan.fields_of(change).into_iter().map(|field| (field.name(), Vec::new())).collect()
        }
    };
    (change.kind(), provided_id, Text(name), Fields(fields))
}

/// In their order.
struct Fields(Vec<(&'static str, Vec<Part>)>);

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, parts)| (name, parts)))
    }
}

/// The current and the wanted side: of a value, or of a key's value.
#[derive(Serialize)]
#[serde(untagged)]
enum Part {
    Value(Text, Text),
    Keyed(Text, Text, String),
}

/// Text that can be shown, if there is any.
struct Text(Option<String>);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_seq([(); 0]),
        }
    }
}

fn parts(Difference { field, current, wanted }: &Difference, is_create: bool) -> Vec<Part> {
    let value = |text: &str| Text(Some(printable(&characters(text))));
    match field {
        Field::Emails | Field::GroupTags => {
            let [current, wanted] = [current, wanted].map(|list| json::elements(list).collect::<BTreeSet<_>>());
            let side =
                |list: &BTreeSet<&str>, element: &str| Text(list.get(element).and_then(|element| value(element).0));
            current.union(&wanted).map(|element| Part::Value(side(&current, element), side(&wanted, element))).collect()
        }
        Field::Properties | Field::Mapping => {
            // As JSON: 1 is not "1".
            let side = |text: Option<&str>| Text(text.map(printable));
            let part = |(key, current, wanted): (Cow<'_, str>, _, _)| {
                Part::Keyed(side(current), side(wanted), printable(&key))
            };
            moved(current, wanted).into_iter().map(part).collect()
        }
        Field::Name | Field::IsDemoGroup | Field::HierarchyLevelName | Field::ParentProvidedId => {
            let current = if is_create || current == "null" { Text(None) } else { value(current) };
            vec![Part::Value(current, value(wanted))]
        }
    }
}

/// The characters of a string, or another value as JSON.
fn characters(text: &str) -> Cow<'_, str> {
    if text.starts_with('"') { json::string(text) } else { Cow::Borrowed(text) }
}

/// The inside of a script block, which `</script` or `<!--` would end. In JSON, `<` is only found in strings.
struct Inside<'o>(&'o mut dyn Write);

impl Write for Inside<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut from = 0;
        for at in memchr::memchr_iter(b'<', bytes) {
            self.0.write_all(&bytes[from..at])?;
            self.0.write_all(b"\\u003c")?;
            from = at + 1;
        }
        self.0.write_all(&bytes[from..])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
