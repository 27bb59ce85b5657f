//! The keys of a source that is an API, and what `check` says of it.

use rstest::rstest;

use super::{between, record, upstream};
use crate::support::Program;

#[rstest]
#[case::a_key_of_sql(("QUERY", "select 1"), "source.query is for source.kind = \"sql\", and it is \"rest\"")]
#[case::a_kind(("KIND", "http"), "source.kind = \"http\" must be one of \"sql\", \"rest\"")]
#[case::an_address(("URL", "postgres://localhost/"), "must be an address that begins with https://")]
#[case::a_cursor(("CURSOR", "/next"), "source.cursor is for source.paging = \"cursor\"")]
#[case::no_cursor(("PAGING", "cursor"), "source.cursor is not set")]
#[case::a_pointer(("RECORDS", "data"), "source.records = \"data\" must be a JSON pointer such as /data")]
#[case::parameters(("PARAMETERS", "[\"x\"]"), "source.parameters must be a list of names with values")]
#[case::a_header(("TOKEN_HEADER", "Authorization: Bearer"), "a header with {token} in its value")]
#[case::no_columns(("COLUMNS", "{}"), "source.columns is not set")]
#[case::no_table(("COLUMNS", "/id"), "must hold texts and lists of texts")]
#[case::an_unknown_column(("COLUMNS", "{\"provided_id\":\"/id\",\"nam\":\"/name\"}"), "did you mean 'name'")]
#[case::no_id(("COLUMNS", "{\"name\":\"/name\"}"), "'provided_id' is missing")]
#[case::an_open_brace(("COLUMNS", "{\"provided_id\":\"{/id\"}"), "'provided_id' has '{/id', which is neither a JSON pointer")]
#[tokio::test]
async fn a_mistake_is_named_with_its_key(#[case] (key, value): (&str, &str), #[case] told: &str) {
    let sandbox = upstream([]).await;
    let (program, _directory) = between(&sandbox);
    let output = program.with(&format!("EXPLO_SYNC__SOURCE__{key}"), value).run(&["sync"]).await;
    assert_eq!(output.code, 78, "{output:?}");
    assert!(output.stderr.contains(told), "{}", output.stderr);
}

#[tokio::test]
async fn keys_of_an_api_beside_a_database_are_mistakes() {
    let program = Program::default()
        .with("DATABASE_URL", "sqlite:tenants.db")
        .with("EXPLO_TOKEN", "test-team-token-0123456789")
        .with("EXPLO_SYNC__SOURCE__QUERY", "select 1 as provided_id")
        .with("EXPLO_SYNC__SOURCE__PAGING", "page")
        .with("EXPLO_SYNC__SOURCE__PAGE_SIZE", "100");
    let output = program.run(&["sync"]).await;
    assert_eq!(output.code, 78);
    assert!(output.stderr.contains("source.paging is for source.kind = \"rest\", and it is \"sql\""), "{output:?}");
    assert!(!output.stderr.contains("source.page_size"), "the default may be said again: {output:?}");
}

#[tokio::test]
async fn the_ledger_needs_a_database_of_its_own() {
    let sandbox = upstream([]).await;
    let (program, _directory) = between(&sandbox);
    let output = program.with("EXPLO_SYNC__LEDGER__URL", "source").run(&["sync"]).await;
    assert_eq!(output.code, 78);
    assert!(output.stderr.contains("set it to the URL of a database"), "{output:?}");
}

#[tokio::test]
async fn without_a_database_there_are_no_statements_to_print() {
    let sandbox = upstream([]).await;
    let (program, _directory) = between(&sandbox);
    let output = program.run(&["ledger", "--print-sql"]).await;
    assert_eq!((output.code, output.stdout.as_str()), (78, ""), "{output:?}");
    assert!(output.stderr.contains("ledger.url is empty"), "{output:?}");
    let output = program.with("EXPLO_SYNC__LEDGER__URL", "sqlite:ledger.db").run(&["ledger", "--print-sql"]).await;
    assert_eq!(output.code, 0, "{output:?}");
}

#[tokio::test]
async fn check_counts_the_records_and_what_each_pointer_finds() {
    let sandbox = upstream((1..=120).map(record)).await;
    let (program, _directory) = between(&sandbox);
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    for line in [
        "ok    records   120 on 3 pages",
        "provided_id = /externalId in 120, provided_id = /id in 120",
        "parent_provided_id = /owner/id in 100",
        "warn  lock      no lock: simultaneous runs are safe",
    ] {
        assert!(output.stdout.contains(line), "{line} in {}", output.stdout);
    }
}

#[tokio::test]
async fn a_pointer_that_finds_nothing_is_a_mistake_at_check() {
    let sandbox = upstream((1..=120).map(record)).await;
    let (program, _directory) = between(&sandbox);
    let columns = r#"{"provided_id":["/external_id","/id"],"name":"/name","emails":"{/contact/email}"}"#;
    let output = program.with("EXPLO_SYNC__SOURCE__COLUMNS", columns).run(&["check"]).await;
    assert_eq!(output.code, 78, "{output:?}");
    let told = "in 120 records there is no value at emails = /contact/email, provided_id = /external_id";
    assert!(output.stdout.contains(told), "{}", output.stdout);
}

#[tokio::test]
async fn records_without_an_id_or_with_one_that_another_has_are_invalid_one_by_one() {
    let mut records: Vec<_> = (1..=21).map(record).collect();
    records[4]["externalId"] = "ext-4".into();
    records[5].as_object_mut().unwrap().remove("id");
    let sandbox = upstream(records).await;
    let (program, _directory) = between(&sandbox);
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 3, "{output:?}");
    for line in
        ["ok    rows      21\n", "fail  rows      a record without an id: ", "fail  rows      1 invalid, ext-4: more"]
    {
        assert!(output.stdout.contains(line), "{line} in {}", output.stdout);
    }
    let output = program.run(&["sync", "--output", "json"]).await;
    let report = output.json();
    assert_eq!((output.code, &report["outcomes"]["applied"]), (3, &serde_json::json!(18)), "{output:?}");
    let invalid: Vec<_> = report["invalid"].as_array().unwrap().iter().map(|row| row["provided_id"].clone()).collect();
    assert_eq!(serde_json::json!(invalid), serde_json::json!([null, "ext-4"]), "{report}");
    assert!(output.stderr.contains("going on without a lock: the source is an API"), "{}", output.stderr);
}
