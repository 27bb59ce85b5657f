//! What is remembered between runs: one row for each customer, with its token. It makes runs cheaper and hands the tokens to
//! the application; it is never the truth.
//!
//! Promises: an entry is recorded only after Explo acknowledged or showed what it says; no connection is open but while
//! it is loaded or a batch is recorded; and what one pair of source and Explo recorded, no other pair reads or replaces. [`InMemory`] lasts as long as the process, [`Sql`] is a table.

mod access;
mod cause;
mod claim;
mod ddl;
mod dialect;
mod error;
mod form;
mod memory;
mod mysql;
mod postgres;
mod record;
mod recorder;
mod row;
mod session;
mod sql;
mod sqlite;
mod table;
mod whose;

use std::collections::BTreeMap;

use crate::memory::{Entry, Memory};

pub use access::{Found, Paired, SqlWriter};
pub use error::Error;
pub use memory::InMemory;
pub use recorder::record_all;
pub use session::State;
pub use sql::{Adopted, LONGEST_ID, Sql};
pub use table::Table;
pub use whose::Pair;

/// What runs found out, to be read.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so nobody needs the futures to be Send")]
pub trait Ledger {
    /// What records.
    type Writer<'a>: Writer
    where
        Self: 'a;

    /// What is known of this instance's customers; changes nothing.
    async fn load(&self) -> Result<Memory, Error>;

    /// Makes what is missing, and proves that it is ours and that entries can be recorded. A dry run has no writer.
    async fn writer(&self) -> Result<Self::Writer<'_>, Error>;
}

/// The ids of rows that the ledger does not take, with the reason, in which no value is quoted.
pub type Refused = BTreeMap<String, String>;

/// Remembers what runs found out.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so nobody needs the futures to be Send")]
pub trait Writer {
    /// Remembers entries, each of another customer, in this order, but for those that are refused for what they hold.
    async fn record(&self, entries: &[Entry]) -> Result<Refused, Error>;
}
