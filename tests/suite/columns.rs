//! The columns of a query: every type of each database exact to the digit and byte, every kind of NULL and of invalid
//! row, and the connection that they come through.

mod address;
mod causes;
mod connection;
mod fields;
mod lost;
mod names;
mod nulls;
mod offboard;
mod rows;
mod session;
mod types;

use explo_sync::{
    model::{Row, Tenant},
    source::{Error, Source, Sql, SqlSettings},
};

use crate::support::{Database, settings};

/// All rows, or why there are none.
async fn rows(settings: SqlSettings) -> Result<Vec<Row<'static>>, Error> {
    let mut rows = Vec::new();
    Sql::new(settings).unwrap().read(&mut |row| rows.push(owned(row.clone()))).await.map(|()| rows)
}

pub(super) fn owned(row: Row<'_>) -> Row<'static> {
    row.map(Tenant::into_owned)
}

/// The rows of a query that has to work.
async fn read(database: &Database, query: &str) -> Vec<Row<'static>> {
    read_leaving(database, query, &[]).await
}

/// The rows, where the NULL of some columns means: leave alone.
async fn read_leaving(database: &Database, query: &str, leave_null: &[&str]) -> Vec<Row<'static>> {
    let leave_null = leave_null.iter().map(|&name| name.to_owned()).collect();
    let read = rows(SqlSettings { leave_null, ..settings(&database.url, query) }).await;
    read.unwrap_or_else(|error| panic!("{error}, of {query}"))
}

/// What one column makes of an expression: a tenant with the id `x`, or the reason why it is none.
async fn column(database: &Database, name: &str, expression: &str) -> Result<Tenant<'static>, String> {
    let query = format!("select 'x' as provided_id, {expression} as {}", database.quoted(name));
    read(database, &query).await.remove(0).map_err(|invalid| invalid.reason)
}
