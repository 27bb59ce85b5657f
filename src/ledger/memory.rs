//! A ledger that is forgotten with the process, and keeps no tokens.

use std::sync::{Mutex, PoisonError};

use super::{Error, Ledger};
use crate::plan::{Entry, Findings};

/// What is known while the process lives.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Findings>);

impl Ledger for Memory {
    async fn prepare(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn load(&self) -> Result<Findings, Error> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn record(&self, entries: &[Entry]) -> Result<(), Error> {
        let mut findings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().cloned().for_each(|entry| findings.take(entry));
        Ok(())
    }
}
