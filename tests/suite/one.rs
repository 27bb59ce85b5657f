//! `source.query_one`: the query for one id.

use std::collections::BTreeSet;

use explo_sync::{
    model::{Row, id_of},
    sandbox::Sandbox,
    source::{Error, Source, Sql, SqlSettings},
};
use rstest::rstest;
use serde_json::json;

use crate::support::{Database, Kind, Program, customer, endpoints, sandbox, settings, stored};

/// What ids are made of that would break a statement into which they were put.
const HOSTILE: [&str; 18] = [
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    "\\\\'; --",
    "' or '1'='1",
    "'; drop table tenants; --",
    "$1",
    "?",
    "$$",
    "%",
    "a%_b",
    "é\u{301} \u{202e} 你好 🦀",
    " padded ",
    "line\nfeed\r\t",
    "0x27",
];

/// The placeholder of a database.
fn placeholder(kind: Kind) -> &'static str {
    if kind == Kind::Postgres { "$1" } else { "?" }
}

/// A text as this database reads it, whatever is in it.
fn literal(kind: Kind, text: &str) -> String {
    let bytes: Vec<_> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let hex = bytes.concat();
    match kind {
        Kind::Postgres => format!("convert_from(decode('{hex}', 'hex'), 'utf8')"),
        Kind::MySql => format!("convert(unhex('{hex}') using utf8mb4)"),
        Kind::Sqlite => format!("cast(x'{hex}' as text)"),
    }
}

/// Tenants with these ids, in a column of this type.
async fn tenants(kind: Kind, column: &str, ids: &[&str]) -> Database {
    let database = Database::new(kind).await;
    database.execute(&format!("create table tenants (id {column}, name varchar(99))")).await;
    for id in ids {
        database.execute(&format!("insert into tenants values ({}, 'Ann')", literal(kind, id))).await;
    }
    database
}

fn source(database: &Database, query_one: &str) -> Sql {
    let settings = settings(&database.url, "select id as provided_id, name from tenants");
    Sql::new(SqlSettings { query_one: Some(query_one.to_owned()), ..settings }).unwrap()
}

/// The query for one id of the table.
fn by_id(kind: Kind) -> String {
    format!("select name, id as provided_id from tenants where id = {}", placeholder(kind))
}

