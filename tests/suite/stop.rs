//! SIGTERM and Ctrl-C end every command: soon where it has written nothing, whatever it waits for, and after its writes else.
//! Also where it is the first process of a container, to which a signal does nothing by itself.

use std::{
    future::pending,
    io::{ErrorKind, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
    thread,
    time::Duration,
};

use axum::{
    Router,
    routing::{get, post},
};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr},
    sync::Notify,
    time::{sleep, timeout},
};

use crate::{
    lock::take_away,
    support::{Asked, Database, Kind, Program, World, endpoints, fills_stdout, serve, signal, writes},
};

/// Shorter than a write in flight is given, and than a call may take.
const SOON: Duration = Duration::from_secs(18);

/// A server that takes every call and never answers; it tells of each.
pub(super) async fn silent() -> (String, Arc<Notify>) {
    let asked = Arc::<Notify>::default();
    let tell = Arc::clone(&asked);
    let app = Router::new().fallback(async move || {
        tell.notify_one();
        pending::<()>().await;
    });
    (serve(app).await, asked)
}

/// One with no customer, which makes one in this time; it tells of each that is to be made.
async fn slow(to_make: Duration) -> (String, Arc<Notify>) {
    let asked = Arc::<Notify>::default();
    let tell = Arc::clone(&asked);
    let list = async || r#"{"total_count": 0, "results": {"customers": []}}"#;
    let create = async move |customer: String| {
        tell.notify_one();
        sleep(to_make).await;
        format!(r#"{{"success": 1, "new_customer": true, "customer": {customer}}}"#)
    };
    let app = Router::new().route("/v2/api/customers/", get(list)).route("/api/create_customer/", post(create));
    (serve(app).await, asked)
}

/// The program before a server, with tenants in a file.
async fn before(url: &str) -> (Database, Program) {
    let world = World::of([("a", "Ann"), ("b", "Bob")]).with("EXPLO_SYNC__EXPLO__BASE_URL", url);
    let world = world.with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1").with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0");
    let (database, _, program) = world.start().await;
    (database, program)
}

async fn is_asked(asked: &Notify) {
    timeout(SOON, asked.notified()).await.unwrap();
}

/// Its exit code, in so little time that it did not wait for a call.
async fn ends_soon(mut child: Child) -> Option<i32> {
    timeout(SOON, child.wait()).await.unwrap().unwrap().code()
}

fn log(child: &mut Child) -> Lines<BufReader<ChildStderr>> {
    BufReader::new(child.stderr.take().unwrap()).lines()
}

/// Waits for a line that has this in it.
async fn says(log: &mut Lines<BufReader<ChildStderr>>, part: &str) -> String {
    while let Some(line) = log.next_line().await.unwrap() {
        if line.contains(part) {
            return line;
        }
    }
    panic!("it ended before it said {part:?}");
}

#[rstest]
#[case::check(&["check"], 75)]
#[case::explain(&["explain", "a"], 75)]
#[case::probe(&["probe", "--yes"], 75)]
#[case::export(&["export"], 75)]
#[case::dry_run(&["sync", "--dry-run"], 75)]
#[case::sync(&["sync"], 75)]
#[case::sync_that_may_end_early(&["sync", "--ok", "3,75"], 0)]
#[case::run(&["run"], 0)]
#[tokio::test]
async fn a_command_that_waits_for_explo_ends_at_a_signal(
    #[case] arguments: &[&str],
    #[case] code: i32,
    #[values("-TERM", "-INT")] name: &str,
    #[values(false, true)] in_container: bool,
) {
    let (url, asked) = silent().await;
    let (_database, program) = before(&url).await;
    let child = if in_container { program.in_container() } else { program }.start(arguments);
    is_asked(&asked).await;
    signal(&child, name).await;
    assert_eq!(ends_soon(child).await, Some(code));
}

#[rstest]
#[case::check(&["check"])]
#[case::tokens(&["tokens", "--missing"])]
#[case::sync(&["sync"])]
#[case::run(&["run"])]
#[tokio::test]
async fn a_command_that_waits_for_the_source_ends_at_a_signal(
    #[case] arguments: &[&str],
    #[values("-TERM", "-INT")] name: &str,
) {
    let (directory, (url, asked)) = (TempDir::new().unwrap(), silent().await);
    let config = format!(
        "[source]\nkind = 'rest'\nurl = '{url}/tenants'\nrecords = ''\npaging = 'none'\n\
         [source.columns]\nprovided_id = '/id'\nname = '/name'\n\
         [ledger]\nurl = 'sqlite:ledger.db'\n[explo]\nbase_url = '{url}'\n[ops]\nlisten = '127.0.0.1:0'\n"
    );
    std::fs::write(directory.path().join("explo-sync.toml"), config).unwrap();
    let program = Program::default().with("EXPLO_TOKEN", "test-team-token-0123456789");
    let child = program.within(directory.path()).in_container().start(arguments);
    is_asked(&asked).await;
    signal(&child, name).await;
    assert_eq!(ends_soon(child).await, Some(if arguments == ["run"] { 0 } else { 75 }));
}

