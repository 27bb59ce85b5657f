//! Outputs that are full, closed, or that nobody reads: they cost what is printed, never a run, a probe or an exit code.

use std::{
    fs::{self, File, OpenOptions},
    io::pipe,
    net::TcpListener,
    os::fd::OwnedFd,
    process::Stdio,
    time::Duration,
};

use explo_sync::sandbox::{Fault, Sandbox};
use rstest::rstest;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::stop::full;
use crate::support::{Database, Program, World, customer, fills_stdout, signal};

/// Longer than anything here takes, and shorter than a write in flight is given.
const SOON: Duration = Duration::from_secs(18);

async fn sides() -> (Database, Sandbox, Program) {
    World::of([("a", "Ann"), ("b", "Bob")]).start().await
}

fn full_disk() -> OwnedFd {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

fn without_reader() -> OwnedFd {
    pipe().unwrap().1.into()
}

fn not_read() -> OwnedFd {
    let (writer, reader) = full();
    // Open to the end of the test.
    Box::leak(Box::new(reader));
    writer
}

/// The value of a metric that has no labels but the instance's.
fn metric(text: &str, name: &str) -> Option<f64> {
    let value = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#'))?;
    value.rsplit(' ').next()?.parse().ok()
}

#[rstest]
#[tokio::test]
async fn what_was_applied_is_so_though_stdout_takes_no_report(
    #[values((full_disk as fn() -> _, true), (without_reader as fn() -> _, false))] (stdout, is_told): (
        fn() -> OwnedFd,
        bool,
    ),
    #[values("text", "json")] form: &str,
) {
    let ((_database, sandbox, program), directory) = (sides().await, tempfile::tempdir().unwrap());
    let path = directory.path().join("explo_sync.prom");
    let arguments = ["sync", "--output", form, "--metrics-file", path.to_str().unwrap()];
    let mut child = program.watch_into(&arguments, stdout());
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    assert_eq!((child.wait().await.unwrap().code(), sandbox.customers().len()), (Some(0), 2), "{log}");
    assert!(fs::read_to_string(&path).unwrap().contains("exit=\"0\""));
    // A reader that went away, as `head` does, knows.
    assert_eq!(log.contains("stdout can't be written to: No space left"), is_told, "{log}");

    let mut failing = program.with("EXPLO_SYNC__EXPLO__PAGE_SIZE", "0").watch_into(&arguments, stdout());
    assert_eq!(failing.wait().await.unwrap().code(), Some(78));
}

#[rstest]
#[case::sync(&["sync"], 0)]
#[case::check(&["check"], 0)]
#[case::export(&["export"], 0)]
#[case::explain(&["explain", "nobody"], 3)]
#[case::no_ledger(&["tokens", "--missing"], 78)]
#[case::usage(&["sync", "--out"], 64)]
#[tokio::test]
async fn a_stderr_that_is_full_closed_or_not_read_changes_no_exit_code(
    #[case] arguments: &[&str],
    #[case] code: i32,
    #[values(full_disk, without_reader, not_read)] stderr: fn() -> OwnedFd,
) {
    let (_database, _sandbox, program) = sides().await;
    let child = program.start_into(arguments, Stdio::piped(), stderr());
    let output = timeout(SOON, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(code));
    assert_eq!(output.stdout.is_empty(), code > 3 || arguments == ["export"], "{output:?}");
}

/// What a command finds, and says with its exit code as well; or what it is there to print, which is lost on a full disk.
#[rstest]
#[case::check(&["check"], [0, 0], true)]
#[case::check_of_nothing(&["check", "--config", "missing.toml"], [78, 78], true)]
#[case::explain(&["explain", "nobody"], [3, 3], true)]
#[case::demo(&["demo"], [0, 0], true)]
#[case::probe(&["probe", "--yes"], [0, 0], true)]
#[case::export(&["export"], [1, 0], true)]
#[case::ddl(&["ledger", "--print-sql"], [1, 0], true)]
#[case::tokens(&["tokens", "--missing"], [1, 3], true)]
#[case::man(&["init", "--man"], [1, 0], true)]
#[case::completions(&["init", "--completions", "bash"], [1, 0], true)]
#[case::schema(&["init", "--schema"], [1, 0], true)]
#[case::help(&["--help"], [0, 0], false)]
#[tokio::test]
async fn a_stdout_that_is_full_or_closed_costs_what_is_printed(
    #[case] arguments: &[&str],
    #[case] codes: [i32; 2],
    #[case] is_told: bool,
) {
    let (_database, _sandbox, program) = World::of([("a", "Ann"), ("b", "Bob")])
        .having([customer(json!({"provided_id": "a", "name": "Ann"}))])
        .start()
        .await;
    let program =
        if arguments == ["tokens", "--missing"] { program.with("EXPLO_SYNC__LEDGER__URL", "source") } else { program };
    for (stdout, code, is_full) in [(full_disk(), codes[0], true), (without_reader(), codes[1], false)] {
        let mut child = program.watch_into(arguments, stdout);
        let mut log = String::new();
        child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(code), "{log}");
        let told = log.matches("stdout can't be written to: No space left").count();
        assert_eq!(told, usize::from(is_full && is_told), "{log}");
    }
}

