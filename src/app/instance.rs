//! One instance with its parts: what runs once for `sync`, and again and again for `run`.

use std::{collections::BTreeSet, sync::Arc};

use tracing::Instrument;

use crate::{
    config::{self, Config},
    explo::{Client, Pacer, Stop},
    metrics::Metrics,
    plan::{Allowances, Explanation, Findings, Fingerprints, Plan, SavedPlan},
    progress::Progress,
    reconciler::{self, Reconciler, Run},
    report::Report,
    source::{Source, Sql},
};

/// A configuration with a client for one run.
pub(super) struct Instance {
    pub(super) config: Config,
    pub(super) client: Client,
    /// The id of its run.
    pub(super) run_id: String,
    stop: Stop,
}

/// What one run is to do.
#[derive(Default)]
pub(super) struct Task {
    /// Plan and change nothing.
    pub(super) dry_run: bool,
    /// What the guard is told to let through.
    pub(super) allowances: Allowances,
    /// Changes at the most.
    pub(super) max_changes: Option<usize>,
    /// Carry out this plan instead of making one.
    pub(super) saved: Option<Plan>,
    /// These tenants alone; none: all.
    pub(super) only: BTreeSet<String>,
}

impl Instance {
    pub(super) fn open(config: Config, stop: &Stop) -> Result<Self, config::Error> {
        let pacer = Arc::new(Pacer::new(config.requests_per_minute, config.max_in_flight));
        Self::paced_by(pacer, config, stop)
    }

    /// The same with a pacer that was there before: a pause outlives the run in which the server asked for it.
    pub(super) fn paced_by(pacer: Arc<Pacer>, config: Config, stop: &Stop) -> Result<Self, config::Error> {
        let client = Client::new(config.explo.clone(), pacer, stop.clone(), rand::random());
        let client = client.map_err(|error| config::Error(vec![format!("explo.ca_file: {}", error.without_url())]))?;
        Ok(Self { config, client, run_id: uuid::Uuid::now_v7().to_string(), stop: stop.clone() })
    }

    /// Counts its calls among the metrics.
    pub(super) fn observed_by(self, metrics: &Metrics) -> Self {
        Self { client: self.client.observed_by(metrics.observed()), ..self }
    }

    /// A plan that was saved, if it is this instance's.
    pub(super) fn restore(&self, saved: SavedPlan) -> Result<Plan, String> {
        if saved.instance != self.config.name {
            return Err(format!("it is the plan of instance {}, and this is {}", saved.instance, self.config.name));
        }
        saved.restore(Fingerprints::new(rand::random())).map_err(str::to_owned)
    }

    /// Runs once, and logs the beginning and the end. `findings` are those of the runs before.
    pub(super) async fn run(
        &self,
        task: Task,
        findings: &Findings,
        progress: &dyn Progress,
    ) -> Result<Report, reconciler::Error> {
        let span = tracing::info_span!("run", run.id = self.run_id, instance = self.config.name);
        async {
            let (source, base_url) = (self.config.source.place(), self.config.explo.base_url.to_string());
            let dry_run = task.dry_run;
            tracing::info!(source, base_url, dry_run, "run begins");
            let run = self.reconcile(task, findings, progress).await;
            let run = run.inspect_err(|error| tracing::error!("run failed: {error}"))?;
            let report = Report {
                instance: self.config.name.clone(),
                run_id: self.run_id.clone(),
                dry_run,
                source,
                base_url,
                requests_per_minute: self.config.requests_per_minute,
                calls_made: self.client.calls(),
                run,
            };
            log_end(&report);
            Ok(report)
        }
        .instrument(span)
        .await
    }

    async fn reconcile(
        &self,
        mut task: Task,
        findings: &Findings,
        progress: &dyn Progress,
    ) -> Result<Run, reconciler::Error> {
        let saved = task.saved.take();
        let reconciler = self.reconciler(&task, findings);
        let writer = (!task.dry_run).then_some(&self.client);
        match saved {
            Some(plan) => reconciler.resume(plan, &self.client, progress).await,
            None if task.only.is_empty() => reconciler.run(writer, progress).await,
            None => reconciler.only(&task.only, writer, progress).await,
        }
    }

    /// Both sides of one id; changes nothing.
    pub(super) async fn explain(&self, provided_id: &str) -> Result<Explanation, reconciler::Error> {
        self.reconciler(&Task::default(), &Findings::default()).explain(provided_id).await
    }

    fn reconciler<'a>(&'a self, task: &'a Task, findings: &'a Findings) -> Reconciler<'a, Sql, Client> {
        let config = &self.config;
        Reconciler {
            source: &config.source,
            reader: &self.client,
            rules: config.rules,
            guard: config.guard,
            allowances: &task.allowances,
            findings,
            side_by_side: config.max_in_flight,
            max_changes: task.max_changes.unwrap_or(usize::MAX),
            stop: &self.stop,
            seed: rand::random(),
        }
    }
}

fn log_end(report: &Report) {
    let plan = &report.run.plan;
    let outcomes = report.outcomes();
    tracing::info!(
        tenants = plan.index.rows(),
        customers = plan.customers,
        planned = plan.changes.len(),
        applied = outcomes.applied,
        failed = outcomes.failed,
        unsettled = outcomes.unsettled,
        deferred = outcomes.deferred,
        invalid = plan.invalid.len(),
        orphans = plan.orphans.len(),
        held = !report.run.held.is_empty(),
        calls = report.calls_made.values().sum::<usize>(),
        "run ended"
    );
}
