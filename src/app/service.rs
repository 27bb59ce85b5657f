//! The daemon's work at each instant: one run, if it is this daemon's turn.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Context,
    instance::{Instance, Task},
    kept::{Kept, kept},
    lead::{self, Lead, Means, Origins},
    lock, now, pair, warn_of_idle_schedule,
};
use crate::{
    config::{Config, Layers},
    daemon::{self, Kind, Next, Requests, Timing, Wakes, Work},
    database::lock::{Attempt, IdLocks, Lock, Permit},
    explo::Pacer,
    files::Reading,
    ledger::InMemory,
    ops::Status,
    plan::Held,
    reconciler::Shared,
    report::{self, Exit, Report},
    source::{self, Source},
    stop::Stop,
    systemd,
};

/// How long a run may still close connections after its end.
const HANGING: Duration = Duration::from_mins(2);

/// The daemon's work at each instant, and what it remembers between instants.
pub(super) struct Service<'a> {
    context: &'a Context,
    /// As read last: secret files are read again for each run, the configuration at SIGHUP.
    layers: Layers,
    status: Arc<Status>,
    /// The instance's name, for the log.
    instance: String,
    /// The longest that a run may take.
    max_run: Duration,
    /// For one rate and one number of calls in flight.
    pacer: Kept<(u32, usize), Arc<Pacer>>,
    /// Locked from the first run to the end: of several daemons, the one that has this lock works, the others stand by.
    leader: Kept<Sides, Lock>,
    /// What runs and wakes share while this daemon works; without wakes less is kept.
    shared: Kept<(Sides, bool), Rc<Shared>>,
    /// Where wakes come from, while this daemon works; made anew after a reload.
    origins: Option<Origins>,
    /// The means to carry out wakes.
    lead: Lead,
    wakes: Arc<Wakes>,
    requests: Arc<Requests>,
    /// Why the last instant was left to another run, if it was.
    standby: Option<&'static str>,
    /// What the runs found out, if no ledger is configured.
    memory: Kept<Sides, Rc<InMemory>>,
    /// The classes for which the last plan was held.
    held: Vec<Held>,
    /// Whether the log says already that this database has no lock.
    lockless: bool,
}

/// The key of what is kept from run to run: what is known of one team's customers says nothing about another team's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sides {
    /// The name of the lock, which differs for each instance and each team at Explo.
    lock: String,
    /// The place of the source.
    source: String,
}

/// Whose turn this instant is.
enum Turn {
    Ours(Permit),
    Another(&'static str),
}

impl Work for Service<'_> {
    async fn run(&mut self, kind: Kind, stop: &Stop) -> Next {
        let status = Arc::clone(&self.status);
        let mut beats = tokio::time::interval(daemon::BEAT);
        // A run that goes on long after its end hangs: then the heartbeat stops, so that the watchdog ends the process.
        let (mut end, longest) = (None, self.max_run + Stop::GRACE + HANGING);
        let span = tracing::error_span!("daemon", instance = self.instance);
        let mut run = Box::pin(self.once(kind, stop).instrument(span));
        loop {
            tokio::select! {
                next = &mut run => return next,
                _ = beats.tick(), if end.is_none_or(|end| Instant::now() < end) => {
                    // Steps before the first write have limits of their own.
                    end = end.or_else(|| stop.is_writing().then(|| Instant::now() + longest));
                    status.heartbeat(now());
                    systemd::alive();
                }
            }
        }
    }

    fn reload(&mut self) -> Option<Timing> {
        let layers = self.context.layers(Reading::Again).map(Layers::for_each_run);
        let reloaded = layers.and_then(|layers| Ok((Config::load(&layers)?, layers)));
        match reloaded {
            Ok((config, layers)) => {
                tracing::info!(instance = config.name, "configuration reloaded");
                warn_of_idle_schedule(&config);
                systemd::status("Configuration reloaded");
                self.layers = layers;
                self.max_run = config.max_run;
                self.instance.clone_from(&config.name);
                if self.lead.borrow().is_some() {
                    let told = (&self.wakes, &self.requests);
                    self.origins = Some(Origins::start(&self.context.watch, &config, told, false));
                }
                Some(config.timing())
            }
            Err(error) => {
                tracing::error!(instance = self.instance, "the old configuration is kept: {error}");
                systemd::status("The new configuration was refused, the old one is kept");
                None
            }
        }
    }

    fn beat(&mut self, next: Option<DateTime<Utc>>) {
        self.status.heartbeat(now());
        self.status.next_run(next.map(SystemTime::from));
        systemd::alive();
    }
}

impl<'a> Service<'a> {
    pub(super) fn new(
        context: &'a Context,
        layers: Layers,
        config: &Config,
        status: Arc<Status>,
        (lead, wakes, requests): (&Lead, &Arc<Wakes>, &Arc<Requests>),
    ) -> Self {
        Self {
            lead: Rc::clone(lead),
            wakes: Arc::clone(wakes),
            requests: Arc::clone(requests),
            shared: None,
            origins: None,
            context,
            layers,
            status,
            instance: config.name.clone(),
            max_run: config.max_run,
            pacer: None,
            leader: None,
            standby: None,
            memory: None,
            held: Vec::new(),
            lockless: false,
        }
    }

