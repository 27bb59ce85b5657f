//! The ledger's part of the configuration alone, to print its SQL before a query or a token is set.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::{
    Error, Layers,
    draft::Draft,
    values::{name, table},
};
use crate::{database::Server, ledger};

/// The ledger, not connected. If `ledger.url` is empty, the source's database is assumed.
pub fn ledger_alone(layers: &Layers) -> Result<ledger::Sql, Error> {
    let mut draft = Draft::new(layers)?;
    let (name, table, server) = (name(&mut draft), table(&mut draft), server(&mut draft));
    let mistakes = draft.mistakes();
    match (name, table, server) {
        (Some(name), Some(table), Some(server)) if mistakes.is_empty() => Ok(ledger::Sql::new(server, table, &name)),
        _ => Err(Error(mistakes)),
    }
}

/// The server; only its kind matters for the printed SQL.
fn server(draft: &mut Draft) -> Option<Server> {
    let own = draft.optional_secret("ledger.url")?.filter(|url| url.expose_secret() != "source");
    let (key, url) = match own {
        Some(url) => ("ledger.url", url),
        None => ("source.url", source(draft)?),
    };
    let server = Server::new(&url, None, None, Duration::ZERO);
    server
        .map_err(|reason| draft.mistake(key, &format!("names no database, so its SQL can't be printed: it {reason}")))
        .ok()
}

fn source(draft: &mut Draft) -> Option<SecretString> {
    if draft.choice("source.kind", &[("sql", true), ("rest", false)])? {
        return draft.secret("source.url", "DATABASE_URL");
    }
    draft.mistake("ledger.url", "is empty and the source is not a database: set it to print the SQL");
    None
}
