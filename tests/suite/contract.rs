//! The outer contract of a run: its JSON report, what is shown where, and that a dry run writes nothing.

use explo_sync::sandbox::{Sandbox, StoredCustomer, TagCalls};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Asked, Database, Kind, Output, Program, World, changes, keys, sandbox, writes};

const QUERY: &str = "select id as provided_id, name, email as emails, tag as group_tags from tenants";

/// One tenant to create, one to update, one equal; one customer without a tenant.
async fn sides() -> (Database, Sandbox, Program) {
    let tenants = [
        json!({"provided_id": "new", "name": "Newcomer Ltd", "emails": ["new@secret.example"], "group_tags": []}),
        json!({"provided_id": "old", "name": "Oldtimer Ltd", "emails": ["old@secret.example"], "group_tags": []}),
        json!({"provided_id": "same", "name": "Same Ltd", "emails": [], "group_tags": []}),
    ];
    let drifted = |customer: &mut StoredCustomer| {
        customer.name = "Former name Ltd".into();
        customer.emails.clear();
        customer.token = "11112222333344445555666677778888".into();
    };
    let world = World::of(tenants).derived().without(["new"]).but("old", drifted);
    world.and([json!({"provided_id": "stranger", "name": "Stranger Ltd"})]).start().await
}

/// The same, with a tenant that will fail, for a tag of which Explo does not tell before, and two rows that are invalid.
async fn sides_with_failures() -> (Database, Sandbox, Program) {
    let (database, sandbox, program) = sides().await;
    sandbox.adjust(|api| api.behaviour.tag_calls = TagCalls::Missing);
    database
        .execute(
            "insert into tenants values ('failing', 'Failing Ltd', null, 'Unknown Tag'),
             ('bad', 'Bad Ltd', '[\"bad@secret.example', null), (null, 'Nobody Ltd', null, null)",
        )
        .await;
    (database, sandbox, program)
}

#[rstest]
#[case(&["sync", "--dry-run"])]
#[case(&["sync", "--dry-run", "--exit-code"])]
#[case(&["sync", "--dry-run", "--output", "json", "--show-values"])]
#[case(&["sync", "--dry-run", "--allow", "create=5", "--allow", "update=5"])]
#[case(&["sync", "--dry-run", "--max-changes", "1", "--max-duration", "1m"])]
#[case(&["-vv", "sync", "--dry-run"])]
#[case(&["sync", "--dry-run", "--only", "new", "--only", "old"])]
#[case(&["explain", "old"])]
#[case(&["export", "--with-tokens"])]
#[case(&["check"])]
#[case(&["-q", "check"])]
#[tokio::test]
async fn what_is_no_run_writes_nothing_anywhere(#[case] arguments: &[&str]) {
    let (database, sandbox, program) = sides().await;
    let before = std::fs::read(database.file()).unwrap();
    let output = program.run(arguments).await;
    assert!([0, 2].contains(&output.code), "{output:?}");
    let calls = sandbox.take_calls();
    assert!(writes(&calls).is_empty() && !calls.is_empty(), "{calls:?}");
    assert!(std::fs::read(database.file()).unwrap() == before, "the database is not as it was");
}

#[tokio::test]
async fn the_report_has_the_keys_of_the_contract() {
    let (_database, _sandbox, program) = sides().await;
    let (_, report) = program.sync(&["--dry-run"]).await;
    let expected = |keys: &'static str| {
        let mut keys: Vec<_> = keys.split_whitespace().collect();
        keys.sort_unstable();
        keys
    };
    let top = "version instance run_id dry_run tenants customers listing counts fields held calls changes orphans skipped invalid \
               unsettled outcomes error exit";
    assert_eq!(keys(&report), expected(top));
    assert_eq!(keys(&report["counts"]), expected("create update rename offboard unchanged orphan invalid unsettled"));
    assert_eq!(keys(&report["listing"]), expected("passes pages complete"));
    assert_eq!(keys(&report["calls"]), expected("planned made estimated_seconds"));
    assert_eq!(keys(&report["outcomes"]), expected("applied failed unsettled deferred"));
    for change in report["changes"].as_array().unwrap() {
        assert_eq!(keys(change), expected("kind provided_id fields outcome error"));
    }
}

#[tokio::test]
async fn the_report_tells_what_became_of_each_tenant_and_customer() {
    let (_database, _sandbox, program) = sides_with_failures().await;
    let (code, report) = program.clone().with("EXPLO_SYNC__GUARD__CREATE_FLOOR", "0").sync(&[]).await;
    assert_eq!((code, &report["held"]), (4, &json!([{"class": "create", "count": 2, "limit": 0}])));
    assert_eq!(report["outcomes"], json!({"applied": 0, "failed": 0, "unsettled": 0, "deferred": 3}));

    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["exit"]), (3, &json!(3)));
    assert_eq!((&report["tenants"], &report["customers"]), (&json!(6), &json!(3)), "rows and customers");
    assert_eq!(changes(&report), ["create failing failed", "create new applied", "update old applied"]);
    assert_eq!(report["changes"][2]["fields"], json!({"name": {}, "emails": {}}));
    assert_eq!(report["outcomes"], json!({"applied": 2, "failed": 1, "unsettled": 0, "deferred": 0}));
    let invalid: Vec<_> =
        report["invalid"].as_array().unwrap().iter().map(|row| (keys(row), &row["provided_id"])).collect();
    let row = || vec!["provided_id", "reason"];
    assert_eq!(invalid, [(row(), &Value::Null), (row(), &json!("bad"))]);
    assert_eq!((&report["orphans"], &report["skipped"]), (&json!(["stranger"]), &json!([])));
}

