//! The commands as somebody types them: help, bad usage, exit codes, `check`, `sandbox`, `demo`, and a stop in the middle.

use std::{sync::Arc, time::Duration};

use clap::CommandFactory;
use explo_sync::cli::Cli;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::Notify,
};

use crate::support::{Answer, AsTenant, Program, World, before, body, endpoints, keys, signal, writes};

/// Tenants of two more columns, in which nothing is wanted.
fn plain(tenants: impl IntoIterator<Item = impl AsTenant>) -> World {
    World::of(tenants).columns(&["emails", "group_tags"])
}

fn numbered(numbers: std::ops::Range<usize>) -> impl Iterator<Item = (String, String)> {
    numbers.map(|n| (format!("t{n:02}"), format!("Tenant {n}")))
}

#[tokio::test]
async fn the_help_of_every_command_fits_a_terminal_and_names_no_flag_that_takes_a_secret() {
    let cli = Cli::command();
    let names = cli.get_subcommands().map(clap::Command::get_name);
    for arguments in names.map(|name| vec![name, "--help"]).chain([vec!["--help"], vec!["help"]]) {
        let output = Program::default().run(&arguments).await;
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(output.stdout.contains("Usage: explo-sync"), "{arguments:?}: {}", output.stdout);
        for line in output.stdout.lines() {
            assert!(line.chars().count() <= 110, "{arguments:?} has a line too wide: {line}");
            let flag = line.trim_start().split(' ').find(|word| word.starts_with("--")).unwrap_or_default();
            let is_secret =
                line.contains('<') && ["token", "password", "secret", "url"].iter().any(|secret| flag.contains(secret));
            assert!(!is_secret, "others on the machine see what {flag} is given");
        }
    }
    let version = Program::default().run(&["--version"]).await;
    assert_eq!((version.code, version.stdout), (0, format!("explo-sync {}\n", env!("CARGO_PKG_VERSION"))));
}

#[rstest]
#[case(&[], "Usage:")]
#[case(&["snyc"], "sync")]
#[case(&["sync", "--nonsense"], "--nonsense")]
#[case(&["sync", "--exit-code"], "--dry-run")]
#[case(&["sync", "--allow", "create"], "CLASS=N")]
#[case(&["sync", "--allow", "delete=5"], "create, update, rename, mapping, orphan")]
#[case(&["sync", "--output", "yaml"], "[possible values: text, json, html]")]
#[case(&["sync", "--max-changes", "few"], "--max-changes")]
#[case(&["sync", "--max-duration", "soon"], "--max-duration")]
#[case(&["sync", "--ok", "3,x"], "--ok")]
#[case(&["sync", "--token", "x"], "--token")]
#[case(&["check", "-q", "-v"], "--quiet")]
#[case(&["sandbox", "--listen", "0.0.0.0:0"], "not a loopback address")]
#[case(&["sandbox", "--listen", "[::]:0"], "not a loopback address")]
#[case(&["sandbox", "--listen", "localhost"], "such as 127.0.0.1:8765")]
#[tokio::test]
async fn bad_usage_exits_64_and_says_what_would_be_right(#[case] arguments: &[&str], #[case] part: &str) {
    let output = Program::default().run(arguments).await;
    assert_eq!((output.code, output.stdout.as_str()), (64, ""), "{output:?}");
    assert!(output.stderr.contains(part), "{part} in {}", output.stderr);
}

