//! The commands as somebody types them: help, bad usage, `check`, `sandbox`, what is shown of a run, and a stop in the middle.

use std::{process::Stdio, sync::Arc, time::Duration};

use clap::CommandFactory;
use explo_sync::{
    cli::Cli,
    sandbox::{Sandbox, Store},
};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    sync::Notify,
};

use crate::support::{Answer, Database, Kind, Program, before, body, customer, endpoints, sandbox, writes};

const QUERY: &str = "select id as provided_id, name, email as emails, tag as group_tags from tenants";

/// A database with these tenants: id and name, no address, no tag.
async fn tenants(rows: &[(String, String)]) -> Database {
    let database = Database::new(Kind::Sqlite).await;
    let quoted = |text: &str| text.replace('\'', "''");
    let rows: Vec<_> =
        rows.iter().map(|(id, name)| format!("('{}', '{}', null, null)", quoted(id), quoted(name))).collect();
    let insert = if rows.is_empty() { String::new() } else { format!("insert into tenants values {}", rows.join(",")) };
    database.execute(&format!("create table tenants (id text, name text, email text, tag text); {insert}")).await;
    database
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<(String, String)> {
    numbers.map(|n| (format!("t{n:02}"), format!("Tenant {n}"))).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect()
}

async fn terminate(child: &Child) {
    let id = child.id().unwrap().to_string();
    assert!(tokio::process::Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
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
            let is_secret = ["token", "password", "secret", "url"].iter().any(|secret| flag.contains(secret));
            assert!(!is_secret, "others on the machine see what {flag} is given");
        }
    }
    let version = Program::default().run(&["--version"]).await;
    assert_eq!((version.code, version.stdout), (0, format!("explo-sync {}\n", env!("CARGO_PKG_VERSION"))));
}

#[rstest]
#[case(&[], "Usage:")]
#[case(&["snyc"], "sync")]
#[case(&["sync", "--exit-code"], "--dry-run")]
#[case(&["sync", "--allow", "create"], "CLASS=N")]
#[case(&["sync", "--allow", "delete=5"], "create, update, mapping, orphan")]
#[case(&["sync", "--output", "yaml"], "[possible values: text, json]")]
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

#[rstest]
#[case::unknown_column("EXPLO_SYNC__SOURCE__QUERY", "select id, email from tenants", 78, "did you mean 'emails'")]
#[case::no_such_table("EXPLO_SYNC__SOURCE__QUERY", "select 1 as provided_id from nowhere", 1, "no such table: nowhere")]
#[case::no_sql("EXPLO_SYNC__SOURCE__QUERY", "selec", 1, "syntax error")]
#[case::leave_null("EXPLO_SYNC__FIELDS__LEAVE_NULL", "[\"mail\"]", 78, "fields.leave_null names 'mail'")]
#[case::no_file("DATABASE_URL", "sqlite:///nowhere/tenants.db", 1, "can't connect to sqlite:/nowhere/tenants.db")]
#[case::no_server("DATABASE_URL", "postgres://u:p@127.0.0.1:1/app", 1, "can't connect to postgres://127.0.0.1:1/app")]
#[case::no_explo("EXPLO_SYNC__EXPLO__BASE_URL", "http://127.0.0.1:1", 1, "fail  token     http://127.0.0.1:1/")]
#[case::wrong_token("EXPLO_TOKEN", "another", 77, "check explo.token_file or EXPLO_TOKEN")]
#[case::bad_config("EXPLO_SYNC__EXPLO__PAGE_SIZE", "0", 78, "a whole number from 1 to 1000")]
#[tokio::test]
async fn check_and_sync_tell_the_same_failure_and_check_tries_the_other_side_all_the_same(
    #[case] name: &str,
    #[case] value: &str,
    #[case] code: i32,
    #[case] part: &str,
) {
    let database = tenants(&numbered(0..1)).await;
    let token = Some("the-right-token".to_owned());
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), Store::default(), token).await.unwrap();
    let right = Program::between(&database, &sandbox, QUERY)
        .with("EXPLO_TOKEN", "the-right-token")
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    assert_eq!(right.run(&["check"]).await.code, 0);
    let wrong = right.with(name, value);

    let output = wrong.run(&["check"]).await;
    assert_eq!((output.code, output.stdout.contains(part)), (code, true), "{output:?}");
    let marks: Vec<_> = output.stdout.lines().filter(|line| !line.starts_with(' ')).map(|line| &line[..4]).collect();
    if name.ends_with("PAGE_SIZE") {
        assert_eq!(marks, ["fail"], "nothing is tried with a configuration that can't be used");
    } else {
        let count = |mark: &str| marks.iter().filter(|known| **known == mark).count();
        assert!(count("ok  ") >= 2 && count("fail") == 1, "{}", output.stdout);
    }

    let output = wrong.run(&["sync", "--output", "json"]).await;
    let report = output.json();
    assert_eq!((output.code, keys(&report)), (code, vec!["error", "exit", "version"]), "{output:?}");
    assert_eq!((&report["exit"], &report["version"]), (&json!(code), &json!(1)));
    let told = report["error"].as_str().unwrap();
    let gist = part.trim_start_matches("fail  token     http://127.0.0.1:1/");
    assert!(told.contains(gist) && output.stderr.contains(told), "{output:?}");
    assert_eq!(writes(&sandbox.take_calls()), Vec::<&_>::new());
}

