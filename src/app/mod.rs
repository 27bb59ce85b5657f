//! The commands; the only place that names concrete types.

mod check;
mod demo;
mod explain;
mod export;
mod init;
mod instance;
mod kept;
mod lead;
mod ledger;
mod lock;
mod pair;
mod permit;
mod probe;
mod run;
mod sandbox;
mod service;
mod signals;
mod sync;
mod terminal;

use std::{
    io,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::SystemTime,
};

use crate::{
    cli::{Cli, Command, Global},
    config::{self, Config, Environment, Layers},
    database,
    files::Reading,
    report::Exit,
    stderr,
    stop::Stop,
    telemetry::Reads,
    watch::Watch,
};

use terminal::{Terminal, tell};

/// What every command gets.
struct Context {
    global: Global,
    environment: Environment,
    terminal: Terminal,
    /// Runs what must not wait for the command.
    watch: Watch,
    /// Requested by a signal.
    stop: Stop,
    /// The exit code if a signal ends the process before the command ends.
    code: Arc<AtomicU8>,
}

/// Executes one command. `end` ends the process. The watch's thread calls it if a command that has written nothing does
/// not end soon after a signal, because it computes or waits for the reader of its output.
pub async fn execute(cli: Cli, environment: Environment, watch: Watch, end: fn(u8) -> !) -> ExitCode {
    let (terminal, stop) = (Terminal::new(&cli.global, &environment), Stop::default());
    let code = Arc::new(AtomicU8::new(code_when_stopped(&cli.command)));
    let context = Context { terminal, global: cli.global, environment, watch, stop, code };
    let done = Box::pin(context.execute(cli.command, end)).await;
    database::all_cancelled().await;
    let code = match done {
        Ok(code) => code,
        // The reader of our output is gone; the run itself is fine.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success as u8,
        Err(error) => {
            tell(&error.to_string());
            Exit::Failed as u8
        }
    };
    stderr::flush(if context.stop.is_requested() { stderr::HASTE } else { stderr::LEISURE });
    ExitCode::from(code)
}

/// Stopping a server is its normal end.
fn code_when_stopped(command: &Command) -> u8 {
    match command {
        Command::Run | Command::Sandbox(_) => 0,
        Command::Sync(args) => args.code(Exit::Stopped as u8),
        Command::Check
        | Command::Probe(_)
        | Command::Explain(_)
        | Command::Export(_)
        | Command::Ledger(_)
        | Command::Tokens(_)
        | Command::Init(_)
        | Command::Demo => Exit::Stopped as u8,
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Warns about a schedule that never fires (`0 0 31 2 *`): it is valid, but hardly meant.
fn warn_of_idle_schedule(config: &Config) {
    if config.timing().schedule.next_after(now().into()).is_none() {
        tracing::warn!(instance = config.name, "schedule.cron never fires, so `run` begins no run at a scheduled time");
    }
}

impl Context {
    async fn execute(&self, command: Command, end: fn(u8) -> !) -> io::Result<u8> {
        let code = Arc::clone(&self.code);
        signals::stop_at_signal(&self.watch, &self.stop, move || end(code.load(Ordering::SeqCst)))?;
        match command {
            Command::Run => run::run(self).await,
            Command::Sync(args) => sync::sync(self, &args).await,
            Command::Check => self.unless_stopped(Box::pin(check::check(self))).await,
            Command::Probe(args) => probe::probe(self, &args).await,
            Command::Explain(args) => self.unless_stopped(Box::pin(explain::explain(self, &args))).await,
            Command::Export(args) => self.unless_stopped(Box::pin(export::export(self, &args))).await,
            Command::Ledger(args) if args.adopt => self.unless_stopped(Box::pin(ledger::adopt(self))).await,
            Command::Ledger(_) => ledger::print_sql(self),
            Command::Tokens(_) => self.unless_stopped(Box::pin(ledger::missing_tokens(self))).await,
            Command::Sandbox(args) => sandbox::sandbox(self, &args).await,
            Command::Init(args) => init::init(&args),
            Command::Demo => self.unless_stopped(Box::pin(demo::demo(self))).await,
        }
    }

    /// Runs a command that only reads; at a stop, ends it at its next wait.
    async fn unless_stopped(&self, command: impl Future<Output = io::Result<u8>>) -> io::Result<u8> {
        tokio::select! {
            biased;
            done = command => done,
            () = self.stop.requested() => Ok(Terminal::fail(&"stopped by a signal", Exit::Stopped)),
        }
    }

    /// All writes are done and recorded, only the report is missing: from now on a signal ends the process with this
    /// code.
    fn only_reports(&self, code: u8) {
        self.code.store(code, Ordering::SeqCst);
        self.stop.writes_are_told();
    }

    /// The configuration that the flags and the environment name.
    fn layers(&self, reading: Reading) -> Result<Layers, config::Error> {
        Layers::read(self.config_file()?, self.environment.clone(), reading)
    }

    /// The configuration file, if there is one.
    fn config_file(&self) -> Result<Option<PathBuf>, config::Error> {
        self.global.config.clone().map_or_else(|| config::usual_file(&self.environment), |file| Ok(Some(file)))
    }

    fn config(&self) -> Result<Config, config::Error> {
        let config = Config::load(&self.layers(Reading::Once)?)?;
        self.terminal.start_logs(config.log.clone(), &self.global, Reads::Result);
        Ok(config)
    }
}
