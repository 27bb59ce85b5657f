//! `sync`: one run.

use std::{
    fs::{OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use super::{
    Context,
    instance::{Instance, Task},
    lock, now,
    terminal::Terminal,
};
use crate::{
    cli::SyncArgs,
    explo,
    ledger::Memory,
    lock::{Attempt, Lock},
    metrics::Metrics,
    plan::{Plan, SavedPlan},
    report::{self, Exit, Report},
};

/// Runs once; the result is the exit code.
pub(super) async fn sync(context: &Context, args: &SyncArgs) -> io::Result<u8> {
    let exit = Box::pin(run(context, args)).await?;
    Ok(args.code(exit as u8))
}

async fn run(context: &Context, args: &SyncArgs) -> io::Result<Exit> {
    let fail = |error: &str, exit| Terminal::show_failure(error, exit, args.output).map(|()| exit);
    let stop = &context.stop;
    let instance = match context.config().and_then(|config| Instance::open(config, stop)) {
        Ok(instance) => instance,
        Err(error) => return fail(&error.to_string(), Exit::Config),
    };
    let saved = match args.plan.as_deref().map(|path| load(path, &instance)).transpose() {
        Ok(saved) => saved,
        Err(error) => return fail(&error, Exit::Usage),
    };
    if let Some(limit) = args.max_duration {
        let stop = stop.clone();
        context.watch.spawn(async move {
            tokio::time::sleep(limit).await;
            stop.request("--max-duration").await;
        });
    }
    let metrics = Metrics::new(&instance.config.name);
    let lock = match lock_of(context, &instance, args).await {
        Ok(lock) => lock,
        Err((error, exit)) => {
            metrics.no_run(exit);
            write_metrics(&metrics, args)?;
            return fail(&error, exit);
        }
    };
    let instance = instance.observed_by(&metrics);
    let allowances = args.allow.iter().copied().collect();
    let task = Task {
        dry_run: args.dry_run,
        allowances,
        max_changes: args.max_changes,
        retry_failed: args.retry_failed,
        saved,
        only: args.only.iter().cloned().collect(),
    };
    let began = now();
    let ran = instance.run(task, &Memory::default(), &context.terminal.progress()).await;
    if let Some(lock) = lock {
        lock.release().await;
    }
    let exit = match ran {
        Ok(report) => {
            let exit = report.exit(args.exit_code);
            metrics.run_ended(&report, exit, &(began..now()));
            context.terminal.show(&report, exit, args.output)?;
            if let Some(path) = &args.out {
                save(path, &report)?;
            }
            exit
        }
        Err(error) => {
            let exit = report::exit_without_plan(&error);
            metrics.run_failed(exit, &(began..now()));
            fail(&error.to_string(), exit)?
        }
    };
    write_metrics(&metrics, args)?;
    Ok(exit)
}

fn write_metrics(metrics: &Metrics, args: &SyncArgs) -> io::Result<()> {
    let Some(path) = &args.metrics_file else { return Ok(()) };
    let refused = |error| io::Error::other(format!("--metrics-file {}: {error}", path.display()));
    metrics.write_file(path).map_err(refused)
}

/// The lock of the instance: none in a dry run, which changes nothing, and where the database can't hold one.
async fn lock_of(context: &Context, instance: &Instance, args: &SyncArgs) -> Result<Option<Lock>, (String, Exit)> {
    if args.dry_run {
        return Ok(None);
    }
    let (name, stop) = (&instance.config.name, &context.stop);
    match lock::acquire(&context.watch, &instance.config, args.lock_timeout, stop).await {
        Ok(Attempt::Acquired(lock)) => {
            let (stop, lost) = (stop.clone(), lock.lost().clone());
            context.watch.spawn(async move {
                lost.cancelled().await;
                stop.request("a lost lock").await;
            });
            Ok(Some(lock))
        }
        Ok(Attempt::Unavailable(reason)) => {
            tracing::warn!(instance = name, "going on without a lock: {reason}");
            Ok(None)
        }
        Ok(Attempt::Busy) => {
            let error = format!("another run of instance {name} holds the lock: wait for it with --lock-timeout 5m");
            Err((error, Exit::Locked))
        }
        Ok(Attempt::Stopped) => Err((explo::Error::Stopped { reason: stop.reason() }.to_string(), Exit::Stopped)),
        Err(error) => Err((error.to_string(), Exit::Failed)),
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
        // It may have been there, open to others.
        if file.metadata()?.is_file() {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        let mut file = io::BufWriter::new(file);
        serde_json::to_writer(&mut file, &SavedPlan::of(&report.run.plan, &report.instance))?;
        file.write_all(b"\n")?;
        file.flush()
    };
    write().map_err(|error: io::Error| io::Error::other(format!("--out {}: {error}", path.display())))
}
