//! Where tenants come from.
//!
//! Promises: all of them, or an error; of a database in one snapshot. Nothing stays open afterwards, and nothing is ever
//! written.

mod any;
mod cell;
mod columns;
mod convert;
mod copied;
mod dialect;
mod error;
mod identifiers;
mod identity;
mod mysql;
mod postgres;
mod reading;
mod rest;
mod snapshot;
mod sql;
mod sqlite;
mod warnings;

use std::collections::BTreeSet;

use crate::model::TakeRow;

pub use any::AnySource;
pub use cell::Cell;
pub use columns::{Column, Columns};
pub use convert::row;
pub use dialect::SqlSettings;
pub use error::Error;
pub use identity::Identity;
pub use rest::{Mapping, Paging, PagingKind, ParentBy, Pointer, Rest, RestSettings, Survey};
pub use sql::{Connection, Sql};

/// Yields all tenants.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so nobody needs the futures to be Send")]
pub trait Source {
    /// Gives every row once, valid or not, and closes.
    async fn read(&self, take: TakeRow<'_>) -> Result<(), Error>;

    /// Gives every row that has one of these ids, valid or not, and maybe others; where single ids can't be asked for, all.
    /// The result are ids for which there are only rows of other ids.
    async fn read_some(&self, _: &BTreeSet<String>, take: TakeRow<'_>) -> Result<BTreeSet<String>, Error> {
        self.read(take).await.map(|()| BTreeSet::new())
    }

    /// What the rows have, without reading them.
    async fn columns(&self) -> Result<Columns, Error>;

    /// Host and database, for messages; without credentials.
    fn place(&self) -> String;
}
