//! The commands, made of the parts: the only place that names concrete types.

mod check;
mod demo;
mod explain;
mod export;
mod init;
mod instance;
mod ledger;
mod lock;
mod pair;
mod run;
mod sandbox;
mod service;
mod signals;
mod sync;
mod terminal;

use std::{io, process::ExitCode, time::SystemTime};

use crate::{
    cli::{Cli, Command, Global},
    config::{self, Config, Environment, Layers},
    report::Exit,
};

use terminal::{Terminal, safe};

/// What every command is given.
struct Context {
    global: Global,
    environment: Environment,
    terminal: Terminal,
}

/// Executes one command.
pub async fn execute(cli: Cli, environment: Environment) -> ExitCode {
    let context = Context { terminal: Terminal::new(&cli.global), global: cli.global, environment };
    let done = match cli.command {
        Command::Run => run::run(&context).await,
        Command::Sync(args) => sync::sync(&context, &args).await,
        Command::Check => check::check(&context).await,
        Command::Explain(args) => explain::explain(&context, &args).await,
        Command::Export(args) => export::export(&context, &args).await,
        Command::Ledger(args) if args.adopt => ledger::adopt(&context).await,
        Command::Ledger(_) => ledger::print_sql(&context),
        Command::Tokens(_) => ledger::missing_tokens(&context).await,
        Command::Sandbox(args) => sandbox::sandbox(&context, &args).await,
        Command::Init(args) => init::init(&args),
        Command::Demo => demo::demo(&context).await,
    };
    match done {
        Ok(code) => ExitCode::from(code),
        // The reader of our output went away: nothing is wrong with the run.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("explo-sync: {}", safe(&error.to_string()));
            ExitCode::from(Exit::Failed as u8)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
fn now() -> SystemTime {
    SystemTime::now()
}

impl Context {
    /// The configuration as the flags and the environment name it.
    fn layers(&self) -> Result<Layers, config::Error> {
        let file = self.global.config.clone().or_else(|| config::usual_file(&self.environment));
        Layers::read(file, self.environment.clone())
    }

    fn config(&self) -> Result<Config, config::Error> {
        let config = Config::load(&self.layers()?)?;
        self.terminal.start_logs(config.log, &self.global);
        Ok(config)
    }
}