#[tokio::test]
async fn exit_codes_tell_what_a_run_found_and_did() {
    let world = plain([("new", "Newcomer"), ("old", "Oldtimer")]).derived().without(["new"]);
    let world = world.but("old", |customer| customer.name = "Former name".into());
    let (database, _sandbox, program) = world.start().await;
    let code = async |program: &Program, arguments: &[&str]| program.run(&[&["sync"], arguments].concat()).await.code;
    assert_eq!(code(&program, &["--dry-run"]).await, 0);
    assert_eq!(code(&program, &["--dry-run", "--exit-code"]).await, 2, "there is something to do");
    assert_eq!(code(&program.clone().with("EXPLO_SYNC__GUARD__CREATE_FLOOR", "0"), &[]).await, 4, "held");
    assert_eq!(code(&program, &[]).await, 0);
    assert_eq!(code(&program, &["--dry-run", "--exit-code"]).await, 0, "in sync");

    database.execute("insert into tenants values ('bad', 'Bad', '[', null), (null, 'Nobody', null, null)").await;
    assert_eq!(code(&program, &[]).await, 3, "invalid rows");
    assert_eq!(code(&program, &["--dry-run", "--exit-code"]).await, 0, "invalid rows are no changes");
    let mend = "delete from tenants where id = 'bad' or id is null";
    database.execute(&format!("{mend}; update tenants set group_tags = 'unknown' where id = 'new'")).await;
    assert_eq!(code(&program, &[]).await, 3, "a tenant is invalid: there is no such tag");
}

#[tokio::test]
async fn check_shows_what_it_found_on_both_sides() {
    let world = plain(numbered(0..1)).and(["a", "b", "c"].map(|id| json!({"provided_id": id})));
    let (_database, _sandbox, program) = world.start().await;
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    for part in
        ["ok    config", "ok    database", "provided_id, name, emails, group_tags", "a page of 3 of 3 customers"]
    {
        assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
    }
}

/// The parts that `check` says this of. The lock is left out: it is where the database is.
fn marked<'s>(stdout: &'s str, mark: &str) -> Vec<&'s str> {
    let parts = stdout.lines().filter_map(|line| line.strip_prefix(mark)?.split_whitespace().next());
    parts.filter(|part| *part != "lock").collect()
}

/// The error that `sync` ends with before there is a plan, with this code.
async fn error_of_sync(program: &Program, code: i32) -> String {
    let output = program.run(&["sync", "--output", "json"]).await;
    let report = output.json();
    assert_eq!((output.code, keys(&report)), (code, vec!["error", "exit", "version"]), "{output:?}");
    assert_eq!((&report["exit"], &report["version"]), (&json!(code), &json!(1)));
    let error = report["error"].as_str().unwrap().to_owned();
    assert!(output.stderr.contains(&error), "{output:?}");
    error
}

#[rstest]
#[case::bad_value("EXPLO_SYNC__EXPLO__PAGE_SIZE", "0", "a whole number from 1 to 1000")]
#[case::unknown_key("EXPLO_SYNC__EXPLO__PAGESIZE", "5", "did you mean explo.page_size?")]
#[case::no_token("EXPLO_TOKEN", "", "explo.token_file is not set")]
#[tokio::test]
async fn nothing_is_tried_with_a_configuration_that_cant_be_used(
    #[case] name: &str,
    #[case] value: &str,
    #[case] part: &str,
) {
    let (_database, sandbox, program) = plain(numbered(0..1)).start().await;
    let wrong = program.with(name, value);
    let output = wrong.run(&["check"]).await;
    assert_eq!((output.code, output.stdout.contains(part)), (78, true), "{output:?}");
    assert_eq!((marked(&output.stdout, "ok  ").len(), marked(&output.stdout, "fail").len()), (0, 1), "{output:?}");
    assert!(error_of_sync(&wrong, 78).await.contains(part));
    assert_eq!(sandbox.take_calls(), []);
}

/// The database refuses what the query says: that is to be mended before anything runs, and ends a run as any failure does.
const REFUSED: i32 = -78;

