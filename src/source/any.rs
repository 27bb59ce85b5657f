//! A source of either kind.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use super::{Columns, Error, Identity, Rest, Source, Sql};
use crate::model::TakeRow;

/// The source that the configuration names.
#[expect(clippy::large_enum_variant, reason = "there is one in a run")]
#[derive(Debug)]
pub enum AnySource {
    /// Rows of a database.
    Sql(Sql),
    /// Records of an API.
    Rest(Rest),
}

impl AnySource {
    /// The longest silence before a timeout.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        match self {
            Self::Sql(sql) => sql.server().timeout(),
            Self::Rest(rest) => rest.patience().timeout,
        }
    }

    /// The file, if the source is a SQLite database.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Sql(sql) => sql.server().sqlite_file(),
            Self::Rest(_) => None,
        }
    }

    /// The identity of the source, which does not depend on the connection's route.
    pub async fn identity(&self) -> Result<Identity, Error> {
        match self {
            Self::Sql(sql) => sql.identity().await,
            Self::Rest(rest) => Ok(rest.identity()),
        }
    }
}

impl Source for AnySource {
    async fn read(&self, take: TakeRow<'_>) -> Result<(), Error> {
        match self {
            Self::Sql(sql) => sql.read(take).await,
            Self::Rest(rest) => rest.read(take).await,
        }
    }

    async fn read_some(&self, provided_ids: &BTreeSet<String>, take: TakeRow<'_>) -> Result<BTreeSet<String>, Error> {
        match self {
            Self::Sql(sql) => sql.read_some(provided_ids, take).await,
            Self::Rest(rest) => rest.read_some(provided_ids, take).await,
        }
    }

    fn reads_one(&self) -> bool {
        match self {
            Self::Sql(sql) => sql.reads_one(),
            Self::Rest(rest) => rest.reads_one(),
        }
    }

    async fn columns(&self) -> Result<Columns, Error> {
        match self {
            Self::Sql(sql) => sql.columns().await,
            Self::Rest(rest) => rest.columns().await,
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Sql(sql) => sql.place(),
            Self::Rest(rest) => rest.place(),
        }
    }
}
