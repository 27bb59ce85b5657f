//! The metrics of one instance in Prometheus' text format, for the daemon's server and for the textfile collector.
//!
//! All counters start with the process. Labels hold the instance and this program's own words: no tenant, no value. A
//! gauge is missing until its value is known: a standby has no gauge of a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, text},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::{Metric, Registry},
};

use crate::{
    daemon::Wakes,
    explo::{Endpoint, Latency, Observed},
    files,
    http::Ending,
    plan::{Class, Plan},
    reconciler::{Origin, WakeOutcome},
    report::{Exit, Report},
    stderr,
};

/// Prefix of every metric name.
const PREFIX: &str = "explo_sync";

/// The only metric that the metrics file keeps from the process before.
const LAST_CONVERGED: &str = "last_converged_timestamp_seconds";

/// The upper bounds of the buckets for wakes, in seconds.
const WAKES: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Every combination starts at 0, so that `rate()` sees the first change.
const KINDS: [&str; 4] = ["create", "update", "rename", "offboard"];

/// How long the rows of orphans have been gone: the upper bounds in seconds. The last class is that of customers of which the
/// ledger knows no row.
const AGES: [(&str, u64); 5] = [
    ("under_1d", 86_400),
    ("under_7d", 604_800),
    ("under_30d", 2_592_000),
    ("over_30d", u64::MAX),
    ("unknown", u64::MAX),
];
const OUTCOMES: [&str; 4] = ["applied", "failed", "unsettled", "deferred"];

type Number = Gauge<u64, AtomicU64>;
type Seconds = Gauge<f64, AtomicU64>;
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// A gauge that is missing until its value is known.
type Known<G> = Family<Labels<0>, G>;

