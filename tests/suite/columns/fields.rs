//! Lists, objects, keys and flags, in every form that a database can give them.

use explo_sync::model::{Object, json};
use rstest::rstest;

use super::{column, read};
use crate::support::{Database, Kind};

type Lists = &'static [(&'static str, &'static [&'static str])];

/// Text is the same everywhere.
const LISTS: Lists = &[
    ("'a@x.example'", &["a@x.example"]),
    ("'b, a ,,b,A'", &["b", "a", "A"]),
    ("''", &[]),
    ("' , '", &[]),
    (r#"'["b, c", "a", " ", "", "b, c", null, "NULL"]'"#, &["b, c", "a", " ", "NULL"]),
    (r#"'  [1.50, -2, "1.50"] '"#, &["1.50", "-2"]),
    ("'[]'", &[]),
    ("null", &[]),
];

const POSTGRES_LISTS: Lists = &[
    (
        r#"array['a', 'b c', 'd,e', 'f"g', 'h\i', '{j}', 'NULL', 'null', null, '', ' k ', 'a', E'l\nm', 'ü🦀']"#,
        &["a", "b c", "d,e", "f\"g", "h\\i", "{j}", "NULL", "null", " k ", "l\nm", "ü🦀"],
    ),
    ("'{}'::text[]", &[]),
    ("'[0:1]={a,b}'::text[]", &["a", "b"]),
    ("array['x', 'y']::varchar(5)[]", &["x", "y"]),
    ("array['A', 'a', 'NULL', null]::citext[]", &["A", "a", "NULL"]),
    ("array['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11']::uuid[]", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("array['green']::colour[]", &["green"]),
    ("array['x,y', 'z']::labels", &["x,y", "z"]),
    ("array[1, 2, 1]", &["1", "2"]),
    (r#"'["a", "b,c", "\u00e9\"", "a", null]'::json"#, &["a", "b,c", "é\""]),
    (r#"'["a", 12345678901234567890.10]'::jsonb"#, &["a", "12345678901234567890.10"]),
    ("'null'::jsonb", &[]),
];

const MYSQL_LISTS: Lists =
    &[(r#"json_array('a', 'b,c', 'd"e', null)"#, &["a", "b,c", "d\"e"]), ("cast('a,b' as binary)", &["a", "b"])];

const SQLITE_LISTS: Lists =
    &[(r#"json_array('a', 'b,c', 'd"e', null)"#, &["a", "b,c", "d\"e"]), ("x'612c62'", &["a", "b"])];

#[rstest]
#[case(
    Kind::Postgres,
    "create extension citext; create type colour as enum ('green'); create domain labels as text[]",
    POSTGRES_LISTS
)]
#[case(Kind::MySql, "select 1", MYSQL_LISTS)]
#[case(Kind::Sqlite, "select 1", SQLITE_LISTS)]
#[tokio::test]
async fn lists_keep_every_element_once(#[case] kind: Kind, #[case] own: &str, #[case] lists: Lists) {
    let database = Database::new(kind).await;
    database.execute(own).await;
    for (expression, elements) in LISTS.iter().chain(lists) {
        let expected = Some(elements.iter().map(|&element| element.into()).collect::<Vec<_>>());
        let quoted = [database.quoted("emails"), database.quoted("group_tags")];
        let query = format!("select 'x' as provided_id, {expression} as {}, {expression} as {}", quoted[0], quoted[1]);
        let tenant = read(&database, &query).await.remove(0).unwrap();
        assert_eq!((&tenant.emails, &tenant.group_tags), (&expected, &expected), "{expression}");
    }
}

const NO_LIST: &[(&str, &str)] = &[
    ("7", "is a number: an array, a JSON array or text split at commas is needed"),
    ("'[\"a\"'", "is not valid JSON"),
    ("'[\"a\"] b'", "is not valid JSON"),
    ("'[true]'", "is a JSON array with an element that is not a string"),
    ("'[[\"a\"]]'", "is a JSON array with an element that is not a string"),
    ("'[{\"a\": 1}]'", "is a JSON array with an element that is not a string"),
];

const NO_POSTGRES_LIST: &[(&str, &str)] = &[
    ("true", "is a boolean: an array, a JSON array or text split at commas is needed"),
    ("array[array['a'], array['b']]", "has more than one dimension: a flat array is needed"),
    ("'{\"a\": 1}'::jsonb", "is JSON, but not an array"),
    ("'\"a\"'::json", "is JSON, but not an array"),
];

#[rstest]
#[case(Kind::Postgres, NO_POSTGRES_LIST)]
#[case(Kind::MySql, &[])]
#[case(Kind::Sqlite, &[])]
#[tokio::test]
async fn what_is_no_list_is_invalid(#[case] kind: Kind, #[case] more: &[(&str, &str)]) {
    let database = Database::new(kind).await;
    for (expression, reason) in NO_LIST.iter().chain(more) {
        assert_eq!(
            column(&database, "emails", expression).await.unwrap_err(),
            format!("emails {reason}"),
            "{expression}"
        );
    }
}

/// A JSON text as an expression of a type, and what the database makes of it.
fn typed(kind: Kind, column_type: &str, text: &str) -> String {
    let literal = kind.literal(text);
    match kind {
        Kind::Postgres => format!("{literal}::{column_type}"),
        Kind::MySql | Kind::Sqlite => literal,
    }
}

#[rstest]
#[case(Kind::Postgres, "json")]
#[case(Kind::Postgres, "jsonb")]
#[case(Kind::Postgres, "text")]
#[case(Kind::MySql, "text")]
#[case(Kind::Sqlite, "text")]
#[tokio::test]
async fn whole_objects_keep_their_digits(#[case] kind: Kind, #[case] column_type: &str) {
    let database = Database::new(kind).await;
    // In the order and spacing that jsonb prints.
    let nested = format!(r#"{{"": {}1{}}}"#, "[".repeat(63), "]".repeat(63));
    let objects = [
        "{}",
        r#"{"a": 12345678901234567890.1234567890, "b": -0.10, "ü.🦀": [true, null, {"x": "'\n\\\""}]}"#,
        &nested,
    ];
    for object in objects {
        let tenant = column(&database, "properties", &typed(kind, column_type, object)).await.unwrap();
        assert_eq!(tenant.properties, Some(Object::Whole(object.into())), "{kind:?} {column_type}");
    }
    let spaced = column(&database, "properties", &typed(kind, column_type, " \n{\"a\": 1}\t")).await.unwrap();
    assert_eq!(spaced.properties, Some(Object::Whole("{\"a\": 1}".into())));

    let mapping = r#"{"41": "a\"b", "40": 213, "7": 1.50, "8": -3, "9": 12345678901234567890}"#;
    let tenant = column(&database, "mapping", &typed(kind, column_type, mapping)).await.unwrap();
    let expected = r#"{"40":"213","41":"a\"b","7":"1.5","8":"-3","9":"12345678901234567890"}"#;
    assert_eq!(tenant.mapping, Some(Object::Whole(expected.into())), "{kind:?} {column_type}");

    let null = typed(kind, column_type, "null");
    let empty = Some(Object::Whole("{}".into()));
    assert_eq!(column(&database, "properties", &null).await.unwrap().properties, empty, "JSON's null is NULL");
    assert_eq!(column(&database, "mapping", &null).await.unwrap().mapping, None, "JSON's null is NULL");
}

#[rstest]
#[case(Kind::Postgres, "json")]
#[case(Kind::Postgres, "jsonb")]
#[case(Kind::Postgres, "text")]
#[case(Kind::MySql, "text")]
#[case(Kind::Sqlite, "text")]
#[tokio::test]
async fn what_is_no_object_is_invalid(#[case] kind: Kind, #[case] column_type: &str) {
    let database = Database::new(kind).await;
    let deep = format!(r#"{{"a": {}1{}}}"#, "[".repeat(64), "]".repeat(64));
    let cases = [
        ("properties", "[1]", "is JSON, but not an object"),
        ("properties", "7", "is JSON, but not an object"),
        ("mapping", "\"a\"", "is JSON, but not an object"),
        ("properties", &*deep, "is JSON nested deeper than 64 levels"),
        ("mapping", r#"{"a": "b", "40": null}"#, "has a value for '40' that is neither a string nor a number"),
        ("mapping", r#"{"40": true}"#, "has a value for '40' that is neither a string nor a number"),
        ("mapping", r#"{"40": {"a": 1}}"#, "has a value for '40' that is neither a string nor a number"),
    ];
    let broken = ["", "{", r#"{"a": }"#, r#"{"a": 1} x"#, "{a: 1}", "nonsense", r#"{"a": NaN}"#];
    let broken = broken.into_iter().map(|text| ("properties", text, "is not valid JSON"));
    for (name, text, reason) in cases.into_iter().chain(broken.filter(|_| !column_type.starts_with("json"))) {
        let refused = column(&database, name, &typed(kind, column_type, text)).await.unwrap_err();
        assert_eq!(refused, format!("{name} {reason}"), "{kind:?} {column_type} {text}");
    }
    let number = column(&database, "properties", "7").await.unwrap_err();
    assert_eq!(number, "properties is a number: a JSON object is needed");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_dotted_column_is_the_rest_of_its_name(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let keys = ["plan", "a.b", ".", "mixed Case", "ü€", "it's", "?", "$1"];
    let columns =
        |field: &str| keys.map(|key| format!("'v' as {}", database.quoted(&format!("{field}.{key}")))).join(", ");
    let query = format!("select 'x' as provided_id, {}, {}", columns("properties"), columns("mapping"));
    let tenant = read(&database, &query).await.remove(0).unwrap();
    let expected = Some(Object::Keys(keys.map(|key| (key.into(), Some(json::quote("v").into()))).to_vec()));
    assert_eq!((&tenant.properties, &tenant.mapping), (&expected, &expected));
}

#[tokio::test]
async fn json_as_a_property_is_as_it_is() {
    let database = Database::new(Kind::Postgres).await;
    let texts = ["null", "true", "\"\\u00e9\"", "[1,  2]", "1e400", "\"\""];
    for text in texts {
        let tenant = column(&database, "properties.k", &format!("'{text}'::json")).await.unwrap();
        assert_eq!(tenant.properties, Some(Object::Keys(vec![("k".into(), Some(text.into()))])));
    }
    let deep = format!("'{}{}'::json", "[".repeat(65), "]".repeat(65));
    let reason = column(&database, "properties.k", &deep).await.unwrap_err();
    assert_eq!(reason, "properties.k is JSON nested deeper than 64 levels");
}

const TRUE: &[&str] = &["true", "1", "'1'", "'t'", "'T'", "'true'", "'TRUE'", "'True'"];
const FALSE: &[&str] = &["false", "0", "'0'", "'f'", "'F'", "'false'", "'FALSE'", "'False'", "null"];
const NO_FLAG: &[&str] = &["2", "-1", "0.5", "'yes'", "'no'", "'on'", "'tr'", "''", "'null'"];

#[rstest]
#[case(Kind::Postgres, &["'true'::jsonb", "'t'::varchar(1)"], &["'false'::json"], &["array[true]", "'[]'::json"])]
#[case(Kind::MySql, &["(select b from bits)", "(select t from bits)"], &["(select b - 1 from bits)"], &["(select w from bits)"])]
#[case(Kind::Sqlite, &["x'31'"], &["x'30'"], &["x'01'"])]
#[tokio::test]
async fn a_flag_is_a_boolean_a_digit_or_a_word(
    #[case] kind: Kind,
    #[case] more_true: &[&str],
    #[case] more_false: &[&str],
    #[case] none: &[&str],
) {
    let database = Database::new(kind).await;
    database.execute("create table bits (b bit(1), t boolean, w bit(8))").await;
    if kind == Kind::MySql {
        database.execute("insert into bits values (b'1', true, b'11')").await;
    }
    for (expressions, flag) in [(TRUE, true), (more_true, true), (FALSE, false), (more_false, false)] {
        for expression in expressions {
            let tenant = column(&database, "is_demo_group", expression).await;
            assert_eq!(tenant.map(|tenant| tenant.is_demo_group), Ok(Some(flag)), "{expression}");
        }
    }
    for expression in NO_FLAG.iter().chain(none) {
        let reason = column(&database, "is_demo_group", expression).await.unwrap_err();
        assert!(reason.ends_with("that is none of true, false, t, f, 1, 0"), "{expression}: {reason}");
    }
}
