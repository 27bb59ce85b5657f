//! Texts that are read, as files, variables and answers: what editors and tools add is no part of them, and nobody
//! waits for ever.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    time::Duration,
};

use rstest::rstest;
use tempfile::TempDir;
use tokio::time::timeout;
use url::Url;

use super::service::Daemon;
use crate::support::{Answer, Database, Kind, Program, before, make_fifo, sandbox, sandbox_knowing, signal};

const QUERY: &str = "select 'a' as provided_id, 'Ann' as name";
const TOKEN: &str = "test-team-token-0123456789";

/// Longer than anything here takes.
const LONG: Duration = Duration::from_mins(1);

/// As an editor of Windows writes it.
fn edited(text: &str) -> String {
    format!("\u{feff}{}\r\n", text.trim_end().replace('\n', "\r\n"))
}

#[rstest]
#[case(Kind::Postgres, "sslmode=verify-full")]
#[case(Kind::MySql, "ssl-mode=VERIFY_IDENTITY")]
#[tokio::test]
async fn what_an_editor_adds_is_no_part_of_a_file(#[case] kind: Kind, #[case] mode: &str) {
    let (database, sandbox, directory) =
        (Database::new(kind).await, sandbox_knowing(TOKEN).await, TempDir::new().unwrap());
    let password = database.url.parse::<Url>().unwrap().password().unwrap().to_owned();
    let url = database.bare_url();
    let config = format!(
        "[source]\nurl = '{url}?{mode}'\npassword_file = 'password'\nca_file = 'ca.pem'\nquery_file = 'query.sql'\n\
         [explo]\nbase_url = '{}'\ntoken_file = 'token'\n[ledger]\nurl = '{url}?{mode}'\npassword_file = 'password'\n\
         ca_file = 'ca.pem'\n",
        sandbox.url()
    );
    let authority = fs::read_to_string(std::env::var("TEST_CA_FILE").unwrap()).unwrap();
    let query = "select 'a' as provided_id, -- the id\n'Ann\nLtd' as name\n";
    for (name, text) in [
        ("explo-sync.toml", &*config),
        ("password", &password),
        ("ca.pem", &authority),
        ("query.sql", query),
        ("token", TOKEN),
    ] {
        fs::write(directory.path().join(name), edited(text)).unwrap();
    }
    let output = Program::default().within(directory.path()).run(&["sync"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(sandbox.customers()[0].name, "Ann\nLtd");
}

#[tokio::test]
async fn a_mark_before_an_answer_is_no_part_of_it() {
    explo_sync::install_crypto();
    let sandbox = sandbox([]).await;
    let url = before(&sandbox, |asked| match asked.path {
        "/tenants" => Answer::new(200, edited(r#"[{"id": "a", "name": "Ann"}]"#)),
        path if path.starts_with("/v2/") => {
            Answer::new(200, edited(r#"{"total_count": 0, "results": {"customers": []}}"#))
        }
        _ => None,
    })
    .await;
    let (directory, config) = (
        TempDir::new().unwrap(),
        format!(
            "[source]\nkind = 'rest'\nurl = '{url}/tenants'\nrecords = ''\npaging = 'none'\ntotal = ''\n\
             [source.columns]\nprovided_id = '/id'\nname = '/name'\n[explo]\nbase_url = '{url}'\n"
        ),
    );
    fs::write(directory.path().join("explo-sync.toml"), config).unwrap();
    let output = Program::default().with("EXPLO_TOKEN", TOKEN).within(directory.path()).run(&["sync"]).await;
    assert_eq!((output.code, sandbox.customers().len()), (0, 1), "{output:?}");
}

/// Where it is in no value of a record, the rest can't be told apart from it.
#[tokio::test]
async fn bytes_of_an_answer_that_are_not_utf8_cost_the_record_that_has_them() {
    explo_sync::install_crypto();
    let sandbox = sandbox([]).await;
    let url = before(&sandbox, |asked| match asked.path {
        "/tenants" => Answer::new(
            200,
            b"{\"total\": 4, \"data\": [{\"id\": \"a\", \"name\": \"Ann\"}, {\"id\": \"b\", \"name\": \"Caf\xe9\"},
               {\"id\": \"c\xff\", \"name\": \"Cat\"}, {\"id\": \"d\", \"name\": \"Dan\", \"note\": \"\xe9\"}]}",
        ),
        "/broken" => Answer::new(200, b"{\"total\": 1, \"data\": [{\"id\": \xe9}]}"),
        _ => None,
    })
    .await;
    let program = Program::default()
        .with("EXPLO_TOKEN", TOKEN)
        .with("EXPLO_SYNC__SOURCE__KIND", "rest")
        .with("EXPLO_SYNC__SOURCE__PAGING", "none")
        .with("EXPLO_SYNC__SOURCE__COLUMNS", r#"{"provided_id": "/id", "name": "/name"}"#)
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1")
        .with("EXPLO_SYNC__EXPLO__BASE_URL", &sandbox.url());
    let tenants = program.clone().with("EXPLO_SYNC__SOURCE__URL", &format!("{url}/tenants"));
    let (code, report) = tenants.sync(&[]).await;
    let invalid = report["invalid"].to_string();
    assert_eq!((code, report["invalid"].as_array().map(Vec::len)), (3, Some(2)), "{report}");
    assert!(invalid.contains("\"b\"") && invalid.matches("not UTF-8").count() == 2, "{invalid}");
    let mut created: Vec<_> = sandbox.customers().into_iter().filter_map(|customer| customer.provided_id).collect();
    created.sort();
    assert_eq!(created, ["a", "d"]);
    let output = program.with("EXPLO_SYNC__SOURCE__URL", &format!("{url}/broken")).run(&["sync"]).await;
    assert!(output.code == 1 && output.stderr.contains("its answer is not UTF-8"), "{output:?}");
}

/// Everything in variables.
async fn in_variables() -> (Database, explo_sync::sandbox::Sandbox, Program) {
    let (database, sandbox) = (Database::new(Kind::Sqlite).await, sandbox_knowing(TOKEN).await);
    let program = Program::between(&database, &sandbox, QUERY).with("EXPLO_TOKEN", TOKEN);
    (database, sandbox, program)
}

#[tokio::test]
async fn what_a_file_of_variables_adds_is_no_part_of_one() {
    let (database, _sandbox, program) = in_variables().await;
    let program = program
        .with("DATABASE_URL", &format!("{}\r", database.url))
        .with("EXPLO_TOKEN", &format!("\u{feff}{TOKEN}\r\n"))
        .with("EXPLO_SYNC__NAME", "prod\r")
        .with("EXPLO_SYNC__SOURCE__QUERY", &edited(QUERY));
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["instance"]), (0, &"prod".into()), "{report}");
}

#[rstest]
#[case("DATABASE_URL", "'sqlite:tenants.db'", "DATABASE_URL: source.url ")]
#[case("EXPLO_TOKEN", "\"test-team-token-0123456789\"", "EXPLO_TOKEN: explo.token_file ")]
#[case("EXPLO_SYNC__SOURCE__URL", "\"sqlite:tenants.db\"", "EXPLO_SYNC__SOURCE__URL: source.url ")]
#[case("EXPLO_SYNC__LEDGER__URL", "'source'", "EXPLO_SYNC__LEDGER__URL: ledger.url ")]
#[case("EXPLO_SYNC__SOURCE__QUERY", "\"select 1 as provided_id\"", "EXPLO_SYNC__SOURCE__QUERY: source.query ")]
#[case("EXPLO_SYNC__EXPLO__TOKEN_FILE", "token", "EXPLO_SYNC__EXPLO__TOKEN_FILE: explo.token_file ")]
#[tokio::test]
async fn quotes_that_a_tool_left_are_told(#[case] name: &str, #[case] value: &str, #[case] told: &str) {
    let ((_database, sandbox, program), directory) = (in_variables().await, TempDir::new().unwrap());
    fs::write(directory.path().join("token"), format!("'{TOKEN}'\n")).unwrap();
    let output = program.with(name, value).within(directory.path()).run(&["sync"]).await;
    let told = format!("{told}is in quotes: remove them");
    assert!(output.code == 78 && output.stderr.matches(&told).count() == 1, "{output:?}");
    assert!(!output.stderr.contains("is not set") && sandbox.take_calls().is_empty(), "{output:?}");
}

#[tokio::test]
async fn a_variable_that_is_set_empty_is_not_set() {
    let ((database, sandbox, program), directory) = (in_variables().await, TempDir::new().unwrap());
    let config = format!("name = 'prod'\n[source]\nurl = '{}'\n[explo]\ntoken_file = 'token'\n", database.url);
    fs::write(directory.path().join("explo-sync.toml"), config).unwrap();
    fs::write(directory.path().join("token"), TOKEN).unwrap();
    let empty = [
        "DATABASE_URL",
        "EXPLO_TOKEN",
        "EXPLO_SYNC_CONFIG",
        "EXPLO_SYNC__NAME",
        "EXPLO_SYNC__SOURCE__URL",
        "EXPLO_SYNC__SOURCE__TIMEOUT",
        "EXPLO_SYNC__GUARD__FLOOR",
        "EXPLO_SYNC__FIELDS__LEAVE_NULL",
        "EXPLO_SYNC__EXPLO__TOKEN_FILE",
        "EXPLO_SYNC__OPS__LISTEN",
    ];
    let program = empty.into_iter().fold(program, |program, name| program.with(name, "")).within(directory.path());
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["instance"], sandbox.customers().len()), (0, &"prod".into(), 1), "{report}");
    let output = Program::default().with("DATABASE_URL", "").run(&["check"]).await;
    assert!(output.stdout.contains("source.url is not set: set it, or DATABASE_URL"), "{output:?}");
}

#[rstest]
#[case("EXPLO_SYNC__NAME", "EXPLO_SYNC__NAME: is not UTF-8")]
#[case("EXPLO_SYNC__SOURCE__QUERY", "EXPLO_SYNC__SOURCE__QUERY: is not UTF-8")]
#[case("EXPLO_SYNC__TYPO", "EXPLO_SYNC__TYPO: is not UTF-8")]
#[case("EXPLO_SYNC_CONFIG", "EXPLO_SYNC_CONFIG: is not UTF-8")]
#[case("DATABASE_URL", "DATABASE_URL: source.url is not UTF-8")]
#[case("EXPLO_TOKEN", "EXPLO_TOKEN: explo.token_file is not UTF-8")]
#[tokio::test]
async fn a_variable_of_ours_that_is_not_utf_8_is_named(#[case] name: &str, #[case] told: &str) {
    let (_database, sandbox, program) = in_variables().await;
    let latin = OsStr::from_bytes(b"prod-\xe9");
    let output = program.with("OTHERS", latin).with(name, latin).run(&["sync"]).await;
    assert!(output.code == 78 && output.stderr.contains(told), "{output:?}");
    assert!(sandbox.take_calls().is_empty());
}

#[tokio::test]
async fn colours_are_taken_out_of_log_lines_as_well() {
    let (_database, _sandbox, program) = in_variables().await;
    let shown = program.on_terminal("-v sync").await;
    assert!(shown.contains("run begins") && shown.contains("\u{1b}[3"), "{shown:?}");
    let plain = program.clone().with("NO_COLOR", "1").on_terminal("-v sync --dry-run").await;
    // A progress bar moves the cursor, but has no colour.
    assert!(plain.contains("run begins") && !plain.contains("\u{1b}[3") && !plain.contains("\u{1b}[0m"), "{plain:?}");
    let dumb = program.with("TERM", "dumb").on_terminal("-v sync --dry-run").await;
    assert!(dumb.contains("run begins") && !dumb.contains('\u{1b}'), "{dumb:?}");
}

#[tokio::test]
async fn a_secret_that_became_a_pipe_costs_a_daemon_runs_and_nothing_else() {
    let ((_database, sandbox, program), directory) = (in_variables().await, TempDir::new().unwrap());
    // As Kubernetes keeps it: a link to a link to a file.
    let token = directory.path().join("..data/token");
    fs::create_dir(directory.path().join("..1")).unwrap();
    symlink("..1", directory.path().join("..data")).unwrap();
    symlink("..data/token", directory.path().join("token")).unwrap();
    fs::write(&token, TOKEN).unwrap();
    let program = program
        .with("EXPLO_SYNC__EXPLO__TOKEN_FILE", &directory.path().join("token"))
        .with("EXPLO_SYNC__SCHEDULE__CRON", "* * * * * *")
        .with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0");
    let mut daemon = Daemon::start(&program, &[]);
    daemon.says("run ended").await;
    make_fifo(&token);
    let told = daemon.says("it is a FIFO, but a file that is read again for each run must be a regular file").await;
    assert!(told.contains("no run: ") && told.contains("explo.token_file names "), "{told}");
    fs::remove_file(&token).unwrap();
    fs::write(&token, TOKEN).unwrap();
    daemon.says("run ended").await;
    assert_eq!(sandbox.customers().len(), 1);
    make_fifo(&token);
    daemon.says("it is a FIFO").await;
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));
}

#[rstest]
#[case::the_token("EXPLO_SYNC__EXPLO__TOKEN_FILE", TOKEN)]
#[case::the_query("EXPLO_SYNC__SOURCE__QUERY_FILE", QUERY)]
#[tokio::test]
async fn a_command_reads_a_pipe_once(#[case] name: &str, #[case] text: &'static str) {
    let ((_database, _sandbox, program), directory) = (in_variables().await, TempDir::new().unwrap());
    let path = directory.path().join("pipe");
    make_fifo(&path);
    let emptied = if name.ends_with("QUERY_FILE") { "EXPLO_SYNC__SOURCE__QUERY" } else { "EXPLO_TOKEN" };
    let program = program.with(emptied, "").with(name, &path);
    let writer = std::thread::spawn({
        let path = path.clone();
        move || fs::write(path, text).unwrap()
    });
    let output = program.run(&["sync", "--dry-run"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    writer.join().unwrap();

    for arguments in [&["check"][..], &["tokens", "--missing"], &["sync"]] {
        let child = program.clone().in_container().watch(arguments);
        // It opens the pipe before the test can: then nobody writes to it.
        let opened = timeout(
            LONG,
            tokio::task::spawn_blocking({
                let path = path.clone();
                move || fs::OpenOptions::new().write(true).open(path).unwrap()
            }),
        );
        let _silent = opened.await.unwrap().unwrap();
        signal(&child, "-TERM").await;
        let mut child = child;
        assert_eq!(timeout(LONG, child.wait()).await.unwrap().unwrap().code(), Some(75), "{arguments:?}");
    }
}
