//! A name that a database cuts is an error that shows what is left of it; one that is whole is no mistake, however long.

use explo_sync::source::{Error, Source, Sql, SqlSettings};
use rstest::rstest;

use super::rows;
use crate::support::{Database, Kind, settings};

fn key(bytes: usize) -> String {
    let key = "properties.".to_owned();
    key.clone() + &"k".repeat(bytes - key.len())
}

async fn mistakes(database: &Database, query: &str, query_one: Option<&str>) -> Vec<String> {
    let query_one = query_one.map(str::to_owned);
    let source = Sql::new(SqlSettings { query_one, ..settings(&database.url, query) }).unwrap();
    match source.columns().await {
        Ok(_) => Vec::new(),
        Err(Error::Columns(mistakes) | Error::QueryOne(mistakes)) => mistakes,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_name_that_postgres_cuts_is_an_error_that_shows_what_is_left() {
    let database = Database::new(Kind::Postgres).await;
    let told = |kept: &str| {
        let field = kept.split_once('.').unwrap().0;
        vec![format!(
            "'{kept}' is only the beginning of a name that the database cut: shorten the key, or select one JSON \
             column {field}"
        )]
    };
    let (whole, longer) = (key(63), key(70));
    database.execute(&format!("create table c (\"{longer}\" int)")).await;
    for query in [
        format!("select 'x' as provided_id, 1 as \"{longer}\""),
        format!("select * from (select 'x' as provided_id, 1 as \"{longer}\") t"),
        format!("with t as (select 'x'::text, 1) select * from t as t(provided_id, \"{longer}\")"),
        format!("select 'x' as provided_id, t.\"{longer}\" from c as t"),
    ] {
        assert_eq!(mistakes(&database, &query, None).await, told(&whole), "{query}");
        assert!(rows(settings(&database.url, &query)).await.unwrap_err().is_about_config(), "{query}");
    }
    // Of a character that does not fit nothing is kept.
    let wide = |prefix: &str| format!("{prefix}.{}", "€".repeat(30));
    for (name, bytes) in
        [(wide("properties"), 62), (wide("mapping"), 62), (format!("properties.\"\"{}", "k".repeat(70)), 64)]
    {
        let kept = name[..bytes].replace("\"\"", "\"");
        assert_eq!(
            mistakes(&database, &format!("select 'x' as provided_id, '1' as \"{name}\""), None).await,
            told(&kept)
        );
    }
    // The keys of JSON that is made of rows are names, too.
    let key = "k".repeat(70);
    let told_of_key = format!(
        "'{}' is only the beginning of a name that the database cut: shorten it, or make the object with \
         jsonb_build_object, whose keys are texts",
        &key[..63]
    );
    for query in [
        format!("select 'x' as provided_id, to_jsonb(t) as properties from (select 1 as {key}) t"),
        format!("select 'x' as provided_id, (select json_agg(t) from (select 1 as \"{key}\") t)->0 as properties"),
    ] {
        assert_eq!(mistakes(&database, &query, None).await, [&*told_of_key], "{query}");
    }
    let query = format!("select 'x' as provided_id, 1 as \"{whole}\"");
    let one = format!("select $1::text as provided_id, 1 as \"{longer}\"");
    assert_eq!(mistakes(&database, &query, Some(&one)).await, told(&whole));
}

#[tokio::test]
async fn a_name_that_is_whole_is_no_mistake_however_long() {
    let database = Database::new(Kind::Postgres).await;
    let whole = key(63);
    database.execute(&format!("create view v as select 'x'::text as provided_id, 1 as \"{whole}\"")).await;
    let function = format!("create function f() returns table (provided_id text, \"{whole}\" int) language sql as ");
    database.execute(&format!("{function} 'select * from v'")).await;
    for query in [
        format!("select 'x' as provided_id, 1 as \"{whole}\""),
        format!("select 'x' as provided_id, 1 as\"{whole}\"-- \"{whole}k\""),
        format!("select * from (select 'x' as provided_id, 1 as \"{whole}\") t where '\"{whole}k\"' <> ''"),
        "select * from v".to_owned(),
        "select * from f()".to_owned(),
        format!("select 'x' as provided_id, jsonb_build_object('{0}', 1) as properties", "k".repeat(70)),
        format!("select {0}.provided_id from v as {0}", "k".repeat(70)),
        format!("select provided_id, \"{whole}\" from v"),
        format!("select provided_id, v.\"{whole}\" as \"{}\" from v", key(60)),
        format!("select *, 1 as \"{}\", 2 as \"{}\" from v", key(62), key(61)),
    ] {
        assert_eq!(mistakes(&database, &query, None).await, Vec::<String>::new(), "{query}");
        assert!(rows(settings(&database.url, &query)).await.unwrap()[0].is_ok(), "{query}");
    }
}

#[tokio::test]
async fn a_name_that_mysql_cuts_is_an_error_too() {
    let database = Database::new(Kind::MySql).await;
    let most = if database.is_mariadb().await { 255 } else { 256 };
    for (name, quote, kept) in [
        (key(most + 1), '`', key(most)),
        (key(300), '\'', key(most)),
        (key(400), '"', key(most)),
        (format!("mapping.{}", "€".repeat(90)), '`', format!("mapping.{}", "€".repeat(82))),
    ] {
        let mistakes =
            mistakes(&database, &format!("select 'x' as provided_id, 1 as {quote}{name}{quote}"), None).await;
        let [mistake] = &mistakes[..] else { panic!("{mistakes:?}") };
        let beginning: String = kept.chars().take(80).collect();
        assert!(mistake.starts_with(&format!("'{beginning}…' is only the beginning of a name")), "{mistake}");
        let whole = format!("select 'x' as provided_id, 1 as {quote}{kept}{quote}");
        assert!(rows(settings(&database.url, &whole)).await.unwrap()[0].is_ok(), "{whole}");
    }
}

#[rstest]
#[case(Kind::MySql, 255)]
#[case(Kind::Sqlite, 2000)]
#[tokio::test]
async fn other_databases_keep_longer_names(#[case] kind: Kind, #[case] bytes: usize) {
    let database = Database::new(kind).await;
    for bytes in [63, 64, 70, bytes] {
        let query = format!("select 'x' as provided_id, 1 as {}", database.quoted(&key(bytes)));
        let source = Sql::new(settings(&database.url, &query)).unwrap();
        let columns = source.columns().await.unwrap();
        assert_eq!(columns.iter().last().unwrap().0, key(bytes));
    }
}
