//! `check`: everything that a run needs, tried one by one.

use std::{
    io::{self, Write},
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    Context,
    instance::Instance,
    lock, now, pair,
    terminal::{coloured_stdout, safe},
};
use crate::{
    explo::{FirstPage, Stop},
    ledger::{self, Found, Pair, State},
    lock::Attempt,
    model::shown,
    report::Exit,
    source::{AnySource, Error, Rest, Source, Sql, Survey},
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
    let mut out = coloured_stdout();
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
        found.push(lock_of(context, &instance, &mut out).await?);
    }
    found.push(ledger(&instance, &mut out).await?);
    found.push(explo(&instance, &mut out).await?);
    schedule(&instance, &mut out)?;
    let worst = [Exit::Config, Exit::Credentials, Exit::Failed].into_iter().find(|exit| found.contains(exit));
    Ok(worst.unwrap_or(Exit::Success) as u8)
}

async fn source(instance: &Instance, out: &mut impl Write) -> io::Result<Exit> {
    let found = match &instance.config.source {
        AnySource::Sql(sql) => query(sql, out).await?,
        AnySource::Rest(rest) => records(rest, out).await?,
    };
    let Err(error) = found else { return Ok(Exit::Success) };
    let failing = match &error {
        Error::Connect { .. } | Error::Timeout { .. } => "database",
        Error::Query { .. }
        | Error::Lost { .. }
        | Error::SeveralStatements { .. }
        | Error::Columns(_)
        | Error::QueryOne(_) => "query   ",
        Error::Denied { .. } | Error::Refused { .. } | Error::Unavailable { .. } => "api     ",
        Error::Shape { .. } | Error::Incomplete(_) => "records ",
        Error::Pointers { .. } => "columns ",
    };
    writeln!(out, "fail  {failing}  {}", safe(&error.to_string()))?;
    Ok(if error.is_about_config() { Exit::Config } else { Exit::Failed })
}

async fn query(sql: &Sql, out: &mut impl Write) -> io::Result<Result<(), Error>> {
    let columns = match sql.columns().await {
        Ok(columns) => columns,
        Err(error) => return Ok(Err(error)),
    };
    let names: Vec<_> = columns.iter().map(|(name, _)| shown(name)).collect();
    writeln!(out, "ok    database  {}", safe(&sql.place()))?;
    writeln!(out, "ok    query     {}", names.join(", "))?;
    if sql.has_query_one() {
        writeln!(out, "ok    query_one the same columns, for one id")?;
    }
    Ok(Ok(()))
}

/// Reads them all: only then is it known that a pointer finds nothing.
async fn records(rest: &Rest, out: &mut impl Write) -> io::Result<Result<(), Error>> {
    let Survey { records, pages, pointers } = match rest.survey().await {
        Ok(survey) => survey,
        Err(error) => return Ok(Err(error)),
    };
    let found =
        |(column, pointer, found): &(String, String, usize)| format!("{} = {pointer} in {found}", shown(column));
    let found: Vec<_> = pointers.iter().map(found).collect();
    writeln!(out, "ok    api       {}", safe(&rest.place()))?;
    writeln!(out, "ok    records   {records} on {pages} pages")?;
    writeln!(out, "ok    columns   {}", safe(&found.join(", ")))?;
    Ok(Ok(()))
}

/// Takes the lock and gives it back.
async fn lock_of(context: &Context, instance: &Instance, out: &mut impl Write) -> io::Result<Exit> {
    match lock::acquire(&context.watch, &instance.config, Duration::ZERO, &context.stop).await {
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
            "ok    ledger    none: no tokens for the application; each run lists the children of every parent, one call each; \
             and each sync begins without memory: it writes again what does not settle, and asks once more for each \
             customer that no listing shows (run remembers both)"
        )?;
        return Ok(Exit::Success);
    };
    let place = safe(&ledger.place());
    match ledger.check().await {
        Ok(Found { state, whose }) => {
            match state {
                State::Missing => writeln!(out, "ok    ledger    {place}: the first run makes it")?,
                State::Lacking(statements) => {
                    let statements = statements.join("; ");
                    writeln!(
                        out,
                        "ok    ledger    {place}: the next run adds the columns that it lacks: {statements}"
                    )?;
                }
                State::Complete => writeln!(out, "ok    ledger    {place}: it has all columns")?,
            }
            whose_ledger(instance, ledger, whose, out).await?;
            Ok(Exit::Success)
        }
        Err(error) => {
            writeln!(out, "fail  ledger    {}", safe(&error.to_string()))?;
            Ok(Exit::Failed)
        }
    }
}

/// Whose ledger it is, and who this is, if the source tells; if not, that was said already.
async fn whose_ledger(
    instance: &Instance,
    ledger: &ledger::Sql,
    whose: Option<Pair>,
    out: &mut impl Write,
) -> io::Result<()> {
    match (whose, pair::of(&instance.config).await) {
        (Some(kept), Ok(pair)) => match ledger.refuse_another(&kept, &pair) {
            Ok(()) => writeln!(out, "ok    ledger    it belongs to {}", safe(&pair.to_string())),
            Err(error) => writeln!(out, "warn  ledger    a run is refused: {}", safe(&error.to_string())),
        },
        (None, Ok(pair)) => writeln!(out, "ok    ledger    the first run claims it for {}", safe(&pair.to_string())),
        (Some(kept), Err(_)) => writeln!(out, "ok    ledger    it belongs to {}", safe(&kept.to_string())),
        (None, Err(_)) => Ok(()),
    }
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
        Ok(FirstPage { customers, total, unreadable }) => {
            let of = total.map_or_else(|| "an unknown number of".to_owned(), |total| total.to_string());
            writeln!(out, "ok    token     {base_url}: a page of {customers} of {of} customers")?;
            for provided_id in unreadable {
                let id = provided_id.as_deref().map_or("(no id)".to_owned(), shown);
                writeln!(out, "warn  customer  {id}: its record can't be read, and runs leave it alone")?;
            }
            Ok(Exit::Success)
        }
        Err(error) => {
            writeln!(out, "fail  token     {base_url}: {}", safe(&error.to_string()))?;
            Ok(if error.is_about_credentials() { Exit::Credentials } else { Exit::Failed })
        }
    }
}
