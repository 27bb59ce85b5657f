//! `ledger` and `tokens`: the table's statements, whose it is, and whom it has no token of.

use std::io::{self, Write};

use super::{
    Context, pair,
    terminal::{Terminal, print, safe, stdout, tell_if_lost, unless_gone},
};
use crate::{
    config::{self, Config},
    files::Reading,
    ledger::{self, Adopted, Ledger, Pair},
    model::{Row, id_of, printable},
    report::Exit,
    source::Source,
};

/// Prints what makes the table: where none is configured, as it would be in the source's database.
pub(super) fn print_sql(context: &Context) -> io::Result<u8> {
    match context.layers(Reading::Once).and_then(|layers| config::ledger_alone(&layers)) {
        Ok(ledger) => {
            print(ledger.ddl().as_bytes())?;
            Ok(0)
        }
        Err(error) => Ok(Terminal::fail(&error, Exit::Config)),
    }
}

/// Makes the ledger that of this source and this Explo, and says whose it was.
pub(super) async fn adopt(context: &Context) -> io::Result<u8> {
    let config = match context.config() {
        Ok(config) => config,
        Err(error) => return Ok(Terminal::fail(&error, Exit::Config)),
    };
    let Some(ledger) = &config.ledger else {
        let error = "ledger.url is empty, so there is nothing to adopt: set it to \"source\" or to a URL";
        return Ok(Terminal::fail(&error, Exit::Config));
    };
    let pair = match pair::of(&config).await {
        Ok(pair) => pair,
        Err(error) => return Ok(Terminal::fail(&error, Exit::Failed)),
    };
    match ledger.adopt(&pair).await {
        Ok(adopted) => {
            let told = adoption(&config, ledger, &adopted, &pair);
            tell_if_lost(writeln!(stdout(), "{}", safe(&told)));
            Ok(0)
        }
        Err(error) => Ok(Terminal::fail(&error, Exit::Failed)),
    }
}

fn adoption(config: &Config, ledger: &ledger::Sql, adopted: &Adopted, pair: &Pair) -> String {
    let (place, instance) = (ledger.place(), &config.name);
    let before = match &adopted.former {
        None => "Before, it belonged to nobody.".to_owned(),
        Some(former) if former.is_same(pair) => "So it did before.".to_owned(),
        Some(former) => format!("Before, it belonged to {former}: a run between these is refused."),
    };
    let forgotten = match adopted.tokens {
        0 => "It held no tokens.".to_owned(),
        1 => "1 token is forgotten; the next run fills in those that Explo lists.".to_owned(),
        tokens => format!("{tokens} tokens are forgotten; the next run fills in those that Explo lists."),
    };
    format!("Under the name {instance} the ledger in {place} belongs to {pair}. {before} {forgotten}")
}

/// Prints the ids of tenants without a token, one a line.
pub(super) async fn missing_tokens(context: &Context) -> io::Result<u8> {
    let config = match context.config() {
        Ok(config) => config,
        Err(error) => return Ok(Terminal::fail(&error, Exit::Config)),
    };
    let Some(ledger) = &config.ledger else {
        let error = "ledger.url is empty, so no tokens are kept: set it to \"source\" or to a URL";
        return Ok(Terminal::fail(&error, Exit::Config));
    };
    match missing(&config, ledger).await {
        Ok(ids) => {
            let mut out = io::BufWriter::new(stdout());
            let written = ids.iter().try_for_each(|id| writeln!(out, "{}", printable(id)));
            unless_gone(written.and_then(|()| out.flush()))?;
            Ok(if ids.is_empty() { 0 } else { Exit::Partial as u8 })
        }
        Err(error) => Ok(Terminal::fail(&error, Exit::Failed)),
    }
}

async fn missing(config: &Config, ledger: &ledger::Sql) -> Result<Vec<String>, String> {
    let pair = pair::of(config).await.map_err(|error| error.to_string())?;
    let memory = ledger.of(pair).load().await.map_err(|error| error.to_string())?;
    let mut ids = Vec::new();
    let mut take = |row: &Row<'_>| {
        ids.extend(id_of(row).filter(|id| memory.token(id).is_none()).map(str::to_owned));
    };
    config.source.read(&mut take).await.map_err(|error| error.to_string())?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
