//! Reads the tenants, and again if the database asks to retry.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::sleep;

use super::{Error, Reconciler};
use crate::{
    compare::Fingerprints,
    explo::{self, Reader},
    http::backoff,
    model::Row,
    source::{self, Source},
    tenants::Index,
};

/// Attempts at reading the tenants if the database asks to retry.
const READS: u32 = 6;

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// Reads every row.
    pub(super) async fn read(&self) -> Result<Index, Error> {
        let read = async || {
            let mut index = self.index();
            self.source.read(&mut |row| self.insert(&mut index, row)).await?;
            Ok(index)
        };
        let index = self.read_again(read).await?;
        tracing::debug!(tenants = index.rows(), "read the tenants");
        Ok(index)
    }

    pub(super) fn index(&self) -> Index {
        let random = Fingerprints::new(self.seed);
        if self.memory.keeps_rows() { Index::lasting(random) } else { Index::new(random) }
    }

    /// Reads, and starts over if the database asks to retry.
    pub(super) async fn read_again<T>(
        &self,
        mut read: impl AsyncFnMut() -> Result<T, source::Error>,
    ) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            match self.unless_stopped(read()).await {
                Err(Error::Source(error)) if error.is_transient() && attempt < READS => {
                    tracing::warn!(attempt, "reading the tenants again: {error}");
                    let random = SmallRng::seed_from_u64(self.seed ^ u64::from(attempt)).random();
                    self.unless_stopped(async {
                        sleep(backoff(attempt, random)).await;
                        Ok(())
                    })
                    .await?;
                    attempt += 1;
                }
                read => return read,
            }
        }
    }

    async fn unless_stopped<T>(&self, reading: impl Future<Output = Result<T, source::Error>>) -> Result<T, Error> {
        tokio::select! {
            read = reading => Ok(read?),
            () = self.stop.requested() => Err(explo::Error::Stopped { reason: self.stop.reason() }.into()),
        }
    }

    /// Adds a row to the index, as this run plans it.
    pub(super) fn insert(&self, index: &mut Index, row: &Row<'_>) {
        match self.offboarding.row(row, self.memory, self.rules, self.now) {
            Some(planned) => index.insert_planned(row, &planned),
            None => index.insert(row),
        }
    }
}
