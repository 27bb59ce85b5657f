//! `sync`: one run.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::{
    Context,
    instance::{Instance, Task},
    signals::stop_at_signal,
    terminal::Terminal,
};
use crate::{
    cli::SyncArgs,
    explo::Stop,
    plan::{Plan, SavedPlan},
    report::{self, Exit, Report},
};

/// Runs once; the result is the exit code.
pub(super) async fn sync(context: &Context, args: &SyncArgs) -> io::Result<u8> {
    let exit = run(context, args).await?;
    let code = exit as u8;
    Ok(if args.ok.contains(&code) { 0 } else { code })
}

async fn run(context: &Context, args: &SyncArgs) -> io::Result<Exit> {
    let fail = |error: &str, exit| Terminal::show_failure(error, exit, args.output).map(|()| exit);
    let stop = Stop::default();
    let instance = match context.config().and_then(|config| Instance::open(config, &stop)) {
        Ok(instance) => instance,
        Err(error) => return fail(&error.to_string(), Exit::Config),
    };
    let saved = match args.plan.as_deref().map(|path| load(path, &instance)).transpose() {
        Ok(saved) => saved,
        Err(error) => return fail(&error, Exit::Usage),
    };
    if let Some(limit) = args.max_duration {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            stop.request("--max-duration").await;
        });
    }
    tokio::spawn(stop_at_signal(stop));
    let allowances = args.allow.iter().copied().collect();
    let task = Task { dry_run: args.dry_run, allowances, max_changes: args.max_changes, saved };
    match instance.run(task, &context.terminal.progress()).await {
        Ok(report) => {
            if let Some(path) = &args.out {
                save(path, &report)?;
            }
            let exit = report.exit(args.exit_code);
            context.terminal.show(&report, exit, args.output)?;
            Ok(exit)
        }
        Err(error) => fail(&error.to_string(), report::exit_without_plan(&error)),
    }
}

fn load(path: &Path, instance: &Instance) -> Result<Plan, String> {
    let named = |error: &dyn std::fmt::Display| format!("--plan {}: {error}", path.display());
    let text = std::fs::read(path).map_err(|error| named(&error))?;
    // The library's message could quote a value of the file.
    let saved: SavedPlan = serde_json::from_slice(&text).map_err(|error| {
        named(&format!("line {}, column {}: it is not a plan of `sync --dry-run --out`", error.line(), error.column()))
    })?;
    instance.restore(saved).map_err(|error| named(&error))
}

/// A plan holds names and addresses: nobody else may read it.
fn save(path: &Path, report: &Report) -> io::Result<()> {
    let write = || {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut file = io::BufWriter::new(file);
        serde_json::to_writer(&mut file, &SavedPlan::of(&report.run.plan, &report.instance))?;
        file.write_all(b"\n")?;
        file.flush()
    };
    write().map_err(|error: io::Error| io::Error::other(format!("--out {}: {error}", path.display())))
}
