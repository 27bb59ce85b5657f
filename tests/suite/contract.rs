//! The outer contract: exit codes, the JSON report, what is shown where, and that a dry run writes nothing.

use std::collections::BTreeSet;

use explo_sync::sandbox::{Sandbox, Store};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Database, Kind, Output, Program, customer, endpoints, sandbox, writes};

const QUERY: &str = "select id as provided_id, name, email as emails, tag as group_tags from tenants";

/// One tenant to create, one to update, one equal; one customer without a tenant.
async fn sides() -> (Database, Sandbox, Program) {
    let database = Database::new(Kind::Sqlite).await;
    database
        .execute(
            "create table tenants (id text, name text, email text, tag text);
             insert into tenants values ('new', 'Newcomer Ltd', 'new@secret.example', null),
             ('old', 'Oldtimer Ltd', 'old@secret.example', null), ('same', 'Same Ltd', null, null)",
        )
        .await;
    let customers = [
        json!({"provided_id": "old", "name": "Former name Ltd", "token": "11112222333344445555666677778888"}),
        json!({"provided_id": "same", "name": "Same Ltd"}),
        json!({"provided_id": "stranger", "name": "Stranger Ltd"}),
    ];
    let sandbox = sandbox(customers.map(customer)).await;
    let program = Program::between(&database, &sandbox, QUERY);
    (database, sandbox, program)
}

#[rstest]
#[case(&["sync", "--dry-run"])]
#[case(&["sync", "--dry-run", "--exit-code"])]
#[case(&["sync", "--dry-run", "--output", "json", "--show-values"])]
#[case(&["sync", "--dry-run", "--allow", "create=5", "--allow", "update=5"])]
#[case(&["sync", "--dry-run", "--max-changes", "1", "--max-duration", "1m"])]
#[case(&["-vv", "sync", "--dry-run", "--out", "/dev/null"])]
#[case(&["check"])]
#[case(&["-q", "check"])]
#[tokio::test]
async fn what_is_no_run_writes_nothing_anywhere(#[case] arguments: &[&str]) {
    let (database, sandbox, program) = sides().await;
    let file = database.url.trim_start_matches("sqlite://");
    let before = std::fs::read(file).unwrap();
    let output = program.run(arguments).await;
    assert!([0, 2].contains(&output.code), "{output:?}");
    let calls = sandbox.take_calls();
    assert!(writes(&calls).is_empty() && endpoints(&calls) == ["customers"], "{calls:?}");
    assert!(std::fs::read(file).unwrap() == before, "the database is not as it was");
}

#[tokio::test]
async fn exit_codes_tell_what_happened() {
    let (database, sandbox, program) = sides().await;
    let code = async |program: &Program, arguments: &[&str]| program.run(&[&["sync"], arguments].concat()).await.code;
    assert_eq!(code(&program, &["--dry-run"]).await, 0);
    assert_eq!(code(&program, &["--dry-run", "--exit-code"]).await, 2);
    assert_eq!(code(&program.clone().with("EXPLO_SYNC__GUARD__CREATE_FLOOR", "0"), &[]).await, 4);
    assert_eq!(code(&program, &[]).await, 0);
    assert_eq!(code(&program, &["--dry-run", "--exit-code"]).await, 0, "in sync");

    database.execute("insert into tenants values ('bad', 'Bad Ltd', '[', null), (null, 'Nobody', null, null)").await;
    assert_eq!(code(&program, &[]).await, 3, "invalid rows");
    assert_eq!(code(&program, &["--dry-run", "--exit-code"]).await, 0, "invalid rows are no changes");
    database
        .execute(
            "delete from tenants where id = 'bad' or id is null; update tenants set tag = 'unknown' where id = 'new'",
        )
        .await;
    assert_eq!(code(&program, &[]).await, 3, "a tenant failed: there is no such tag");

    assert_eq!(code(&program.clone().with("DATABASE_URL", "sqlite:///nowhere/tenants.db"), &[]).await, 1);
    assert_eq!(code(&program.clone().with("EXPLO_SYNC__SOURCE__QUERY", "select * from nowhere"), &[]).await, 1);
    assert_eq!(code(&program.clone().with("EXPLO_SYNC__SOURCE__QUERY", "select id from tenants"), &[]).await, 78);
    assert_eq!(code(&program.clone().without("EXPLO_TOKEN"), &[]).await, 78);
    assert_eq!(code(&program.clone().with("EXPLO_SYNC__EXPLO__PAGESIZE", "5"), &[]).await, 78);
    assert_eq!(code(&program, &["--nonsense"]).await, 64);
    assert_eq!(code(&program, &["--allow", "delete=5"]).await, 64);
    assert_eq!(code(&program, &["--help"]).await, 0);
    let down = program
        .clone()
        .with("EXPLO_SYNC__EXPLO__BASE_URL", "http://127.0.0.1:1")
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    assert_eq!(code(&down, &[]).await, 1);
    drop(sandbox);
}

