//! The ops server of a real daemon: what takes it up, and what it must not tell.

use std::{process::Stdio, time::Duration};

use rstest::rstest;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use crate::{
    service::Daemon,
    support::{Answer, Database, Kind, Program, World, before, make_fifo, sandbox},
};

const RUN_ENDED: &str = r#""message":"run ended""#;

fn daemon(database: &Database, url: &str) -> Program {
    Program::at(&database.url, url, "select id as provided_id, name from tenants")
        .with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "6000000")
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2")
        .with("EXPLO_SYNC__SCHEDULE__CRON", "* * * * * *")
        .with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0")
}

async fn address(daemon: &mut Daemon) -> String {
    let line: Value = serde_json::from_str(&daemon.says("ops server listens").await).unwrap();
    line["address"].as_str().unwrap().to_owned()
}

/// The least that a daemon starts with.
async fn least_descriptors(program: &Program) -> u32 {
    let output = program.clone().with_descriptors(32).run(&["run"]).await;
    let told = output.stderr.split_once("this process may open 32 files and connections, and needs ");
    let (_, least) = told.filter(|_| output.code == 1).unwrap_or_else(|| panic!("{output:?}"));
    least.split_once(':').unwrap().0.parse().unwrap()
}

#[rstest]
#[case::many(Some(128))]
#[case::the_least(None)]
#[tokio::test]
async fn half_sent_requests_take_neither_answers_nor_descriptors(#[case] descriptors: Option<u32>) {
    let (database, sandbox) = (Database::new(Kind::Postgres).await, sandbox([]).await);
    database.execute("create table tenants (id text, name text); insert into tenants values ('a', 'Ann')").await;
    let program = daemon(&database, &sandbox.url()).with("EXPLO_SYNC__LEDGER__URL", "source");
    let descriptors = match descriptors {
        Some(descriptors) => descriptors,
        None => least_descriptors(&program).await,
    };
    let program = program.with_descriptors(descriptors);
    let mut daemon = Daemon::start(&program, &[]);
    let address = address(&mut daemon).await;
    let mut half_sent = Vec::new();
    for _ in 0..145 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n").await.unwrap();
        half_sent.push(stream);
    }
    for _ in 0..3 {
        let livez = timeout(Duration::from_secs(4), reqwest::get(format!("http://{address}/livez"))).await;
        assert_eq!(livez.expect("it answers before the others leave").unwrap().status(), 200);
        let lines = daemon.says_until(RUN_ENDED).await;
        assert!(!lines.iter().any(|line| line.contains("run failed") || line.contains("os error")), "{lines:?}");
    }
    for mut stream in half_sent {
        let closed = timeout(Duration::from_secs(30), stream.read_to_end(&mut Vec::new())).await;
        drop(closed.expect("a request that does not arrive is not waited for"));
    }
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));
}

#[tokio::test]
async fn too_few_descriptors_are_told_with_their_limit_and_not_as_a_wrong_address() {
    let (database, sandbox) = (Database::new(Kind::Postgres).await, sandbox([]).await);
    database.execute("create table tenants (id text, name text); insert into tenants values ('a', 'Ann')").await;
    let program = daemon(&database, &sandbox.url()).with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    let mut told = 0;
    for descriptors in 8..32 {
        let output = program.clone().with_descriptors(descriptors).run(&["sync", "--dry-run"]).await;
        let lines =
            output.stderr.lines().filter(|line| line.contains("Too many open files") && line.contains("explo-sync: "));
        for line in lines.filter(|line| !line.contains("the runtime can't start")) {
            assert!(line.contains("ulimit -n") && !line.contains("check "), "{descriptors}: {line}");
            told += 1;
        }
    }
    assert!(told > 0, "no connection lacked a descriptor");
}

const SECRETS: [&str; 3] = ["Secret", "boss@", "4711-token"];

/// Of others, and of the tenant itself, which is another's here.
const QUOTED: &str = r#"{"detail": "limit reached for Secret Corp", "customers": [{"name": "Secret Corp",
    "emails": ["boss@secret.example"], "token": "4711-token"}], "said": "<b>Secret</b>\nby boss@secret.example"}"#;

#[rstest]
#[case::listing("customers", 503, "customers failed 2 times, the last time because it answered 503")]
#[case::listing_refused("customers", 400, "customers answered 400")]
#[case::listing_forbidden("customers", 403, "customers (403)")]
#[case::create("create_customer", 409, "create_customer answered 409")]
#[case::create_given_up(
    "create_customer",
    500,
    "create_customer failed 2 times, the last time because it answered 500"
)]
#[case::update("update_customer", 422, "update_customer answered 422")]
#[case::says_no("update_customer", 200, "update_customer answered 200")]
#[tokio::test]
async fn nobody_is_named_by_a_daemon_whoever_quotes_it(
    #[case] endpoint: &'static str,
    #[case] status: u16,
    #[case] told: &str,
) {
    let world = World::of([("a", "Secret Corp"), ("b", "Bob")]).and([json!({"provided_id": "b", "name": "Secret"})]);
    let (database, sandbox, _) = world.start().await;
    let url =
        before(&sandbox, move |asked| (asked.endpoint == endpoint).then(|| Answer::new(status, QUOTED)).flatten());
    let program = daemon(&database, &url.await).with("EXPLO_SYNC__LEDGER__URL", "source");
    let mut daemon = Daemon::start(&program, &["-vv"]);
    let address = address(&mut daemon).await;
    let mut lines = daemon.says_until(told).await;
    lines.extend(daemon.says_until("run begins").await);
    for path in ["status", "readyz", "metrics"] {
        lines.push(reqwest::get(format!("http://{address}/{path}")).await.unwrap().text().await.unwrap());
    }
    let output = program.run(&["explain", "a"]).await;
    lines.extend([output.stdout, output.stderr]);
    for secret in SECRETS {
        let named: Vec<_> = lines.iter().filter(|line| line.contains(secret)).collect();
        assert!(named.is_empty(), "{secret} in {named:#?}");
    }
    assert!(lines.iter().any(|line| line.contains("limit reached for ***")), "what is safe is told: {lines:#?}");
    if endpoint == "customers" {
        assert!(lines[lines.len() - 5].contains(told), "{lines:#?}");
    }
}