#[rstest]
#[case::unknown_column(
    "EXPLO_SYNC__SOURCE__QUERY",
    "select id, emails as email from tenants",
    78,
    "query",
    "did you mean 'emails'"
)]
#[case::no_id("EXPLO_SYNC__SOURCE__QUERY", "select name from tenants", 78, "query", "provided_id")]
#[case::no_such_table("EXPLO_SYNC__SOURCE__QUERY", "select * from nowhere", REFUSED, "query", "no such table: nowhere")]
#[case::no_sql("EXPLO_SYNC__SOURCE__QUERY", "selec", REFUSED, "query", "syntax error")]
#[case::leave_null("EXPLO_SYNC__FIELDS__LEAVE_NULL", "[\"mail\"]", 78, "query", "fields.leave_null names 'mail'")]
#[case::no_file("DATABASE_URL", "sqlite:///nowhere/t.db", 1, "database", "can't connect to sqlite:/nowhere/t.db")]
#[case::no_server(
    "DATABASE_URL",
    "postgres://u:p@127.0.0.1:1/t",
    1,
    "database",
    "can't connect to postgres://127.0.0.1:1/t"
)]
#[case::no_explo(
    "EXPLO_SYNC__EXPLO__BASE_URL",
    "http://127.0.0.1:1",
    1,
    "token",
    "nothing listens there: check explo.base_url (http://127.0.0.1:1/)"
)]
#[case::wrong_token("EXPLO_TOKEN", "another", 77, "token", "check explo.token_file or EXPLO_TOKEN")]
#[tokio::test]
async fn check_and_sync_tell_the_same_failure_and_check_tries_the_other_side_all_the_same(
    #[case] name: &str,
    #[case] value: &str,
    #[case] code: i32,
    #[case] failing: &str,
    #[case] part: &str,
) {
    let (_database, sandbox, program) = plain(numbered(0..1)).knowing("the-right-token").start().await;
    let right = program.with("EXPLO_TOKEN", "the-right-token").with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    assert_eq!(right.run(&["check"]).await.code, 0);
    let wrong = right.with(name, value);

    let output = wrong.run(&["check"]).await;
    assert_eq!((output.code, output.stdout.contains(part)), (code.abs(), true), "{output:?}");
    assert_eq!(marked(&output.stdout, "fail"), [failing], "{}", output.stdout);
    let other = if failing == "token" { "database" } else { "token" };
    assert!(marked(&output.stdout, "ok  ").contains(&other), "{}", output.stdout);

    let error = error_of_sync(&wrong, if code == REFUSED { 1 } else { code }).await;
    assert!(error.contains(part), "{part} in {error}");
    assert_eq!(writes(&sandbox.take_calls()), Vec::<&_>::new());
}

#[tokio::test]
async fn of_two_failures_check_tells_both_and_exits_with_the_one_to_mend_first() {
    let (_database, _sandbox, rejected) = plain(numbered(0..1)).knowing("the-right-token").start().await;
    for (name, value, code, failing) in [
        ("EXPLO_SYNC__SOURCE__QUERY", "select id from tenants", 78, "query"),
        ("DATABASE_URL", "sqlite:///nowhere/tenants.db", 77, "database"),
    ] {
        let output = rejected.clone().with(name, value).run(&["check"]).await;
        assert_eq!((output.code, marked(&output.stdout, "fail")), (code, vec![failing, "token"]), "{output:?}");
    }
}

