//! A ledger that is forgotten with the process, and keeps no tokens.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Error, Ledger, Refused, Writer};
use crate::plan::{Entry, Findings};

/// What is known while the process lives.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Findings>);

/// Adds to what is known.
#[derive(Debug)]
pub struct MemoryWriter<'a>(&'a Memory);

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Findings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Memory {
    type Writer<'a> = MemoryWriter<'a>;

    async fn load(&self) -> Result<Findings, Error> {
        Ok(self.lock().clone())
    }

    async fn writer(&self) -> Result<MemoryWriter<'_>, Error> {
        Ok(MemoryWriter(self))
    }
}

impl Writer for MemoryWriter<'_> {
    async fn record(&self, entries: &[Entry]) -> Result<Refused, Error> {
        let mut findings = self.0.lock();
        entries.iter().cloned().for_each(|entry| findings.take(entry));
        Ok(Refused::new())
    }
}
