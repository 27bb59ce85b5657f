//! What a daemon tells about itself: fed by real runs, asked over HTTP.

#![expect(clippy::float_cmp, reason = "the values are whole numbers")]

mod page;
mod real;

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use explo_sync::{
    compare::Rules,
    database::lock::Permit,
    explo::{Client, ListingRules, ListingVersion, Observed, Pacer, Settings},
    memory::Memory,
    metrics::Metrics,
    ops::{self, Status},
    plan::{Allowances, Guard, Offboarding},
    progress::Progress,
    reconciler::{self, Reconciler, Writers},
    report::{Exit, Report, exit_without_plan},
    sandbox::Sandbox,
    source::{Source, Sql},
    stop::Stop,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Answer, Database, Kind, before, customer, sandbox, sandbox_knowing, settings};

const TOKEN: &str = "test-team-token-0123456789";

/// Nov 20 2026, 10:00, and so many seconds.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_168_800 + seconds)
}

/// Both sides: two to create, one to update, one equal, an orphan and an invalid row.
struct Sides {
    database: Database,
    sandbox: Sandbox,
    source: Sql,
    url: String,
    floor: usize,
    side_by_side: usize,
}

impl Sides {
    async fn new() -> Self {
        let existing = [("c", "Catherine"), ("d", "Dan"), ("x", "Xaver")];
        let existing = existing.map(|(id, name)| customer(json!({"provided_id": id, "name": name})));
        Self::with(sandbox(existing).await).await
    }

    async fn with(sandbox: Sandbox) -> Self {
        let database = Database::new(Kind::Sqlite).await;
        let tenants = "('ann', 'Ann'), ('bob', 'Bob'), ('c', 'Cat'), ('d', 'Dan'), ('', 'Nobody')";
        database
            .execute(&format!("create table tenants (id text, name text); insert into tenants values {tenants}"))
            .await;
        let settings = settings(&database.url, "select id as provided_id, name from tenants");
        let (source, url) = (Sql::new(settings).unwrap(), sandbox.url());
        Self { database, sandbox, source, url, floor: 10, side_by_side: 4 }
    }

    /// One run of a client of its own, as a daemon makes it after a reload.
    async fn run(&self, observed: Arc<Observed>, progress: &dyn Progress) -> Result<Report, reconciler::Error> {
        let settings = Settings {
            base_url: format!("{}/", self.url).parse().unwrap(),
            token: TOKEN.to_owned().into(),
            timeout: Duration::from_secs(10),
            max_attempts: 3,
            pause_on_429: Duration::ZERO,
            ca: None,
            proxy: None,
            listing: ListingRules { version: ListingVersion::V2, page_size: 2, side_by_side: 4, trust_total: true },
        };
        let stop = Stop::default();
        let client = Client::new(settings, Pacer::new(6_000_000, 4), stop.clone(), 7).unwrap().observed_by(observed);
        let reconciler = Reconciler {
            source: &self.source,
            reader: &client,
            rules: Rules::default(),
            guard: Guard { floor: self.floor, create_floor: 100, percent: 10, max_orphan_percent: 50 },
            offboarding: Offboarding::default(),
            allowances: &Allowances::default(),
            memory: &Memory::default(),
            retry_failed: false,
            list_every: 0,
            now: 0,
            side_by_side: self.side_by_side,
            max_changes: usize::MAX,
            stop: &stop,
            seed: 7,
        };
        let run = reconciler.run(Some(Writers::new(&Permit::Unlocked, &client, &|_| {})), progress).await?;
        Ok(Report {
            config: None,
            instance: "prod".to_owned(),
            run_id: "run-1".to_owned(),
            dry_run: false,
            source: self.source.place(),
            base_url: self.url.clone(),
            requests_per_minute: 6_000_000,
            calls_made: client.calls(),
            run,
            unrecorded: None,
        })
    }

    /// One run as the daemon tells of it, from a time to ten seconds later.
    async fn run_for(&self, status: &Status, began: u64) {
        status.run_began("run-1", at(began));
        match self.run(status.metrics().observed(), status).await {
            Ok(report) => status.run_ended(&report, report.exit(false), at(began + 10)),
            Err(error) => {
                status.run_failed("run-1", &error.to_string(), exit_without_plan(&error), at(began + 10));
            }
        }
    }
}

/// A daemon's server with a clock that the test sets.
struct Daemon {
    status: Arc<Status>,
    url: String,
    seconds: Arc<AtomicU64>,
}

