//! `init --trigger`: SQL that makes a table notify the channel of ids.

use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, raw_sql};

use super::{Origin, listen::listen};
use crate::support::{Database, Kind, Program};

/// The trigger for this argument.
async fn printed(argument: &str) -> String {
    let output = Program::default().run(&["init", "--trigger", argument]).await;
    assert!(output.code == 0 && output.stderr.is_empty(), "{output:?}");
    output.stdout
}

/// A name as SQL writes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names may have any character.
#[rstest]
#[case::plain("tenants", "tenants", "id")]
#[case::a_column("tenants.key", "tenants", "key")]
#[case::mixed_case("Tenants.Id", "Tenants", "Id")]
#[case::quotes("we\"ird.i\"\"d", "we\"ird", "i\"\"d")]
#[case::dots("\"a.b\".\"c.d\"", "a.b", "c.d")]
#[case::dollars("$explo_sync$.$_explo_sync$$explo_sync$", "$explo_sync$", "$_explo_sync$$explo_sync$")]
#[case::lines("\"a\n; drop table x; --\".id", "a\n; drop table x; --", "id")]
#[case::others("naïve 你好.%s", "naïve 你好", "%s")]
#[tokio::test]
async fn each_change_of_a_row_is_notified(#[case] argument: &str, #[case] table: &str, #[case] column: &str) {
    let (database, sql) = (Database::new(Kind::Postgres).await, printed(argument).await);
    let (table, column) = (quoted(table), quoted(column));
    database.execute(&format!("create table {table} ({column} text, name text)")).await;
    for _ in 0..2 {
        database.execute(&sql).await;
    }
    let mut origin = listen(&database.url);
    origin.hears().await;
    database.execute(&format!("insert into {table} values ('a', 'Ann'), ('b', 'Bob')")).await;
    origin.tells("a").await;
    origin.tells("b").await;
    database.execute(&format!("update {table} set name = 'Anna' where {column} = 'a'")).await;
    origin.tells("a").await;
    database.execute(&format!("update {table} set {column} = 'c' where {column} = 'b'")).await;
    origin.tells("c").await;
    origin.tells("b").await;
    database.execute(&format!("delete from {table} where {column} = 'a'")).await;
    origin.tells("a").await;
    leaves_out_what_it_cant_carry(&database, &table, &mut origin).await;
    // What the header says undoes it.
    let undo = sql.lines().find_map(|line| line.split_once("Undo it:")).unwrap().1.trim();
    if !undo.contains("u{a}") {
        database.execute(undo).await;
        database.execute(&format!("insert into {table} values ('silent', 'S'); notify explo_sync, 'end'")).await;
        origin.tells("end").await;
    }
}

/// The rows are there all the same.
async fn leaves_out_what_it_cant_carry(database: &Database, table: &str, origin: &mut Origin) {
    let rows = "(null, 'x'), ('', 'x'), (repeat('y', 9000), 'x'), (repeat('é', 4000), 'x'), (repeat('z', 7999), 'x')";
    database.execute(&format!("insert into {table} values {rows}")).await;
    origin.tells(&"z".repeat(7999)).await;
    let count = database.rows(&format!("select count(*)::text from {table} where name = 'x'")).await;
    assert_eq!(count, [[Some("5".to_owned())]]);
}

/// An id is notified as the query returns it.
#[rstest]
#[case("uuid", "'01890000-0000-7000-8000-000000000001'", "01890000-0000-7000-8000-000000000001")]
#[case("bigint", "-7", "-7")]
#[case("char(3)", "'a'", "a  ")]
#[case("boolean", "true", "t")]
#[tokio::test]
async fn ids_are_notified_as_they_are_read(#[case] column: &str, #[case] value: &str, #[case] told: &str) {
    let database = Database::new(Kind::Postgres).await;
    database.execute(&format!("create table tenants (id {column})")).await;
    database.execute(&printed("tenants").await).await;
    let mut origin = listen(&database.url);
    origin.hears().await;
    database.execute(&format!("insert into tenants values ({value})")).await;
    origin.tells(told).await;
}

#[tokio::test]
async fn tables_of_other_schemas_and_with_long_names_have_their_own_functions() {
    let database = Database::new(Kind::Postgres).await;
    let long = "t".repeat(62);
    let tables = [("one", "tenants"), ("two", "tenants"), ("one", &*format!("{long}1")), ("one", &*format!("{long}2"))];
    database.execute("create schema one; create schema two").await;
    for (schema, table) in tables {
        database.execute(&format!("create table {schema}.{table} (id text)")).await;
        database.execute(&printed(&format!("{schema}.{table}.id")).await).await;
    }
    let mut origin = listen(&database.url);
    origin.hears().await;
    for (number, (schema, table)) in tables.into_iter().enumerate() {
        database.execute(&format!("insert into {schema}.{table} values ('{number}')")).await;
        origin.tells(&number.to_string()).await;
    }
    let functions = "select count(*)::text from pg_proc where proname like 'explo_sync%'";
    assert_eq!(database.rows(functions).await, [[Some("4".to_owned())]]);
    // Another search path, even a hostile one, changes nothing.
    let hostile =
        "create function one.pg_notify(text, text) returns void language plpgsql as $$ begin raise 'no'; end $$";
    database.execute(&format!("{hostile}; set search_path = one, pg_catalog; insert into tenants values ('x')")).await;
    origin.tells("x").await;
}

#[tokio::test]
async fn a_column_that_is_missing_is_told_when_it_is_applied() {
    let database = Database::new(Kind::Postgres).await;
    database.execute("create table tenants (key text)").await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let applied = connection.execute(raw_sql(AssertSqlSafe(printed("tenants.id").await))).await;
    assert!(applied.unwrap_err().to_string().contains("column \"id\" does not exist"));
    let triggers = "select count(*)::text from pg_trigger where tgname = 'explo_sync'";
    assert_eq!(database.rows(triggers).await, [[Some("0".to_owned())]]);
}

#[tokio::test]
async fn the_header_says_how_to_apply_it_and_which_key_to_set() {
    let sql = printed("tenants").await;
    for part in ["explo-sync init --trigger tenants | psql -v ON_ERROR_STOP=1 app", "[source] listen = \"explo_sync\""]
    {
        assert!(sql.contains(part), "{part} in {sql}");
    }
    let hostile = printed("\"a\n'drop\".id").await;
    let code = hostile.lines().position(|line| line == "begin;").unwrap();
    assert!(hostile.lines().take(code).all(|line| line.is_empty() || line.starts_with("--")), "{hostile}");
    let output = Program::default().run(&["init", "--trigger", "a.b.c.d"]).await;
    assert!(output.code == 64 && output.stderr.contains("SCHEMA.TABLE.COLUMN"), "{output:?}");
}