#[tokio::test]
async fn check_tries_both_sides_and_says_what_to_mend() {
    let (_database, sandbox, program) = sides().await;
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    for part in
        ["ok    config", "ok    database", "provided_id, name, emails, group_tags", "a page of 3 of 3 customers"]
    {
        assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
    }
    let strict =
        Sandbox::start(([127, 0, 0, 1], 0).into(), Store::default(), Some("the right one".to_owned())).await.unwrap();
    let rejected = program.clone().with("EXPLO_SYNC__EXPLO__BASE_URL", &strict.url()).run(&["check"]).await;
    assert_eq!((rejected.code, rejected.stdout.contains("EXPLO_TOKEN")), (77, true), "{rejected:?}");
    let both = program
        .with("EXPLO_SYNC__SOURCE__QUERY", "select id, email from tenants")
        .with("EXPLO_SYNC__EXPLO__BASE_URL", &strict.url())
        .run(&["check"])
        .await;
    assert_eq!(both.code, 78);
    for part in ["fail  database", "did you mean 'emails'", "fail  token"] {
        assert!(both.stdout.contains(part), "{part} in {}", both.stdout);
    }
    drop(sandbox);
}

#[tokio::test]
async fn the_report_has_the_keys_of_the_contract() {
    let (_database, _sandbox, program) = sides().await;
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let expected = |keys: &str| keys.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
    let (_, report) = program.sync(&["--dry-run"]).await;
    let top = "version instance run_id dry_run tenants customers listing counts fields held calls changes orphans skipped invalid \
               unsettled outcomes error exit";
    assert_eq!(keys(&report), expected(top));
    assert_eq!(keys(&report["counts"]), expected("create update rename unchanged orphan invalid unsettled"));
    assert_eq!(keys(&report["listing"]), expected("passes pages complete"));
    assert_eq!(keys(&report["calls"]), expected("planned made estimated_seconds"));
    assert_eq!(keys(&report["outcomes"]), expected("applied failed unsettled deferred"));
    let update = json!({"kind": "update", "provided_id": "old", "fields": {"name": {}, "emails": {}}, "outcome": null, "error": null});
    assert_eq!(report["changes"][1], update, "without --show-values, no values");
    let (_, report) = program.sync(&["--dry-run", "--show-values"]).await;
    assert_eq!(report["changes"][1]["fields"]["name"], json!({"old": "Former name Ltd", "new": "Oldtimer Ltd"}));

    let (code, failure) = program.with("DATABASE_URL", "sqlite:///nowhere/tenants.db").sync(&[]).await;
    assert_eq!((code, keys(&failure)), (1, expected("version error exit")), "before a plan");
}

