//! Where results, progress and logs go.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use anstream::AutoStream;
use indicatif::{MultiProgress, ProgressDrawTarget};

use crate::{
    bars::{self, Bars},
    cli::{Global, Output, TextOrJson},
    config::{Environment, Log},
    model::printable,
    plan::Explanation,
    report::{self, Exit, Findings, Report, Style},
    stderr,
    telemetry::{self, Reads},
};

/// Stdout and stderr, as the flags want them.
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

    pub(super) fn start_logs(&self, log: Log, global: &Global, reads: Reads) {
        telemetry::start(log, global, &self.bars, reads);
    }

    pub(super) fn progress(&self) -> Bars {
        Bars::new(&self.bars)
    }

    /// Shows a report on stdout. If stdout fails, stderr says so; the run still counts.
    pub(super) fn show(&self, report: &Report, exit: Exit, output: Output) {
        tell_if_lost(match output {
            Output::Text => {
                let mut out = BufWriter::new(coloured_stdout());
                report::write_text(report, self.style, &mut out).and_then(|()| out.flush())
            }
            // Without `anstream`, which would also remove characters from values.
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
    pub(super) fn show_explanation(&self, explanation: &Explanation, told: (&str, u8), output: TextOrJson) {
        let values = self.style.values;
        tell_if_lost(match output {
            TextOrJson::Text => {
                let mut out = BufWriter::new(coloured_stdout());
                report::write_explanation(explanation, self.style, &mut out).and_then(|()| out.flush())
            }
            TextOrJson::Json => {
                let mut out = BufWriter::new(stdout());
                report::write_explanation_json(explanation, told, values, &mut out).and_then(|()| out.flush())
            }
        });
    }

    /// Shows what a probe found on stdout.
    pub(super) fn show_findings(findings: &Findings<'_>, exit: Exit, output: TextOrJson) {
        tell_if_lost(match output {
            TextOrJson::Text => {
                let mut out = BufWriter::new(coloured_stdout());
                report::write_findings(findings, &mut out).and_then(|()| out.flush())
            }
            TextOrJson::Json => {
                let mut out = BufWriter::new(stdout());
                report::write_findings_json(findings, exit, &mut out).and_then(|()| out.flush())
            }
        });
    }

    /// Shows a report of sample tenants with all values.
    pub(super) fn show_sample(&self, report: &Report) -> io::Result<()> {
        let mut out = BufWriter::new(coloured_stdout());
        report::write_text(report, Style { values: true, ..self.style }, &mut out)?;
        out.flush()
    }

    /// Says on stderr why a command ends, and gives its exit code.
    pub(super) fn fail(error: &dyn std::fmt::Display, exit: Exit) -> u8 {
        tell(&error.to_string());
        exit as u8
    }

    /// Says on stderr why there is no plan, and as JSON on stdout if the output is JSON.
    pub(super) fn show_failure(error: &str, exit: Exit, output: Output) {
        tell(error);
        match output {
            Output::Text | Output::Html => {}
            Output::Json => tell_if_lost(report::write_failure(error, exit, &mut stdout())),
        }
    }
}

/// Stdout, for results. Flushes stderr first, so that the order is right if both are one file.
pub(super) fn stdout() -> StdoutLock<'static> {
    stderr::flush(stderr::HASTE);
    io::stdout().lock()
}

/// Stdout with colours if it is a terminal.
pub(super) fn coloured_stdout() -> AutoStream<StdoutLock<'static>> {
    AutoStream::auto(stdout())
}

/// Stdout for findings that the exit code sums up. After a failed write it drops the rest and reports no error.
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

/// Prints the result of a command; a failed write fails the command.
pub(super) fn print(text: &[u8]) -> io::Result<()> {
    let mut out = stdout();
    unless_gone(out.write_all(text).and_then(|()| out.flush()))
}

/// Says on stderr what went wrong.
pub(super) fn tell(message: &str) {
    stderr::say(format!("explo-sync: {}\n", safe(message)));
}

/// Reports a failed write on stderr only: the command is done, and its exit code says how.
pub(super) fn tell_if_lost(written: io::Result<()>) {
    if let Err(error) = unless_gone(written) {
        tell(&error.to_string());
    }
}

/// Makes each line of a message safe to show: parts of it may come from a server or a file.
pub(super) fn safe(message: &str) -> String {
    message.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// Ignores that the reader is gone, as with `head`: the exit code still says how the run went.
pub(super) fn unless_gone(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        kind => Err(io::Error::new(kind, format!("stdout can't be written to: {error}"))),
    })
}
