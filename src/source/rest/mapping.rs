//! Turns a record into a row: reads only the values that the columns need, and keeps nothing else of the record.

use std::{borrow::Cow, fmt::Display};

use super::{
    expression::Expression,
    pointer::{Pointer, Record},
};
use crate::{
    model::{Field, Row, json, shown},
    source::{
        cell::Cell,
        columns::{Column, Columns},
        convert,
    },
};

/// The expressions of all columns.
#[derive(Debug)]
pub struct Mapping {
    columns: Columns,
    /// Per column, the expressions that can give its value.
    expressions: Vec<Vec<Expression>>,
}

impl Mapping {
    /// Parses the expressions of each column; returns every mistake at once. Of several expressions the first that
    /// gives a value counts; for addresses and tags all count.
    pub fn new(columns: &[(String, Vec<String>)], leave_null: &[String]) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut read = |(name, texts): &(String, Vec<String>)| -> Vec<Expression> {
            let unread = texts.iter().filter(|text| Expression::parse(text).is_none());
            mistakes.extend(unread.map(|text| {
                let form = "neither a JSON pointer (/owner/id) nor a text with pointers in braces ({/owner/id})";
                format!("'{}' has '{}', which is {form}", shown(name), shown(text))
            }));
            if texts.is_empty() {
                mistakes.push(format!("'{}' has no expression: give it a JSON pointer such as /name", shown(name)));
            }
            texts.iter().filter_map(|text| Expression::parse(text)).collect()
        };
        let expressions = columns.iter().map(&mut read).collect();
        match Columns::named(columns.iter().map(|(name, _)| name.as_str()), leave_null) {
            Ok(columns) if mistakes.is_empty() => Ok(Self { columns, expressions }),
            Ok(_) => Err(mistakes),
            Err(unnamed) => Err([mistakes, unnamed].concat()),
        }
    }

    /// The columns of the rows.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// A record as a row; `place` names a record without an id.
    pub(super) fn row<'r>(&'r self, record: &'r str, place: impl Display) -> Row<'r> {
        let record = Record::new(record, self.expressions.iter().map(Vec::len).sum());
        let columns = self.columns.iter().zip(&self.expressions);
        let cells = columns.map(|((_, column), expressions)| match column {
            Column::Field(Field::Emails | Field::GroupTags) if expressions.len() > 1 => all(expressions, &record),
            Column::Field(Field::Emails | Field::GroupTags | Field::Properties | Field::Mapping)
            | Column::Property(_) => first(expressions, &record),
            Column::ProvidedId
            | Column::PreviousProvidedId
            | Column::Offboard
            | Column::Field(_)
            | Column::Mapped(_) => plain(first(expressions, &record)),
        });
        convert::row(&self.columns, cells.map(Cell::unmarked), place)
    }

    /// Each pointer with its column.
    pub(super) fn pointers(&self) -> impl Iterator<Item = (&str, &Pointer)> {
        let columns = self.columns.iter().zip(&self.expressions);
        columns.flat_map(|((name, _), expressions)| {
            expressions.iter().flat_map(Expression::pointers).map(|pointer| (name.as_str(), pointer))
        })
    }
}

/// The first value there is. An empty text counts only if there is no other.
fn first<'j>(expressions: &[Expression], record: &Record<'j>) -> Cell<'j> {
    let empty = Cell::Text(Cow::Borrowed(""));
    let mut values = expressions.iter().filter_map(|expression| expression.of(record)).peekable();
    let or_else = values.peek().cloned().unwrap_or(Cell::Null);
    values.find(|value| *value != empty).unwrap_or(or_else)
}

/// Drops an object or a list, which is not text and may contain anything.
fn plain(cell: Cell<'_>) -> Cell<'_> {
    if matches!(cell, Cell::Json(_) | Cell::SoundJson(_)) { Cell::Null } else { cell }
}

/// The elements of all expressions as one list.
fn all<'j>(expressions: &[Expression], record: &Record<'j>) -> Cell<'j> {
    let cells = expressions.iter().filter_map(|expression| expression.of(record));
    let elements = cells.flat_map(|cell| match cell {
        Cell::Json(list) if list.starts_with('[') => json::elements(&list).map(str::to_owned).collect(),
        Cell::Text(text) => vec![json::quote(&text)],
        other => other.into_printed().map(Cow::into_owned).into_iter().collect(),
    });
    Cell::Json(Cow::Owned(json::array(elements)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Object;

    #[test]
    fn many_columns_are_found_in_a_record_of_as_many_keys() {
        const MANY: usize = 100_000;
        let made_of = |n: usize| match n % 3 {
            0 => format!("/deep/k{n}"),
            1 => format!("/list/{n}"),
            _ => format!("no. {{/k{n}}}"),
        };
        let properties = (0..MANY).map(|n| (format!("properties.k{n}"), vec![made_of(n)]));
        let columns: Vec<_> =
            std::iter::once(("provided_id".to_owned(), vec!["/k0".to_owned()])).chain(properties).collect();
        let members = (0..MANY).map(|n| format!(r#""k{n}":{n}"#)).collect::<Vec<_>>().join(",");
        let elements = (0..MANY).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let record = format!(r#"{{"deep":{{{members}}},"list":[{elements}],{members}}}"#);
        let mapping = Mapping::new(&columns, &[]).unwrap();
        let tenant = mapping.row(&record, "a record").unwrap();
        let Some(Object::Keys(keys)) = tenant.properties else { panic!("no keys") };
        for (n, (_, value)) in keys.iter().enumerate() {
            let expected = if n % 3 == 2 { format!("\"no. {n}\"") } else { n.to_string() };
            assert_eq!(value.as_deref(), Some(&*expected), "{n}");
        }
        assert_eq!((&*tenant.provided_id, keys.len()), ("0", MANY));
    }
}
