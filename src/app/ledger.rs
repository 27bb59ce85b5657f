//! `ledger` and `tokens`: the table's statements, and whom it has no token of.

use std::io::{self, Write};

use super::{
    Context,
    terminal::{Terminal, unless_gone},
};
use crate::{
    cli::Output,
    config::Config,
    ledger::{self, Ledger},
    model::{Row, id_of, printable},
    report::Exit,
    source::{AnySource, Source},
};

/// Prints what makes the table: where none is configured, as it would be in the source's database.
pub(super) fn print_sql(context: &Context) -> io::Result<u8> {
    let config = match context.config() {
        Ok(config) => config,
        Err(error) => return failed(&error.to_string(), Exit::Config),
    };
    let ddl = match (config.ledger, config.source) {
        (Some(ledger), _) => ledger.ddl(),
        (None, AnySource::Sql(sql)) => ledger::Sql::new(sql.server().clone(), config.ledger_table, &config.name).ddl(),
        (None, AnySource::Rest(_)) => {
            let error =
                "ledger.url is empty and the source is no database, so there is none whose statements to print: set it";
            return failed(error, Exit::Config);
        }
    };
    unless_gone(io::stdout().lock().write_all(ddl.as_bytes()))?;
    Ok(0)
}

/// Prints the ids of tenants without a token, one a line.
pub(super) async fn missing_tokens(context: &Context) -> io::Result<u8> {
    let config = match context.config() {
        Ok(config) => config,
        Err(error) => return failed(&error.to_string(), Exit::Config),
    };
    let Some(ledger) = &config.ledger else {
        let error = "ledger.url is empty, so no tokens are kept: set it to \"source\" or to a URL";
        return failed(error, Exit::Config);
    };
    match missing(&config, ledger).await {
        Ok(ids) => {
            let mut out = io::BufWriter::new(io::stdout().lock());
            let written = ids.iter().try_for_each(|id| writeln!(out, "{}", printable(id)));
            unless_gone(written.and_then(|()| out.flush()))?;
            Ok(if ids.is_empty() { 0 } else { Exit::Partial as u8 })
        }
        Err(error) => failed(&error, Exit::Failed),
    }
}

async fn missing(config: &Config, ledger: &ledger::Sql) -> Result<Vec<String>, String> {
    let findings = ledger.load().await.map_err(|error| error.to_string())?;
    let mut ids = Vec::new();
    let mut take = |rows: &[Row<'_>]| {
        let missing = rows.iter().filter_map(id_of).filter(|id| findings.token(id).is_none());
        ids.extend(missing.map(str::to_owned));
    };
    config.source.read(&mut take).await.map_err(|error| error.to_string())?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn failed(error: &str, exit: Exit) -> io::Result<u8> {
    Terminal::show_failure(error, exit, Output::Text).map(|()| exit as u8)
}