impl Daemon {
    async fn start() -> Self {
        Self::limited(ops::Limits::default()).await
    }

    async fn limited(limits: ops::Limits) -> Self {
        explo_sync::install_crypto();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (status, seconds) = (Arc::new(Status::new("prod", at(0))), Arc::new(AtomicU64::new(0)));
        let clock = Arc::clone(&seconds);
        tokio::spawn(ops::serve(listener, limits, Arc::clone(&status), move || at(clock.load(Ordering::Relaxed))));
        Self { status, url, seconds }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status").await.1).unwrap()
    }

    async fn metrics(&self) -> Samples {
        Samples::parse(&self.get("/metrics").await.1)
    }
}

/// Prometheus' text, read strictly: each sample follows its family's HELP and TYPE, and ours name the instance.
#[derive(Debug, Default)]
struct Samples {
    families: BTreeSet<String>,
    values: BTreeMap<String, f64>,
}

impl Samples {
    fn parse(text: &str) -> Self {
        let mut samples = Self::default();
        let (mut family, mut suffixes) = ("", &[""][..]);
        for line in text.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words[..] {
                ["#", "HELP", name, help] => {
                    assert!(["explo_sync_", "process_"].iter().any(|prefix| name.starts_with(prefix)), "{line}");
                    assert!(!help.is_empty(), "{line}");
                    assert!(samples.families.insert(name.to_owned()), "{name} comes twice");
                    family = name;
                }
                ["#", "TYPE", name, kind] => {
                    assert_eq!(name, family);
                    suffixes = match kind {
                        "counter" => {
                            assert!(name.ends_with("_total"), "{line}");
                            &[""]
                        }
                        "gauge" => &[""],
                        "histogram" => &["_sum", "_count", "_bucket"],
                        kind => panic!("the textfile collector does not know {kind}"),
                    };
                }
                [name, value] if name.starts_with("process_") => {
                    assert_eq!(name, family);
                    assert_eq!(samples.values.insert(format!("{name}{{}}"), value.parse().unwrap()), None, "{line}");
                }
                _ => {
                    let (name, rest) = line.split_once("{sync_instance=\"prod\"").unwrap_or_else(|| panic!("{line}"));
                    assert!(suffixes.iter().any(|suffix| *name == format!("{family}{suffix}")), "{line}");
                    let (labels, value) = rest.rsplit_once("} ").unwrap();
                    let name = name.trim_start_matches("explo_sync_");
                    let series = format!("{name}{{{}}}", labels.trim_start_matches(','));
                    assert_eq!(samples.values.insert(series, value.parse().unwrap()), None, "{line}");
                }
            }
        }
        samples
    }

    /// The families of ours that have a sample.
    fn ours(&self) -> Vec<&str> {
        let ours = self.families.iter().filter_map(|family| family.strip_prefix("explo_sync_"));
        ours.filter(|family| self.values.keys().any(|series| series.starts_with(*family))).collect()
    }

    fn get(&self, series: &str) -> f64 {
        let series = if series.contains('{') { series.to_owned() } else { format!("{series}{{}}") };
        *self.values.get(&series).unwrap_or_else(|| panic!("no {series} in {self:#?}"))
    }

    fn all(&self, names: &[&str]) -> Vec<f64> {
        names.iter().map(|name| self.get(name)).collect()
    }
}