#[rstest]
#[tokio::test]
async fn a_query_that_never_ends_is_not_waited_for(
    #[values("sync", "run")] command: &str,
    #[values("-TERM", "-INT")] name: &str,
) {
    let (_database, program) = before(&silent().await.0).await;
    let endless = "with recursive numbers(n) as (select 1 union all select n + 1 from numbers) \
                   select n as provided_id, '' as name from numbers where n < 0";
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", endless).in_container();
    let mut child = program.watch(&[command]);
    says(&mut log(&mut child), "run begins").await;
    signal(&child, name).await;
    assert_eq!(ends_soon(child).await, Some(if command == "run" { 0 } else { 75 }));
}

/// An output that takes nothing more, and what reads from it.
pub(super) fn full() -> (OwnedFd, UnixStream) {
    let (reader, mut writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    while writer.write(b"x").map_or_else(|error| error.kind() != ErrorKind::WouldBlock, |_| true) {}
    writer.set_nonblocking(false).unwrap();
    (writer.into(), reader)
}

#[rstest]
#[case::check(&["check"], 75)]
#[case::explain(&["explain", "a"], 75)]
#[case::export(&["export"], 75)]
#[case::tokens(&["tokens", "--missing"], 75)]
#[case::ledger(&["ledger", "--print-sql"], 75)]
#[case::init(&["init", "--completions", "bash"], 75)]
#[case::demo(&["demo"], 75)]
#[case::probe(&["probe", "--yes"], 0)]
#[case::dry_run(&["sync", "--dry-run"], 75)]
#[case::sandbox(&["sandbox", "--listen", "127.0.0.1:0"], 0)]
#[tokio::test]
async fn a_command_whose_output_nobody_reads_ends_at_a_signal(
    #[case] arguments: &[&str],
    #[case] code: i32,
    #[values("-TERM", "-INT")] name: &str,
    #[values(false, true)] in_container: bool,
) {
    let world = World::of([("a", "Ann"), ("b", "Bob")]).derived().each(|customer| customer.name.clear());
    let ((_database, _sandbox, program), directory) = (world.start().await, TempDir::new().unwrap());
    let ledger = format!("sqlite://{}", directory.path().join("ledger.db").display());
    let program = program.with("EXPLO_SYNC__LEDGER__URL", &ledger);
    let ((stdout, _reader), program) = (full(), if in_container { program.in_container() } else { program });
    let child = program.watch_into(arguments, stdout);
    fills_stdout(&child).await;
    signal(&child, name).await;
    assert_eq!(ends_soon(child).await, Some(code));
}

#[tokio::test]
async fn a_write_in_flight_at_a_signal_is_waited_for_and_told() {
    // Longer than a command that has written nothing is given.
    let (url, asked) = slow(Duration::from_secs(3)).await;
    let (_database, program) = before(&url).await;
    let child = program.start(&["sync", "--output", "json"]);
    is_asked(&asked).await;
    signal(&child, "-TERM").await;
    let output = timeout(SOON, child.wait_with_output()).await.unwrap().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let outcomes = json!({"applied": 1, "failed": 0, "unsettled": 0, "deferred": 1});
    assert_eq!((output.status.code(), &report["outcomes"]), (Some(75), &outcomes), "{report}");
}

#[tokio::test]
async fn a_second_interrupt_cuts_a_write_in_flight_which_is_told() {
    let (url, asked) = slow(Duration::MAX).await;
    let (_database, program) = before(&url).await;
    let mut child = program.watch(&["sync"]);
    let mut log = log(&mut child);
    is_asked(&asked).await;
    signal(&child, "-INT").await;
    says(&mut log, "stopping").await;
    signal(&child, "-INT").await;
    says(&mut log, "it may have been applied").await;
    assert!(says(&mut log, "run ended").await.contains(r#""failed":1,"unsettled":0,"deferred":1"#));
    assert_eq!(ends_soon(child).await, Some(75));
}

#[tokio::test]
async fn sigterm_while_a_plan_is_made_lets_no_call_begin_afterwards() {
    let (_database, sandbox, program) = World::empty().start().await;
    let many = "with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 100000) \
                select printf('a-customer-with-%08d', n * 7919 % 100003) as provided_id, 'T' as name from numbers";
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", many);
    let mut child = program.watch(&["sync", "--allow", "create=100000"]);
    let mut log = log(&mut child);
    says(&mut log, "listed the customers").await;
    signal(&child, "-TERM").await;
    says(&mut log, "stopping").await;
    assert_eq!(ends_soon(child).await, Some(75));
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"]);
}

/// Without a lock nothing can be claimed, so no call is made that could say so.
#[rstest]
#[tokio::test]
async fn a_lock_that_is_lost_before_the_first_write_ends_the_run_as_any_other_stop(
    #[values(Kind::Postgres, Kind::MySql)] kind: Kind,
) {
    let (database, sandbox, program) = World::of([("a", "Ann"), ("b", "Bob")]).on(kind).start().await;
    let database = Arc::new(database);
    let losing = Arc::clone(&database);
    let answer = move |_: &Asked<'_>| {
        let database = Arc::clone(&losing);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        thread::spawn(move || runtime.block_on(async move { take_away(&database).await })).join().unwrap();
        None
    };
    let (code, report) = program.behind(&sandbox, answer).await.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["deferred"]), (75, &json!(2)), "{report}");
    assert!(report["error"].as_str().unwrap().contains("a lost lock"), "{report}");
    assert!(writes(&sandbox.take_calls()).is_empty());
}