#[rstest]
#[case::array("\n [{\"provided_id\": \"a\", \"name\": \"Ann\"}, {\"name\": \"no id\"}]\n")]
#[case::lines("{\"provided_id\": \"a\", \"name\": \"Ann\"}\n\n{\"name\": \"no id\"}\n")]
#[tokio::test]
async fn the_sandbox_prints_its_address_serves_its_customers_and_ends_when_told_to(#[case] text: &str) {
    explo_sync::install_crypto();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("customers.json");
    std::fs::write(&file, text).unwrap();
    let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--customers", file.to_str().unwrap()];
    let mut child = Program::default().start(&arguments);
    let url = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && !url.ends_with(":0"), "{url}");
    let listing =
        reqwest::Client::new().get(format!("{url}/v2/api/customers/")).header("Explo-Authorization", "Token x");
    let page: Value = serde_json::from_slice(&listing.send().await.unwrap().bytes().await.unwrap()).unwrap();
    let names = page["results"]["customers"].as_array().unwrap().iter().map(|customer| customer["name"].clone());
    assert_eq!((&page["total_count"], names.collect::<Vec<_>>()), (&json!(2), vec![json!("Ann"), json!("no id")]));
    signal(&child, "-TERM").await;
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[rstest]
#[case("missing.json", None, "No such file")]
#[case("cut.json", Some("[{\"provided_id\": \"a\""), "line 1")]
#[case("other.json", Some("{\"provided_id\": 5}"), "line 1")]
#[tokio::test]
async fn a_file_of_customers_that_cant_be_used_is_named(
    #[case] name: &str,
    #[case] text: Option<&str>,
    #[case] part: &str,
) {
    let directory = tempfile::tempdir().unwrap();
    if let Some(text) = text {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let program = Program::default().within(directory.path());
    let output = program.run(&["sandbox", "--listen", "127.0.0.1:0", "--customers", name]).await;
    assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
    assert!(output.stderr.contains(&format!("--customers {name}: ")) && output.stderr.contains(part), "{output:?}");
}

#[tokio::test]
async fn the_demo_ends_in_sync_and_says_what_to_type_next() {
    let output = Program::default().run(&["demo"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    for part in ["4 to create, 2 to update", "Nothing to do."] {
        assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
    }
    assert!(output.stdout.trim_end().lines().last().unwrap().contains("explo-sync sync --dry-run"));
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_accounts_for_every_change_and_the_next_one_repeats_none() {
    let world = plain(numbered(0..20)).derived().without(numbered(0..15).map(|(id, _)| id));
    let (_database, sandbox, program) = world.each(|customer| customer.name = "Old".into()).start().await;
    let written = Arc::new(Notify::new());
    let notify = Arc::clone(&written);
    let url = before(&sandbox, move |asked| {
        if asked.endpoint == "create_customer" && asked.before == 1 {
            notify.notify_one();
        }
        None
    })
    .await;
    // One call a second: the second create is about two seconds after the beginning.
    let slow =
        program.clone().with("EXPLO_SYNC__EXPLO__BASE_URL", &url).with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "60");
    let child = slow.start(&["sync", "--output", "json", "--allow", "create=15"]);
    written.notified().await;
    signal(&child, "-TERM").await;
    let output = child.wait_with_output().await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["exit"]), (Some(75), &json!(75)), "{report}");
    assert!(report["error"].as_str().unwrap().contains("the next run carries on"), "{report}");

    let stopped = sandbox.take_calls();
    let made = writes(&stopped).len();
    assert!((2..20).contains(&made), "{made}");
    assert_eq!(report["outcomes"], json!({"applied": made, "failed": 0, "unsettled": 0, "deferred": 20 - made}));
    let of = |outcome: &str| {
        report["changes"].as_array().unwrap().iter().filter(|change| change["outcome"] == outcome).count()
    };
    assert_eq!((of("applied"), of("deferred")), (made, 20 - made), "planned = applied + failed + unsettled + deferred");

    let (code, report) = program.sync(&["--allow", "create=15"]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(20 - made)), "{report}");
    let resumed = sandbox.take_calls();
    let all = writes(&stopped).into_iter().chain(writes(&resumed));
    let mut ids: Vec<_> = all.map(|call| body(call)["provided_id"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    assert_eq!(ids, numbered(0..20).map(|(id, _)| id).collect::<Vec<_>>(), "each once");
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_before_there_is_a_plan_ends_at_once() {
    let (_database, sandbox, program) = plain(numbered(0..1)).start().await;
    let asked = Arc::new(Notify::new());
    let notify = Arc::clone(&asked);
    let url = before(&sandbox, move |_| {
        notify.notify_one();
        Answer::with(429, "retry-after", "300")
    })
    .await;
    let throttled = program.with("EXPLO_SYNC__EXPLO__BASE_URL", &url);
    let child = throttled.start(&["sync", "--output", "json"]);
    asked.notified().await;
    signal(&child, "-TERM").await;
    let output = tokio::time::timeout(Duration::from_secs(30), child.wait_with_output()).await.unwrap().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), keys(&report)), (Some(75), vec!["error", "exit", "version"]), "{report}");
    assert_eq!(endpoints(&sandbox.take_calls()), Vec::<&str>::new());
}