#[tokio::test]
async fn metrics_name_the_instance_and_add_up_over_runs_and_clients() {
    let mut sides = Sides::new().await;
    sides.url = before(&sides.sandbox, |asked| match (asked.endpoint, asked.before) {
        ("customers", 0) => Answer::with(429, "retry-after", "0"),
        ("create_customer", 0) => Answer::new(502, "Bad gateway"),
        _ => None,
    })
    .await;
    let daemon = Daemon::start().await;

    sides.run_for(&daemon.status, 100).await;
    let first = daemon.metrics().await;
    let families = [
        "build_info",
        "call_duration_seconds",
        "calls_total",
        "changes_total",
        "customers",
        "failing",
        "held",
        "invalid",
        "last_run_exit_code",
        "last_run_timestamp_seconds",
        "ledger_behind",
        "log_lines_dropped_total",
        "orphans",
        "orphans_by_age",
        "pacer_requests_per_minute",
        "pacer_wait_seconds_total",
        "run_duration_seconds",
        "runs_total",
        "standby",
        "tenants",
        "throttles_total",
        "unsettled",
        "wakes_waiting",
    ];
    assert_eq!(first.ours(), families, "one tenant is invalid, so it did not converge");
    assert_eq!(first.all(&["tenants", "customers", "invalid", "orphans", "unsettled"]), [5.0, 3.0, 1.0, 1.0, 0.0]);
    assert_eq!(first.all(&["run_duration_seconds", "throttles_total", r#"runs_total{exit="3"}"#]), [10.0, 1.0, 1.0]);
    assert_eq!(first.get("last_run_timestamp_seconds"), 1_795_168_910.0);
    let (created, updated) =
        (r#"changes_total{kind="create",outcome="applied"}"#, r#"changes_total{kind="update",outcome="applied"}"#);
    assert_eq!(first.all(&[created, updated]), [2.0, 1.0]);
    let calls = |endpoint: &str, status: &str| format!(r#"calls_total{{endpoint="{endpoint}",status="{status}"}}"#);
    assert_eq!(first.all(&[&calls("customers", "429"), &calls("customers", "200")]), [1.0, 2.0]);
    assert_eq!(first.all(&[&calls("create_customer", "502"), &calls("create_customer", "200")]), [1.0, 2.0]);
    let (count, longest) = (
        r#"call_duration_seconds_count{endpoint="customers"}"#,
        r#"call_duration_seconds_bucket{le="+Inf",endpoint="customers"}"#,
    );
    assert_eq!(first.all(&[count, longest]), [3.0, 3.0]);
    assert!(first.get("pacer_requests_per_minute") >= 3_000_000.0 && first.get("pacer_wait_seconds_total") > 0.0);

    sides
        .database
        .execute("delete from tenants where id = ''; update tenants set name = 'Anna' where id = 'ann'")
        .await;
    sides.run_for(&daemon.status, 200).await;
    let second = daemon.metrics().await;
    assert_eq!(second.all(&[created, updated]), [2.0, 2.0]);
    assert_eq!(second.all(&[&calls("customers", "429"), &calls("customers", "200")]), [1.0, 5.0]);
    assert_eq!(second.all(&[r#"runs_total{exit="3"}"#, r#"runs_total{exit="0"}"#]), [1.0, 1.0]);
    assert_eq!(second.all(&["tenants", "customers", "invalid"]), [4.0, 5.0, 0.0]);
    assert_eq!(second.get("last_converged_timestamp_seconds"), 1_795_169_010.0);
    for (series, value) in first.values.iter().filter(|(series, _)| !series.contains("last_")) {
        let counts = ["_total", "_count", "_bucket", "_sum"].iter().any(|suffix| series.contains(suffix));
        assert!(!counts || second.get(series) >= *value, "{series} went back");
    }
}

#[tokio::test]
async fn what_is_not_known_has_no_number() {
    let daemon = Daemon::start().await;
    let fresh = [
        "build_info",
        "calls_total",
        "changes_total",
        "log_lines_dropped_total",
        "pacer_wait_seconds_total",
        "throttles_total",
        "wakes_waiting",
    ];
    let samples = daemon.metrics().await;
    assert_eq!(
        (samples.ours(), samples.get(r#"changes_total{kind="create",outcome="applied"}"#)),
        (fresh.to_vec(), 0.0)
    );
    let usual = [
        "cpu_seconds_total",
        "max_fds",
        "open_fds",
        "resident_memory_bytes",
        "start_time_seconds",
        "virtual_memory_bytes",
    ];
    let found: Vec<_> = samples.families.iter().filter_map(|family| family.strip_prefix("process_")).collect();
    assert_eq!(found, usual);
    assert!(samples.get("process_resident_memory_bytes") > 1e6 && samples.get("process_open_fds") > 5.0);
    assert!(samples.get("process_start_time_seconds") > 1.7e9);

    daemon.status.standby("another daemon works");
    let samples = daemon.metrics().await;
    let standby = [
        "build_info",
        "calls_total",
        "changes_total",
        "log_lines_dropped_total",
        "pacer_wait_seconds_total",
        "standby",
        "throttles_total",
        "wakes_waiting",
    ];
    assert_eq!((samples.ours(), samples.get("standby")), (standby.to_vec(), 1.0));

    daemon.status.run_failed("", "source.query is missing", Exit::Config, at(1));
    let samples = daemon.metrics().await;
    let failed = [
        "build_info",
        "calls_total",
        "changes_total",
        "last_run_exit_code",
        "log_lines_dropped_total",
        "pacer_wait_seconds_total",
        "runs_total",
        "standby",
        "throttles_total",
        "wakes_waiting",
    ];
    assert_eq!(samples.ours(), failed, "nothing ran");
}

#[tokio::test]
async fn changes_are_counted_while_they_are_applied_and_once() {
    let mut sides = Sides::new().await;
    let daemon = Daemon::start().await;
    let (status, seen) = (Arc::clone(&daemon.status), Arc::<std::sync::Mutex<Vec<Samples>>>::default());
    let at_writes = Arc::clone(&seen);
    sides.url = before(&sides.sandbox, move |asked| {
        if asked.endpoint != "customers" {
            at_writes.lock().unwrap().push(Samples::parse(&status.metrics().encode()));
        }
        None
    })
    .await;
    sides.side_by_side = 1;
    sides.run_for(&daemon.status, 100).await;
    let (created, updated) =
        (r#"changes_total{kind="create",outcome="applied"}"#, r#"changes_total{kind="update",outcome="applied"}"#);
    let applied: Vec<f64> = seen.lock().unwrap().iter().map(|seen| seen.get(created) + seen.get(updated)).collect();
    assert_eq!(applied, [0.0, 1.0, 2.0]);
    assert_eq!(daemon.metrics().await.all(&[created, updated, "standby"]), [2.0, 1.0, 0.0]);
}

#[tokio::test]
async fn a_held_plan_shows_until_it_is_let_through_and_nobody_is_named() {
    let mut sides = Sides::new().await;
    sides.floor = 0;
    let daemon = Daemon::start().await;
    sides.run_for(&daemon.status, 100).await;
    let held = json!([{"class": "update", "count": 1, "limit": 0}]);
    let status = daemon.status().await;
    assert_eq!((&status["held"], &status["last_runs"][0]["held"]), (&held, &held));
    assert_eq!(status["last_runs"][0]["outcomes"]["deferred"], 3);
    let metrics = daemon.metrics().await;
    assert_eq!(metrics.all(&[r#"held{class="update"}"#, r#"held{class="create"}"#]), [1.0, 0.0]);
    assert_eq!(daemon.get("/readyz").await.0, 200, "both sides can be reached");
    let told = [daemon.get("/status").await.1, daemon.get("/metrics").await.1].concat();
    for secret in ["Ann", "ann\"", "Catherine", "Xaver", TOKEN] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }

    sides.floor = 10;
    sides.run_for(&daemon.status, 200).await;
    assert_eq!(daemon.status().await["held"], json!([]));
    assert_eq!(daemon.metrics().await.get(r#"held{class="update"}"#), 0.0);
}

#[tokio::test]
async fn livez_fails_when_the_loop_has_not_moved_for_a_minute() {
    let daemon = Daemon::start().await;
    let livez = async |seconds| {
        daemon.seconds.store(seconds, Ordering::Relaxed);
        daemon.get("/livez").await
    };
    assert_eq!(livez(60).await, (200, "ok\n".to_owned()));
    assert_eq!(livez(61).await, (503, "the loop has not moved for 61 s\n".to_owned()));
    daemon.status.heartbeat(at(61));
    assert_eq!(livez(62).await.0, 200);
    assert_eq!(livez(0).await.0, 200, "a clock that was set back");
}

#[tokio::test]
async fn readyz_waits_for_both_sides_and_tells_why_a_run_failed() {
    let mut sides = Sides::new().await;
    let daemon = Daemon::start().await;
    let early = (503, "no run has read the tenants and listed customers yet\n".to_owned());
    assert_eq!(daemon.get("/readyz").await, early);
    daemon.status.run_began("run-0", at(1));
    assert_eq!(daemon.get("/readyz").await, early, "it has only begun");
    daemon.status.listed(1, 2);
    assert_eq!(daemon.get("/readyz").await.0, 200, "the first page is here");

    let strict = sandbox_knowing("another").await;
    let url = std::mem::replace(&mut sides.url, strict.url());
    sides.run_for(&daemon.status, 100).await;
    let (code, reason) = daemon.get("/readyz").await;
    assert!(code == 503 && reason.starts_with("the last run failed: Explo rejected the team token"), "{reason}");
    assert!(!reason.contains(TOKEN));
    assert_eq!(daemon.metrics().await.get(r#"runs_total{exit="77"}"#), 1.0);
    assert_eq!(daemon.get("/livez").await.0, 200, "a restart would not help");

    daemon.status.run_failed("run-2", "stopped by a signal: the next run carries on", Exit::Stopped, at(150));
    assert_eq!(daemon.get("/readyz").await.0, 503, "a run that was stopped proves nothing");
    daemon.status.standby("another daemon has the lock");
    assert_eq!(daemon.get("/readyz").await.0, 200);
    assert_eq!(daemon.status().await["standby"], "another daemon has the lock");

    sides.url = url;
    sides.run_for(&daemon.status, 200).await;
    assert_eq!(daemon.get("/readyz").await, (200, "ok\n".to_owned()));
}

#[tokio::test]
async fn status_tells_the_run_under_way_the_last_twenty_and_the_next() {
    let sides = Sides::new().await;
    let daemon = Daemon::start().await;
    let fresh = json!({
        "instance": "prod", "version": env!("CARGO_PKG_VERSION"), "started_at": "2026-11-20T10:00:00Z", "standby": null,
        "running": null, "next_run": null, "last_runs": [], "last_converged_at": null, "held": [],
        "wakes": {"waiting": 0, "in_progress": 0, "outcomes": {}, "last_took_ms": null}
    });
    assert_eq!(daemon.status().await, fresh);

    daemon.status.run_began("run-0", at(1));
    daemon.status.listed(2, 3);
    let running = json!({"run_id": "run-0", "started_at": "2026-11-20T10:00:01Z",
        "listed": {"done": 2, "of": 3}, "applied": {"done": 0, "of": 0}});
    assert_eq!(daemon.status().await["running"], running);
    daemon.status.run_failed("run-0", "no connection", Exit::Failed, at(5));
    daemon.status.next_run(Some(at(300)));
    let failed = json!({"run_id": "run-0", "started_at": "2026-11-20T10:00:01Z", "ended_at": "2026-11-20T10:00:05Z",
        "exit": 1, "counts": null, "outcomes": null, "held": [], "error": "no connection"});
    let status = daemon.status().await;
    assert_eq!((&status["running"], &status["next_run"]), (&Value::Null, &json!("2026-11-20T10:05:00Z")));
    assert_eq!(status["last_runs"], json!([failed]));

    sides.database.execute("delete from tenants where id = ''").await;
    for run in 1..=20 {
        sides.run_for(&daemon.status, 100 * run).await;
    }
    let status = daemon.status().await;
    let runs = status["last_runs"].as_array().unwrap();
    let counts = json!({"create": 0, "update": 0, "rename": 0, "offboard": 0, "unchanged": 4, "orphan": 1, "invalid": 0, "unsettled": 0});
    assert_eq!((runs.len(), &runs[0]["counts"], &runs[0]["exit"]), (20, &counts, &json!(0)));
    assert_eq!(runs[19]["outcomes"], json!({"applied": 3, "failed": 0, "unsettled": 0, "deferred": 0}));
    assert_eq!(status["last_converged_at"], "2026-11-20T10:33:30Z");
    assert_eq!(status["next_run"], Value::Null, "it has begun");
}

#[tokio::test]
async fn the_index_names_every_page() {
    let daemon = Daemon::start().await;
    let (code, index) = daemon.get("/").await;
    assert_eq!(code, 200);
    for path in ["/livez", "/readyz", "/status", "/metrics"] {
        assert!(index.contains(&format!("href=\"{path}\"")), "{index}");
    }
    assert_eq!(daemon.get("/elsewhere").await.0, 404);
}

#[tokio::test]
async fn a_metrics_file_is_whole_readable_and_remembers_the_last_convergence() {
    let sides = Sides::new().await;
    sides.database.execute("delete from tenants where id = ''").await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("prod.prom");
    let metrics = Metrics::new("prod");
    let report = sides.run(metrics.observed(), &()).await.unwrap();
    metrics.run_ended(&report, report.exit(false), &(at(0)..at(4)));
    metrics.write_file(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, metrics.encode());
    assert_eq!(Samples::parse(&text).get("last_converged_timestamp_seconds"), 1_795_168_804.0);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);

    for _ in 0..2 {
        let later = Metrics::new("prod");
        later.run_failed(Exit::Failed, &(at(60)..at(61)));
        later.write_file(&path).unwrap();
        let samples = Samples::parse(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(samples.get("last_converged_timestamp_seconds"), 1_795_168_804.0, "a failed run does not forget");
        assert_eq!(samples.get("last_run_timestamp_seconds"), 1_795_168_861.0);
    }
    let other = Metrics::new("other");
    other.write_file(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("{sync_instance=\"other\"") && !text.contains("last_converged"), "{text}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no other file is left");
    let error = metrics.write_file(&directory.path().join("missing/prod.prom")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
}