#[tokio::test]
async fn off_a_terminal_no_value_and_no_colour_is_shown_and_a_token_never() {
    let (database, sandbox, program) = sides().await;
    database.execute("insert into tenants values ('bad', 'Bad Ltd', '[\"bad@secret.example\"', null)").await;
    let mut shown = Vec::new();
    for arguments in [
        &["-vv", "sync", "--dry-run"][..],
        &["-vv", "check"],
        &["-vv", "sync"],
        &["-vv", "--log-format", "text", "sync", "--output", "json"],
    ] {
        shown.push(program.run(arguments).await);
    }
    let text = |outputs: &[Output]| {
        let parts: Vec<_> = outputs.iter().flat_map(|output| [&*output.stdout, &*output.stderr]).collect();
        parts.concat()
    };
    for secret in ["Ltd", "@secret", "\u{1b}["] {
        assert!(!text(&shown).contains(secret), "{secret} in {}", text(&shown));
    }
    shown.push(program.run(&["-vv", "sync", "--dry-run", "--show-values", "--output", "json"]).await);
    let tokens = sandbox.customers().into_iter().map(|customer| customer.token).chain(["test-team-token".to_owned()]);
    for token in tokens {
        assert!(!text(&shown).contains(&token), "a token was shown");
    }
    for (arguments, part) in [
        (&["sync", "--dry-run"][..], "~ old  name"),
        (&["sync", "--dry-run", "--show-values"], "\"Former name Ltd\" → \"Oldtimer Ltd\""),
    ] {
        let (_database, _sandbox, program) = sides().await;
        let output = program.run(arguments).await;
        assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
    }
}

#[tokio::test]
async fn hostile_ids_and_names_are_data_and_are_shown_escaped() {
    let database = Database::new(Kind::Postgres).await;
    database
        .execute(
            r#"create table tenants (id text, name text, email text, tag text);
             insert into tenants values (E'a\n\x1b[31m', E'\u202Egnp.exe', null, null), ('../../etc', '''; drop table tenants;--', null, null),
             (E'"quoted"\\', repeat('x', 65536), null, null), ('/?page=9&x', 'née', null, null)"#,
        )
        .await;
    let sandbox = sandbox([]).await;
    let program = Program::between(&database, &sandbox, QUERY);
    let text = program.run(&["sync", "--dry-run", "--show-values"]).await.stdout;
    for raw in ["\u{1b}", "\u{202e}", "a\n"] {
        assert!(!text.contains(raw), "{raw:?} in {text}");
    }
    assert!(text.contains(r"a\u{a}\u{1b}[31m") && text.lines().all(|line| line.chars().count() < 200), "{text}");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(4)), "{report}");
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]), "equal to the byte");
}

#[tokio::test]
async fn a_long_list_is_cut_with_a_count_unless_all_is_asked_for() {
    let database = Database::new(Kind::Sqlite).await;
    let rows: Vec<_> = (0..50).map(|n| format!("('t{n:02}', 'T', null, null)")).collect();
    let create = "create table tenants (id text, name text, email text, tag text)";
    database.execute(&format!("{create}; insert into tenants values {}", rows.join(","))).await;
    let sandbox = sandbox([]).await;
    let program = Program::between(&database, &sandbox, QUERY);
    let lines = async |arguments: &[&str]| {
        let output = program.run(arguments).await.stdout;
        (
            output.matches("\n  + t").count(),
            output.contains("… and 30 more (-v shows all)"),
            output.contains("50 to create"),
        )
    };
    assert_eq!(lines(&["sync", "--dry-run"]).await, (20, true, true));
    assert_eq!(lines(&["sync", "--dry-run", "-v"]).await, (50, false, true));
}

#[tokio::test]
async fn the_demo_ends_in_sync_and_says_what_to_type_next() {
    let output = Program::default().run(&["demo"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(
        output.stdout.contains("4 to create, 2 to update") && output.stdout.contains("Nothing to do."),
        "{}",
        output.stdout
    );
    assert!(output.stdout.trim_end().lines().last().unwrap().contains("explo-sync sync --dry-run"));
}