/// The metrics of one instance; its runs update them.
#[derive(Debug)]
pub struct Metrics {
    instance: String,
    registry: Registry,
    observed: Arc<Observed>,
    runs: Family<[(&'static str, u8); 1], Counter>,
    standby: Known<Number>,
    last_run: Known<Seconds>,
    last_converged: Known<Seconds>,
    run_duration: Known<Seconds>,
    last_run_exit: Known<Number>,
    tenants: Known<Number>,
    customers: Known<Number>,
    unsettled: Known<Number>,
    invalid: Known<Number>,
    orphans: Known<Number>,
    failing: Known<Number>,
    ledger_behind: Known<Number>,
    orphan_ages: Family<Labels<1>, Number>,
    changes: Family<Labels<2>, Counter>,
    /// The outcomes of the current run that `changes` has counted already.
    counted: Mutex<BTreeMap<Labels<2>, u64>>,
    held: Family<Labels<1>, Number>,
    wakes: Family<Labels<2>, Counter>,
    wake_duration: Family<Labels<1>, Histogram, fn() -> Histogram>,
}

impl Metrics {
    /// The metrics of an instance before its first run.
    #[must_use]
    pub fn new(instance: &str) -> Self {
        let label = ("sync_instance".into(), instance.to_owned().into());
        let mut all = Registry::with_prefix_and_labels(PREFIX, std::iter::once(label));
        // A gauge, because the textfile collector does not know the type `info`.
        let build: Family<Labels<1>, Number> = register(&mut all, "build_info", "The program's version");
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        all.register_collector(Box::new(DroppedLines));
        let observed = Arc::<Observed>::default();
        all.register_collector(Box::new(Calls(Arc::clone(&observed))));
        let changes: Family<Labels<2>, Counter> = register(&mut all, "changes", "Planned changes by kind and outcome");
        for (kind, outcome) in KINDS.into_iter().flat_map(|kind| OUTCOMES.map(|outcome| (kind, outcome))) {
            changes.get_or_create(&[("kind", kind), ("outcome", outcome)]).inc_by(0);
        }
        let held: Family<Labels<1>, Number> =
            register(&mut all, "held", "Changes of a class that is over its limit, so that the guard holds the plan");
        let mut gauge = |name, help| register::<Known<Seconds>>(&mut all, name, help);
        let last_run = gauge("last_run_timestamp_seconds", "When the last run ended, with any exit code");
        let last_converged = gauge(LAST_CONVERGED, "When a run last ended with nothing left to do that can be done");
        let run_duration = gauge("run_duration_seconds", "How long the last run took");
        let mut gauge = |name, help| register::<Known<Number>>(&mut all, name, help);
        let standby = gauge("standby", "1 if another process has the lock and this one stands by");
        let tenants = gauge("tenants", "Rows that the source had");
        let customers = gauge("customers", "Customers that Explo listed");
        let unsettled = gauge("unsettled", "Customers with a value that Explo shows differently than it was written");
        let invalid = gauge("invalid", "Tenants that can't be planned");
        let orphans = gauge("orphans", "Customers without a tenant, left alone unless they are offboarded");
        let failing = gauge("failing", "Changes that failed, in the last run or before, and wait for their retry");
        let ledger_behind = gauge("ledger_behind", "1 if the ledger lacks a part of the last run that had a plan");
        let last_run_exit = gauge("last_run_exit_code", "The exit code of the last run");
        let orphan_ages: Family<Labels<1>, Number> = register(
            &mut all,
            "orphans_by_age",
            "Customers without a tenant, by how long their row has been gone; unknown: the ledger knows no row of theirs",
        );
        let runs = register(&mut all, "runs", "Runs that ended, by exit code");
        let wakes =
            register(&mut all, "wakes", "Changes of single tenants between runs, by origin of the word and by outcome");
        let wake_duration = Family::new_with_constructor((|| Histogram::new(WAKES)) as fn() -> Histogram);
        let from_word = "From the word that a tenant may have changed to the outcome, by origin";
        all.register("wake_duration_seconds", from_word, wake_duration.clone());
        Self {
            instance: instance.to_owned(),
            registry: all,
            observed,
            runs,
            standby,
            last_run,
            last_converged,
            run_duration,
            last_run_exit,
            tenants,
            customers,
            unsettled,
            invalid,
            orphans,
            failing,
            ledger_behind,
            orphan_ages,
            changes,
            counted: Mutex::default(),
            held,
            wakes,
            wake_duration,
        }
    }

    /// The same, with the length of this queue.
    #[must_use]
    pub fn with_wakes(mut self, wakes: &Arc<Wakes>) -> Self {
        self.registry.register_collector(Box::new(Waiting(Arc::clone(wakes))));
        self
    }

    /// Wakes may come: every combination starts at 0.
    pub fn expect_wakes(&self, origins: &[Origin]) {
        for origin in origins {
            for outcome in WakeOutcome::ALL {
                self.wakes.get_or_create(&[("origin", origin.name()), ("outcome", outcome.name())]).inc_by(0);
            }
            drop(self.wake_duration.get_or_create(&[("origin", origin.name())]));
        }
    }

    /// A wake was carried out, this long after it came.
    pub fn woken(&self, origin: Origin, outcome: WakeOutcome, took: Duration) {
        self.wakes.get_or_create(&[("origin", origin.name()), ("outcome", outcome.name())]).inc();
        self.wake_duration.get_or_create(&[("origin", origin.name())]).observe(took.as_secs_f64());
    }

    /// Where the instance's clients count their calls, see [`crate::explo::Client::observed_by`].
    #[must_use]
    pub fn observed(&self) -> Arc<Observed> {
        Arc::clone(&self.observed)
    }

    /// Whether this process stands by.
    pub fn stands_by(&self, is_standby: bool) {
        self.standby.get_or_create(&[]).set(is_standby.into());
    }

    /// A change of the current run has an outcome.
    pub fn changed(&self, kind: &'static str, outcome: &'static str) {
        let labels = [("kind", kind), ("outcome", outcome)];
        self.changes.get_or_create(&labels).inc();
        *self.counted().entry(labels).or_insert(0) += 1;
    }

    /// A run ended with a plan.
    pub fn run_ended(&self, report: &Report, exit: Exit, time: &Range<SystemTime>) {
        let mut counted = std::mem::take(&mut *self.counted());
        self.run_failed(exit, time);
        if report.converged() {
            self.last_converged.get_or_create(&[]).set(timestamp(time.end));
        }
        let (counts, outcomes) = (report.counts(), report.outcomes());
        let known = [
            (&self.tenants, report.run.plan.index.rows()),
            (&self.customers, report.run.plan.population.customers),
            (&self.unsettled, counts.unsettled + outcomes.unsettled),
            (&self.invalid, counts.invalid),
            (&self.orphans, counts.orphan),
            (&self.failing, report.failing()),
            (&self.ledger_behind, report.unrecorded.is_some().into()),
        ];
        for (gauge, value) in known {
            gauge.get_or_create(&[]).set(value as u64);
        }
        if report.run.listing.pages > 0 {
            self.orphans_aged(&report.run.plan);
        }
        for (number, change) in report.run.plan.changes.iter().enumerate() {
            // Nothing was made for a change that was done before.
            let Some(outcome) = report.outcome(number).filter(|_| !report.run.plan.is_done(change)) else { continue };
            let labels = [("kind", change.kind()), ("outcome", outcome.name())];
            match counted.get_mut(&labels) {
                Some(left @ 1..) => *left -= 1,
                _ => drop(self.changes.get_or_create(&labels).inc()),
            }
        }
        for class in Class::ALL {
            let held = report.run.held.iter().find(|held| held.class == class);
            self.held.get_or_create(&[("class", class.name())]).set(held.map_or(0, |held| held.count as u64));
        }
    }

    fn orphans_aged(&self, plan: &Plan) {
        let ages = plan.ages_of_orphans();
        let (mut counted, unknown) = (0, plan.population.orphans.len() - ages.len());
        for (class, bound) in AGES {
            let below = ages.partition_point(|age| *age < bound);
            let count = if class == "unknown" { unknown } else { below - counted };
            counted = below;
            self.orphan_ages.get_or_create(&[("age", class)]).set(count as u64);
        }
    }

    /// A run ended without a plan: the gauges of both sides stay as they are.
    pub fn run_failed(&self, exit: Exit, time: &Range<SystemTime>) {
        self.no_run(exit);
        self.last_run.get_or_create(&[]).set(timestamp(time.end));
        let took = time.end.duration_since(time.start).unwrap_or_default();
        self.run_duration.get_or_create(&[]).set(took.as_secs_f64());
    }

    /// A run could not begin.
    pub fn no_run(&self, exit: Exit) {
        self.runs.get_or_create(&[("exit", exit as u8)]).inc();
        self.last_run_exit.get_or_create(&[]).set(exit as u64);
    }

    /// All metrics as text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut encoded = String::new();
        // Writing to a String never fails.
        let _ = text::encode_registry(&mut encoded, &self.registry);
        plain(&encoded)
    }

    fn counted(&self) -> MutexGuard<'_, BTreeMap<Labels<2>, u64>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all metrics to a world-readable file (mode 0644). A reader finds the old or the new file, never a part.
    ///
    /// The counters are this process's. If it did not converge, the old file's time of the last convergence is kept: a
    /// failed run must not look like a first one.
    pub fn write_file(&self, path: &Path) -> io::Result<()> {
        files::expect_regular(path)?;
        if self.last_converged.get(&[]).is_none()
            && let Some(before) = fs::read_to_string(path).ok().and_then(|old| self.converged_in(&old))
        {
            self.last_converged.get_or_create(&[]).set(before);
        }
        files::replace(path, 0o644, |out| out.write_all(self.encode().as_bytes()))
    }

    fn converged_in(&self, old: &str) -> Option<f64> {
        let series = format!("{PREFIX}_{LAST_CONVERGED}{{sync_instance=\"{}\"}} ", self.instance);
        old.lines().find_map(|line| line.strip_prefix(&series))?.parse().ok()
    }
}

fn register<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// Converts `OpenMetrics` to the older text format, which every reader supports: there a counter's family has the name
/// of its samples, with `_total`.
fn plain(encoded: &str) -> String {
    let counter = |line: &'_ str| line.strip_prefix("# TYPE ")?.strip_suffix(" counter").map(str::to_owned);
    let counters: BTreeSet<_> = encoded.lines().filter_map(counter).collect();
    let mut plain = String::with_capacity(encoded.len());
    for line in encoded.lines() {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", about, name, rest] if counters.contains(name) => {
                plain.extend(["# ", about, " ", name, "_total ", rest]);
            }
            _ => plain.push_str(line),
        }
        plain.push('\n');
    }
    plain
}

