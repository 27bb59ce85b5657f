//! The program: reads the command line, starts the two threads, and ends with the exit code of the command.

use std::{
    panic::{self, PanicHookInfo},
    process::ExitCode,
};

use clap::Parser;
use explo_sync::{app, cli::Cli, config::Environment, stderr, watch::Watch};

/// Bad usage, by the convention of `sysexits.h`.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let told = error.render();
            stderr::say(if stderr::has_colours() { told.ansi().to_string() } else { told.to_string() });
            stderr::flush(stderr::LEISURE);
            return ExitCode::from(USAGE);
        }
        Err(help_or_version) => {
            let _ = help_or_version.print();
            return ExitCode::SUCCESS;
        }
    };
    cli.global.color.apply();
    panic::set_hook(Box::new(panicked));
    explo_sync::install_crypto();
    // One thread is enough: the work is mostly waiting, and parsing a page is faster than the next page's arrival. All
    // that must not wait while it computes runs on the thread of `Watch`.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (runtime, watch) = match runtime.and_then(|runtime| Ok((runtime, Watch::start()?))) {
        Ok(both) => both,
        Err(error) => {
            stderr::say(format!("explo-sync: the runtime can't start: {error}\n"));
            stderr::flush(stderr::LEISURE);
            return ExitCode::FAILURE;
        }
    };
    let end = |code: u8| std::process::exit(code.into());
    let code = runtime.block_on(app::execute(cli, Environment::of_process(), watch, end));
    // Does not wait for a DNS lookup that is still under way.
    runtime.shutdown_background();
    code
}

/// Reports where a panic happened, but not its message, which may quote a value.
fn panicked(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "an unknown location".to_owned(), ToString::to_string);
    stderr::say(format!("explo-sync: internal error at {place}: please report it\n"));
    stderr::flush(stderr::LEISURE);
}
