//! The cause of a database's failure without the values that it may quote: a row has a token, and messages go into
//! logs.

use super::{
    Table,
    dialect::{Dialect, is_dropped},
};
use crate::{
    database::{causes::code, words},
    model::printable,
};

/// The driver's or the database's message on one line. Leaves out a trigger's message, and messages about values.
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
    format!("it refuses a row{constraint}; its message is not shown here, because it may quote the row's values{code}")
}
