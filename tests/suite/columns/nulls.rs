//! What NULL means in each column.

use explo_sync::{
    model::{Object, Row, Tenant},
    source::{Error, SqlSettings},
};
use rstest::rstest;
use serde_json::json;

use super::{read, read_leaving, rows};
use crate::support::{Database, Kind, Program, customer, sandbox, settings, stored};

const FIELDS: [&str; 8] = [
    "name",
    "emails",
    "group_tags",
    "properties",
    "mapping",
    "is_demo_group",
    "hierarchy_level_name",
    "parent_provided_id",
];

fn x(tenant: Tenant<'_>) -> [Row<'_>; 1] {
    [Ok(Tenant { provided_id: "x".into(), ..tenant })]
}

/// A query that gives NULL, of each of these types, for every column.
fn nulls(database: &Database, columns: &[&str], null: &str) -> String {
    let columns = columns.iter().map(|name| format!(", {null} as {}", database.quoted(name)));
    format!("select 'x' as provided_id{}", columns.collect::<String>())
}

#[rstest]
#[case(Kind::Postgres, &["null", "null::text", "null::jsonb", "null::text[]", "null::boolean", "null::numeric"])]
#[case(Kind::MySql, &["null", "cast(null as binary)", "cast(null as unsigned)"])]
#[case(Kind::Sqlite, &["null", "cast(null as text)"])]
#[tokio::test]
async fn null_means_what_the_table_says(#[case] kind: Kind, #[case] types: &[&str]) {
    let database = Database::new(kind).await;
    let dotted = ["properties.plan", "properties.a.b", "mapping.40"];
    for null in types {
        let whole = Tenant {
            emails: Some(Vec::new()),
            group_tags: Some(Vec::new()),
            properties: Some(Object::Whole("{}".into())),
            is_demo_group: Some(false),
            ..Tenant::default()
        };
        assert_eq!(read(&database, &nulls(&database, &FIELDS, null)).await, x(whole), "{null}");

        let goes = ["plan", "a.b"].map(|key| (key.into(), None)).to_vec();
        let keys = Tenant { properties: Some(Object::Keys(goes)), ..Tenant::default() };
        assert_eq!(read(&database, &nulls(&database, &dotted, null)).await, x(keys), "{null}");

        let row = read(&database, &format!("select {null} as provided_id")).await.remove(0).unwrap_err();
        assert_eq!((row.provided_id, &*row.reason), (None, "provided_id is NULL"), "{null}");
    }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn null_is_left_alone_in_the_columns_that_leave_null_names(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let query = nulls(&database, &FIELDS, "null");
    assert_eq!(read_leaving(&database, &query, &FIELDS).await, x(Tenant::default()), "all of them");

    for name in FIELDS {
        let mut expected = read(&database, &query).await.remove(0).unwrap();
        match name {
            "emails" => expected.emails = None,
            "group_tags" => expected.group_tags = None,
            "properties" => expected.properties = None,
            "is_demo_group" => expected.is_demo_group = None,
            _ => {}
        }
        assert_eq!(read_leaving(&database, &query, &[name]).await, [Ok(expected)], "{name} alone");
    }

    let query = nulls(&database, &["properties.a", "properties.a.b", "mapping.40"], "null");
    let goes = Some(Object::Keys(vec![("a".into(), None)]));
    let left = read_leaving(&database, &query, &["properties.a.b"]).await;
    assert_eq!(left, x(Tenant { properties: goes, ..Tenant::default() }), "that key, and not the one it begins with");
    let left = read_leaving(&database, &query, &["properties.a", "properties.a.b", "mapping.40"]).await;
    assert_eq!(left, x(Tenant::default()));
}

#[rstest]
#[case(Kind::Postgres, "'null'::jsonb")]
#[case(Kind::MySql, "'null'")]
#[case(Kind::Sqlite, "'null'")]
#[tokio::test]
async fn the_null_of_json_is_left_alone_too(#[case] kind: Kind, #[case] null: &str) {
    let database = Database::new(kind).await;
    let fields = ["properties", "mapping"];
    assert_eq!(read_leaving(&database, &nulls(&database, &fields, null), &fields).await, x(Tenant::default()));
    if kind == Kind::Postgres {
        let fields = ["emails", "group_tags"];
        assert_eq!(read_leaving(&database, &nulls(&database, &fields, null), &fields).await, x(Tenant::default()));
    }
    let key =
        Some(Object::Keys(vec![("k".into(), Some(if kind == Kind::Postgres { "null" } else { "\"null\"" }.into()))]));
    let query = nulls(&database, &["properties.k"], null);
    let kept = read_leaving(&database, &query, &["properties.k"]).await;
    assert_eq!(kept, x(Tenant { properties: key, ..Tenant::default() }), "as a property it is a value");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn leave_null_touches_neither_values_nor_ids(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let query = "select 'x' as provided_id, 'a' as emails, '{\"a\": 1}' as properties, 't' as is_demo_group";
    let names = ["provided_id", "emails", "properties", "is_demo_group"];
    assert_eq!(read_leaving(&database, query, &names).await, read(&database, query).await);
    let row = read_leaving(&database, "select null as provided_id", &["provided_id"]).await.remove(0);
    assert_eq!(row.unwrap_err().reason, "provided_id is NULL");

    let leave_null = vec!["properties.plan".to_owned(), "Emails".to_owned()];
    let error = rows(SqlSettings { leave_null, ..settings(&database.url, query) }).await.unwrap_err();
    let Error::Columns(mistakes) = error else { panic!("{error}") };
    let unknown = |name| format!("fields.leave_null names '{name}', which the query does not return");
    assert_eq!(mistakes, [unknown("properties.plan"), unknown("Emails")]);
}

#[tokio::test]
async fn a_name_that_is_null_makes_a_create_invalid_and_is_left_alone_otherwise() {
    let database = Database::new(Kind::Sqlite).await;
    let sandbox = sandbox([customer(json!({"provided_id": "old", "name": "Kept", "emails": []}))]).await;
    let query = "select 'old' as provided_id, null as name, 'a@a.example' as emails union all select 'new', null, ''";
    let (code, report) = Program::between(&database, &sandbox, query).sync(&[]).await;
    assert_eq!((code, &report["counts"]["create"], &report["counts"]["update"]), (3, &json!(0), &json!(1)), "{report}");
    assert_eq!(report["invalid"][0]["provided_id"], "new");
    let old = stored(&sandbox, "old");
    assert_eq!((&old["name"], &old["emails"]), (&json!("Kept"), &json!(["a@a.example"])));
}
