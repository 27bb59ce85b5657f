//! Logs to stderr: text on a terminal, else JSON; log lines don't break a progress bar. Acknowledged changes go to the
//! audit file, if one is configured.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    path::PathBuf,
};

use indicatif::MultiProgress;
use serde_json::{Map, Value};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets, filter_fn},
    fmt::{
        FmtContext, FormatEvent, FormattedFields, MakeWriter,
        format::{self, Format, Json, JsonFields, Writer},
    },
    layer::SubscriberExt,
    registry::{LookupSpan, Scope},
    util::SubscriberInitExt,
};

use crate::{
    applier::{
        REPORTED,
        audit::{AUDIT, show_values},
    },
    cli::Global,
    config::{Audit, Log, LogFormat},
    files,
    model::printable,
    stderr,
};

/// What a person at a terminal reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// The logs: a server has no other output.
    Logs,
    /// The result of a command, and of the logs only what the result does not show.
    Result,
}

/// Starts logging; a second call changes nothing.
pub fn start(log: Log, global: &Global, bars: &MultiProgress, reads: Reads) {
    let is_text = match global.log_format.unwrap_or(log.format) {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => io::stderr().is_terminal(),
    };
    let is_brief = is_text && io::stderr().is_terminal() && reads == Reads::Result && global.verbose == 0;
    let level = match (global.quiet, global.verbose) {
        (true, _) => Level::ERROR,
        (false, 0) if is_brief => log.level.min(Level::WARN),
        (false, 0) => log.level,
        (false, 1) => log.level.max(Level::DEBUG),
        (false, _) => Level::TRACE,
    };
    let reported = if is_brief { LevelFilter::OFF } else { level.into() };
    // Below these levels other crates log bodies, addresses and parameters of a database's URL.
    let ours = Targets::new()
        .with_target("explo_sync", level)
        .with_target(REPORTED, reported)
        .with_target("sqlx", Level::ERROR)
        .with_default(Level::WARN.min(level));
    let writer = PastBars { bars: bars.clone(), is_text };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(stderr::has_colours());
    let registry = tracing_subscriber::registry().with(log.audit.map(audit));
    let _ = if is_text {
        registry.with(lines.compact().with_target(false).with_filter(ours)).try_init()
    } else {
        registry.with(lines.fmt_fields(JsonFields::new()).event_format(Flat::new()).with_filter(ours)).try_init()
    };
}

/// Writes what [`AUDIT`] tells, with the spans around it.
fn audit<S: Subscriber + for<'l> LookupSpan<'l>>(Audit { file, values }: Audit) -> impl Layer<S> {
    if values {
        show_values();
    }
    let is_told = |metadata: &Metadata<'_>| metadata.is_span() || metadata.target() == AUDIT;
    let lines = tracing_subscriber::fmt::layer().with_writer(move || Audited(file.clone()));
    lines
        .with_ansi(false)
        .fmt_fields(JsonFields::new())
        .event_format(Record(Flat::new()))
        .with_filter(filter_fn(is_told))
}

/// As [`Flat`], without a level, and with the fields as an object.
struct Record(Flat);

impl<S: Subscriber + for<'l> LookupSpan<'l>> FormatEvent<S, JsonFields> for Record {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let mut record: Map<String, Value> = serde_json::from_str(&line).map_err(|_| fmt::Error)?;
        for needless in ["level", "message"] {
            record.remove(needless);
        }
        if let Some(fields) = record.get_mut("fields")
            && let Some(Ok(object)) = fields.as_str().map(serde_json::from_str)
        {
            *fields = object;
        }
        writeln!(writer, "{}", Value::Object(record))
    }
}

/// The audit file.
struct Audited(PathBuf);

impl Write for Audited {
    /// Gets one whole line per call from the formatter. What can't be written is told, and the run goes on.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(error) = files::append(&self.0, line) {
            stderr::say(
                format!("log.audit_file: a change is not told in {}: {error}\n", self.0.display()).into_bytes(),
            );
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One JSON object per line, with the fields of the event and of all spans at the top level; if names are equal, the
/// innermost wins.
struct Flat(Format<Json>);

impl Flat {
    fn new() -> Self {
        let json = format::json().flatten_event(true).with_current_span(false).with_span_list(false);
        Self(json.with_target(false))
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> FormatEvent<S, JsonFields> for Flat {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (mut line, mut fields) = (String::new(), Map::new());
        self.0.format_event(context, Writer::new(&mut line), event)?;
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let formatted = extensions.get::<FormattedFields<JsonFields>>();
            fields.extend(
                formatted.and_then(|of_span| serde_json::from_str::<Map<_, _>>(of_span).ok()).unwrap_or_default(),
            );
        }
        fields.retain(|name, _| event.metadata().fields().field(name).is_none());
        let line = line.trim_end();
        writer.write_str(line.strip_suffix('}').unwrap_or(line))?;
        for (name, value) in fields {
            write!(writer, ",{}:{value}", Value::String(name))?;
        }
        writeln!(writer, "}}")
    }
}

/// Hides the progress bars while a line is written.
#[derive(Clone)]
struct PastBars {
    bars: MultiProgress,
    /// In text, characters that hide text or move the cursor are escaped; JSON has values unchanged.
    is_text: bool,
}

impl<'w> MakeWriter<'w> for PastBars {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Write for PastBars {
    /// Gets one whole line per call from the formatter.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = if self.is_text { safe(bytes) } else { bytes.to_owned() };
        self.bars.suspend(|| stderr::say(line));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Escapes the characters of a line that hide text or move the cursor, except the formatter's own colours. (The
/// formatter has already escaped colour codes in values.)
fn safe(line: &[u8]) -> Vec<u8> {
    let line = String::from_utf8_lossy(line);
    let (text, end) = line.strip_suffix('\n').map_or((&*line, ""), |text| (text, "\n"));
    let parts: Vec<_> = text.split('\u{1b}').map(printable).collect();
    (parts.join("\u{1b}") + end).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_colours_and_its_end_alone() {
        let line = "\u{1b}[32m INFO\u{1b}[0m no\nINFO forged \u{202e}\u{200b}\u{e0041}\n";
        let safe = String::from_utf8(safe(line.as_bytes())).unwrap();
        assert_eq!(safe, "\u{1b}[32m INFO\u{1b}[0m no\\u{a}INFO forged \\u{202e}\\u{200b}\\u{e0041}\n");
    }
}