#[tokio::test]
async fn the_report_has_values_only_where_they_are_asked_for() {
    let (_database, _sandbox, program) = sides_with_failures().await;
    let (_, report) = program.sync(&["--dry-run"]).await;
    let fields = json!({"name": {}, "emails": {}});
    let update = json!({"kind": "update", "provided_id": "old", "fields": fields, "outcome": null, "error": null});
    assert_eq!(report["changes"][2], update);
    let (_, report) = program.sync(&["--dry-run", "--show-values"]).await;
    let fields = json!({"name": {"new": "Failing Ltd"}, "group_tags": {"new": ["Unknown Tag"]}});
    assert_eq!(report["changes"][0]["fields"], fields, "a create has no old values");
    assert_eq!(report["changes"][2]["fields"]["name"], json!({"old": "Former name Ltd", "new": "Oldtimer Ltd"}));
}

#[rstest]
#[case(&["sync", "--dry-run"], "~ old  name")]
#[case(&["sync", "--dry-run", "--show-values"], "\"Former name Ltd\" → \"Oldtimer Ltd\"")]
#[tokio::test]
async fn the_text_names_the_fields_and_shows_values_only_where_asked_for(
    #[case] arguments: &[&str],
    #[case] part: &str,
) {
    let (_database, _sandbox, program) = sides().await;
    let output = program.run(arguments).await;
    assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
}

#[tokio::test]
async fn off_a_terminal_no_value_and_no_colour_is_shown_and_a_token_never() {
    let (_database, sandbox, program) = sides_with_failures().await;
    let mut shown = Vec::new();
    for (arguments, code) in [
        (&["-vv", "sync", "--dry-run"][..], 0),
        (&["-vv", "check"], 3),
        (&["-vv", "sync"], 3),
        (&["-vv", "--log-format", "text", "sync", "--output", "json"], 3),
    ] {
        let output = program.run(arguments).await;
        assert_eq!(output.code, code, "{output:?}");
        shown.push(output);
    }
    let text = |outputs: &[Output]| {
        let parts: Vec<_> = outputs.iter().flat_map(|output| [&*output.stdout, &*output.stderr]).collect();
        parts.concat()
    };
    for secret in ["Ltd", "@secret", "Unknown Tag", "\u{1b}["] {
        assert!(!text(&shown).contains(secret), "{secret} in {}", text(&shown));
    }
    shown.push(program.run(&["-vv", "sync", "--dry-run", "--show-values", "--output", "json"]).await);
    let tokens = sandbox.customers().into_iter().map(|customer| customer.token).chain(["test-team-token".to_owned()]);
    for token in tokens {
        assert!(!text(&shown).contains(&token), "a token was shown");
    }
}

#[rstest]
#[case(401)]
#[case(403)]
#[case(404)]
#[case(500)]
#[tokio::test]
async fn an_answer_that_quotes_the_token_does_not_make_it_shown(#[case] status: u16) {
    let (_database, sandbox, program) = World::of([("a", "Ann")]).start().await;
    let token = "0123abcd-team-token-4567";
    let quote = move |_: &Asked<'_>| Answer::new(status, format!("{{\"detail\": \"no: Token {token}\"}}"));
    let program =
        program.behind(&sandbox, quote).await.with("EXPLO_TOKEN", token).with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2");
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
    let rows = hostile.iter().map(|&c| (id("n", c), format!("Name{c}")));
    let world = World::of(rows).and(hostile.iter().map(|&c| json!({"provided_id": id("o", c)})));
    let (database, _sandbox, program) = world.start().await;
    let duplicate = hostile.iter().map(|&c| format!("('{}', 'x')", id("i", c).repeat(2))).collect::<Vec<_>>().join(",");
    database
        .execute(&format!("insert into tenants values {duplicate}, {duplicate}, ('{}', 'x')", "l".repeat(65536)))
        .await;
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
async fn hostile_ids_and_names_are_data() {
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
    assert!(!text.contains('\u{202e}'), "{text}");
    assert!(text.lines().all(|line| line.chars().count() < 200), "a long value is cut: {text}");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(4)), "{report}");
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]), "equal to the byte");
}

#[tokio::test]
async fn a_long_list_is_cut_with_a_count_unless_all_is_asked_for() {
    let (_database, _sandbox, program) = World::of((0..50).map(|n| (format!("t{n:02}"), "T"))).start().await;
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
