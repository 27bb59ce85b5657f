//! `GET_LOCK` of MySQL and MariaDB; one session has several locks (since MySQL 5.7 and MariaDB 10.0).
//!
//! Names of locks belong to the server, ignore case and have at most 64 characters. So ours is `explo-sync.` and the
//! XXH3-128 (seed 0), in hexadecimal digits, of the database's name, a zero byte and the [lock's name](super::name). It is
//! the same in every version and on every machine.

use sqlx::{AssertSqlSafe, MySqlConnection, Row, raw_sql};
use xxhash_rust::xxh3::xxh3_128;

use super::holder::{Holder, Name, SILENCE};
use crate::database::{Error, Server, Session, mysql, words};

/// A connection that holds locks.
pub(super) struct Named {
    session: Session<MySqlConnection>,
    /// The name of the session's database, once known.
    database: Option<String>,
    /// The names at the server.
    held: Vec<String>,
}

impl Named {
    pub(super) async fn connect(server: &Server) -> Result<Self, Error> {
        Ok(Self { session: Session::open(server).await?, database: None, held: Vec::new() })
    }

    async fn execute(&mut self, sql: String) -> sqlx::Result<()> {
        raw_sql(AssertSqlSafe(sql)).execute(&mut *self.session).await.map(drop)
    }

    async fn at_server(&mut self, name: &Name) -> sqlx::Result<String> {
        if self.database.is_none() {
            self.execute(format!("SET SESSION wait_timeout = {}", SILENCE.as_secs())).await?;
            self.database = Some(mysql::database(&mut self.session).await?);
        }
        Ok(at_server(self.database.as_deref().unwrap_or_default(), &name.to_string()))
    }
}

impl Holder for Named {
    async fn take(&mut self, name: &Name) -> sqlx::Result<bool> {
        let name = self.at_server(name).await?;
        let get_lock = format!("SELECT GET_LOCK('{name}', 0)");
        let row = raw_sql(AssertSqlSafe(get_lock)).fetch_one(&mut *self.session).await?;
        let answer: Option<bool> = row.try_get(0)?;
        let is_held = answer.ok_or_else(|| sqlx::Error::Configuration("GET_LOCK gives NULL".into()))?;
        if is_held {
            self.held.push(name);
        }
        Ok(is_held)
    }

    async fn give_back(&mut self, name: &Name) -> sqlx::Result<()> {
        let name = self.at_server(name).await?;
        self.held.retain(|held| *held != name);
        self.execute(format!("DO RELEASE_LOCK('{name}')")).await
    }

    async fn ping(&mut self) -> Result<(), String> {
        self.execute("SELECT 1".to_owned()).await.map_err(|error| words::of(&error))
    }

    async fn release(mut self) {
        for name in std::mem::take(&mut self.held) {
            // Closing the connection would release the lock too, but only later.
            let _ = self.execute(format!("DO RELEASE_LOCK('{name}')")).await;
        }
        self.session.close().await;
    }
}

fn at_server(database: &str, name: &str) -> String {
    format!("explo-sync.{:032x}", xxh3_128(format!("{database}\0{name}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_stays_the_same_forever() {
        assert_eq!(at_server("app", "default"), "explo-sync.cd5242348764eff25477316a6de9071f");
        let id = Name::One { prefix: "default".to_owned(), id: "acme".to_owned() };
        assert_eq!(at_server("app", &id.to_string()), "explo-sync.14656080a4066388126f68bb3af97b10");
    }

    #[test]
    fn names_differ_by_more_than_case_and_are_short_enough() {
        let names =
            [at_server("app", "Prod"), at_server("app", "prod"), at_server("App", "prod"), at_server("appp", "rod")];
        let folded: std::collections::BTreeSet<_> = names.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(folded.len(), names.len());
        assert!(at_server(&"d".repeat(64), &"i".repeat(64)).len() <= 64);
    }
}
