//! The source of the tenants.
//!
//! Promises: all tenants, or an error; from a database in one snapshot; never writes. Reading leaves no connection open.
//! Only what hears of changes between runs, `listen` and `changed`, keeps one each.

mod any;
mod backoff;
mod cell;
mod changed;
mod columns;
mod convert;
mod copied;
mod dialect;
mod error;
mod identifiers;
mod identity;
mod listen;
mod mysql;
mod postgres;
mod reading;
mod rest;
mod snapshot;
mod sql;
mod sqlite;
mod time;
mod trigger;
mod warnings;

use std::collections::BTreeSet;

use crate::model::TakeRow;

pub use any::AnySource;
pub use cell::Cell;
pub use columns::{Column, Columns};
pub use convert::row;
pub use dialect::{Changed, SqlSettings};
pub use error::Error;
pub use identity::Identity;
pub use listen::ListenError;
pub use rest::{Mapping, Paging, PagingKind, ParentBy, Pointer, Rest, RestSettings, Survey};
pub use sql::Sql;
pub use trigger::Trigger;

/// What is heard of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The tenant with this id may have changed.
    Changed(String),
    /// From now on changes are heard; earlier ones may have been missed.
    Hearing,
}

/// Yields all tenants.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so no caller needs the futures to be Send")]
pub trait Source {
    /// Gives every row once, valid or not, then closes the connection.
    async fn read(&self, take: TakeRow<'_>) -> Result<(), Error>;

    /// Gives every row that has one of these ids, valid or not, and maybe other rows; all rows, if the source can't
    /// select by id. The result are the ids for which the source returned only rows with other ids.
    async fn read_some(&self, _: &BTreeSet<String>, take: TakeRow<'_>) -> Result<BTreeSet<String>, Error> {
        self.read(take).await.map(|()| BTreeSet::new())
    }

    /// Whether a single row can be read.
    fn reads_one(&self) -> bool {
        false
    }

    /// The columns of the rows, without reading rows.
    async fn columns(&self) -> Result<Columns, Error>;

    /// Host and database, for messages; without credentials.
    fn place(&self) -> String;
}
