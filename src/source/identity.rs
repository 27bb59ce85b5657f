//! The identity of a source, which does not depend on the route to it: a tunnel, another host name or port, another
//! role or password, or a replica after a failover leads to the same source.

use std::fmt;

use serde::{Deserialize, Serialize};
use sqlx::{Executor, MySqlConnection, PgConnection, Row, raw_sql};

use super::{Error, Sql};
use crate::database::{self, Kind, Session, Transact};

/// What distinguishes a source from every other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Identity {
    /// A PostgreSQL database.
    Postgres {
        /// Its name at the server; a pooler may have another name for it.
        database: String,
        /// The server's system identifier, the same on its replicas; some roles can't read it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<String>,
    },
    /// A MySQL or MariaDB database. Its server's number changes with a failover, so it is no part of this.
    MySql {
        /// Its name.
        database: String,
    },
    /// A SQLite file.
    Sqlite {
        /// Its path without links.
        file: String,
    },
    /// An API.
    Rest {
        /// Its address without the query.
        url: String,
    },
}

impl Identity {
    /// Whether both are one source. A system identifier that one of them lacks is no difference.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Postgres { database, system }, Self::Postgres { database: other, system: others }) => {
                database == other && (system == others || system.is_none() || others.is_none())
            }
            _ => self == other,
        }
    }

    /// The same source, with the system identifier of either.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Postgres { database, system }, Self::Postgres { system: others, .. }) => {
                Self::Postgres { database, system: system.or_else(|| others.clone()) }
            }
            (own, _) => own,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres { database, system: None } => write!(f, "the PostgreSQL database {database}"),
            Self::Postgres { database, system: Some(system) } => {
                write!(f, "the PostgreSQL database {database} (system identifier {system})")
            }
            Self::MySql { database } => write!(f, "the MySQL or MariaDB database {database}"),
            Self::Sqlite { file } => write!(f, "the SQLite file {file}"),
            Self::Rest { url } => write!(f, "the API at {url}"),
        }
    }
}

const ASKING: &str = "asking which database it is";

impl Sql {
    /// The identity of the database; asks on a connection of its own.
    pub async fn identity(&self) -> Result<Identity, Error> {
        match self.server.kind() {
            Kind::Postgres => self.ask(postgres).await,
            Kind::MySql => self.ask(mysql).await,
            Kind::Sqlite => {
                let file = self.server.file().canonicalize().map_err(|error| self.refused(&error.into()))?;
                Ok(Identity::Sqlite { file: file.to_string_lossy().into_owned() })
            }
        }
    }

    async fn ask<C: Transact>(
        &self,
        question: impl AsyncFnOnce(&mut Session<C>) -> sqlx::Result<Identity>,
    ) -> Result<Identity, Error> {
        let mut session = self.open().await?;
        let asked = self.in_time(ASKING, question(&mut session), |error| self.refused(error)).await;
        // A statement that is late is still running: dropping the session cancels it.
        if !matches!(asked, Err(Error::Timeout { .. })) {
            session.close().await;
        }
        asked
    }
}

async fn postgres(session: &mut Session<PgConnection>) -> sqlx::Result<Identity> {
    session.start("READ ONLY").await?;
    let row = session.fetch_one(raw_sql("SELECT CAST(current_database() AS text)")).await?;
    let database = row.try_get_unchecked(0)?;
    let told = session.fetch_one(raw_sql("SELECT CAST(system_identifier AS text) FROM pg_control_system()")).await;
    let system = match told {
        Ok(row) => row.try_get_unchecked(0)?,
        // The role may not read it, or the server has no such function.
        Err(sqlx::Error::Database(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(Identity::Postgres { database, system })
}

async fn mysql(session: &mut Session<MySqlConnection>) -> sqlx::Result<Identity> {
    Ok(Identity::MySql { database: database::mysql::database(session).await? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(database: &str, system: Option<&str>) -> Identity {
        Identity::Postgres { database: database.to_owned(), system: system.map(str::to_owned) }
    }

    #[test]
    fn a_number_that_was_not_told_is_no_difference_and_is_kept_once_it_was() {
        let (told, untold) = (postgres("app", Some("7")), postgres("app", None));
        assert!(told.is_same(&told) && told.is_same(&untold) && untold.is_same(&told) && untold.is_same(&untold));
        assert!(!told.is_same(&postgres("app", Some("8"))) && !told.is_same(&postgres("other", Some("7"))));
        assert!(!untold.is_same(&Identity::MySql { database: "app".to_owned() }));
        assert_eq!((untold.clone().or(&told), told.clone().or(&untold)), (told.clone(), told));
    }
}
