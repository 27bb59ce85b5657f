//! The daemon's health and status over HTTP; no tenant is named. `POST /sync/{id}` carries out one tenant.
//!
//! | path | 200 | 503, with the reason |
//! |---|---|---|
//! | `/` | all this as a page for people, see `page` | |
//! | `/livez` | the loop is alive | no heartbeat for a minute: only a restart helps |
//! | `/readyz` | both sides answered and the last run did not fail; or another daemon has the lock | no run has reached both sides yet, or the last run failed: a restart does not help |
//! | `/status` | the last runs as JSON | |
//! | `/metrics` | the metrics, for Prometheus | |
//! | `POST /sync/{id}` | see `post` | |
//!
//! The heartbeat comes from the thread that works: one from another thread would not show that the work is stuck. So
//! there is none while a plan is computed (seconds at a million tenants). The server has its own thread and still
//! answers.
//!
//! After a held plan, failed tenants or a run that stopped early, `/readyz` stays 200; `last_converged` shows whether
//! both sides are equal.

mod known;
mod page;
mod post;
mod server;
mod troubles;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{
    daemon::Wakes,
    metrics::Metrics,
    progress::Progress,
    reconciler::{Origin, WakeOutcome},
    report::{Exit, Report},
};

use known::{Known, LastRun, Running, Step, Time, Woken};
use page::Reader;
pub use server::{CONNECTIONS, Limits, serve};
use troubles::Troubles;

/// Without a heartbeat for this long, the loop counts as stuck.
const STALE: Duration = Duration::from_mins(1);

/// The daemon's state: its loop writes it, the server reads it. It is the [`Progress`] of the daemon's runs, and feeds
/// the metrics.
#[derive(Debug)]
pub struct Status {
    metrics: Metrics,
    known: Mutex<Known>,
    wakes: Arc<Wakes>,
}

