//! What a database says of a failure, without what it may quote: a row has a token in it, and messages end up in logs.

use super::{
    Table,
    dialect::{Dialect, is_dropped},
};
use crate::{
    database::{causes::code, words},
    model::printable,
};

/// The words of the driver or the database on one line. Of a trigger's words, and of those about values, none are told.
pub(super) fn cause<D: Dialect>(error: &sqlx::Error, table: &Table) -> String {
    if is_dropped(error) {
        return "the database reports no error and stores nothing: a trigger or a rule of the table drops it"
            .to_owned();
    }
    let Some(database) = error.as_database_error() else { return words::of(error) };
    let code = code(error).map_or(String::new(), |code| format!(" (code {code})"));
    if !D::may_quote(error) {
        return words::masked(database.message(), &table.to_string()) + &code;
    }
    let constraint = D::constraint(error).map_or(String::new(), |name| format!(" by constraint {}", printable(name)));
    format!("it refuses a row{constraint}, and what it says of it is not told here, for it may quote its values{code}")
}