#[rstest]
#[case::a_function(
    "create function told(t text) returns text language plpgsql as $$ begin raise exception 'bad %', t; end $$",
    "told(name)",
    "code P0001"
)]
#[case::the_server("select 1", "current_setting(name)", "code 42704")]
#[tokio::test]
async fn nobody_is_named_by_a_daemon_whose_database_quotes_a_row(
    #[case] stage: &str,
    #[case] expression: &str,
    #[case] told: &str,
) {
    let (database, sandbox) = (Database::new(Kind::Postgres).await, sandbox([]).await);
    database
        .execute("create table tenants (id text, name text); insert into tenants values ('a', 'Secret Corp')")
        .await;
    database.execute(stage).await;
    let query = format!("select id as provided_id, {expression} as name from tenants");
    let mut daemon =
        Daemon::start(&daemon(&database, &sandbox.url()).with("EXPLO_SYNC__SOURCE__QUERY", &query), &["-vv"]);
    let address = address(&mut daemon).await;
    let mut lines = daemon.says_until(told).await;
    lines.extend(daemon.says_until("run begins").await);
    for path in ["status", "readyz", "metrics"] {
        lines.push(reqwest::get(format!("http://{address}/{path}")).await.unwrap().text().await.unwrap());
    }
    assert!(!lines.iter().any(|line| line.contains("Secret")), "{lines:#?}");
    assert!(lines[lines.len() - 3].contains(told), "{lines:#?}");
}

#[rstest]
#[case::named("PGPASSFILE", "DIRECTORY/.pgpass")]
#[case::at_home("HOME", "DIRECTORY")]
#[tokio::test]
async fn a_daemon_waits_for_no_pipe_of_passwords(#[case] variable: &str, #[case] path: &str) {
    let (database, sandbox) = (Database::new(Kind::Postgres).await, sandbox([]).await);
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join(".pgpass");
    make_fifo(&pipe);
    let program = daemon(&database, &sandbox.url())
        .with("DATABASE_URL", &database.bare_url())
        .with(variable, &path.replace("DIRECTORY", directory.path().to_str().unwrap()));
    let mut daemon = Daemon::start(&program, &[]);
    let address = address(&mut daemon).await;
    let told = format!("{}, which is a FIFO", pipe.display());
    timeout(Duration::from_mins(1), daemon.says_until(&told)).await.unwrap();
    let livez = timeout(Duration::from_secs(10), reqwest::get(format!("http://{address}/livez"))).await;
    assert_eq!(livez.unwrap().unwrap().status(), 200);
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));
}

#[tokio::test]
async fn promtool_takes_what_a_daemon_a_standby_and_a_file_tell() {
    let world = World::of([("a", "Ann"), ("b", "Bob"), ("", "Nobody")]);
    let (database, sandbox, _) = world.and([json!({"provided_id": "c\n\"", "name": "C"})]).start().await;
    let program = daemon(&database, &sandbox.url());
    let mut told = Vec::new();
    let mut daemons = Vec::new();
    for until in [RUN_ENDED, "standing by"] {
        let mut daemon = Daemon::start(&program, &[]);
        let address = address(&mut daemon).await;
        daemon.says(until).await;
        let answer = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        told.push(answer.text().await.unwrap());
        daemons.push(daemon);
    }
    assert!(told[0].contains("explo_sync_standby{") && told[0].contains("explo_sync_tenants{"), "{}", told[0]);
    assert!(told[1].contains("explo_sync_standby{") && !told[1].contains("explo_sync_tenants{"), "{}", told[1]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("explo.prom");
    for (arguments, code) in [(&["--dry-run"][..], 0), (&["--lock-timeout", "1m"], 4)] {
        let arguments = [&["sync", "--metrics-file", file.to_str().unwrap()], arguments].concat();
        assert_eq!(program.run(&arguments).await.code, code);
        told.push(std::fs::read_to_string(&file).unwrap());
        assert!(!told[told.len() - 1].contains("process_"), "node_exporter has its own by these names");
    }
    for told in told {
        let mut promtool = Command::new("promtool");
        promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut promtool = promtool.spawn().unwrap();
        promtool.stdin.take().unwrap().write_all(told.as_bytes()).await.unwrap();
        let output = promtool.wait_with_output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success() && said.is_empty(), "{} about {told}", String::from_utf8_lossy(&said));
    }
}
