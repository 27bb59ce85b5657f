//! `check`: everything that a run needs, tried one by one.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Context, instance::Instance, now, terminal::safe};
use crate::{
    explo::Stop,
    ledger::State,
    lock::{self, Attempt},
    model::shown,
    report::Exit,
    source::{Error, Source},
};

/// Tries both sides, whatever the other says; the worst finding is the exit code.
pub(super) async fn check(context: &Context) -> io::Result<u8> {
    match findings(context).await {
        // Nobody reads on, so nobody was told that all is well.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Failed as u8),
        done => done,
    }
}

async fn findings(context: &Context) -> io::Result<u8> {
    let mut out = anstream::stdout().lock();
    let instance = context.config().and_then(|config| Instance::open(config, &Stop::default()));
    let instance = match instance {
        Ok(instance) => instance,
        Err(error) => {
            writeln!(out, "fail  {}", safe(&error.to_string()))?;
            return Ok(Exit::Config as u8);
        }
    };
    writeln!(out, "ok    config    instance {}", instance.config.name)?;
    let mut found = vec![source(&instance, &mut out).await?];
    // Without a connection there is no lock to try, and it was said already.
    if found[0] == Exit::Success {
        found.push(lock(&instance, &mut out).await?);
    }
    found.push(ledger(&instance, &mut out).await?);
    found.push(explo(&instance, &mut out).await?);
    schedule(&instance, &mut out)?;
    let worst = [Exit::Config, Exit::Credentials, Exit::Failed].into_iter().find(|exit| found.contains(exit));
    Ok(worst.unwrap_or(Exit::Success) as u8)
}

async fn source(instance: &Instance, out: &mut impl Write) -> io::Result<Exit> {
    let source = &instance.config.source;
    match source.columns().await {
        Ok(columns) => {
            let names: Vec<_> = columns.iter().map(|(name, _)| shown(name)).collect();
            writeln!(out, "ok    database  {}", safe(&source.place()))?;
            writeln!(out, "ok    query     {}", names.join(", "))?;
            if source.has_query_one() {
                writeln!(out, "ok    query_one the same columns, for one id")?;
            }
            Ok(Exit::Success)
        }
        Err(error) => {
            let failing = match &error {
                Error::Connect { .. } | Error::Timeout { .. } => "database",
                Error::Query { .. } | Error::SeveralStatements { .. } | Error::Columns(_) | Error::QueryOne(_) => {
                    "query   "
                }
            };
            writeln!(out, "fail  {failing}  {}", safe(&error.to_string()))?;
            Ok(if error.is_about_config() { Exit::Config } else { Exit::Failed })
        }
    }
}

/// Takes the lock and gives it back.
async fn lock(instance: &Instance, out: &mut impl Write) -> io::Result<Exit> {
    let config = &instance.config;
    match lock::acquire(&config.source, &config.name, lock::Timing::default(), &Stop::default()).await {
        Ok(Attempt::Acquired(lock)) => {
            lock.release().await;
            writeln!(out, "ok    lock      one run at a time")?;
        }
        Ok(Attempt::Busy | Attempt::Stopped) => writeln!(out, "ok    lock      a run holds it now")?,
        Ok(Attempt::Unavailable(reason)) => {
            writeln!(out, "warn  lock      runs go on without one, and two at once cost calls: {}", safe(&reason))?;
        }
        Err(error) => {
            writeln!(out, "fail  lock      {}", safe(&error.to_string()))?;
            return Ok(Exit::Failed);
        }
    }
    Ok(Exit::Success)
}

/// Whether it can be read and written, asked without writing.
async fn ledger(instance: &Instance, out: &mut impl Write) -> io::Result<Exit> {
    let Some(ledger) = &instance.config.ledger else {
        writeln!(
            out,
            "ok    ledger    none: no tokens for the application, and each sync begins without memory: it writes again \
             what does not settle, and asks once more for each customer that no listing shows (run remembers both)"
        )?;
        return Ok(Exit::Success);
    };
    match ledger.check().await {
        Ok(State::Missing) => writeln!(out, "ok    ledger    {}: the first run makes it", safe(&ledger.place()))?,
        Ok(State::Columns(_)) => writeln!(out, "ok    ledger    {}", safe(&ledger.place()))?,
        Err(error) => {
            writeln!(out, "fail  ledger    {}", safe(&error.to_string()))?;
            return Ok(Exit::Failed);
        }
    }
    Ok(Exit::Success)
}

/// The next times of `run`.
fn schedule(instance: &Instance, out: &mut impl Write) -> io::Result<()> {
    let timing = instance.config.timing();
    let next = |after: &DateTime<Utc>| timing.schedule.next_after(*after);
    let times = std::iter::successors(next(&now().into()), next).take(3);
    let times: Vec<_> = times.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).collect();
    if times.is_empty() {
        return writeln!(out, "warn  schedule  schedule.cron never fires");
    }
    writeln!(out, "ok    schedule  run would begin at {}", times.join(", "))
}

async fn explo(instance: &Instance, out: &mut impl Write) -> io::Result<Exit> {
    let base_url = &instance.config.explo.base_url;
    match instance.client.first_page().await {
        Ok((customers, total)) => {
            let of = total.map_or_else(|| "an unknown number of".to_owned(), |total| total.to_string());
            writeln!(out, "ok    token     {base_url}: a page of {customers} of {of} customers")?;
            Ok(Exit::Success)
        }
        Err(error) => {
            writeln!(out, "fail  token     {base_url}: {}", safe(&error.to_string()))?;
            Ok(if error.is_about_credentials() { Exit::Credentials } else { Exit::Failed })
        }
    }
}
