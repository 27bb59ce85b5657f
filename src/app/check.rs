//! `check`: tries everything that a run needs, one by one.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    Context,
    instance::{Instance, seconds_now},
    lock, now, pair,
    terminal::{Words, safe},
};
use crate::{
    compare::{Fingerprints, TagRule},
    config::Config,
    database::lock::{Attempt, Lock},
    explo::{FirstPage, Shown},
    ledger::{self, Found, Ledger, Pair, State},
    memory::Memory,
    model::{Gap, Invalid, Row, TakeRow, shown},
    plan::{Census, Extent, Offboarding, Open},
    reconciler,
    report::{Exit, grouped},
    source::{AnySource, Error, Rest, Source, Sql, Survey},
    stop::Stop,
    tenants::Index,
};

/// Reasons that are shown, and ids per reason.
const REASONS: usize = 10;
const NAMED: usize = 3;

/// Tries both sides, even if one fails; the worst finding is the exit code.
pub(super) async fn check(context: &Context) -> io::Result<u8> {
    let mut out = Words::on_stdout();
    // One attempt per call: the user waits for the answer.
    let open = |mut config: Config| {
        config.explo.max_attempts = 1;
        Instance::open(config, &Stop::default())
    };
    let instance = context.config().and_then(open);
    let instance = match instance {
        Ok(instance) => instance,
        Err(error) => {
            writeln!(out, "fail  {}", safe(&error.to_string()))?;
            return Ok(Exit::Config as u8);
        }
    };
    writeln!(out, "ok    config    instance {}", instance.config.name)?;
    let mut found = source(context, &instance, &mut out).await?;
    let (kept, memory) = ledger(&instance, &mut out).await?;
    found.extend([kept, explo(&instance, &memory, &mut out).await?]);
    schedule(&instance, &mut out)?;
    let order = [Exit::Config, Exit::Credentials, Exit::Failed, Exit::Partial];
    let worst = order.into_iter().find(|exit| found.contains(exit));
    Ok(worst.unwrap_or(Exit::Success) as u8)
}

/// Checks the query, then takes the lock, and reads all rows while it holds it, as a run does.
async fn source(context: &Context, instance: &Instance, out: &mut impl Write) -> io::Result<Vec<Exit>> {
    let mut index = Index::new(Fingerprints::new(0));
    let mut insert = as_planned(&instance.config, &mut index);
    let understood = match &instance.config.source {
        AnySource::Sql(sql) => query(sql, instance.config.offboarding).await,
        AnySource::Rest(rest) => records(rest, &mut insert).await,
    };
    match understood {
        Ok(lines) => lines.iter().try_for_each(|line| writeln!(out, "{line}"))?,
        Err(error) => return Ok(vec![unreadable(&error, out)?]),
    }
    let heard = listen(&instance.config.source, out).await?;
    let (lock, held) = lock_of(context, instance, out).await?;
    let read = match &instance.config.source {
        AnySource::Sql(sql) => sql.read(&mut insert).await,
        // `records` has read them all.
        AnySource::Rest(_) => Ok(()),
    };
    drop(insert);
    if let Some(lock) = lock {
        lock.release().await;
    }
    let read = match read {
        Ok(()) => rows(index, instance.config.rules.tags, out)?,
        Err(error) => unreadable(&error, out)?,
    };
    Ok(vec![heard, held, read])
}

/// Adds rows to the index as a first run would plan them.
fn as_planned<'i>(config: &'i Config, index: &'i mut Index) -> impl FnMut(&Row<'_>) + 'i {
    let memory = config.ledger.as_ref().map_or_else(Memory::default, |_| Memory::with_tokens(HashMap::new()));
    move |row| match config.offboarding.row(row, &memory, config.rules, seconds_now()) {
        Some(planned) => index.insert(&planned),
        None => index.insert(row),
    }
}

/// Listens for a moment, if notifications are configured.
async fn listen(source: &AnySource, out: &mut impl Write) -> io::Result<Exit> {
    let AnySource::Sql(sql) = source else { return Ok(Exit::Success) };
    let Some(channel) = sql.channel() else { return Ok(Exit::Success) };
    match sql.try_to_listen().await {
        Ok(()) => writeln!(out, "ok    listen    {}: notifications arrive", shown(channel))?,
        Err(error) => {
            writeln!(out, "fail  listen    {}", safe(&error.to_string()))?;
            return Ok(Exit::Failed);
        }
    }
    Ok(Exit::Success)
}