#[tokio::test]
async fn of_two_failures_check_tells_both_and_exits_with_the_one_to_mend_first() {
    let database = tenants(&[]).await;
    let token = Some("the-right-token".to_owned());
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), Store::default(), token).await.unwrap();
    let rejected = Program::between(&database, &sandbox, QUERY);
    for (name, value, code) in [
        ("EXPLO_SYNC__SOURCE__QUERY", "select id from tenants", 78),
        ("DATABASE_URL", "sqlite:///nowhere/tenants.db", 77),
    ] {
        let output = rejected.clone().with(name, value).run(&["check"]).await;
        assert_eq!((output.code, output.stdout.matches("fail  ").count()), (code, 2), "{output:?}");
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
    let mut child = Program::default()
        .command(&["sandbox", "--listen", "127.0.0.1:0", "--customers", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let url = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && !url.ends_with(":0"), "{url}");
    let listing =
        reqwest::Client::new().get(format!("{url}/v2/api/customers/")).header("Explo-Authorization", "Token x");
    let page: Value = serde_json::from_slice(&listing.send().await.unwrap().bytes().await.unwrap()).unwrap();
    let names = page["results"]["customers"].as_array().unwrap().iter().map(|customer| customer["name"].clone());
    assert_eq!((&page["total_count"], names.collect::<Vec<_>>()), (&json!(2), vec![json!("Ann"), json!("no id")]));
    terminate(&child).await;
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
async fn each_part_of_the_report_has_the_keys_of_the_contract_and_values_only_where_asked_for() {
    let database = tenants(&numbered(0..2)).await;
    database
        .execute(
            "insert into tenants values ('failing', 'Failing Ltd', null, 'Unknown Tag'), ('bad', 'Bad Ltd', '[\"x@bad.example', null),
             (null, 'Nobody Ltd', null, null); update tenants set email = 'new@t.example' where id = 't01'",
        )
        .await;
    let listed = [
        json!({"provided_id": "t01", "name": "Tenant 1", "emails": ["old@t.example"]}),
        json!({"provided_id": "stranger"}),
    ];
    let sandbox = sandbox(listed.map(customer)).await;
    let program = Program::between(&database, &sandbox, QUERY);

    let held = program.clone().with("EXPLO_SYNC__GUARD__CREATE_FLOOR", "0");
    let (code, report) = held.sync(&[]).await;
    assert_eq!((code, &report["held"]), (4, &json!([{"class": "create", "count": 2, "limit": 0}])));
    assert_eq!(report["outcomes"], json!({"applied": 0, "failed": 0, "unsettled": 0, "deferred": 3}));

    let plain = program.run(&["-vv", "sync", "--output", "json"]).await;
    let report = plain.json();
    assert_eq!((plain.code, &report["outcomes"]["failed"]), (3, &json!(1)));
    assert_eq!(keys(&report["changes"][0]), ["error", "fields", "kind", "outcome", "provided_id"]);
    let shown = report["changes"].as_array().unwrap().iter().map(|change| {
        (change["kind"].as_str().unwrap(), change["provided_id"].as_str().unwrap(), change["outcome"].as_str().unwrap())
    });
    let expected = [("create", "failing", "failed"), ("create", "t00", "applied"), ("update", "t01", "applied")];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    assert_eq!(report["changes"][2]["fields"], json!({"emails": {}}));
    let invalid: Vec<_> =
        report["invalid"].as_array().unwrap().iter().map(|row| (keys(row), &row["provided_id"])).collect();
    assert_eq!(
        invalid,
        [(vec!["provided_id", "reason"], &Value::Null), (vec!["provided_id", "reason"], &json!("bad"))]
    );
    assert_eq!((&report["orphans"], &report["skipped"]), (&json!(["stranger"]), &json!([])));
    assert_eq!((&report["tenants"], &report["customers"], &report["exit"]), (&json!(5), &json!(2), &json!(3)));
    let text = program.run(&["-vv", "--log-format", "text", "sync"]).await;
    assert_eq!(text.code, 3);
    for output in [&plain.stdout, &plain.stderr, &text.stdout, &text.stderr] {
        for value in ["Ltd", "Tenant 0", "Unknown Tag", "@t.example", "x@bad"] {
            assert!(!output.contains(value), "{value} in {output}");
        }
    }

    let (_, valued) = program.sync(&["--dry-run", "--show-values"]).await;
    let fields = json!({"name": {"new": "Failing Ltd"}, "group_tags": {"new": ["Unknown Tag"]}});
    let create = &valued["changes"][0];
    assert_eq!(
        (&create["outcome"], &create["fields"]["name"]),
        (&Value::Null, &fields["name"]),
        "a create has no old values"
    );
    assert_eq!(create["fields"]["group_tags"], fields["group_tags"]);
}

#[rstest]
#[case(401)]
#[case(403)]
#[case(404)]
#[case(500)]
#[tokio::test]
async fn an_answer_that_quotes_the_token_does_not_make_it_shown(#[case] status: u16) {
    let database = tenants(&numbered(0..1)).await;
    let sandbox = sandbox([]).await;
    let token = "0123abcd-team-token-4567";
    let url = before(&sandbox, move |_| Answer::new(status, format!("{{\"detail\": \"no: Token {token}\"}}"))).await;
    let program = Program::between(&database, &sandbox, QUERY)
        .with("EXPLO_TOKEN", token)
        .with("EXPLO_SYNC__EXPLO__BASE_URL", &url)
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2");
    for arguments in [&["-vv", "sync", "--show-values", "--output", "json"][..], &["-vv", "check", "--show-values"]] {
        let output = program.run(arguments).await;
        assert_eq!(output.code, if status < 404 { 77 } else { 1 }, "{output:?}");
        assert!(!format!("{}{}", output.stdout, output.stderr).contains(token), "{output:?}");
    }
}

#[tokio::test]
async fn no_character_of_an_id_moves_the_cursor_turns_the_line_or_hides() {
    let hostile = (1..0x20).chain(0x7f..0xa0).chain(0x200b..0x2010).chain(0x2028..0x202f).chain(0x2060..0x2070);
    let hostile: Vec<char> = hostile.chain([0xfeff]).filter_map(char::from_u32).collect();
    let id = |side: &str, c: char| format!("{side}{c}{:04x}", u32::from(c));
    let rows: Vec<_> = hostile.iter().map(|&c| (id("n", c), format!("Name{c}"))).collect();
    let database = tenants(&rows).await;
    let duplicate =
        hostile.iter().map(|&c| format!("('{}', 'x', null, null)", id("i", c).repeat(2))).collect::<Vec<_>>().join(",");
    database
        .execute(&format!(
            "insert into tenants values {duplicate}, {duplicate}, ('{}', 'x', null, null)",
            "l".repeat(65536)
        ))
        .await;
    let sandbox = sandbox(hostile.iter().map(|&c| customer(json!({"provided_id": id("o", c)})))).await;
    let program = Program::between(&database, &sandbox, QUERY);
    for arguments in [&["sync", "--dry-run", "-v"][..], &["sync", "--dry-run", "-v", "--show-values"], &["sync", "-v"]]
    {
        let output = program.run(arguments).await;
        let raw: Vec<_> = output.stdout.chars().filter(|c| hostile.contains(c) && *c != '\n').collect();
        assert!(raw.is_empty(), "{raw:?} in {arguments:?}");
        assert_eq!(output.stdout.lines().filter(|line| line.starts_with("  ? ")).count(), hostile.len(), "a line each");
        for &c in &hostile {
            for side in ["n", "i", "o"] {
                let escaped = format!("{side}\\u{{{:x}}}{:04x}", u32::from(c), u32::from(c));
                assert!(output.stdout.contains(&escaped), "{escaped} in {arguments:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_accounts_for_every_change_and_the_next_one_repeats_none() {
    let database = tenants(&numbered(0..20)).await;
    let listed = (15..20).map(|n| customer(json!({"provided_id": format!("t{n}"), "name": "Old"})));
    let sandbox = sandbox(listed).await;
    let written = Arc::new(Notify::new());
    let notify = Arc::clone(&written);
    let url = before(&sandbox, move |asked| {
        if asked.endpoint == "create_customer" && asked.before == 1 {
            notify.notify_one();
        }
        None
    })
    .await;
    let program = Program::between(&database, &sandbox, QUERY);
    // One call a second: the second create is about two seconds after the beginning.
    let slow =
        program.clone().with("EXPLO_SYNC__EXPLO__BASE_URL", &url).with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "60");
    let arguments = ["sync", "--output", "json", "--allow", "create=15"];
    let child = slow.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    written.notified().await;
    terminate(&child).await;
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
    assert_eq!(ids, numbered(0..20).into_iter().map(|(id, _)| id).collect::<Vec<_>>(), "each once");
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_before_there_is_a_plan_ends_at_once() {
    let database = tenants(&numbered(0..1)).await;
    let sandbox = sandbox([]).await;
    let asked = Arc::new(Notify::new());
    let notify = Arc::clone(&asked);
    let url = before(&sandbox, move |_| {
        notify.notify_one();
        Answer::with(429, "retry-after", "300")
    })
    .await;
    let throttled = Program::between(&database, &sandbox, QUERY).with("EXPLO_SYNC__EXPLO__BASE_URL", &url);
    let child =
        throttled.command(&["sync", "--output", "json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    asked.notified().await;
    terminate(&child).await;
    let output = tokio::time::timeout(Duration::from_secs(30), child.wait_with_output()).await.unwrap().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), keys(&report)), (Some(75), vec!["error", "exit", "version"]), "{report}");
    assert_eq!(endpoints(&sandbox.take_calls()), Vec::<&str>::new());
}