/// The ids of the rows that are there for some ids, and those for which there are only others.
async fn found(source: &Sql, ids: &[&str]) -> Result<(Vec<String>, Vec<String>), Error> {
    let mut found = Vec::new();
    let mut keep = |row: &Row<'_>| found.push(id_of(row).unwrap().to_owned());
    let ids: BTreeSet<_> = ids.iter().map(|id| (*id).to_owned()).collect();
    let strays = source.read_some(&ids, &mut keep).await?;
    Ok((found, strays.into_iter().collect()))
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn an_id_is_a_value_whatever_is_in_it(#[case] kind: Kind) {
    // One that compares byte for byte.
    let column = match kind {
        Kind::MySql if Database::new(kind).await.is_mariadb().await => "varchar(99) collate utf8mb4_nopad_bin",
        Kind::MySql => "varchar(99) collate utf8mb4_0900_bin",
        Kind::Postgres | Kind::Sqlite => "varchar(99)",
    };
    let database = tenants(kind, column, &HOSTILE).await;
    let source = source(&database, &by_id(kind));
    for id in HOSTILE {
        assert_eq!(found(&source, &[id]).await.unwrap(), (vec![id.to_owned()], vec![]), "{id:?}");
        let other = format!("{id}'");
        let is_one = HOSTILE.contains(&other.as_str());
        assert_eq!(found(&source, &[&other]).await.unwrap().0.is_empty(), !is_one, "{other:?}");
    }
    let mut all = found(&source, &HOSTILE).await.unwrap().0;
    let mut expected = HOSTILE.to_vec();
    all.sort_unstable();
    expected.sort_unstable();
    assert_eq!(all, expected, "all of them in one snapshot");
}

#[tokio::test]
async fn how_postgres_reads_quoted_texts_does_not_matter() {
    let mut database = tenants(Kind::Postgres, "text", &HOSTILE).await;
    database.url.push_str("?options[standard_conforming_strings]=off&options[backslash_quote]=on");
    let source = source(&database, &by_id(Kind::Postgres));
    assert_eq!(found(&source, &HOSTILE).await.unwrap().0.len(), HOSTILE.len());
}

#[rstest]
#[case("varchar(99) character set latin1")]
#[case("varchar(99) collate utf8mb4_unicode_ci")]
#[case("varbinary(99)")]
#[case("text")]
#[tokio::test]
async fn the_collation_of_a_column_does_not_matter(#[case] column: &str) {
    let database = tenants(Kind::MySql, column, &["a'b", "a"]).await;
    assert_eq!(found(&source(&database, &by_id(Kind::MySql)), &["a'b"]).await.unwrap().0, ["a'b"]);
}

const UUID: &str = "0190a0b0-0000-7000-8000-00000000abcd";

#[rstest]
#[case::small("smallint", "7", &["8", "x", "70000", "", "7.0", "7'"], &["007"])]
#[case::integer("integer", "7", &["8", "x", "3000000000", " 7"], &["+7"])]
#[case::big("bigint", "9007199254740993", &["9007199254740992", "99999999999999999999"], &["09007199254740993"])]
#[case::serial("serial", "7", &["8"], &[])]
#[case::uuid("uuid", UUID, &["0190a0b0-0000-7000-8000-00000000abce", "x"], &["0190A0B0-0000-7000-8000-00000000ABCD"])]
#[case::text("text", "7", &["07", "x\0y"], &[])]
#[case::domain("tenant_id", "7", &["8", "x"], &["007"])]
#[tokio::test]
async fn postgres_compares_the_id_as_the_column_is(
    #[case] column: &str,
    #[case] id: &str,
    #[case] none: &[&str],
    #[case] strays: &[&str],
) {
    let database = Database::new(Kind::Postgres).await;
    let create = format!("create domain tenant_id as integer; create table tenants (id {column}, name text)");
    database.execute(&format!("{create}; insert into tenants values ('{id}', 'Ann')")).await;
    let source = source(&database, &by_id(Kind::Postgres));
    assert_eq!(found(&source, &[id]).await.unwrap(), (vec![id.to_owned()], vec![]));
    assert_eq!(found(&source, none).await.unwrap(), (vec![], vec![]));
    assert_eq!(found(&source, strays).await.unwrap(), (vec![], strays.iter().map(|id| (*id).to_owned()).collect()));
}

#[rstest]
#[case(Kind::MySql, "bigint", &["8", "99999999999999999999"])]
#[case(Kind::Sqlite, "integer", &["8", "x", "7x"])]
#[tokio::test]
async fn so_do_the_others(#[case] kind: Kind, #[case] column: &str, #[case] none: &[&str]) {
    let database = tenants(kind, column, &["7"]).await;
    let source = source(&database, &by_id(kind));
    assert_eq!(found(&source, &["7"]).await.unwrap().0, ["7"]);
    assert_eq!(found(&source, none).await.unwrap(), (vec![], vec![]));
}

#[tokio::test]
async fn a_type_to_which_an_id_can_not_be_bound_is_told_with_the_way_out() {
    let database = Database::new(Kind::Postgres).await;
    database.execute("create table tenants (id numeric, name text); insert into tenants values (7, 'Ann')").await;
    let error = source(&database, &by_id(Kind::Postgres)).columns().await.unwrap_err();
    assert!(error.to_string().contains("write `where id::text = $1`") && error.is_about_config(), "{error}");
    let one = "select id as provided_id, name from tenants where id::text = $1";
    assert_eq!(found(&source(&database, one), &["7"]).await.unwrap().0, ["7"]);
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn the_id_may_be_named_more_than_once_and_comments_may_follow(#[case] kind: Kind) {
    let database = tenants(kind, "varchar(99)", &["a", "b"]).await;
    let p = placeholder(kind);
    for end in ["", ";", " -- the end", ";\n-- the end ?\n"] {
        let one = format!(
            "-- one $1 ?\nselect id as provided_id, name from tenants where id = {p} or (name = '?$1' and id = {p}){end}"
        );
        assert_eq!(found(&source(&database, &one), &["b", "c"]).await.unwrap().0, ["b"], "{end:?}");
    }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_query_that_is_not_the_same_for_one_id_is_a_mistake_wherever_it_is_used(#[case] kind: Kind) {
    let database = tenants(kind, "varchar(99)", &["a"]).await;
    let p = placeholder(kind);
    let cases = [
        (format!("select id as provided_id from tenants where id = {p}"), "it does not return 'name'"),
        (
            format!("select id as provided_id, name, name as emails from tenants where id = {p}"),
            "source.query does not return its 'emails'",
        ),
        (format!("select id, name from tenants where id = {p}"), "'id' is not a column of a tenant"),
        ("select id as provided_id, name from tenants".to_owned(), "it must select by the id, which is bound as"),
    ];
    for (one, part) in cases {
        let source = source(&database, &one);
        for error in [source.columns().await.unwrap_err(), found(&source, &["a"]).await.unwrap_err()] {
            assert!(error.is_about_config(), "{error}");
            let error = error.to_string();
            assert!(error.starts_with("source.query_one can't be used: ") && error.contains(part), "{part} in {error}");
        }
    }
    let error = source(&database, &format!("select nothing from nowhere where id = {p}")).columns().await.unwrap_err();
    assert!(error.to_string().ends_with("check source.query_one"), "{error}");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn the_query_for_one_id_can_not_write(#[case] kind: Kind) {
    let database = tenants(kind, "varchar(99)", &["a"]).await;
    let p = placeholder(kind);
    for one in [
        format!("delete from tenants where id = {p} returning id as provided_id, name"),
        format!("select id as provided_id, name from tenants where id = {p}; delete from tenants"),
    ] {
        assert!(found(&source(&database, &one), &["a"]).await.is_err(), "{one}");
        assert_eq!(found(&source(&database, &by_id(kind)), &["a"]).await.unwrap().0, ["a"], "{one}");
    }
}

/// The whole query and the one for one id tell themselves by the names that they give.
async fn sides(kind: Kind, rows: &str, customers: &[&str]) -> (Database, Sandbox, Program) {
    let database = Database::new(kind).await;
    database.execute("create table tenants (id varchar(99), previous varchar(99))").await;
    database.execute(&format!("insert into tenants values {rows}")).await;
    let sandbox = sandbox(customers.iter().map(|id| customer(json!({"provided_id": id, "name": "Before"})))).await;
    let columns = "id as provided_id, previous as previous_provided_id";
    let whole = format!("select {columns}, 'by the whole query' as name from tenants");
    let one = format!("select {columns}, 'by the one' as name from tenants where id = {}", placeholder(kind));
    let program = Program::between(&database, &sandbox, &whole).with("EXPLO_SYNC__SOURCE__QUERY_ONE", &one);
    (database, sandbox, program)
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn only_and_explain_ask_for_the_ids_alone(#[case] kind: Kind) {
    let (_database, sandbox, program) = sides(kind, "('a', null), ('b', null), ('c', null)", &["b"]).await;
    let output = program.run(&["explain", "a", "--show-values"]).await;
    assert!(output.stdout.contains("by the one") && output.code == 0, "{output:?}");
    let (code, report) = program.sync(&["--only", "a", "--only", "b", "--only", "nobody"]).await;
    assert_eq!((code, &report["tenants"], &report["outcomes"]["applied"]), (3, &json!(2), &json!(2)), "{report}");
    let no_row = json!([{"provided_id": "nobody", "reason": "the source has no row with this provided_id"}]);
    assert_eq!(report["invalid"], no_row);
    assert_eq!(
        (&stored(&sandbox, "a")["name"], &stored(&sandbox, "b")["name"]),
        (&json!("by the one"), &json!("by the one"))
    );
    assert_eq!(program.run(&["sync", "--allow", "update=3"]).await.code, 0);
    assert_eq!(stored(&sandbox, "a")["name"], "by the whole query");
    let without = program.with("EXPLO_SYNC__SOURCE__QUERY_ONE", "");
    assert!(without.run(&["explain", "a", "--show-values"]).await.stdout.contains("by the whole query"));
}

#[tokio::test]
async fn more_than_one_row_and_a_row_of_another_id_are_invalid() {
    let (_database, sandbox, program) = sides(Kind::Sqlite, "('a', null), ('a', null), ('B', null)", &[]).await;
    let one = "select id as provided_id, previous as previous_provided_id, 'x' as name from tenants where lower(id) = lower(?)";
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY_ONE", one);
    let (code, report) = program.sync(&["--only", "a", "--only", "b"]).await;
    let reasons: Vec<_> =
        report["invalid"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert!(reasons[0].starts_with("more than one row has this provided_id"), "{reasons:?}");
    assert!(reasons[1].starts_with("source.query_one returns a row with another provided_id"), "{reasons:?}");
    assert_eq!((code, reasons.len(), endpoints(&sandbox.take_calls())), (3, 2, vec!["get_customer"; 2]));
}

#[rstest]
#[case::free("('new', 'old')", 0, &["rename new"])]
#[case::still_a_row("('new', 'old'), ('old', null)", 3, &[])]
#[tokio::test]
async fn the_previous_id_is_asked_for_as_well(#[case] rows: &str, #[case] code: i32, #[case] expected: &[&str]) {
    let (_database, _sandbox, program) = sides(Kind::Sqlite, rows, &["old"]).await;
    let (exit, report) = program.sync(&["--only", "new"]).await;
    let changes = report["changes"].as_array().unwrap().iter();
    let renames = changes.filter(|change| change["kind"] == "rename");
    let renames: Vec<_> = renames.map(|change| format!("rename {}", change["provided_id"].as_str().unwrap())).collect();
    assert_eq!((exit, renames), (code, expected.iter().map(|text| (*text).to_owned()).collect()), "{report}");
}

#[tokio::test]
async fn check_tries_the_query_for_one_id() {
    let (_database, _sandbox, program) = sides(Kind::Sqlite, "('a', null)", &[]).await;
    let output = program.run(&["check"]).await;
    assert!(output.stdout.contains("ok    query_one the same columns, for one id\n"), "{output:?}");
    let one = "select id as provided_id, 'x' as name from tenants where id = ?";
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY_ONE", one);
    let output = program.run(&["check"]).await;
    assert!(output.stdout.contains("fail  query     source.query_one can't be used: it does not return"), "{output:?}");
    assert_eq!(output.code, 78);
    assert_eq!(program.run(&["sync", "--only", "a"]).await.code, 78);
    assert_eq!(program.run(&["sync"]).await.code, 0, "a run of all does not need it");
}
