//! From a row to a tenant: every column in each database, exact to the digit and byte.

use explo_sync::{
    model::{Invalid, Object, Row, Tenant},
    plan::{Fingerprints, Index},
    source::{Error, Source, Sql, SqlSettings},
};
use rstest::rstest;
use std::time::Duration;

use crate::support::{Database, Kind};

fn settings(database: &Database, query: &str) -> SqlSettings {
    SqlSettings {
        url: database.url.clone().into(),
        password: None,
        ca_file: None,
        query: query.to_owned(),
        timeout: Duration::from_secs(20),
        leave_null: Vec::new(),
    }
}

async fn rows_of(settings: SqlSettings) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    Sql::new(settings).unwrap().read(&mut |row| rows.push(row)).await?;
    Ok(rows)
}

/// The rows of a query that must work.
async fn rows(database: &Database, query: &str) -> Vec<Row> {
    rows_of(settings(database, query)).await.unwrap_or_else(|error| panic!("{error}: {query}"))
}

/// The tenant that one column makes, beside an id and a name; or the reason why there is none.
async fn column(database: &Database, name: &str, expression: &str) -> Result<Tenant, String> {
    let from = if expression.starts_with("kinds.") { " from kinds" } else { "" };
    let query = format!("select 'id' as provided_id, 'n' as name, {expression} as {}{from}", database.quoted(name));
    rows(database, &query).await.remove(0).map_err(|invalid| invalid.reason)
}

async fn database_with(kind: Kind, statements: &str) -> Database {
    let database = Database::new(kind).await;
    if !statements.is_empty() {
        database.execute(statements).await;
    }
    database
}

/// What `"properties.k"` of a value is sent as.
async fn property(database: &Database, expression: &str) -> Result<Option<String>, String> {
    let tenant = column(database, "properties.k", expression).await?;
    match tenant.properties {
        Some(Object::Keys(mut keys)) => Ok(keys.remove(0).1),
        other => panic!("{expression}: {other:?}"),
    }
}

#[rstest]
#[case(Kind::Postgres, &[
    ("7", "7"), ("9223372036854775807::bigint", "9223372036854775807"), ("(-32768)::smallint", "-32768"),
    ("12345678901234567890.1234567890::numeric(38,10)", "12345678901234567890.1234567890"),
    ("1.50::numeric", "1.50"), ("0.1::float8", "0.1"), ("0.1::float4", "0.1"), ("1e300::float8", "1e+300"),
    ("true", "true"), ("false", "false"),
    (r#"'{"b":1.50,"a":[null]}'::json"#, r#"{"b":1.50,"a":[null]}"#), ("'[1, 2]'::jsonb", "[1, 2]"), ("'7'::text", "\"7\""),
    ("'2026-11-20'::date", "\"2026-11-20\""), ("'2026-11-20 10:00:00.5+00'::timestamptz at time zone 'utc'", "\"2026-11-20 10:00:00.5\""),
    ("'infinity'::timestamp", "\"infinity\""),
    ("'0b7c1f0e-5f2f-4a39-9d0c-3c1d6f6f7a11'::uuid", "\"0b7c1f0e-5f2f-4a39-9d0c-3c1d6f6f7a11\""),
    ("'open'::state", "\"open\""), ("3::small", "3"), ("'a'::label", "\"a\""), (r"'\xdeadbeef'::bytea", r#""\\xdeadbeef""#),
    ("'10.0.0.0/8'::inet", "\"10.0.0.0/8\""), ("'1 day'::interval", "\"1 day\""), ("row(1,'x')", "\"(1,x)\""),
    ("array['a','b']", "\"{a,b}\""), ("'12.5'::money", "\"$12.50\""), ("E'a\\n\\t\"\\\\é\\u0001'", r#""a\n\t\"\\é\u0001""#),
])]
#[case(Kind::MySql, &[
    ("7", "7"), ("18446744073709551615", "18446744073709551615"), ("cast(-9223372036854775808 as signed)", "-9223372036854775808"),
    ("cast('12345678901234567890.1234567890' as decimal(38,10))", "12345678901234567890.1234567890"),
    ("kinds.z", "42"), ("kinds.flag", "1"), ("kinds.bits", "5"),
    ("kinds.d", "0.1"), ("kinds.f", "0.5"), ("kinds.y", "2026"),
    ("kinds.e", "\"open\""), ("kinds.b", "\"héllo\""), ("kinds.t", "\"Ünï\""),
    ("cast('2026-11-20' as date)", "\"2026-11-20\""), ("cast('2026-11-20 10:00:00' as datetime)", "\"2026-11-20 10:00:00\""),
    ("'7'", "\"7\""), ("true", "1"), ("concat('a', char(10), 'b')", r#""a\nb""#),
])]
#[case(Kind::Sqlite, &[
    ("7", "7"), ("-9223372036854775808", "-9223372036854775808"), ("0.1", "0.1"), ("1.0", "1.0"), ("1e300", "1e300"),
    ("true", "1"), ("'7'", "\"7\""), ("x'68c3a9'", "\"hé\""), ("json('{\"a\":1}')", r#""{\"a\":1}""#), ("'a' || char(10)", r#""a\n""#),
])]
#[tokio::test]
async fn a_property_is_a_number_with_all_its_digits_a_boolean_json_or_text(
    #[case] kind: Kind,
    #[case] values: &[(&str, &str)],
) {
    let database = database_with(
        kind,
        match kind {
            Kind::Postgres => {
                "create type state as enum ('open'); create domain small as integer; create domain label as text"
            }
            Kind::MySql => {
                "create table kinds (z int(6) zerofill, flag tinyint(1), bits bit(3), d double, f float, y year,
             e enum('open'), b blob, t varchar(20) character set utf8mb4 collate utf8mb4_bin);
             insert into kinds values (42, 1, b'101', 0.1, 0.5, 2026, 'open', 'héllo', 'Ünï')"
            }
            Kind::Sqlite => "",
        },
    )
    .await;
    for (expression, expected) in values {
        assert_eq!(property(&database, expression).await, Ok(Some((*expected).to_owned())), "{expression}");
    }
    assert_eq!(property(&database, "null").await, Ok(None), "the key is dropped");
}