fn unreadable(error: &Error, out: &mut impl Write) -> io::Result<Exit> {
    let failing = match error {
        Error::Connect { .. } | Error::Timeout { .. } | Error::Timezone { .. } => "database",
        Error::Query { .. }
        | Error::Lost { .. }
        | Error::SeveralStatements { .. }
        | Error::Columns(_)
        | Error::QueryOne(_)
        | Error::QueryChanged(_) => "query   ",
        Error::Denied { .. } | Error::Refused { .. } | Error::Unavailable { .. } => "api     ",
        Error::Shape { .. } | Error::Incomplete(_) => "records ",
        Error::Pointers { .. } => "columns ",
    };
    writeln!(out, "fail  {failing}  {}", safe(&error.to_string()))?;
    Ok(if error.is_about_query() { Exit::Config } else { Exit::Failed })
}

/// Groups the invalid rows by reason, as far as rows can be judged without a listing.
fn rows(mut index: Index, tags: TagRule, out: &mut impl Write) -> io::Result<Exit> {
    let open = index.judge_beforehand(tags);
    let invalid = index.invalid();
    writeln!(out, "ok    rows      {}", grouped(index.rows()))?;
    for Open { question, count, provided_ids } in open {
        let named = named(count, &provided_ids.iter().map(|id| shown(id)).collect::<Vec<_>>());
        writeln!(out, "ok    rows      only a run's listing tells of {}, {named}, that {question}", grouped(count))?;
    }
    if invalid.is_empty() {
        return Ok(Exit::Success);
    }
    let (mut lines, mut ids) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
    for Invalid { provided_id, reason, .. } in invalid {
        match provided_id {
            Some(provided_id) => ids.entry(reason).or_default().push(shown(&provided_id)),
            None => lines.push(safe(&reason)),
        }
    }
    for (reason, ids) in ids {
        lines.push(format!("{} invalid, {}: {}", grouped(ids.len()), named(ids.len(), &ids), safe(&reason)));
    }
    for line in lines.iter().take(REASONS) {
        writeln!(out, "fail  rows      {line}")?;
    }
    if lines.len() > REASONS {
        writeln!(out, "fail  rows      … and {} reasons more", grouped(lines.len() - REASONS))?;
    }
    Ok(Exit::Partial)
}

/// The first few ids, with an ellipsis if there are more than those.
fn named(count: usize, ids: &[String]) -> String {
    let more = if count > NAMED { ", …" } else { "" };
    format!("{}{more}", ids[..ids.len().min(NAMED)].join(", "))
}

/// Tries the query: one line per finding.
async fn query(sql: &Sql, offboarding: Offboarding) -> Result<Vec<String>, Error> {
    let columns = sql.columns().await?;
    let names: Vec<_> = columns.iter().map(|(name, _)| shown(name)).collect();
    let mut lines =
        vec![format!("ok    database  {}", safe(&sql.place())), format!("ok    query     {}", names.join(", "))];
    if sql.has_query_one() {
        lines.push("ok    query_one the same columns, for one id".to_owned());
    }
    if sql.has_query_changed() {
        lines.push("ok    query_changed the same columns, since a time".to_owned());
    }
    if !columns.iter().any(|(name, _)| name == "name") {
        lines.push("warn  query     without a column name no customer can be created".to_owned());
    }
    if offboarding.action.is_none() && columns.iter().any(|(name, _)| name == "offboard") {
        lines.push("warn  query     the column offboard has no effect: offboard.action is \"none\"".to_owned());
    }
    Ok(lines)
}

/// Reads all records: only then it is known whether a pointer finds nothing.
async fn records(rest: &Rest, take: TakeRow<'_>) -> Result<Vec<String>, Error> {
    let Survey { records, pages, pointers } = rest.survey(take).await?;
    let found =
        |(column, pointer, found): &(String, String, usize)| format!("{} = {pointer} in {found}", shown(column));
    let found: Vec<_> = pointers.iter().map(found).collect();
    Ok(vec![
        format!("ok    api       {}", safe(&rest.place())),
        format!("ok    records   {records} on {pages} pages"),
        format!("ok    columns   {}", safe(&found.join(", "))),
    ])
}

async fn lock_of(context: &Context, instance: &Instance, out: &mut impl Write) -> io::Result<(Option<Lock>, Exit)> {
    let name = pair::lock_name(&instance.config);
    match lock::acquire(&context.watch, &instance.config, name, Duration::ZERO, &context.stop).await {
        Ok(Attempt::Acquired(lock)) => {
            writeln!(out, "ok    lock      one run at a time")?;
            return Ok((Some(lock), Exit::Success));
        }
        Ok(Attempt::Busy | Attempt::Stopped) => writeln!(out, "ok    lock      a run holds it now")?,
        Ok(Attempt::Unavailable(reason)) => {
            writeln!(
                out,
                "warn  lock      no lock: simultaneous runs are safe, but make extra calls: {}",
                safe(&reason)
            )?;
        }
        Err(error) => {
            writeln!(out, "fail  lock      {}", safe(&error.to_string()))?;
            return Ok((None, Exit::Failed));
        }
    }
    Ok((None, Exit::Success))
}