impl Status {
    /// The state at the daemon's start; `instance` is the label of every metric.
    #[must_use]
    pub fn new(instance: &str, at: SystemTime) -> Self {
        let known = Known {
            instance: instance.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            started_at: Time(at),
            standby: None,
            running: None,
            next_run: None,
            last_runs: VecDeque::new(),
            last_converged_at: None,
            held: Vec::new(),
            command: None,
            troubles: Troubles::default(),
            wakes: Woken::default(),
            heartbeat: at,
            answered: false,
            failure: None,
        };
        let wakes = Arc::<Wakes>::default();
        Self { metrics: Metrics::new(instance).with_wakes(&wakes), known: Mutex::new(known), wakes }
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The queue of wakes.
    #[must_use]
    pub fn wakes(&self) -> &Arc<Wakes> {
        &self.wakes
    }

    /// A wake was carried out, this long after it came.
    pub fn woken(&self, origin: Origin, outcome: WakeOutcome, took: Duration) {
        self.metrics.woken(origin, outcome, took);
        let mut known = self.known();
        *known.wakes.outcomes.entry(origin.name()).or_default().entry(outcome.name()).or_insert(0) += 1;
        known.wakes.last_took_ms = Some(took.as_millis());
        known.wakes.latencies.add(took);
    }

    /// The loop is alive: called every [`daemon::BEAT`](crate::daemon::BEAT).
    pub fn heartbeat(&self, at: SystemTime) {
        self.known().heartbeat = at;
    }

    /// When the next run is due; `None`: never.
    pub fn next_run(&self, at: Option<SystemTime>) {
        self.known().next_run = at.map(Time);
    }

    /// Another daemon has the lock, until [`Status::run_began`].
    pub fn standby(&self, reason: &str) {
        self.metrics.stands_by(true);
        self.known().standby = Some(reason.to_owned());
    }

    /// A run begins.
    pub fn run_began(&self, run_id: &str, at: SystemTime) {
        self.metrics.stands_by(false);
        let mut known = self.known();
        (known.standby, known.next_run) = (None, None);
        known.running = Some(Running {
            run_id: run_id.to_owned(),
            started_at: Time(at),
            listed: Step::default(),
            applied: Step::default(),
        });
    }

    /// The run ended with a plan.
    pub fn run_ended(&self, report: &Report, exit: Exit, at: SystemTime) {
        // All that takes long for a large plan is computed before the lock is taken, so no request waits for it.
        let started_at = self.known().running.as_ref().map_or(at, |running| running.started_at.0);
        self.metrics.run_ended(report, exit, &(started_at..at));
        let (has_converged, troubles) = (report.converged(), Troubles::of(report));
        let ended = LastRun {
            run_id: report.run_id.clone(),
            started_at: Time(started_at),
            ended_at: Time(at),
            exit,
            counts: Some(report.counts()),
            outcomes: Some(report.outcomes()),
            held: report.run.held.clone(),
            error: report.error(),
        };
        let mut known = self.known();
        known.running = None;
        if has_converged {
            known.last_converged_at = Some(Time(at));
        }
        known.answered = true;
        known.held.clone_from(&report.run.held);
        known.command = (!report.run.held.is_empty()).then(|| report.command_through());
        known.troubles = troubles;
        known.push(ended);
        known.judge(exit);
    }

    /// The run ended without a plan.
    pub fn run_failed(&self, run_id: &str, error: &str, exit: Exit, at: SystemTime) {
        let mut known = self.known();
        known.standby = None;
        let began = known.running.take().map(|running| running.started_at.0);
        match began {
            Some(began) => self.metrics.run_failed(exit, &(began..at)),
            None => self.metrics.no_run(exit),
        }
        known.push(LastRun {
            run_id: run_id.to_owned(),
            started_at: Time(began.unwrap_or(at)),
            ended_at: Time(at),
            exit,
            counts: None,
            outcomes: None,
            held: Vec::new(),
            error: Some(error.to_owned()),
        });
        known.judge(exit);
    }

    /// Why the loop counts as stuck; `None`: it is alive.
    #[must_use]
    pub fn stuck(&self, now: SystemTime) -> Option<String> {
        // If the clock was set back, the silence is unknown and counts as none.
        let silence = now.duration_since(self.known().heartbeat).unwrap_or_default();
        (silence > STALE).then(|| format!("the loop has not moved for {} s", silence.as_secs()))
    }

    /// Why the daemon is not ready; `None`: ready.
    #[must_use]
    pub fn unready(&self) -> Option<String> {
        let known = self.known();
        match &known.failure {
            _ if known.standby.is_some() => None,
            Some(failure) => Some(format!("the last run failed: {failure}")),
            None if known.answered => None,
            None => Some("no run has read the tenants and listed customers yet".to_owned()),
        }
    }

    fn page(&self, now: SystemTime, reader: Reader) -> Vec<u8> {
        let stats = self.metrics.observed().stats();
        let mut known = self.known();
        (known.wakes.waiting, known.wakes.in_progress) = self.wakes.count();
        let mut page = Vec::new();
        // Writing to memory never fails.
        let _ = page::write(&known, &stats, (now, reader), &mut page);
        page
    }

    fn json(&self) -> Vec<u8> {
        let mut known = self.known();
        (known.wakes.waiting, known.wakes.in_progress) = self.wakes.count();
        serde_json::to_vec(&*known).unwrap_or_default()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Status {
    fn listed(&self, pages: usize, of: usize) {
        let mut known = self.known();
        // The tenants were read before the first page.
        known.answered = true;
        if let Some(running) = &mut known.running {
            running.listed = Step { done: pages, of };
        }
    }

    fn applied(&self, kind: &'static str, outcome: &'static str, changes: usize, of: usize) {
        self.metrics.changed(kind, outcome);
        if let Some(running) = &mut self.known().running {
            running.applied = Step { done: changes, of };
        }
    }
}