#[rstest]
#[case(Kind::Postgres, &["'NaN'::float8", "'Infinity'::float8", "'-Infinity'::numeric", "'NaN'::numeric"])]
#[case(Kind::MySql, &["cast(0xff00 as binary)"])]
#[case(Kind::Sqlite, &["1e999", "-1e999", "x'ff00'"])]
#[tokio::test]
async fn what_json_can_not_say_is_invalid(#[case] kind: Kind, #[case] expressions: &[&str]) {
    let database = Database::new(kind).await;
    for expression in expressions {
        let reason = property(&database, expression).await.unwrap_err();
        assert!(reason.starts_with("properties.k is"), "{expression}: {reason}");
    }
}

#[rstest]
#[case(Kind::Postgres, &[
    ("'a b'", "a b"), ("42", "42"), ("9223372036854775807", "9223372036854775807"), ("1.50", "1.50"), ("true", "t"),
    ("'0b7c1f0e-5f2f-4a39-9d0c-3c1d6f6f7a11'::uuid", "0b7c1f0e-5f2f-4a39-9d0c-3c1d6f6f7a11"), ("'00123'", "00123"),
    ("'2026-11-20'::date", "2026-11-20"), ("' padded '", " padded "), ("'Ω/é\"'''", "Ω/é\"'"),
])]
#[case(Kind::MySql, &[("'a b'", "a b"), ("42", "42"), ("18446744073709551615", "18446744073709551615"), ("'00123'", "00123"), ("1.50", "1.50")])]
#[case(Kind::Sqlite, &[("'a b'", "a b"), ("42", "42"), ("'00123'", "00123"), ("1.5", "1.5"), ("x'6162'", "ab")])]
#[tokio::test]
async fn an_id_is_what_the_database_prints(#[case] kind: Kind, #[case] ids: &[(&str, &str)]) {
    let database = Database::new(kind).await;
    for (expression, expected) in ids {
        let row = rows(&database, &format!("select {expression} as provided_id")).await.remove(0);
        assert_eq!(row.map(|tenant| tenant.provided_id), Ok((*expected).to_owned()), "{expression}");
    }
    for (expression, reason) in [("null", "row 1: provided_id is NULL"), ("''", "row 1: provided_id is empty")] {
        let row = rows(&database, &format!("select {expression} as provided_id")).await.remove(0);
        assert_eq!(row, Err(Invalid { provided_id: None, reason: reason.to_owned() }));
    }
}

type Lists = &'static [(&'static str, &'static [&'static str])];

