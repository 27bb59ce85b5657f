//! `sync`: one run.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    Context,
    instance::{Instance, Task},
    now, permit,
    terminal::{Terminal, tell},
    warn_of_idle_schedule,
};
use crate::{
    applier::REPORTED,
    cli::{Output, SyncArgs},
    files,
    ledger::{self, InMemory},
    metrics::Metrics,
    plan::{Plan, SavedPlan},
    report::{self, Exit, Report},
};

/// Runs once; the result is the exit code.
pub(super) async fn sync(context: &Context, args: &SyncArgs) -> io::Result<u8> {
    let exit = Box::pin(run(context, args)).await;
    Ok(args.code(exit as u8))
}

async fn run(context: &Context, args: &SyncArgs) -> Exit {
    let fail = |error: &str, exit| {
        Terminal::show_failure(error, exit, args.output);
        exit
    };
    if args.output == Output::Html && !args.dry_run {
        return fail("--output html is a page of a plan: add --dry-run, or use --output text or json", Exit::Usage);
    }
    let stop = &context.stop;
    for (flag, path) in [("--out", &args.out), ("--metrics-file", &args.metrics_file)] {
        if let Some(path) = path
            && let Err(error) = files::can_replace(path)
        {
            return fail(&format!("{flag} {}: {error}", path.display()), Exit::Usage);
        }
    }
    let instance = match context.config().and_then(|config| Instance::open(config, stop)) {
        Ok(instance) => instance,
        Err(error) => return fail(&error.to_string(), Exit::Config),
    };
    warn_of_idle_schedule(&instance.config);
    if let Err(error) = write_nothing_over(context, args, &instance) {
        return fail(&error, Exit::Usage);
    }
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
    let granted = match permit::permit(context, &instance, args).await {
        Ok(granted) => granted,
        Err((error, exit)) => {
            metrics.no_run(exit);
            write_metrics(&metrics, args);
            return fail(&error, exit);
        }
    };
    let instance = instance.observed_by(&metrics);
    let allowances = args.allow.iter().copied().collect();
    let task = Task {
        allowances,
        max_changes: args.max_changes,
        retry_failed: args.retry_failed,
        saved,
        only: args.only.iter().cloned().collect(),
        list_every: Some(0).filter(|_| !args.allow.is_empty()),
    };
    let began = now();
    let (permit, shared) = (granted.permit(), granted.shared());
    let ran = instance.run(task, permit, (&InMemory::default(), &shared), &context.terminal.progress()).await;
    granted.release().await;
    let ran = ran.map(|report| Report { config: context.global.config.clone(), ..report });
    let exit = match &ran {
        Ok(report) => report.exit(args.exit_code),
        Err(error) => report::exit_without_plan(error),
    };
    match &ran {
        Ok(report) => metrics.run_ended(report, exit, &(began..now())),
        Err(_) => metrics.run_failed(exit, &(began..now())),
    }
    // Before the report: its output may have no reader.
    write_metrics(&metrics, args);
    let saved = match (&args.out, &ran) {
        (Some(path), Ok(report)) => save(path, report),
        _ => Ok(()),
    };
    let ended = if saved.is_ok() { exit } else { Exit::Failed };
    if !args.dry_run {
        context.only_reports(args.code(ended as u8));
    }
    match ran {
        Ok(report) if !report.run.held.is_empty() && !report.dry_run => {
            tracing::warn!(target: REPORTED, instance = report.instance, "{}", report.error().unwrap_or_default());
            context.terminal.show(&report, exit, args.output);
        }
        Ok(report) => context.terminal.show(&report, exit, args.output),
        Err(error) => drop(fail(&error.to_string(), exit)),
    }
    if let Err(error) = saved {
        tell(&error);
    }
    ended
}

/// Refuses an output file that is the file of another flag or key.
fn write_nothing_over(context: &Context, args: &SyncArgs, instance: &Instance) -> Result<(), String> {
    let outputs = [("--out", args.out.as_deref()), ("--metrics-file", args.metrics_file.as_deref())];
    let config = &instance.config;
    let kept = [
        ("--out", args.out.clone()),
        ("--plan", args.plan.clone()),
        ("the configuration", context.config_file().unwrap_or_default()),
        ("source.url", config.source.file()),
        ("ledger.url", config.ledger.as_ref().and_then(ledger::Sql::file)),
    ];
    let named = config.files.iter().map(|(key, path)| (key.as_str(), Some(path.clone())));
    let kept: Vec<_> = kept.into_iter().chain(named).collect();
    for (flag, output) in outputs.iter().filter_map(|(flag, path)| Some((*flag, (*path)?))) {
        let is_it = |(name, path): &&(&str, Option<PathBuf>)| {
            *name != flag
                && path
                    .as_deref()
                    .is_some_and(|path| files::are_same(output, path) || files::is_companion(output, path))
        };
        if let Some((name, _)) = kept.iter().find(is_it) {
            return Err(format!("{flag} {}: this is the file of {name}: name another one", output.display()));
        }
    }
    Ok(())
}

/// Reports a failure to write, which is no failure of the run.
fn write_metrics(metrics: &Metrics, args: &SyncArgs) {
    if let Some(path) = &args.metrics_file
        && let Err(error) = metrics.write_file(path)
    {
        tell(&format!("--metrics-file {}: {error}", path.display()));
    }
}

fn load(path: &Path, instance: &Instance) -> Result<Plan, String> {
    let named = |error: &dyn std::fmt::Display| format!("--plan {}: {error}", path.display());
    let text = files::read_data(path).map_err(|error| named(&error))?;
    let saved = SavedPlan::read(&text).map_err(|error| named(&error))?;
    instance.restore(saved).map_err(|error| named(&error))
}

/// Writes the plan, readable only by its owner: it has names and addresses.
fn save(path: &Path, report: &Report) -> Result<(), String> {
    let written = files::replace(path, 0o600, |mut out| {
        serde_json::to_writer(&mut out, &SavedPlan::of(&report.run.plan, &report.instance, &report.base_url))?;
        out.write_all(b"\n")
    });
    written.map_err(|error| format!("--out {}: {error}", path.display()))
}