#[tokio::test]
async fn lines_that_stderr_does_not_take_are_counted() {
    let ((_database, _sandbox, program), directory) = (sides().await, tempfile::tempdir().unwrap());
    let path = directory.path().join("explo_sync.prom");
    let arguments = ["sync", "--dry-run", "--metrics-file", path.to_str().unwrap()];
    for (stderr, is_dropped) in [(full_disk(), true), (File::create("/dev/null").unwrap().into(), false)] {
        let mut child = program.start_into(&arguments, Stdio::null(), stderr);
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
        let metrics = fs::read_to_string(&path).unwrap();
        let dropped = metric(&metrics, "explo_sync_log_lines_dropped_total").unwrap();
        assert_eq!(dropped > 0.0, is_dropped, "{metrics}");
    }
}

#[tokio::test]
async fn a_run_with_more_to_say_than_anybody_reads_goes_on() {
    let (_database, sandbox, program) = World::of((0..6000).map(|n| (n, "Failing"))).start().await;
    let directory = tempfile::tempdir().unwrap();
    sandbox.adjust(|api| api.faults = vec!["status=400,endpoint=create_customer".parse::<Fault>().unwrap()]);
    let path = directory.path().join("explo_sync.prom");
    let (stderr, _reader) = full();
    let arguments = ["sync", "--allow", "create=6000", "--metrics-file", path.to_str().unwrap()];
    let mut child = program.start_into(&arguments, Stdio::null(), stderr);
    assert_eq!(timeout(10 * SOON, child.wait()).await.unwrap().unwrap().code(), Some(3));
    let metrics = fs::read_to_string(&path).unwrap();
    assert!(metric(&metrics, "explo_sync_log_lines_dropped_total").unwrap() > 0.0, "{metrics}");
}

#[tokio::test]
async fn a_terminal_that_shows_nothing_more_stops_no_run() {
    let (_database, sandbox, program) = World::of((0..300).map(|n| (n, "Ann"))).start().await;
    let mut terminal = program.on_terminal_after("timeout 1 cat /dev/zero", "sync --allow create=300");
    let mut child = terminal.stdout(not_read()).kill_on_drop(true).spawn().unwrap();
    let all = async {
        while sandbox.customers().len() < 300 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(timeout(5 * SOON, all).await.is_ok(), "{} of 300", sandbox.customers().len());
    child.kill().await.unwrap();
}

/// An answer of the ops server, when it comes.
async fn get(address: &str, path: &str) -> String {
    let answered = async {
        loop {
            if let Ok(mut connection) = TcpStream::connect(address).await {
                let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
                connection.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                connection.read_to_string(&mut answer).await.unwrap();
                return answer;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, answered).await.unwrap()
}

#[tokio::test]
async fn a_daemon_whose_log_nobody_reads_works_answers_and_ends() {
    let (_database, sandbox, program) = sides().await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let program = program.with("EXPLO_SYNC__OPS__LISTEN", &address).with("EXPLO_SYNC__SCHEDULE__CRON", "* * * * * *");
    let ((stderr, _reader), program) = (full(), program.in_container());
    let mut child = program.start_into(&["run"], Stdio::null(), stderr);
    while metric(&get(&address, "/metrics").await, "explo_sync_runs_total").is_none_or(|runs| runs < 2.0) {
        sleep(Duration::from_millis(50)).await;
    }
    assert!(get(&address, "/livez").await.starts_with("HTTP/1.1 200"));
    assert_eq!(sandbox.customers().len(), 2);
    signal(&child, "-TERM").await;
    assert_eq!(timeout(SOON, child.wait()).await.unwrap().unwrap().code(), Some(0));
}

#[rstest]
#[tokio::test]
async fn a_run_whose_report_nobody_reads_ends_at_a_signal_with_its_own_code(#[values("-TERM", "-INT")] name: &str) {
    let (_database, sandbox, program) = sides().await;
    sandbox.adjust(|api| api.faults = vec!["status=400,endpoint=create_customer,times=1".parse::<Fault>().unwrap()]);
    let (stdout, _reader) = full();
    let mut child = program.in_container().watch_into(&["sync"], stdout);
    fills_stdout(&child).await;
    signal(&child, name).await;
    assert_eq!(timeout(SOON, child.wait()).await.unwrap().unwrap().code(), Some(3));
    assert_eq!(sandbox.customers().len(), 1);
}
