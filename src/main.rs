//! The program: reads the command line, starts the runtime, and ends with the exit code of the command.

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};
use explo_sync::{app, cli::Cli, config::Environment};

/// Bad usage, by the convention of `sysexits.h`.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(USAGE) };
        }
    };
    explo_sync::install_crypto();
    // One thread: the work is waiting, and a page is parsed faster than the next one comes.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(app::execute(cli, Environment::of_process())),
        Err(error) => {
            anstream::eprintln!("explo-sync: the runtime can't start: {error}");
            ExitCode::FAILURE
        }
    }
}
