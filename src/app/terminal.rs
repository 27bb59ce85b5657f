//! Where results, progress and logs go.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};

use crate::{
    bars::Bars,
    cli::{Global, Output},
    config::Log,
    model::printable,
    plan::Explanation,
    report::{self, Exit, Report, Style},
    telemetry,
};

/// The two outputs of the program.
pub(super) struct Terminal {
    bars: MultiProgress,
    /// Whether a report for a program shows names and other values.
    values: bool,
    style: Style,
}

impl Terminal {
    pub(super) fn new(global: &Global) -> Self {
        let bars = MultiProgress::new();
        if global.quiet || !io::stderr().is_terminal() {
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

    /// Shows a report on stdout.
    pub(super) fn show(&self, report: &Report, exit: Exit, output: Output) -> io::Result<()> {
        let written = match output {
            Output::Text => {
                let mut out = io::BufWriter::new(anstream::stdout().lock());
                report::write_text(report, self.style, &mut out).and_then(|()| out.flush())
            }
            // Not by way of what takes colours out: it takes characters out of values, too.
            Output::Json => {
                let mut out = io::BufWriter::new(io::stdout().lock());
                report::write_json(report, exit, self.values, &mut out).and_then(|()| out.flush())
            }
        };
        unless_gone(written)
    }

    /// Shows both sides of one id on stdout.
    pub(super) fn show_explanation(&self, explanation: &Explanation) -> io::Result<()> {
        let mut out = io::BufWriter::new(anstream::stdout().lock());
        let written = report::write_explanation(explanation, self.style, &mut out);
        unless_gone(written.and_then(|()| out.flush()))
    }

    /// Shows a report with every value, which is nobody's secret.
    pub(super) fn show_sample(&self, report: &Report) -> io::Result<()> {
        let mut out = io::BufWriter::new(anstream::stdout().lock());
        report::write_text(report, Style { values: true, ..self.style }, &mut out)?;
        out.flush()
    }

    /// Tells in words on stderr why a command ends, and gives its exit code.
    pub(super) fn fail(error: &dyn std::fmt::Display, exit: Exit) -> io::Result<u8> {
        Self::show_failure(&error.to_string(), exit, Output::Text).map(|()| exit as u8)
    }

    /// Tells that there is no plan: in words on stderr, and as JSON on stdout where that was asked for.
    pub(super) fn show_failure(error: &str, exit: Exit, output: Output) -> io::Result<()> {
        anstream::eprintln!("explo-sync: {}", safe(error));
        match output {
            Output::Text => Ok(()),
            Output::Json => unless_gone(report::write_failure(error, exit, &mut io::stdout().lock())),
        }
    }
}

/// A message, line by line safe to show, whoever wrote parts of it.
pub(super) fn safe(message: &str) -> String {
    message.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// The reader went away, as `head` does: the exit code tells of the run all the same.
pub(super) fn unless_gone(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}
