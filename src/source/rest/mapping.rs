//! From a record to a row: only what a column is made of is read, and nothing else of the record is kept.

use std::{borrow::Cow, fmt::Display};

use super::{expression::Expression, pointer::Pointer};
use crate::{
    model::{Field, Row, json, shown},
    source::{
        cell::Cell,
        columns::{Column, Columns},
        convert,
    },
};

/// What the columns are made of.
#[derive(Debug)]
pub struct Mapping {
    columns: Columns,
    /// For each column the ways to its value.
    expressions: Vec<Vec<Expression>>,
    leave_null: Vec<String>,
}

impl Mapping {
    /// Reads what each column is made of; every mistake is told at once. Of several ways the first that leads to a value
    /// counts; of the addresses and tags all.
    pub fn new(columns: &[(String, Vec<String>)], leave_null: Vec<String>) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut read = |(name, texts): &(String, Vec<String>)| -> Vec<Expression> {
            let unread = texts.iter().filter(|text| Expression::parse(text).is_none());
            mistakes.extend(unread.map(|text| {
                let form = "no JSON pointer such as /owner/id, and no text with some in braces such as {/owner/id}";
                format!("'{}' has '{}', which is {form}", shown(name), shown(text))
            }));
            if texts.is_empty() {
                mistakes.push(format!("'{}' is made of nothing: give it a JSON pointer such as /name", shown(name)));
            }
            texts.iter().filter_map(|text| Expression::parse(text)).collect()
        };
        let expressions = columns.iter().map(&mut read).collect();
        match Columns::named(columns.iter().map(|(name, _)| name.as_str()), &leave_null) {
            Ok(columns) if mistakes.is_empty() => Ok(Self { columns, expressions, leave_null }),
            Ok(_) => Err(mistakes),
            Err(unnamed) => Err([mistakes, unnamed].concat()),
        }
    }

    /// What the rows have.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// A record as a row; `place` names it where it has no id.
    pub(super) fn row<'r>(&'r self, record: &'r str, place: impl Display) -> Row<'r> {
        let columns = self.columns.iter().zip(&self.expressions);
        let cells = columns.map(|((_, column), expressions)| match column {
            Column::Field(Field::Emails | Field::GroupTags) if expressions.len() > 1 => all(expressions, record),
            Column::Field(Field::Emails | Field::GroupTags | Field::Properties | Field::Mapping)
            | Column::Property(_) => first(expressions, record),
            Column::ProvidedId | Column::PreviousProvidedId | Column::Field(_) | Column::Mapped(_) => {
                plain(first(expressions, record))
            }
        });
        convert::row(&self.columns, &self.leave_null, cells, place)
    }

    /// Each pointer with its column.
    pub(super) fn pointers(&self) -> impl Iterator<Item = (&str, &Pointer)> {
        let columns = self.columns.iter().zip(&self.expressions);
        columns.flat_map(|((name, _), expressions)| {
            expressions.iter().flat_map(Expression::pointers).map(|pointer| (name.as_str(), pointer))
        })
    }
}

/// The first value there is. An empty text only counts where there is no other.
fn first<'j>(expressions: &[Expression], record: &'j str) -> Cell<'j> {
    let empty = Cell::Text(Cow::Borrowed(""));
    let mut values = expressions.iter().filter_map(|expression| expression.of(record)).peekable();
    let or_else = values.peek().cloned().unwrap_or(Cell::Null);
    values.find(|value| *value != empty).unwrap_or(or_else)
}

/// An object or a list is no text, and may hold anything.
fn plain(cell: Cell<'_>) -> Cell<'_> {
    if matches!(cell, Cell::Json(_) | Cell::SoundJson(_)) { Cell::Null } else { cell }
}

/// The elements of all, as one list.
fn all<'j>(expressions: &[Expression], record: &'j str) -> Cell<'j> {
    let cells = expressions.iter().filter_map(|expression| expression.of(record));
    let elements = cells.flat_map(|cell| match cell {
        Cell::Json(list) if list.starts_with('[') => json::elements(&list).map(str::to_owned).collect(),
        Cell::Text(text) => vec![json::quote(&text)],
        other => other.into_printed().map(Cow::into_owned).into_iter().collect(),
    });
    Cell::Json(Cow::Owned(json::array(elements)))
}
