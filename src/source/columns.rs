//! The columns of a query: their names say which field, or which key of a field, each of them is.

use std::collections::{BTreeSet, HashSet};

use crate::{
    database::Timezone,
    model::{Field, shown},
};

/// The longest edit distance at which a mistake suggests a known name.
const NEAR: usize = 3;

/// Longer names get no suggestion: known names without a key have less than half of this.
const LONGEST: usize = 64;

/// The meaning of a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Column {
    /// The id that both sides share.
    ProvidedId,
    /// The id that the tenant had before.
    PreviousProvidedId,
    /// Whether the tenant leaves, or when.
    Offboard,
    /// A whole field.
    Field(Field),
    /// `properties.KEY`.
    Property(String),
    /// `mapping.KEY`.
    Mapped(String),
}

/// The columns in the order of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    named: Vec<(String, Column)>,
    /// Per column, whether its NULL means: leave alone.
    leave_null: Vec<bool>,
    /// The zone of times that name none.
    pub(super) timezone: Timezone,
}

impl Column {
    fn named(name: &str) -> Option<Self> {
        let key = |prefix| name.strip_prefix(prefix).filter(|key| !key.is_empty()).map(str::to_owned);
        let field = || Field::ALL.into_iter().find(|field| field.name() == name);
        match name {
            "provided_id" => Some(Self::ProvidedId),
            "previous_provided_id" => Some(Self::PreviousProvidedId),
            "offboard" => Some(Self::Offboard),
            _ => field()
                .map(Self::Field)
                .or_else(|| key("properties.").map(Self::Property))
                .or_else(|| key("mapping.").map(Self::Mapped)),
        }
    }
}

impl Columns {
    /// Recognises the columns by their names; returns every mistake at once.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>, leave_null: &[String]) -> Result<Self, Vec<String>> {
        let (mut columns, mut mistakes, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for name in names {
            match Column::named(name) {
                None => mistakes.push(unknown(name)),
                Some(_) if !seen.insert(name.to_owned()) => mistakes.push(format!("'{}' occurs twice", shown(name))),
                Some(column) => columns.push((name.to_owned(), column)),
            }
        }
        if !seen.contains("provided_id") {
            mistakes.push("'provided_id' is missing: select your tenant's id as provided_id".to_owned());
        }
        for whole in ["properties", "mapping"] {
            let dotted = seen.iter().filter(|name| name.strip_prefix(whole).is_some_and(|rest| rest.starts_with('.')));
            if let (true, Some(dotted)) = (seen.contains(whole), dotted.min()) {
                let dotted = shown(dotted);
                mistakes
                    .push(format!("'{whole}' manages the whole object and '{dotted}' one key of it: keep one kind"));
            }
        }
        for name in leave_null.iter().filter(|name| !seen.contains(*name)) {
            let name = shown(name);
            mistakes.push(format!("fields.leave_null names '{name}', which the query does not return"));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let left_alone: HashSet<_> = leave_null.iter().collect();
        let leave_null =
            columns.iter().map(|(name, column)| left_alone.contains(name) && *column != Column::ProvidedId);
        Ok(Self { leave_null: leave_null.collect(), named: columns, timezone: Timezone::default() })
    }

    /// The same, where times that name no zone are of this one.
    #[must_use]
    pub fn in_timezone(self, timezone: Timezone) -> Self {
        Self { timezone, ..self }
    }

    /// The columns that only one of the two queries returns, as mistakes.
    pub(super) fn unlike(&self, whole: &Self) -> Vec<String> {
        let names = |columns: &'_ Self| columns.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
        let (ours, theirs) = (names(self), names(whole));
        let further =
            ours.difference(&theirs).map(|name| format!("source.query does not return its '{}'", shown(name)));
        let lacking = theirs.difference(&ours).map(|name| format!("it does not return '{}'", shown(name)));
        further.chain(lacking).collect()
    }

    /// Name and meaning of each column.
    pub fn iter(&self) -> impl Iterator<Item = &(String, Column)> {
        self.named.iter()
    }

    /// Name and meaning of each column, and whether its NULL means: leave alone.
    pub(super) fn with_nulls(&self) -> impl Iterator<Item = (&String, &Column, bool)> {
        self.named.iter().zip(&self.leave_null).map(|((name, column), leaves)| (name, column, *leaves))
    }
}

fn unknown(name: &str) -> String {
    let ids = ["provided_id", "previous_provided_id"].into_iter();
    let known = ids.chain(Field::ALL.map(Field::name)).chain(["properties.KEY", "mapping.KEY", "offboard"]);
    let is_short = name.len() <= LONGEST;
    let nearest =
        known.clone().filter(|_| is_short).min_by_key(|known| strsim::damerau_levenshtein(known, &name.to_lowercase()));
    let shown = shown(name);
    match nearest.filter(|near| strsim::damerau_levenshtein(near, &name.to_lowercase()) <= NEAR) {
        Some(near) => format!("'{shown}' is not a column of a tenant; did you mean '{near}'?"),
        None => format!("'{shown}' is not a column of a tenant; there are {}", known.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_recognised() {
        let columns =
            Columns::named(["name", "provided_id", "properties.a.b", "mapping.40"], &["name".to_owned()]).unwrap();
        let kinds: Vec<_> = columns.iter().map(|(_, column)| column.clone()).collect();
        let dotted = [Column::Property("a.b".to_owned()), Column::Mapped("40".to_owned())];
        assert_eq!(kinds[..2], [Column::Field(Field::Name), Column::ProvidedId]);
        assert_eq!(kinds[2..], dotted);
    }

    #[test]
    fn every_mistake_is_told_at_once_with_the_nearest_name() {
        let names = ["id", "email", "mapping", "mapping.40", "name", "name", "properties."];
        let mistakes = Columns::named(names, &["nmae".to_owned()]).unwrap_err().join("\n");
        for part in [
            "'id'",
            "did you mean 'emails'",
            "'provided_id' is missing",
            "'mapping.40' one key",
            "'name' occurs twice",
            "'nmae'",
            "'properties.'",
        ] {
            assert!(mistakes.contains(part), "{part} in {mistakes}");
        }
    }
}
