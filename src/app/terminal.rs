//! Where results, progress and logs go.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use anstream::AutoStream;
use indicatif::{MultiProgress, ProgressDrawTarget};

use crate::{
    bars::{self, Bars},
    cli::{Global, Output},
    config::{Environment, Log},
    model::printable,
    plan::Explanation,
    report::{self, Exit, Report, Style},
    stderr, telemetry,
};

/// The two outputs of the program.
pub(super) struct Terminal {
    bars: MultiProgress,
    /// Whether a report for a program shows names and other values.
    values: bool,
    style: Style,
}

impl Terminal {
    pub(super) fn new(global: &Global, environment: &Environment) -> Self {
        let bars = bars::on_stderr();
        if global.quiet || environment.get("TERM") == Some("dumb") {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        let values = global.show_values || io::stdout().is_terminal();
        Self { bars, values: global.show_values, style: Style { values, all: global.verbose > 0 } }
    }

    pub(super) fn start_logs(&self, log: Log, global: &Global) {
        telemetry::start(log, global, &self.bars);
    }

    pub(super) fn progress(&self) -> Bars {
        Bars::new(&self.bars)
    }

    /// Shows a report on stdout. Where that can't take it, the run was made all the same.
    pub(super) fn show(&self, report: &Report, exit: Exit, output: Output) {
        tell_if_lost(match output {
            Output::Text => {
                let mut out = BufWriter::new(coloured_stdout());
                report::write_text(report, self.style, &mut out).and_then(|()| out.flush())
            }
            // Not by way of what takes colours out: it takes characters out of values, too.
            Output::Json => {
                let mut out = BufWriter::new(stdout());
                report::write_json(report, exit, self.values, &mut out).and_then(|()| out.flush())
            }
            Output::Html => {
                let mut out = BufWriter::new(stdout());
                report::write_html(report, self.values, &mut out).and_then(|()| out.flush())
            }
        });
    }

    /// Shows both sides of one id on stdout.
    pub(super) fn show_explanation(&self, explanation: &Explanation) {
        let mut out = BufWriter::new(coloured_stdout());
        let written = report::write_explanation(explanation, self.style, &mut out);
        tell_if_lost(written.and_then(|()| out.flush()));
    }

    /// Shows a report with every value, which is nobody's secret.
    pub(super) fn show_sample(&self, report: &Report) -> io::Result<()> {
        let mut out = BufWriter::new(coloured_stdout());
        report::write_text(report, Style { values: true, ..self.style }, &mut out)?;
        out.flush()
    }

    /// Tells in words on stderr why a command ends, and gives its exit code.
    pub(super) fn fail(error: &dyn std::fmt::Display, exit: Exit) -> u8 {
        tell(&error.to_string());
        exit as u8
    }

    /// Tells that there is no plan: in words on stderr, and as JSON on stdout where that was asked for.
    pub(super) fn show_failure(error: &str, exit: Exit, output: Output) {
        tell(error);
        match output {
            Output::Text | Output::Html => {}
            Output::Json => tell_if_lost(report::write_failure(error, exit, &mut stdout())),
        }
    }
}

/// Where results go; what was said on stderr before comes first, should both be the same file.
pub(super) fn stdout() -> StdoutLock<'static> {
    stderr::flush(stderr::HASTE);
    io::stdout().lock()
}

/// The same for a reader: with colours on a terminal.
pub(super) fn coloured_stdout() -> AutoStream<StdoutLock<'static>> {
    AutoStream::auto(stdout())
}

/// Stdout for the findings of a command whose exit code says the same. What it does not take is lost, and that alone.
pub(super) struct Words {
    out: AutoStream<StdoutLock<'static>>,
    is_lost: bool,
}

impl Words {
    pub(super) fn on_stdout() -> Self {
        Self { out: coloured_stdout(), is_lost: false }
    }

    fn keep(&mut self, written: io::Result<()>) {
        self.is_lost |= written.is_err();
        tell_if_lost(written);
    }
}

impl Write for Words {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_lost {
            let written = self.out.write_all(bytes);
            self.keep(written);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.is_lost {
            let written = self.out.flush();
            self.keep(written);
        }
        Ok(())
    }
}

/// Prints what a command is for: without it, it failed.
pub(super) fn print(text: &[u8]) -> io::Result<()> {
    let mut out = stdout();
    unless_gone(out.write_all(text).and_then(|()| out.flush()))
}

/// Says in words on stderr what went wrong.
pub(super) fn tell(message: &str) {
    stderr::say(format!("explo-sync: {}\n", safe(message)));
}

/// What was done is done, and the exit code tells of that, also where a report of it can't be shown.
pub(super) fn tell_if_lost(written: io::Result<()>) {
    if let Err(error) = unless_gone(written) {
        tell(&error.to_string());
    }
}

/// A message, each line of it safe to show: parts of it may come from a server or a file.
pub(super) fn safe(message: &str) -> String {
    message.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// The reader went away, as `head` does: the exit code tells of the run all the same.
pub(super) fn unless_gone(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        kind => Err(io::Error::new(kind, format!("stdout can't be written to: {error}"))),
    })
}
