//! One instance with its parts, for one run; `run` opens one for each run.

use std::{
    collections::BTreeSet,
    pin::pin,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use futures_util::future::{Either, join, select};
use tokio::{sync::mpsc::unbounded_channel, time::sleep};
use tracing::Instrument;

use super::{now, pair};
use crate::{
    applier::{Claims, REPORTED},
    compare::Fingerprints,
    config::{self, Config},
    database::lock::Permit,
    explo::{self, Client, Lane, Pacer},
    ledger::{self, InMemory, Ledger},
    memory::{Departed, Memory, Note},
    metrics::Metrics,
    plan::{Allowances, Explanation, Plan, SavedPlan},
    progress::Progress,
    reconciler::{self, Reconciler, Run, Shared, Writers},
    report::Report,
    source::{AnySource, Source},
    stop::Stop,
};

/// How long a stopped run waits, at least, until the ledger has recorded the rest.
const LAST_RECORDING: Duration = Duration::from_secs(3);

/// A configuration with a client for one run.
pub(super) struct Instance {
    pub(super) config: Config,
    pub(super) client: Client,
    /// The id of the run.
    pub(super) run_id: String,
    stop: Stop,
}

/// What one run is to do.
#[derive(Default)]
pub(super) struct Task {
    /// Limits of the guard that are raised for this run.
    pub(super) allowances: Allowances,
    /// The most changes to make.
    pub(super) max_changes: Option<usize>,
    /// Retry failed tenants now, before their next try is due.
    pub(super) retry_failed: bool,
    /// Carry out this plan; if none, make one.
    pub(super) saved: Option<Plan>,
    /// Only these tenants; if empty, all.
    pub(super) only: BTreeSet<String>,
    /// Seconds after which customers are listed, instead of the configured ones.
    pub(super) list_every: Option<u64>,
}

impl Instance {
    pub(super) fn open(config: Config, stop: &Stop) -> Result<Self, config::Error> {
        let pacer = Arc::new(Pacer::new(config.requests_per_minute, config.max_in_flight));
        Self::paced_by(pacer, config, stop)
    }

    /// Opens it with a pacer of an earlier run, so that a pause that the server asked for outlives that run.
    pub(super) fn paced_by(pacer: Arc<Pacer>, config: Config, stop: &Stop) -> Result<Self, config::Error> {
        let client = Client::new(config.explo.clone(), pacer, stop.clone(), rand::random());
        let client = client.map_err(|error| config::Error(vec![error]))?;
        Ok(Self { config, client, run_id: uuid::Uuid::now_v7().to_string(), stop: stop.clone() })
    }

    /// The same with calls that go before those of others.
    pub(super) fn urgent(self) -> Self {
        Self { client: self.client.in_lane(Lane::Urgent), ..self }
    }

    /// Counts the instance's calls in the metrics.
    pub(super) fn observed_by(self, metrics: &Metrics) -> Self {
        Self { client: self.client.observed_by(metrics.observed()), ..self }
    }

    /// The saved plan, if it is this instance's.
    pub(super) fn restore(&self, saved: SavedPlan) -> Result<Plan, String> {
        if saved.instance != self.config.name {
            return Err(format!("it is the plan of instance {}, and this is {}", saved.instance, self.config.name));
        }
        let explo = self.config.explo.base_url.as_str();
        if !saved.explo.is_empty() && saved.explo != explo {
            return Err(format!("it is a plan for {}, and explo.base_url is {explo}", saved.explo));
        }
        saved.restore(Fingerprints::new(rand::random()), seconds_now()).map_err(str::to_owned)
    }

    /// Runs once, and logs its beginning and end. Without a permit it plans and changes nothing. `memory` stands in for
    /// the ledger if none is configured.
    pub(super) async fn run(
        &self,
        task: Task,
        permit: Option<&Permit>,
        (memory, shared): (&InMemory, &Shared),
        progress: &dyn Progress,
    ) -> Result<Report, reconciler::Error> {
        // The highest level, so that no log level removes the span from a line.
        let span = tracing::error_span!("run", run.id = self.run_id, instance = self.config.name);
        async {
            let (source, base_url) = (self.config.source.place(), self.config.explo.base_url.to_string());
            let ledger = self.config.ledger.as_ref().map_or("memory".to_owned(), ledger::Sql::place);
            let dry_run = permit.is_none();
            tracing::info!(source, base_url, ledger, dry_run, "run begins");
            let run = self.remembered_somewhere(task, permit, (memory, shared), progress).await;
            let (run, unrecorded) =
                run.inspect_err(|error| tracing::error!(target: REPORTED, "run failed: {error}"))?;
            let report = Report {
                config: None,
                instance: self.config.name.clone(),
                run_id: self.run_id.clone(),
                dry_run,
                source,
                base_url,
                requests_per_minute: self.config.requests_per_minute,
                calls_made: self.client.calls(),
                run,
                unrecorded,
            };
            log_end(&report);
            Ok(report)
        }
        .instrument(span)
        .await
    }

    async fn remembered_somewhere(
        &self,
        task: Task,
        permit: Option<&Permit>,
        (memory, shared): (&InMemory, &Shared),
        progress: &dyn Progress,
    ) -> Result<(Run, Option<ledger::Error>), reconciler::Error> {
        let Some(ledger) = &self.config.ledger else {
            return Box::pin(self.remembered(task, permit, (memory, shared), progress)).await;
        };
        let pair = Box::pin(self.unless_stopped(pair::of(&self.config))).await?;
        Box::pin(self.remembered(task, permit, (&ledger.of(pair), shared), progress)).await
    }

    /// Runs with the ledger's memory. Unless it is a dry run, the ledger records entries during the run.
    async fn remembered(
        &self,
        task: Task,
        permit: Option<&Permit>,
        (ledger, shared): (&impl Ledger, &Shared),
        progress: &dyn Progress,
    ) -> Result<(Run, Option<ledger::Error>), reconciler::Error> {
        let Some(permit) = permit else {
            let memory = self.unless_stopped(ledger.load()).await?;
            return Ok((self.reconcile(task, &memory, None, progress).await?, None));
        };
        let writer = self.unless_stopped(ledger.writer()).await?;
        let memory = self.unless_stopped(ledger.load()).await?;
        shared.loaded(&memory);
        let (entries, to_record) = unbounded_channel();
        let (_reading, (opened, _recording)) = (shared.superseded.run_begins(), shared.journal.open(entries.clone()));
        let claims = Claims::new(&shared.locks, &shared.superseded, ledger, &memory);
        let running = async {
            let record = move |note: Note| {
                let is_overview = matches!(note, Note::Overview(_));
                if let Some(note) = shared.note_of_run(note) {
                    // Sending fails only if the recorder has ended; the run goes on without it.
                    drop(entries.send(note.into()));
                }
                if is_overview {
                    shared.listed.notify_one();
                }
            };
            let mut writers = Writers::new(permit, &self.client, &record).keeping(&writer);
            if !matches!(permit, Permit::Ids(_)) {
                writers = writers.claiming(&claims);
            }
            let ran = self.reconcile(task, &memory, Some(writers), progress).await;
            drop(opened);
            ran
        };
        let (run, recorded) = match select(pin!(running), pin!(ledger::record_all(&writer, to_record))).await {
            Either::Left((run, recording)) => (run, self.last_recorded(recording).await),
            Either::Right((recorded, running)) => (running.await, recorded),
        };
        let unrecorded = recorded.err();
        // The recorder has logged each row that was refused.
        if let Some(error) = unrecorded.as_ref().filter(|error| !error.is_about_rows()) {
            tracing::error!("the ledger lacks part of what this run did; the next run finds it out again: {error}");
        }
        Ok((run?, unrecorded))
    }

    /// Stops waiting at a stop: the source and the ledger may be silent for as long as `source.timeout`.
    async fn unless_stopped<T, E: Into<reconciler::Error>>(
        &self,
        asking: impl Future<Output = Result<T, E>>,
    ) -> Result<T, reconciler::Error> {
        tokio::select! {
            answer = asking => answer.map_err(Into::into),
            () = self.stop.requested() => Err(explo::Error::Stopped { reason: self.stop.reason() }.into()),
        }
    }

    /// Waits until the rest is recorded; after a stop, only as long as calls in flight may go on.
    async fn last_recorded(
        &self,
        recording: impl Future<Output = Result<(), ledger::Error>>,
    ) -> Result<(), ledger::Error> {
        tokio::select! {
            recorded = recording => recorded,
            _ = join(self.stop.over(), sleep(LAST_RECORDING)) => Err(ledger::Error::Stopped),
        }
    }

    async fn reconcile(
        &self,
        mut task: Task,
        memory: &Memory,
        writers: Option<Writers<'_, Client>>,
        progress: &dyn Progress,
    ) -> Result<Run, reconciler::Error> {
        let saved = task.saved.take();
        let reconciler = self.reconciler(&task, memory);
        match saved {
            Some(plan) => Box::pin(reconciler.resume(plan, writers, progress)).await,
            None if task.only.is_empty() => Box::pin(reconciler.run(writers, progress)).await,
            None => Box::pin(reconciler.only(&task.only, writers, progress)).await,
        }
    }

    /// Explains one id from both sides; changes nothing.
    pub(super) async fn explain(&self, provided_id: &str) -> Result<Explanation, reconciler::Error> {
        let task = Task::default();
        let Some(ledger) = &self.config.ledger else {
            return self.reconciler(&task, &Memory::default()).explain(provided_id).await;
        };
        let ledger = ledger.of(pair::of(&self.config).await?);
        let memory = ledger.load().await?;
        let mut explanation = self.reconciler(&task, &memory).explain(provided_id).await?;
        if let Some(remembered) = &mut explanation.remembered {
            let provided_id = &remembered.provided_id;
            remembered.synced_at = ledger.synced_at(provided_id).await?;
            if let Some(departed) = ledger.offboarded_of(provided_id).await?.as_deref().and_then(Departed::read) {
                let is_there = memory.is_still_there(provided_id, &departed);
                remembered.offboarded = Some((departed, is_there));
            }
        }
        Ok(explanation)
    }

    pub(super) fn reconciler<'a>(&'a self, task: &'a Task, memory: &'a Memory) -> Reconciler<'a, AnySource, Client> {
        let config = &self.config;
        Reconciler {
            source: &config.source,
            reader: &self.client,
            rules: config.rules,
            guard: config.guard,
            offboarding: config.offboarding,
            allowances: &task.allowances,
            memory,
            retry_failed: task.retry_failed,
            list_every: task.list_every.unwrap_or(config.list_every.as_secs()),
            now: seconds_now(),
            side_by_side: config.max_in_flight,
            max_changes: task.max_changes.unwrap_or(usize::MAX),
            stop: &self.stop,
            seed: rand::random(),
        }
    }
}

/// Seconds since 1970.
pub(super) fn seconds_now() -> u64 {
    now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn log_end(report: &Report) {
    let plan = &report.run.plan;
    let outcomes = report.outcomes();
    tracing::info!(
        tenants = plan.index.rows(),
        customers = plan.population.customers,
        planned = plan.changes.len(),
        applied = outcomes.applied,
        failed = outcomes.failed,
        unsettled = outcomes.unsettled,
        deferred = outcomes.deferred,
        invalid = plan.index.count_of_invalid(),
        orphans = plan.population.orphans.len(),
        held = !report.run.held.is_empty(),
        calls = report.calls_made.values().sum::<usize>(),
        "run ended"
    );
}