/// Tells whether the ledger can be read and written, without writing to it, and loads it.
async fn ledger(instance: &Instance, out: &mut impl Write) -> io::Result<(Exit, Memory)> {
    let Some(ledger) = &instance.config.ledger else {
        writeln!(
            out,
            "ok    ledger    none: no tokens for the application; each run lists the children of every parent, one call each; \
             and each sync begins without memory: it writes again what does not settle, and asks once more for each \
             customer that no listing shows (run remembers both)"
        )?;
        return Ok((Exit::Success, Memory::default()));
    };
    let Found { state, whose } = match ledger.check().await {
        Ok(found) => found,
        Err(error) => return unusable(&error, out),
    };
    let told = match &state {
        State::Missing => "the first run makes it".to_owned(),
        State::Lacking(statements) => {
            format!("the next run adds the columns that it lacks: {}", statements.join("; "))
        }
        State::Complete => "it has all columns".to_owned(),
    };
    writeln!(out, "ok    ledger    {}: {told}", safe(&ledger.place()))?;
    let pair = whose_ledger(instance, ledger, whose, out).await?;
    let Some(pair) = pair.filter(|_| state == State::Complete) else { return Ok((Exit::Success, Memory::default())) };
    match ledger.of(pair).load().await {
        Ok(memory) => Ok((Exit::Success, memory)),
        Err(error) => unusable(&error, out),
    }
}

fn unusable(error: &ledger::Error, out: &mut impl Write) -> io::Result<(Exit, Memory)> {
    writeln!(out, "fail  ledger    {}", safe(&error.to_string()))?;
    Ok((Exit::Failed, Memory::default()))
}

/// Compares the ledger's pair with this one. The result is the pair, if a run may use the ledger. If the source does
/// not answer, an earlier line says so.
async fn whose_ledger(
    instance: &Instance,
    ledger: &ledger::Sql,
    whose: Option<Pair>,
    out: &mut impl Write,
) -> io::Result<Option<Pair>> {
    match (whose, pair::of(&instance.config).await) {
        (Some(kept), Ok(pair)) => match ledger.refuse_another(&kept, &pair) {
            Ok(()) => {
                writeln!(out, "ok    ledger    it belongs to {}", safe(&pair.to_string()))?;
                return Ok(Some(pair));
            }
            Err(error) => writeln!(out, "warn  ledger    a run is refused: {}", safe(&error.to_string()))?,
        },
        (None, Ok(pair)) => writeln!(out, "ok    ledger    the first run claims it for {}", safe(&pair.to_string()))?,
        (Some(kept), Err(_)) => writeln!(out, "ok    ledger    it belongs to {}", safe(&kept.to_string()))?,
        (None, Err(_)) => {}
    }
    Ok(None)
}

/// The next times at which `run` would begin.
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

/// Lists one page of customers. If that page is all of them, tells whether they are those that the ledger knows.
async fn explo(instance: &Instance, memory: &Memory, out: &mut impl Write) -> io::Result<Exit> {
    let base_url = &instance.config.explo.base_url;
    let mut census = Census::new(Index::new(Fingerprints::new(0)), instance.config.rules, memory, Extent::All);
    let mut unreadable = Vec::new();
    let mut observe = |page: Shown<'_, '_>| match page {
        Shown::Customer(customer) => census.observe(customer),
        Shown::Partial(partial, _) => {
            census.observe_partial(&partial);
            if partial.gap == Gap::Unreadable {
                unreadable.push(partial.provided_id.as_deref().map_or("(no id)".to_owned(), shown));
            }
        }
    };
    let FirstPage { customers, total, is_all } = match instance.client.first_page(&mut observe).await {
        Ok(page) => page,
        Err(error) => {
            writeln!(out, "fail  token     {base_url}: {}", safe(&error.to_string()))?;
            return Ok(if error.is_about_credentials() { Exit::Credentials } else { Exit::Failed });
        }
    };
    let of = total.map_or_else(|| "an unknown number of".to_owned(), |total| total.to_string());
    writeln!(out, "ok    token     {base_url}: a page of {customers} of {of} customers")?;
    for id in unreadable {
        writeln!(out, "warn  customer  {id}: its record can't be read, and runs leave it alone")?;
    }
    match census.strangers().filter(|_| is_all) {
        None => Ok(Exit::Success),
        Some(remembered) => {
            let error = reconciler::Error::Strangers { customers, remembered };
            writeln!(out, "fail  customers {}", safe(&error.to_string()))?;
            Ok(Exit::Config)
        }
    }
}
