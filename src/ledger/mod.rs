//! Memory between runs: one row per customer, with its token. It makes runs cheaper and hands the tokens to the
//! application; it is never the truth.
//!
//! Promises: an entry is recorded only after Explo acknowledged or showed what it says; a connection is open only while
//! something is loaded or recorded; and no pair of source and Explo reads or replaces what another pair
//! recorded. [`InMemory`] lasts as long as the process, [`Sql`] is a table.

mod access;
mod cause;
mod claim;
mod ddl;
mod dialect;
mod error;
mod form;
mod memory;
mod mysql;
mod offboarded;
mod postgres;
mod record;
mod recorder;
mod row;
mod session;
mod sql;
mod sqlite;
mod table;
mod whose;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::LocalBoxFuture;

use crate::memory::{Entry, Memory, Overview};

pub use access::{Found, Paired, SqlWriter};
pub use error::Error;
pub use memory::InMemory;
pub use offboarded::Offboarded;
pub use recorder::{ToRecord, record_all};
pub use session::State;
pub use sql::{Adopted, Sql};
pub use table::Table;
pub use whose::Pair;

/// Reads what earlier runs recorded.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so no caller needs the futures to be Send")]
pub trait Ledger {
    /// Records entries.
    type Writer<'a>: Writer
    where
        Self: 'a;

    /// The memory of this instance's customers; changes nothing.
    async fn load(&self) -> Result<Memory, Error>;

    /// The memory of these customers alone; changes nothing.
    async fn recall(&self, provided_ids: &BTreeSet<String>) -> Result<Memory, Error> {
        Ok(self.load().await?.of_some(provided_ids))
    }

    /// Whether a customer was recorded as in sync after this memory was loaded.
    async fn is_newer(&self, _: &str, _: &Memory) -> Result<bool, Error> {
        Ok(false)
    }

    /// Makes what is missing, and checks that the ledger is this pair's and can be written. A dry run has no writer.
    async fn writer(&self) -> Result<Self::Writer<'_>, Error>;
}

/// The ids of rows that the ledger refuses, with the reason, which quotes no value.
pub type Refused = BTreeMap<String, String>;

/// Records what runs find out.
#[expect(async_fn_in_trait, reason = "one thread runs everything, so no caller needs the futures to be Send")]
pub trait Writer {
    /// Records entries in this order, each of another customer; returns those that are refused for their values.
    async fn record(&self, entries: &[Entry]) -> Result<Refused, Error>;

    /// Records what a listing showed as a whole, in place of what an earlier one did.
    async fn overview(&self, overview: &Overview) -> Result<(), Error>;

    /// Keeps at once what a customer is, before it is offboarded; false, and nothing is kept: another instance has it.
    async fn keep(&self, provided_id: &str, text: &str) -> Result<bool, Error>;
}

/// The part of a [`Writer`] that offboarding needs.
pub trait Keep {
    /// See [`Writer::keep`].
    fn keep<'k>(&'k self, provided_id: &'k str, text: &'k str) -> LocalBoxFuture<'k, Result<bool, Error>>;

    /// Records an entry at once.
    fn record_now(&self, entry: Entry) -> LocalBoxFuture<'_, Result<(), Error>>;
}

impl<W: Writer> Keep for W {
    fn keep<'k>(&'k self, provided_id: &'k str, text: &'k str) -> LocalBoxFuture<'k, Result<bool, Error>> {
        Box::pin(Writer::keep(self, provided_id, text))
    }

    fn record_now(&self, entry: Entry) -> LocalBoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Writer::record(self, &[entry]).await.map(drop) })
    }
}
