//! `ledger` and `tokens`: prints the table's statements, adopts the ledger, and names tenants without a token.

use std::{
    collections::BTreeSet,
    fmt::Display,
    io::{self, Write},
};

use super::{
    Context,
    instance::seconds_now,
    pair,
    terminal::{Terminal, print, safe, stdout, tell_if_lost, unless_gone},
};
use crate::{
    config::{self, Config},
    files::Reading,
    ledger::{self, Adopted, Ledger, Pair},
    model::{Row, id_of, printable},
    report::{self, Exit},
    source::Source,
};

/// Prints the statements that make the table. If no ledger is configured, they are those for the source's database.
pub(super) fn print_sql(context: &Context) -> io::Result<u8> {
    match context.layers(Reading::Once).and_then(|layers| config::ledger_alone(&layers)) {
        Ok(ledger) => {
            print(ledger.ddl().as_bytes())?;
            Ok(0)
        }
        Err(error) => Ok(Terminal::fail(&error, Exit::Config)),
    }
}

/// Gives the ledger to this source and this Explo, and says to which pair it belonged before.
pub(super) async fn adopt(context: &Context) -> io::Result<u8> {
    match adopted(context).await {
        Ok(told) => {
            tell_if_lost(writeln!(stdout(), "{}", safe(&told)));
            Ok(0)
        }
        Err((error, exit)) => Ok(Terminal::fail(&error, exit)),
    }
}

async fn adopted(context: &Context) -> Result<String, (String, Exit)> {
    let config = context.config().map_err(|error| (error.to_string(), Exit::Config))?;
    let ledger = configured(&config, "there is nothing to adopt")?;
    let pair = pair::of(&config).await.map_err(failed)?;
    let adopted = ledger.adopt(&pair).await.map_err(failed)?;
    Ok(adoption(&config, ledger, &adopted, &pair))
}

/// The ledger; if none is configured, the error says what follows (`without`).
fn configured<'c>(config: &'c Config, without: &str) -> Result<&'c ledger::Sql, (String, Exit)> {
    let error = || format!("ledger.url is empty, so {without}: set it to \"source\" or to a URL");
    config.ledger.as_ref().ok_or_else(|| (error(), Exit::Config))
}

fn failed(error: impl Display) -> (String, Exit) {
    (error.to_string(), Exit::Failed)
}

fn adoption(config: &Config, ledger: &ledger::Sql, adopted: &Adopted, pair: &Pair) -> String {
    let (place, instance) = (ledger.place(), &config.name);
    let before = match &adopted.former {
        None => "It had no owner before.".to_owned(),
        Some(former) if former.is_same(pair) => "So it did before.".to_owned(),
        Some(former) => format!("Before, it belonged to {former}: from now on, runs of that pair are refused."),
    };
    let forgotten = match adopted.tokens {
        0 => "It held no tokens.".to_owned(),
        1 => "1 token is forgotten; the next run fills in those that Explo lists.".to_owned(),
        tokens => format!("{tokens} tokens are forgotten; the next run fills in those that Explo lists."),
    };
    format!("Under the name {instance} the ledger in {place} belongs to {pair}. {before} {forgotten}")
}

/// Prints the ids of tenants that stay and have no token, one per line.
pub(super) async fn missing_tokens(context: &Context) -> io::Result<u8> {
    match missing(context).await {
        Ok(ids) => {
            let mut out = io::BufWriter::new(stdout());
            let written = ids.iter().try_for_each(|id| writeln!(out, "{}", printable(id)));
            unless_gone(written.and_then(|()| out.flush()))?;
            Ok(if ids.is_empty() { 0 } else { Exit::Partial as u8 })
        }
        Err((error, exit)) => Ok(Terminal::fail(&error, exit)),
    }
}

/// Prints what offboarded customers were, one per line, sorted by id.
pub(super) async fn offboarded(context: &Context) -> io::Result<u8> {
    match kept(context).await {
        Ok(offboarded) => {
            let mut out = io::BufWriter::new(stdout());
            let written = offboarded.iter().try_for_each(|one| report::write_offboarded(one, &mut out));
            unless_gone(written.and_then(|()| out.flush()))?;
            Ok(Exit::Success as u8)
        }
        Err((error, exit)) => Ok(Terminal::fail(&error, exit)),
    }
}

async fn kept(context: &Context) -> Result<Vec<ledger::Offboarded>, (String, Exit)> {
    let config = context.config().map_err(|error| (error.to_string(), Exit::Config))?;
    let ledger = configured(&config, "nothing of offboarded customers is kept")?;
    let pair = pair::of(&config).await.map_err(failed)?;
    ledger.of(pair).offboarded().await.map_err(failed)
}

async fn missing(context: &Context) -> Result<BTreeSet<String>, (String, Exit)> {
    let config = context.config().map_err(|error| (error.to_string(), Exit::Config))?;
    let ledger = configured(&config, "no tokens are kept")?;
    let pair = pair::of(&config).await.map_err(failed)?;
    let memory = ledger.of(pair).load().await.map_err(failed)?;
    let mut ids = BTreeSet::new();
    let mut take = |row: &Row<'_>| {
        let leaves = config.offboarding.leaves(row, &memory, config.rules, seconds_now());
        ids.extend(id_of(row).filter(|id| !leaves && memory.token(id).is_none()).map(str::to_owned));
    };
    config.source.read(&mut take).await.map_err(failed)?;
    Ok(ids)
}