fn timestamp(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A metric of the process, without the instance's label.
#[derive(Debug)]
struct DroppedLines;

impl Collector for DroppedLines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Lines that could not be written to stderr, because the reader was too slow or the disk full.";
        let dropped = ConstCounter::new(stderr::dropped());
        dropped.encode(encoder.encode_descriptor("log_lines_dropped", help, None, MetricType::Counter)?)
    }
}

/// The queue of wakes, read at each scrape.
#[derive(Debug)]
struct Waiting(Arc<Wakes>);

impl Collector for Waiting {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (waiting, in_progress) = self.0.count();
        let help = "Changes of single tenants that wait, or are carried out now.";
        let mut family = encoder.encode_descriptor("wakes_waiting", help, None, MetricType::Gauge)?;
        for (state, count) in [("waiting", waiting), ("in_progress", in_progress)] {
            ConstGauge::new(count as u64).encode(family.encode_family(&[("state", state)])?)?;
        }
        Ok(())
    }
}

/// The metrics of calls, read at each scrape: they change during a run.
#[derive(Debug)]
struct Calls(Arc<Observed>);

impl Collector for Calls {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut stats = self.0.stats();
        // It starts at 0, so that `increase()` sees the first one.
        stats.calls.entry((Endpoint::Customers, Ending::Certificate)).or_default();
        let help = "Calls to Explo that ended, each attempt counted, by endpoint and HTTP status, timeout, certificate, broken \
                    or cut.";
        let mut calls = encoder.encode_descriptor("calls", help, None, MetricType::Counter)?;
        for ((endpoint, answer), count) in &stats.calls {
            let labels = [("endpoint", endpoint.name().to_owned()), ("status", answer.to_string())];
            ConstCounter::new(*count).encode(calls.encode_family(&labels)?)?;
        }
        let help = "Duration of calls to Explo, by endpoint, without the wait for the pacer.";
        let mut durations = encoder.encode_descriptor("call_duration_seconds", help, None, MetricType::Histogram)?;
        for (endpoint, latency) in &stats.latency {
            let bounds = Latency::BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(latency.buckets).collect();
            let (sum, count) = (latency.sum.as_secs_f64(), latency.buckets.iter().sum());
            let labels = [("endpoint", endpoint.name())];
            durations.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        let help = "Answers of Explo (429) that made every call pause.";
        let throttles = ConstCounter::new(stats.throttles);
        throttles.encode(encoder.encode_descriptor("throttles", help, None, MetricType::Counter)?)?;
        let help = "Time that calls waited for the pacer, pauses included.";
        let waited = ConstCounter::new(stats.waited.as_secs_f64());
        waited.encode(encoder.encode_descriptor("pacer_wait_seconds", help, None, MetricType::Counter)?)?;
        if stats.rate > 0.0 {
            let help = "Calls per minute that the pacer allowed when the last call began.";
            let rate = ConstGauge::new(stats.rate);
            rate.encode(encoder.encode_descriptor("pacer_requests_per_minute", help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}