    /// Releases the lock, so that another daemon can work.
    pub(super) async fn end(mut self) {
        *self.lead.borrow_mut() = None;
        self.origins = None;
        if let Some((_, leader)) = self.leader.take() {
            leader.release().await;
        }
        tracing::info!(instance = self.instance, "stopped");
    }

    /// One run, if it is this daemon's turn.
    async fn once(&mut self, kind: Kind, stop: &Stop) -> Next {
        let stop = stop.child();
        let config = match Config::load(&self.layers) {
            Ok(config) => config,
            Err(error) => return self.failed("", &error.to_string(), Exit::Config),
        };
        let permit = match self.turn(&config, &stop).await {
            Ok(Turn::Ours(permit)) => permit,
            Ok(Turn::Another(reason)) => return self.stand_by(reason),
            Err(error) => return self.failed("", &error.to_string(), Exit::Failed),
        };
        self.standby = None;
        let shared = self.share(&config);
        self.hear(&config, &shared).await;
        let next = self.reconcile(config, kind, &stop, (&permit, &shared)).await;
        permit.release().await;
        shared.run_ended();
        if self.lead.borrow().is_some() {
            self.wakes.open(shared.most_wakes());
            self.wakes.unpark();
        }
        if self.wakes.count().1 == 0 {
            stop.writes_are_told();
        }
        next
    }

    /// What runs and wakes share, as long as the two sides and the lock stay the same.
    fn share(&mut self, config: &Config) -> Rc<Shared> {
        let sides = Sides::of(config);
        let leader = self.leader.as_ref().map(|(_, leader)| leader);
        let has_wakes = !config.origins().is_empty();
        let make = || {
            let locks = leader.map_or_else(IdLocks::of_process, |leader| leader.ids(&sides.lock));
            Rc::new(if has_wakes { Shared::new(locks) } else { Shared::without_wakes(locks) })
        };
        Rc::clone(kept(&mut self.shared, (sides.clone(), has_wakes), make))
    }

    /// Begins to carry out wakes, if the configuration names where they come from, with what it says now.
    async fn hear(&mut self, config: &Config, shared: &Rc<Shared>) {
        if config.origins().is_empty() {
            return;
        }
        match self.means(config, shared).await {
            Ok(means) => *self.lead.borrow_mut() = Some(Rc::new(means)),
            Err(error) => tracing::warn!("single tenants wait for the next run: {error}"),
        }
        if self.lead.borrow().is_none() {
            return;
        }
        self.wakes.open(shared.most_wakes());
        if self.origins.is_none() {
            let origins = Origins::start(&self.context.watch, config, (&self.wakes, &self.requests), true);
            origins.hear().await;
            self.origins = Some(origins);
        }
    }

    async fn means(&mut self, config: &Config, shared: &Rc<Shared>) -> Result<Means, String> {
        // A run takes its configuration along.
        let own = Config::load(&self.layers).map_err(|error| error.to_string())?.keeping_connections();
        let ledger = lead::claim(&own).await.map_err(|error| error.to_string())?;
        let memory = Rc::clone(kept(&mut self.memory, Sides::of(config), Rc::default));
        let pacer = Arc::clone(kept(&mut self.pacer, pace(config), || paced(config)));
        let instance = Instance::paced_by(pacer, own, &self.context.stop.child()).map_err(|error| error.to_string())?;
        let lost = self.leader.as_ref().map_or_else(CancellationToken::new, |(_, leader)| leader.lost().clone());
        let instance = instance.urgent().observed_by(self.status.metrics());
        Ok(Means { instance, shared: Rc::clone(shared), memory, lost, ledger })
    }

    /// Takes the lock of the daemons first, then the lock of all runs, which `sync` takes too.
    async fn turn(&mut self, config: &Config, stop: &Stop) -> Result<Turn, source::Error> {
        let sides = Sides::of(config);
        let is_bad = |(kept, leader): &mut (Sides, Lock)| *kept != sides || leader.lost().is_cancelled();
        if let Some((_, leader)) = self.leader.take_if(is_bad) {
            *self.lead.borrow_mut() = None;
            (self.shared, self.origins) = (None, None);
            leader.release().await;
        }
        if self.leader.is_none() {
            let of_daemons = format!("{}~daemon", sides.lock);
            match lock::acquire(&self.context.watch, config, of_daemons, Duration::ZERO, stop).await? {
                Attempt::Acquired(leader) => self.leader = Some((sides.clone(), leader)),
                Attempt::Busy => return Ok(Turn::Another("another daemon works")),
                Attempt::Stopped => return Ok(Turn::Another("stopping")),
                Attempt::Unavailable(reason) => self.go_without(&reason),
            }
        }
        let asked = lock::acquire(&self.context.watch, config, sides.lock, Duration::ZERO, stop);
        Ok(match asked.await? {
            Attempt::Acquired(lock) => Turn::Ours(Permit::Locked(lock)),
            Attempt::Busy => Turn::Another("another run holds the lock"),
            Attempt::Stopped => Turn::Another("stopping"),
            Attempt::Unavailable(reason) => {
                self.go_without(&reason);
                Turn::Ours(Permit::Unlocked)
            }
        })
    }

