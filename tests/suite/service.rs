//! The real daemon: its signals, its lock, its standby, and what it tells.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use explo_sync::sandbox::Sandbox;
use rstest::rstest;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, unbounded_channel},
    },
    time::timeout,
};

use crate::support::{Kind, Program, World, before, customer, endpoints, freeze, sandbox, signal};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_mins(2);

/// Every second.
const CRON: &str = "* * * * * *";

/// A running daemon and the lines of its log.
pub(super) struct Daemon {
    child: Child,
    lines: UnboundedReceiver<String>,
}

impl Daemon {
    pub(super) fn start(program: &Program, arguments: &[&str]) -> Self {
        let arguments = [arguments, &["run"]].concat();
        let mut child = program.watch(&arguments);
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, lines) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = stderr.next_line().await {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// Waits for a line that has this in it.
    pub(super) async fn says(&mut self, part: &str) -> String {
        self.says_until(part).await.pop().unwrap()
    }

    /// The lines up to one that has this in it.
    pub(super) async fn says_until(&mut self, part: &str) -> Vec<String> {
        let found = async {
            let mut lines = Vec::new();
            while let Some(line) = self.lines.recv().await {
                lines.push(line);
                if lines[lines.len() - 1].contains(part) {
                    return lines;
                }
            }
            panic!("it ended before it said {part:?}");
        };
        timeout(LONG, found).await.unwrap_or_else(|_| panic!("it does not say {part:?}"))
    }

    pub(super) async fn signal(&self, name: &str) {
        signal(&self.child, name).await;
    }

    pub(super) async fn freezes(&self) {
        freeze(&self.child).await;
    }

    pub(super) async fn ends(mut self) -> Option<i32> {
        timeout(Duration::from_secs(25), self.child.wait()).await.unwrap().unwrap().code()
    }
}

fn world(kind: Kind) -> World {
    World::of([("a", "Ann"), ("b", "Bob")]).on(kind)
}

fn daemon(program: &Program) -> Program {
    program.clone().with("EXPLO_SYNC__SCHEDULE__CRON", CRON).with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0")
}

#[tokio::test]
async fn it_runs_by_its_schedule_tells_how_it_is_and_ends_well_at_sigterm() {
    let (_database, _sandbox, program) = world(Kind::Postgres).start().await;
    let mut daemon = Daemon::start(&daemon(&program), &[]);
    let line: serde_json::Value = serde_json::from_str(&daemon.says("ops server listens").await).unwrap();
    let address = line["address"].as_str().unwrap().to_owned();
    let first = daemon.says("run ended").await;
    assert!(told(&first).unwrap()["run.id"].is_string(), "{first}");
    assert!(
        first.contains(r#""applied":2"#) && first.contains("run.id") && first.contains(r#""instance":"default""#),
        "{first}"
    );
    assert!(daemon.says("run ended").await.contains(r#""planned":0"#), "the second run is quiet");

    let get = async |path: &str| {
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!((get("/livez").await.0, get("/readyz").await.0, get("/").await.0), (200, 200, 200));
    let status: serde_json::Value = serde_json::from_str(&get("/status").await.1).unwrap();
    assert_eq!(status["last_runs"][0]["exit"], 0);
    assert!(!status["last_converged_at"].is_null() && !status["next_run"].is_null(), "{status}");
    let metrics = get("/metrics").await.1;
    assert!(metrics.contains(r#"explo_sync_tenants{sync_instance="default"} 2"#), "{metrics}");

    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));
}

#[tokio::test]
async fn a_failed_run_is_logged_and_the_next_one_comes() {
    let (_database, sandbox, program) = world(Kind::Sqlite).start().await;
    let url = before(&sandbox, |asked| {
        (asked.endpoint == "customers" && asked.before < 2).then(|| crate::support::Answer::new(500, "")).flatten()
    })
    .await;
    let program =
        daemon(&program).with("EXPLO_SYNC__EXPLO__BASE_URL", &url).with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    let mut daemon = Daemon::start(&program, &[]);
    daemon.says("run failed").await;
    daemon.says("run failed").await;
    assert!(daemon.says("run ended").await.contains(r#""applied":2"#));
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));
}

#[tokio::test]
async fn sigterm_lets_a_call_in_flight_end_and_begins_no_other() {
    let (_database, sandbox, program) = world(Kind::Sqlite).start().await;
    // The first create takes two seconds.
    let begun = Arc::<Notify>::default();
    let tell = Arc::clone(&begun);
    let slow = move |asked: &crate::support::Asked<'_>| {
        if asked.endpoint == "create_customer" && asked.before == 0 {
            tell.notify_one();
            std::thread::sleep(Duration::from_secs(2));
        }
        None
    };
    let url = before_on_its_own_thread(&sandbox, slow).await;
    let program =
        daemon(&program).with("EXPLO_SYNC__EXPLO__BASE_URL", &url).with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1");
    let mut daemon = Daemon::start(&program, &[]);
    begun.notified().await;
    let asked = Instant::now();
    daemon.signal("-TERM").await;
    let ended = daemon.says("run ended").await;
    assert!(ended.contains(r#""applied":1"#) && ended.contains(r#""deferred":1"#), "{ended}");
    assert_eq!(daemon.ends().await, Some(0));
    assert!(asked.elapsed() < Duration::from_secs(15));
    assert_eq!(sandbox.customers().len(), 1);
}

#[tokio::test]
async fn the_time_of_a_run_begins_with_its_first_write() {
    let (_database, sandbox, program) = world(Kind::Sqlite).start().await;
    // Listing takes longer than a run may, and so does the first create.
    let slow = |asked: &crate::support::Asked<'_>| {
        let is_slow = ["customers", "create_customer"].contains(&asked.endpoint) && asked.before == 0;
        std::thread::sleep(Duration::from_millis(if is_slow { 1500 } else { 0 }));
        None
    };
    let url = before_on_its_own_thread(&sandbox, slow).await;
    let program = daemon(&program)
        .with("EXPLO_SYNC__EXPLO__BASE_URL", &url)
        .with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1")
        .with("EXPLO_SYNC__SCHEDULE__MAX_RUN", "1s");
    let mut daemon = Daemon::start(&program, &[]);
    let ended = daemon.says("run ended").await;
    assert!(ended.contains(r#""applied":1"#) && ended.contains(r#""deferred":1"#), "{ended}");
    let next = daemon.says("run ended").await;
    assert!(next.contains(r#""applied":1"#) && next.contains(r#""deferred":0"#), "{next}");
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));
}

/// The interceptor blocks its thread, so it gets one.
async fn before_on_its_own_thread(
    sandbox: &Sandbox,
    answer: impl Fn(&crate::support::Asked<'_>) -> Option<crate::support::Answer> + Send + Sync + 'static,
) -> String {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let upstream = sandbox.url();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            sender.send(crate::support::before_url(upstream, answer).await).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receiver.await.unwrap()
}

#[tokio::test]
async fn sighup_reloads_a_good_configuration_and_refuses_a_bad_one() {
    let (_database, _sandbox, program) = world(Kind::Sqlite).start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("explo-sync.toml");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write("name = 'first'\n");
    let mut daemon = Daemon::start(&daemon(&program), &["--config", path.to_str().unwrap()]);
    assert!(daemon.says("run ended").await.contains("first"));
    write("name = 'not allowed!'\n");
    daemon.signal("-HUP").await;
    let refused = daemon.says("the old configuration is kept").await;
    assert!(refused.contains("not allowed!"), "{refused}");
    assert!(daemon.says("run ended").await.contains("first"));
    write("name = 'second'\n");
    daemon.signal("-HUP").await;
    daemon.says("configuration reloaded").await;
    assert!(daemon.says("run ended").await.contains("second"));
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));
}

#[tokio::test]
async fn what_was_found_out_of_one_team_says_nothing_of_another() {
    let (_database, sandbox, program) = world(Kind::Sqlite).start().await;
    let unlisted = |store: &mut explo_sync::sandbox::Store| {
        for id in ["a", "b"] {
            store.add(customer(json!({"provided_id": id, "name": "Old"})));
        }
        store.hide(["a".to_owned()]);
    };
    sandbox.change(unlisted);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, "team-token-1").unwrap();
    let program = daemon(&program).with("EXPLO_SYNC__EXPLO__TOKEN_FILE", path.to_str().unwrap());
    let mut daemon = Daemon::start(&program, &[]);
    assert!(daemon.says("run ended").await.contains(r#""applied":2"#));
    assert!(daemon.says("run ended").await.contains(r#""planned":0"#), "it exists unlisted, and is known to");
    std::fs::write(&path, "team-token-2").unwrap();
    daemon.says(r#""planned":1"#).await;
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));
}

/// The object of a line, in which no key stands twice.
fn told(line: &str) -> Option<serde_json::Value> {
    let told: serde_json::Value = serde_json::from_str(line).ok()?;
    for key in told.as_object()?.keys() {
        assert_eq!(line.matches(&format!("{}:", json!(key))).count(), 1, "{line}");
    }
    Some(told)
}

#[rstest]
#[case::all(&["sync", "-vv"])]
#[case::errors_alone(&["sync", "-q"])]
#[tokio::test]
async fn each_line_of_a_run_has_its_id_and_the_instance_beside_the_message(#[case] arguments: &[&str]) {
    let (database, sandbox, _program) = world(Kind::Sqlite).start().await;
    sandbox.adjust(|api| api.faults = vec!["status=400,endpoint=create_customer,times=1".parse().unwrap()]);
    let query = "select id as provided_id, name from tenants";
    let output = Program::between(&database, &sandbox, query).run(&[arguments, &["--output", "json"]].concat()).await;
    let run_id = &output.json()["run_id"];
    let lines: Vec<_> = output.stderr.lines().filter_map(told).collect();
    let failed = lines.iter().filter(|line| line["change"] == "create" && line["level"] == "ERROR").count();
    assert_eq!((output.code, failed), (3, 1), "{output:?}");
    let begins = lines.iter().position(|line| line["message"] == "run begins").unwrap_or_default();
    for line in &lines[begins..] {
        assert_eq!((&line["run.id"], &line["instance"], line.get("span")), (run_id, &json!("default"), None), "{line}");
    }
}

#[tokio::test]
async fn a_held_plan_is_told_once_and_again_when_that_changes() {
    let orphans = (0..5).map(|n| json!({"provided_id": format!("s{n}"), "name": "S"}));
    let (_database, sandbox, program) = world(Kind::Sqlite).and(orphans).start().await;
    let program = daemon(&program);
    let mut daemon = Daemon::start(&program, &[]);
    let held = daemon.says("held by the guard").await;
    assert!(
        ["--allow orphan=5", "run.id", "\"instance\":\"default\""].iter().all(|part| held.contains(part)),
        "{held}"
    );
    daemon.says("run ended").await;
    daemon.says("run ended").await;
    sandbox.change(|store| {
        let tokens: Vec<_> = store.customers().iter().map(|customer| customer.token.clone()).collect();
        for token in tokens {
            store.delete(&token).unwrap();
        }
    });
    let mut between = Vec::new();
    while let Some(line) = daemon.lines.recv().await {
        if line.contains("the guard holds nothing any more") {
            break;
        }
        between.push(line);
    }
    assert!(between.iter().all(|line| !line.contains("held by the guard")), "{between:?}");
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn of_two_daemons_one_works_and_the_other_takes_over_when_it_dies(#[case] kind: Kind) {
    let (_database, sandbox, program) = world(kind).start().await;
    let program = daemon(&program);
    let mut working = Daemon::start(&program, &[]);
    working.says("run ended").await;
    let mut standby = Daemon::start(&program, &[]);
    standby.says("standing by: another daemon works").await;
    working.says("run ended").await;
    working.says("run ended").await;
    while let Ok(line) = standby.lines.try_recv() {
        assert!(!line.contains("run begins"), "never both: {line}");
    }

    working.signal("-KILL").await;
    assert_eq!(working.ends().await, None);
    drop(sandbox.take_calls());
    standby.says("run ended").await;
    assert!(endpoints(&sandbox.take_calls()).contains(&"customers"), "it works at its next instant");
    standby.signal("-TERM").await;
    assert_eq!(standby.ends().await, Some(0));
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn daemons_of_one_source_for_two_explos_or_two_teams_work_side_by_side(#[case] kind: Kind) {
    let ((_database, here, program), there) = (world(kind).start().await, sandbox([]).await);
    let ours = daemon(&program);
    let theirs = ours.clone().with("EXPLO_SYNC__EXPLO__BASE_URL", &there.url());
    let another_team = ours.clone().with("EXPLO_TOKEN", "test-team-token-of-another");
    let mut daemons = [ours, theirs, another_team].map(|program| Daemon::start(&program, &[]));
    for _ in 0..2 {
        for daemon in &mut daemons {
            daemon.says("run ended").await;
        }
    }
    for daemon in daemons {
        daemon.signal("-TERM").await;
        assert_eq!(daemon.ends().await, Some(0));
    }
    assert_eq!((here.customers().len(), there.customers().len()), (2, 2));
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_sync_beside_another_waits_or_says_that_the_lock_is_held(#[case] kind: Kind) {
    let (_database, sandbox, program) = world(kind).start().await;
    // Two calls a second, and one more for the listing: a second and a half.
    let slow = program.clone().with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "60");
    let mut child = slow.watch(&["sync"]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().unwrap().contains("listed the customers") {}
    let (code, report) = program.sync(&[]).await;
    assert_eq!(
        (code, &report["exit"], report["error"].as_str().unwrap().contains("--lock-timeout")),
        (5, &json!(5), true)
    );
    assert_eq!(program.clone().with("EXPLO_SYNC__NAME", "another").sync(&["--dry-run"]).await.0, 0);
    assert_eq!(program.sync(&["--dry-run"]).await.0, 0, "a dry run takes no lock");
    assert_eq!(program.sync(&["--lock-timeout", "20s"]).await.0, 0);
    while lines.next_line().await.unwrap().is_some() {}
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let names: Vec<_> = sandbox.customers().into_iter().map(|customer| customer.name).collect();
    assert_eq!(names, ["Ann", "Bob"]);
}

#[tokio::test]
async fn a_one_shot_writes_the_metrics_to_a_file() {
    let (_database, _sandbox, program) = world(Kind::Sqlite).start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("explo_sync.prom");
    let file = path.to_str().unwrap();
    assert_eq!(program.sync(&["--metrics-file", file]).await.0, 0);
    let metrics = std::fs::read_to_string(&path).unwrap();
    assert!(
        metrics.contains("explo_sync_last_converged_timestamp_seconds")
            && metrics.contains("sync_instance=\"default\""),
        "{metrics}"
    );
    let down =
        program.with("EXPLO_SYNC__EXPLO__BASE_URL", "http://127.0.0.1:1").with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    assert_eq!(down.sync(&["--metrics-file", file]).await.0, 1);
    assert!(std::fs::read_to_string(&path).unwrap().contains("exit=\"1\""), "a failed run is told as well");
}
