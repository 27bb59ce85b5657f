//! The ops server of a real daemon: what takes it up, and what it must not tell.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    service::Daemon,
    support::{Answer, Database, Kind, Program, before, customer, sandbox},
};

const RUN_ENDED: &str = r#""message":"run ended""#;

fn daemon(database: &Database, url: &str) -> Program {
    Program::default()
        .with("DATABASE_URL", &database.url)
        .with("EXPLO_TOKEN", "test-team-token-0123456789")
        .with("EXPLO_SYNC__SOURCE__QUERY", "select id as provided_id, name from tenants")
        .with("EXPLO_SYNC__EXPLO__BASE_URL", url)
        .with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "6000000")
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2")
        .with("EXPLO_SYNC__SCHEDULE__CRON", "* * * * * *")
        .with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0")
}

async fn address(daemon: &mut Daemon) -> String {
    let line: Value = serde_json::from_str(&daemon.says("ops server listens").await).unwrap();
    line["address"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn half_sent_requests_take_neither_answers_nor_descriptors() {
    let (database, sandbox) = (Database::new(Kind::Postgres).await, sandbox([]).await);
    database.execute("create table tenants (id text, name text); insert into tenants values ('a', 'Ann')").await;
    let program = daemon(&database, &sandbox.url()).with("EXPLO_SYNC__LEDGER__URL", "source").with_descriptors(128);
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
    let database = Database::of_tenants([("a", "Secret Corp"), ("b", "Bob")]).await;
    let sandbox = sandbox([customer(json!({"provided_id": "b", "name": "Secret"}))]).await;
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