const POSTGRES_LISTS: Lists = &[
    (r#"array['a@x', 'b, c', '"q"', '\', 'NULL', 'a@x', null, '']"#, &["a@x", "b, c", "\"q\"", "\\", "NULL"]),
    ("array['a','b']::varchar(9)[]", &["a", "b"]),
    ("array[1,2]", &["1", "2"]),
    ("'[0:1]={a,b}'::text[]", &["a", "b"]),
    ("'{}'::text[]", &[]),
    (r#"'["a", "b,c", 5, null, "\u00e9"]'::jsonb"#, &["a", "b,c", "5", "é"]),
    (r#"'["a"]'::json"#, &["a"]),
    ("'null'::jsonb", &[]),
    ("'a, b ,,c'", &["a", "b", "c"]),
    ("' [\"x,y\"]'", &["x,y"]),
    ("''", &[]),
    ("null", &[]),
];

const MYSQL_LISTS: Lists = &[
    (r#"'["a", "b,c", "a"]'"#, &["a", "b,c"]),
    ("json_array('a', 'b\"c')", &["a", "b\"c"]),
    ("'a, b ,,c'", &["a", "b", "c"]),
    ("''", &[]),
    ("null", &[]),
];

const SQLITE_LISTS: Lists = &[
    (r#"'["a", "b,c", "a"]'"#, &["a", "b,c"]),
    ("json_array('a', 'b')", &["a", "b"]),
    ("'a, b ,,c'", &["a", "b", "c"]),
    ("''", &[]),
    ("null", &[]),
];

#[rstest]
#[case(Kind::Postgres, POSTGRES_LISTS)]
#[case(Kind::MySql, MYSQL_LISTS)]
#[case(Kind::Sqlite, SQLITE_LISTS)]
#[tokio::test]
async fn a_list_is_an_array_a_json_array_or_text_split_at_commas(#[case] kind: Kind, #[case] lists: Lists) {
    let database = Database::new(kind).await;
    for (expression, expected) in lists {
        let expected: Vec<String> = expected.iter().map(|&element| element.to_owned()).collect();
        assert_eq!(
            column(&database, "emails", expression).await.unwrap().emails,
            Some(expected.clone()),
            "{expression}"
        );
        assert_eq!(
            column(&database, "group_tags", expression).await.unwrap().group_tags,
            Some(expected),
            "{expression}"
        );
    }
    for wrong in ["7", "'[1, {}]'", "'[\"a\"'", "'[[\"a\"]]'"] {
        assert!(column(&database, "emails", wrong).await.unwrap_err().starts_with("emails is"), "{wrong}");
    }
}

#[rstest]
#[case(Kind::Postgres, "::jsonb")]
#[case(Kind::Postgres, "::json")]
#[case(Kind::Postgres, "")]
#[case(Kind::MySql, "")]
#[case(Kind::Sqlite, "")]
#[tokio::test]
async fn a_whole_object_is_json_and_keeps_its_digits(#[case] kind: Kind, #[case] cast: &str) {
    let database = Database::new(kind).await;
    let whole = |text: &str| Some(Object::Whole(text.to_owned()));
    let literal = |text: &str| format!("'{text}'{cast}");
    let properties =
        column(&database, "properties", &literal(r#"{"a": 12345678901234567890.120, "b": {"c": [1, null]}}"#))
            .await
            .unwrap();
    assert_eq!(properties.properties, whole(r#"{"a": 12345678901234567890.120, "b": {"c": [1, null]}}"#));
    let mapping = column(&database, "mapping", &literal(r#"{"134": 386, "40": "213"}"#)).await.unwrap();
    assert_eq!(mapping.mapping, whole(r#"{"134":"386","40":"213"}"#), "a data source is named by a string");
    for (null, properties, mapping) in [("null", whole("{}"), None), (&*literal("null"), whole("{}"), None)] {
        assert_eq!(column(&database, "properties", null).await.unwrap().properties, properties, "{null}");
        assert_eq!(column(&database, "mapping", null).await.unwrap().mapping, mapping, "{null}");
    }
    assert_eq!(
        column(&database, "properties", &literal("[1]")).await.unwrap_err(),
        "properties is JSON, but not an object"
    );
    assert!(column(&database, "mapping", &literal(r#"{"40": {}}"#)).await.unwrap_err().contains("'40'"));
    if cast.is_empty() {
        assert_eq!(column(&database, "properties", "'{\"a\":'").await.unwrap_err(), "properties is not valid JSON");
    }
    let deep = format!("{}1{}", "[".repeat(64), "]".repeat(64));
    let reason = column(&database, "properties", &literal(&format!(r#"{{"a": {deep}}}"#))).await.unwrap_err();
    assert_eq!(reason, "properties is JSON nested deeper than 64 levels");
}

#[rstest]
#[case(Kind::Postgres, &["true", "'t'", "'TRUE'", "1", "'1'"], &["false", "'f'", "'False'", "0", "null"])]
#[case(Kind::MySql, &["true", "'t'", "'TRUE'", "1", "cast(1 as decimal)"], &["false", "'f'", "'False'", "0", "null"])]
#[case(Kind::Sqlite, &["true", "'t'", "'TRUE'", "1", "'1'"], &["false", "'f'", "'False'", "0", "null"])]
#[tokio::test]
async fn a_flag_is_a_boolean_in_any_of_its_spellings(#[case] kind: Kind, #[case] set: &[&str], #[case] unset: &[&str]) {
    let database = Database::new(kind).await;
    for (expressions, expected) in [(set, true), (unset, false)] {
        for expression in expressions {
            let tenant = column(&database, "is_demo_group", expression).await.unwrap();
            assert_eq!(tenant.is_demo_group, Some(expected), "{expression}");
        }
    }
    for wrong in ["2", "'yes'", "''", "0.5"] {
        assert!(column(&database, "is_demo_group", wrong).await.is_err(), "{wrong}");
    }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn null_means_what_the_table_says_or_is_left_alone_where_asked(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let names = [
        "name",
        "emails",
        "group_tags",
        "properties",
        "is_demo_group",
        "hierarchy_level_name",
        "mapping.40",
        "mapping.41",
    ];
    let columns: Vec<_> = names.iter().map(|name| format!("null as {}", database.quoted(name))).collect();
    let query = format!("select 'id' as provided_id, {}", columns.join(", "));
    let id = || "id".to_owned();
    let read = rows(&database, &query).await.remove(0);
    let expected = Tenant {
        provided_id: id(),
        emails: Some(Vec::new()),
        group_tags: Some(Vec::new()),
        properties: Some(Object::Whole("{}".to_owned())),
        is_demo_group: Some(false),
        ..Tenant::default()
    };
    assert_eq!(read, Ok(expected));

    let leave_null = names.iter().map(|&name| name.to_owned()).collect();
    let left = rows_of(SqlSettings { leave_null, ..settings(&database, &query) }).await.unwrap().remove(0);
    assert_eq!(left, Ok(Tenant { provided_id: id(), ..Tenant::default() }));

    let dotted = format!(
        "select 'id' as provided_id, null as {}, null as {}",
        database.quoted("properties.a"),
        database.quoted("properties.b")
    );
    let leave_null = vec!["properties.b".to_owned()];
    let read = rows_of(SqlSettings { leave_null, ..settings(&database, &dotted) }).await.unwrap().remove(0);
    assert_eq!(read.unwrap().properties, Some(Object::Keys(vec![("a".to_owned(), None)])), "a goes, b is left alone");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn bad_rows_are_invalid_one_by_one_and_the_good_ones_are_kept(#[case] kind: Kind) {
    let database = database_with(
        kind,
        "create table tenants (position int, id varchar(20), name text, emails text, properties text);
         insert into tenants values (1, 'good', 'G', 'g@g.example', '{}'), (2, null, 'N', '', '{}'), (3, '', 'E', '', '{}'),
         (4, 'list', 'L', '[1, {}]', '{}'), (5, 'both', 'B', '[', '[]'), (6, 'twice', 'T', '', '{}'),
         (7, 'twice', 'T', '', '{}'), (8, 'last', 'Z', '', '{\"a\":1}')",
    )
    .await;
    let query = "select id as provided_id, name, emails, properties from tenants order by position";
    let rows = rows(&database, query).await;
    let good: Vec<_> = rows.iter().flatten().map(|tenant| tenant.provided_id.as_str()).collect();
    assert_eq!(good, ["good", "twice", "twice", "last"]);

    let mut index = Index::new(Fingerprints::new(1));
    for row in rows {
        index.insert(row);
    }
    let planned: Vec<_> = index.unlisted().map(|row| index.provided_id(row).to_owned()).collect();
    assert_eq!((index.rows(), planned), (8, vec!["good".to_owned(), "last".to_owned()]));
    let invalid: Vec<_> = index.invalid().iter().map(|(id, reason)| (id.as_deref(), reason.as_str())).collect();
    let expected = [
        (None, "row 2: provided_id is NULL"),
        (Some("both"), "emails is not valid JSON; properties is JSON, but not an object"),
        (Some("list"), "emails is a JSON array with an element that is not a string"),
        (Some("twice"), "more than one row has this provided_id: make the query return it once"),
    ];
    assert_eq!(invalid, expected);
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_query_can_neither_write_nor_be_several(#[case] kind: Kind) {
    let database =
        database_with(kind, "create table tenants (id varchar(20), name text); insert into tenants values ('a', 'A')")
            .await;
    let select = "select id as provided_id, name from tenants";
    let writing = [
        "delete from tenants",
        "insert into tenants values ('b', 'B')",
        "update tenants set name = 'X'",
        "drop table tenants",
    ];
    for statement in writing {
        assert!(rows_of(settings(&database, statement)).await.is_err(), "{statement}");
        let after = rows_of(settings(&database, &format!("{select}; {statement}"))).await;
        assert!(after.is_err(), "{select}; {statement}: {after:?}");
    }
    assert!(rows_of(settings(&database, &format!("{select}; {select}"))).await.is_err());
    let kept = rows(&database, &format!("{select};\n")).await;
    assert_eq!(kept.len(), 1, "nothing was written, and one semicolon may end it");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn an_error_names_the_place_and_the_cause_and_no_password(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let failed = |query: &'static str| rows_of(settings(&database, query));
    let message = failed("select nonsense from nowhere").await.unwrap_err().to_string();
    assert!(message.contains("nowhere") || message.contains("nonsense"), "{message}");
    let columns = failed("select 1 as id, 2 as email").await.unwrap_err();
    assert!(columns.is_about_config() && columns.to_string().contains("did you mean 'emails'"), "{columns}");
    for message in [message, columns.to_string(), Sql::new(settings(&database, "")).unwrap().place()] {
        assert!(!message.contains("secret"), "{message}");
    }
    let mut gone = settings(&database, "select 1 as provided_id");
    gone.url = match kind {
        Kind::Postgres => "postgres://u:pg-secret@127.0.0.1:1/db".to_owned().into(),
        Kind::MySql => "mysql://u:my-secret@127.0.0.1:1/db".to_owned().into(),
        Kind::Sqlite => "sqlite:///nowhere/tenants.db".to_owned().into(),
    };
    let error = rows_of(gone).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }) && !error.to_string().contains("secret"), "{error}");
}

#[rstest]
#[case(Kind::Postgres, "select pg_sleep(9)::text as provided_id")]
#[case(Kind::MySql, "select sleep(9) as provided_id")]
#[tokio::test]
async fn a_database_that_is_silent_for_too_long_is_given_up(#[case] kind: Kind, #[case] query: &str) {
    let database = Database::new(kind).await;
    let error =
        rows_of(SqlSettings { timeout: Duration::from_secs(1), ..settings(&database, query) }).await.unwrap_err();
    assert!(error.to_string().contains("silent for 1 s while sending rows"), "{error}");
}

#[rstest]
#[case(Kind::Postgres, "sslmode=verify-full")]
#[case(Kind::MySql, "ssl-mode=VERIFY_IDENTITY")]
#[tokio::test]
async fn tls_is_verified_against_the_authority_that_is_named(#[case] kind: Kind, #[case] mode: &str) {
    let database = Database::new(kind).await;
    let verified = |ca_file: Option<String>| SqlSettings {
        url: format!("{}?{mode}", database.url.replace("127.0.0.1", "localhost")).into(),
        ca_file: ca_file.map(Into::into),
        ..settings(&database, "select 1 as provided_id")
    };
    let error = rows_of(verified(None)).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    let authority = std::env::var("TEST_CA_FILE").unwrap();
    assert_eq!(rows_of(verified(Some(authority))).await.unwrap().len(), 1);
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[tokio::test]
async fn the_password_may_stand_apart_from_the_url(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let mut url: url::Url = database.url.parse().unwrap();
    let password = url.password().unwrap().to_owned();
    url.set_password(None).unwrap();
    let with = |password: Option<&str>| SqlSettings {
        url: url.to_string().into(),
        password: password.map(Into::into),
        ..settings(&database, "select 1 as provided_id")
    };
    assert_eq!(rows_of(with(Some(&password))).await.unwrap().len(), 1);
    let error = rows_of(with(Some("wrong-secret"))).await.unwrap_err().to_string();
    assert!(!error.contains("wrong-secret"), "{error}");
}
