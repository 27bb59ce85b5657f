//! Logs: to stderr, text on a terminal and JSON elsewhere, past a progress bar without tearing it.

use std::io::{self, IsTerminal, Write};

use indicatif::MultiProgress;
use tracing::Level;
use tracing_subscriber::{filter::Targets, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    cli::Global,
    config::{Log, LogFormat},
};

/// Starts logging; a second call changes nothing.
pub fn start(log: Log, global: &Global, bars: &MultiProgress) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => Level::ERROR,
        (false, 0) => log.level,
        (false, 1) => log.level.max(Level::DEBUG),
        (false, _) => Level::TRACE,
    };
    // Other crates log bodies, addresses and, of a database's URL, parameters below these levels.
    let ours = Targets::new()
        .with_target("explo_sync", level)
        .with_target("sqlx", Level::ERROR)
        .with_default(Level::WARN.min(level));
    let is_terminal = io::stderr().is_terminal();
    let is_text = match global.log_format.unwrap_or(log.format) {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => is_terminal,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(PastBars(bars.clone())).with_ansi(is_terminal);
    let registry = tracing_subscriber::registry().with(ours);
    let _ = if is_text {
        registry.with(lines.compact().with_target(false)).try_init()
    } else {
        registry.with(lines.json().flatten_event(true).with_span_list(false).with_target(false)).try_init()
    };
}

/// Hides the bars for as long as a line is written.
struct PastBars(MultiProgress);

impl<'w> MakeWriter<'w> for PastBars {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        Self(self.0.clone())
    }
}

impl Write for PastBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
