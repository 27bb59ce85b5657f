//! What is large, or many: it is told shortly, and takes no more memory than the README says.

use rstest::rstest;
use serde_json::json;

use crate::support::{Answer, Database, Kind, Program, World, before, sandbox};

#[tokio::test]
async fn rows_without_an_id_count_and_are_told_together_by_the_reason() {
    let (database, _sandbox, program) = World::of([("a", "Ann")]).start().await;
    let numbers = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 995)";
    database.execute(&format!("insert into tenants {numbers} select null, 'x' from n")).await;
    database.execute("insert into tenants values ('', 'x')").await;
    let output = program.run(&["sync", "--output", "json"]).await;
    let report = output.json();
    let invalid = json!([
        {"provided_id": null, "reason": "995 rows: provided_id is NULL (row 2, row 3, row 4, …)"},
        {"provided_id": null, "reason": "row 997: provided_id is empty"}
    ]);
    assert_eq!((output.code, &report["counts"]["invalid"], &report["invalid"]), (3, &json!(996), &invalid));
    assert!(output.stderr.contains(r#""invalid":996"#), "{}", output.stderr);
    let text = program.run(&["sync", "--dry-run"]).await.stdout;
    assert!(text.contains("! (no id)  995 rows: provided_id is NULL") && text.contains(" 996 invalid."), "{text}");
}

#[rstest]
#[case::invalid(2_000_000, "2000000 bytes")]
#[case::refused(100_000, "100000 bytes")]
#[tokio::test]
async fn a_long_id_is_told_by_its_beginning_and_its_length(#[case] length: usize, #[case] told: &str) {
    let (database, sandbox, program) = World::of([("a", "Ann")]).start().await;
    database.execute(&format!("insert into tenants values (replace(hex(zeroblob({length})), '00', 'i'), 'x')")).await;
    let url = before(&sandbox, |asked| (asked.body.len() > 1000).then(|| Answer::new(400, "no")).flatten()).await;
    let program = program.with("EXPLO_SYNC__EXPLO__BASE_URL", &url).with("EXPLO_SYNC__LOG__LEVEL", "info");
    let output = program.run(&["sync", "--output", "json"]).await;
    let report = output.json();
    let shown = if length > 1 << 20 { report["invalid"][0]["provided_id"].as_str().unwrap() } else { &output.stderr };
    assert!(output.code == 3 && shown.contains(told), "{} {shown:.1000}", output.code);
    assert!(output.stderr.len() < 5000 && shown.len() < 5000, "{:.1000}", output.stderr);
}

/// KiB: 64 MiB of answers, and 32 for the program itself.
const BOUND: u32 = 96 << 10;

/// The first page is small, or not; the others have 60 MiB each.
#[rstest]
#[case::all(60, 5)]
#[case::all_but_the_first(0, 9)]
#[tokio::test]
async fn pages_of_sixty_megabytes_stay_within_the_bound(#[case] first: usize, #[case] calls: usize) {
    let (_database, sandbox, program) = World::of([("c1", "C")]).start().await;
    let page = move |number: usize| {
        let padding = "x".repeat(if number == 1 { first } else { 60 } << 20);
        format!(
            r#"{{"total_count":5,"results":{{"customers":[{{"token":"t{number}","provided_id":"c{number}","name":"C"}}]}},"x":"{padding}"}}"#
        )
    };
    let url = before(&sandbox, move |asked| {
        let number = asked.path.split_once("page=")?.1.split('&').next()?.parse().ok()?;
        Answer::new(200, page(number))
    })
    .await;
    let program = program.with("EXPLO_SYNC__EXPLO__BASE_URL", &url).with("EXPLO_SYNC__EXPLO__PAGE_SIZE", "1");
    let (code, report) = program.in_memory(BOUND).sync(&["--dry-run"]).await;
    assert_eq!((code, &report["customers"], &report["counts"]["unchanged"]), (0, &json!(5), &json!(1)), "{report}");
    let customers = |calls: &str| report["calls"][calls]["customers"].as_u64();
    assert_eq!((customers("made"), customers("planned")), (Some(calls as u64), Some(calls as u64)));
}

/// Sixty-four of ten megabytes each.
#[rstest]
#[tokio::test]
async fn rows_that_are_too_large_pass_within_the_bound(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let (database, sandbox) = (Database::new(kind).await, sandbox([]).await);
    let (long, text) = match kind {
        Kind::Sqlite => ("text", "replace(hex(zeroblob(10485760)), '00', 'x')"),
        Kind::Postgres => ("text", "repeat('x', 10485760)"),
        Kind::MySql => ("longtext", "repeat('x', 10485760)"),
    };
    database.execute(&format!("create table tenants (id varchar(9), name {long})")).await;
    let rows: Vec<_> = (0..64).map(|id| format!("('t{id}', null)")).collect();
    database.execute(&format!("insert into tenants values {}", rows.join(","))).await;
    let query = format!("select id as provided_id, {text} as name from tenants");
    let (code, report) = Program::between(&database, &sandbox, &query).in_memory(2 * BOUND).sync(&["--dry-run"]).await;
    let reason = report["invalid"][0]["reason"].as_str().map(str::to_owned).unwrap_or_default();
    assert_eq!((code, &report["counts"]["invalid"]), (0, &json!(64)), "{report}");
    assert!(reason.contains("name is too large"), "{reason}");
}

/// The driver's thread comes to grief there, at whichever row.
#[tokio::test]
async fn rows_that_break_off_are_no_end() {
    let (_database, _sandbox, program) = World::empty().start().await;
    let numbers = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 64)";
    let query =
        format!("{numbers} select n as provided_id, replace(hex(zeroblob(10485760)), '00', 'x') as name from n");
    for memory in [BOUND / 2, BOUND, BOUND + BOUND / 4] {
        let program = program.clone().with("EXPLO_SYNC__SOURCE__QUERY", &query).in_memory(memory);
        let output = program.run(&["sync", "--dry-run"]).await;
        assert!(output.code != 0 || output.stdout.contains(" 64 invalid."), "{output:?}");
    }
}