    /// Logs it once: without a lock, simultaneous runs are safe but make extra calls.
    fn go_without(&mut self, reason: &str) {
        if !self.lockless {
            tracing::warn!("going on without a lock: {reason}");
        }
        self.lockless = true;
    }

    async fn reconcile(
        &mut self,
        config: Config,
        kind: Kind,
        stop: &Stop,
        (permit, shared): (&Permit, &Shared),
    ) -> Next {
        let (max_run, sides) = (config.max_run, Sides::of(&config));
        let pacer = kept(&mut self.pacer, pace(&config), || paced(&config));
        let instance = match Instance::paced_by(Arc::clone(pacer), config, stop) {
            Ok(instance) => instance.observed_by(self.status.metrics()),
            Err(error) => return self.failed("", &error.to_string(), Exit::Config),
        };
        self.status.run_began(&instance.run_id, now());
        systemd::status("Running");
        let ending = self.context.watch.begin(ended_early(stop.clone(), max_run, permit.lost()));
        let memory = kept(&mut self.memory, sides, Rc::default);
        let list_every = match kind {
            Kind::Scheduled => None,
            Kind::Quick => Some(u64::MAX),
            Kind::Full => Some(0),
        };
        let task = Task { list_every, ..Task::default() };
        let ran = instance.run(task, Some(permit), (memory, shared), &*self.status).await;
        drop(ending);
        match ran {
            Ok(report) => self.ended(&report, report.exit(false)),
            Err(error) => self.failed(&instance.run_id, &error.to_string(), report::exit_without_plan(&error)),
        }
    }

    fn ended(&mut self, report: &Report, exit: Exit) -> Next {
        self.status.run_ended(report, exit, now());
        let outcomes = report.outcomes();
        systemd::status(&format!(
            "Last run: exit {}, {} applied, {} deferred",
            exit as u8, outcomes.applied, outcomes.deferred
        ));
        let classes = |held: &[Held]| held.iter().map(|held| held.class).collect::<Vec<_>>();
        if classes(&report.run.held) != classes(&self.held) {
            self.held.clone_from(&report.run.held);
            if self.held.is_empty() {
                tracing::info!(run.id = report.run_id, "the guard holds nothing any more");
            } else {
                tracing::warn!(run.id = report.run_id, "{}", report.error().unwrap_or_default());
            }
        }
        // Time ran out, and changes were applied: the rest is listed and planned anew at once, so that values don't go
        // stale.
        let is_unfinished = exit == Exit::Stopped && outcomes.applied > 0;
        if is_unfinished { Next::AtOnce } else { Next::AtSchedule }
    }

    fn failed(&mut self, run_id: &str, error: &str, exit: Exit) -> Next {
        if run_id.is_empty() {
            tracing::error!("no run: {error}");
        }
        self.status.run_failed(run_id, error, exit, now());
        systemd::status(&format!("Last run: exit {}", exit as u8));
        Next::AtSchedule
    }

    fn stand_by(&mut self, reason: &'static str) -> Next {
        // Another run's process holds the lock of runs only: wakes go on beside it.
        if self.leader.is_none() {
            *self.lead.borrow_mut() = None;
            (self.shared, self.origins) = (None, None);
            self.wakes.close();
        }
        // Before the log line, so that a reader of the line finds the status changed.
        self.status.standby(reason);
        if self.standby.replace(reason) != Some(reason) {
            tracing::info!("standing by: {reason}");
        }
        systemd::status(&format!("Standing by: {reason}"));
        Next::AtSchedule
    }
}

/// What the pace depends on.
fn pace(config: &Config) -> (u32, usize) {
    (config.requests_per_minute, config.max_in_flight)
}

fn paced(config: &Config) -> Arc<Pacer> {
    Arc::new(Pacer::new(config.requests_per_minute, config.max_in_flight))
}

impl Sides {
    fn of(config: &Config) -> Self {
        Self { lock: pair::lock_name(config), source: config.source.place() }
    }
}

/// Requests a stop when `max_run` has passed since the run's first write, or when its lock is lost.
async fn ended_early(stop: Stop, max_run: Duration, lost: CancellationToken) {
    let written = async {
        stop.first_write().await;
        tokio::time::sleep(max_run).await;
    };
    tokio::select! {
        () = written => stop.request("schedule.max_run").await,
        () = lost.cancelled() => stop.request("a lost lock").await,
    }
}
