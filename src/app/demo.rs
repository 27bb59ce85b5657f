//! `demo`: plan, apply, plan again, on sample tenants and a sandbox.

use std::io::{self, Write};

use super::{
    Context,
    instance::{Instance, Task},
    terminal::{coloured_stdout, tell_if_lost},
};
use crate::{
    config::{Config, Log},
    database::lock::{IdLocks, Permit},
    demo::Demo,
    ledger::InMemory,
    reconciler::Shared,
    report::Exit,
    stop::Stop,
    telemetry::Reads,
};

/// Shows the three steps and what to type next; fails if changes are left at the end.
pub(super) async fn demo(context: &Context) -> io::Result<u8> {
    let demo = Demo::start().await?;
    let steps = [
        ("The plan: what a dry run shows", None),
        ("The run: the same plan, carried out", Some(Permit::Unlocked)),
        ("The next plan: nothing is left to do", None),
    ];
    let (mut exit, mut written, memory) = (Exit::Success, Ok(()), InMemory::default());
    let shared = Shared::without_wakes(IdLocks::of_process());
    for (heading, permit) in steps {
        let config = Config::load(&demo.layers()).map_err(io::Error::other)?;
        context.terminal.start_logs(
            Log { level: tracing::Level::WARN, ..config.log.clone() },
            &context.global,
            Reads::Result,
        );
        let instance = Instance::open(config, &Stop::default()).map_err(io::Error::other)?;
        let underlined = anstyle::Style::new().underline();
        written = written.and_then(|()| writeln!(coloured_stdout(), "\n{underlined}{heading}{underlined:#}"));
        let progress = context.terminal.progress();
        let run = instance.run(Task::default(), permit.as_ref(), (&memory, &shared), &progress);
        let report = run.await.map_err(io::Error::other)?;
        written = written.and_then(|()| context.terminal.show_sample(&report));
        exit = report.exit(permit.is_none());
    }
    // If cargo started it, the program is not on the path.
    let program = if context.environment.get("CARGO").is_some() { "cargo run --" } else { "explo-sync" };
    tell_if_lost(written.and_then(|()| {
        writeln!(
            coloured_stdout(),
            "\nNow with your own database, changing nothing:\n  DATABASE_URL=postgres://… EXPLO_TOKEN=… \
             EXPLO_SYNC__SOURCE__QUERY='select id as provided_id, name from tenants' {program} sync --dry-run"
        )
    }));
    Ok(exit as u8)
}
