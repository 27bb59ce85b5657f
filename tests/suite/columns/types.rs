//! Every column type: printed as the database prints it, as an id, a name, a level and a data source; a number, a boolean,
//! JSON or text as a property.

use std::borrow::Cow;

use explo_sync::model::{Object, Tenant, json};
use futures_util::{StreamExt, stream};
use rstest::rstest;

use super::{column, read};
use crate::support::{Database, Kind};

/// What a value is as text, and as a property.
#[derive(Clone)]
struct Seen {
    printed: &'static str,
    property: &'static str,
}

/// A number, or JSON: as it is in both.
const fn bare(printed: &'static str) -> Seen {
    Seen { printed, property: printed }
}

/// Text: quoted as a property, which an empty one stands for.
const fn text(printed: &'static str) -> Seen {
    Seen { printed, property: "" }
}

type Types = &'static [(&'static str, &'static str, Seen)];

const POSTGRES: Types = &[
    ("smallint", "-32768", bare("-32768")),
    ("integer", "2147483647", bare("2147483647")),
    ("bigint", "-9223372036854775808", bare("-9223372036854775808")),
    ("bigint", "9223372036854775807", bare("9223372036854775807")),
    ("oid", "4294967295", bare("4294967295")),
    ("numeric(38,10)", "1234567890123456789012345678.0123456789", bare("1234567890123456789012345678.0123456789")),
    ("numeric", "-0.1000", bare("-0.1000")),
    ("numeric", "1e-20", bare("0.00000000000000000001")),
    ("real", "0.1", bare("0.1")),
    ("real", "16777217", bare("1.6777216e+07")),
    ("double precision", "0.1::float8 + 0.2::float8", bare("0.30000000000000004")),
    ("double precision", "-1e300", bare("-1e+300")),
    ("double precision", "5e-324", bare("5e-324")),
    ("boolean", "true", Seen { printed: "t", property: "true" }),
    ("boolean", "false", Seen { printed: "f", property: "false" }),
    (
        "json",
        r#"' {"b":  [1.50, 1e2], "a": null} '"#,
        Seen { printed: r#" {"b":  [1.50, 1e2], "a": null} "#, property: r#"{"b":  [1.50, 1e2], "a": null}"# },
    ),
    ("jsonb", r#"'{"b": 12345678901234567890.10, "a": "x"}'"#, bare(r#"{"a": "x", "b": 12345678901234567890.10}"#)),
    ("jsonb", r#"'"x"'"#, bare(r#""x""#)),
    ("jsonb", "'1.50'", bare("1.50")),
    ("text", "'007'", text("007")),
    ("text", "'NULL'", text("NULL")),
    ("varchar(9)", "' ab '", text(" ab ")),
    ("char(4)", "'ab'", text("ab  ")),
    ("\"char\"", "'c'", text("c")),
    ("name", "'n'", text("n")),
    ("citext", "'Ab'", text("Ab")),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("date", "'2024-02-29'", text("2024-02-29")),
    ("date", "'infinity'", text("infinity")),
    ("timestamp", "'2024-02-29 12:30:00.123456'", text("2024-02-29 12:30:00.123456")),
    ("timestamptz", "'2024-02-29 12:30:00+02'", text("2024-02-29 10:30:00+00")),
    ("time", "'23:59:59.5'", text("23:59:59.5")),
    ("interval", "'1 day 2:03:04'", text("1 day 02:03:04")),
    ("bytea", r"'\x00ff'", text(r"\x00ff")),
    ("inet", "'192.168.0.1/24'", text("192.168.0.1/24")),
    ("cidr", "'10.0.0.0/8'", text("10.0.0.0/8")),
    ("macaddr", "'08:00:2b:01:02:03'", text("08:00:2b:01:02:03")),
    ("money", "12.5", text("$12.50")),
    ("bit(4)", "B'0101'", text("0101")),
    ("point", "'(1,2.5)'", text("(1,2.5)")),
    ("int4range", "'[1,5)'", text("[1,5)")),
    ("colour", "'green'", text("green")),
    ("pair", "row(1, 'x y')", text(r#"(1,"x y")"#)),
    ("price", "7.50", bare("7.50")),
    ("discount", "-0.10", bare("-0.10")),
    ("flag", "true", Seen { printed: "t", property: "true" }),
    ("document", "'[1, {}]'", bare("[1, {}]")),
    ("label", "'x'", text("x")),
    ("text[]", "array['a', 'b c', null]", text(r#"{a,"b c",NULL}"#)),
];

const POSTGRES_OWN: &str = "create extension citext; create type colour as enum ('red', 'green'); \
    create type pair as (a int, b text); create domain price as numeric(20,2); create domain discount as price; \
    create domain flag as boolean; create domain document as jsonb; create domain label as citext;";

const MYSQL: Types = &[
    ("tinyint(1)", "true", bare("1")),
    ("boolean", "false", bare("0")),
    ("tinyint(1)", "-128", bare("-128")),
    ("tinyint unsigned", "255", bare("255")),
    ("smallint", "-32768", bare("-32768")),
    ("mediumint unsigned", "16777215", bare("16777215")),
    ("int", "-2147483648", bare("-2147483648")),
    ("int(5) zerofill", "42", Seen { printed: "00042", property: "42" }),
    ("int(5) zerofill", "0", Seen { printed: "00000", property: "0" }),
    ("bigint", "-9223372036854775808", bare("-9223372036854775808")),
    ("bigint unsigned", "18446744073709551615", bare("18446744073709551615")),
    (
        "decimal(65,30)",
        "-12345678901234567890123456789012345.012345678901234567890123456789",
        bare("-12345678901234567890123456789012345.012345678901234567890123456789"),
    ),
    ("decimal(6,2) unsigned zerofill", "7.5", Seen { printed: "0007.50", property: "7.50" }),
    ("decimal(3,2)", "-0.10", bare("-0.10")),
    ("float", "0.1", bare("0.1")),
    ("float unsigned", "1e30", bare("1e30")),
    ("double", "0.1e0 + 0.2e0", bare("0.30000000000000004")),
    ("double", "-1e300", bare("-1e300")),
    ("bit(1)", "b'1'", Seen { printed: "1", property: "1" }),
    ("bit(12)", "b'100000000001'", bare("2049")),
    ("bit(64)", "18446744073709551615", bare("18446744073709551615")),
    ("year", "2024", bare("2024")),
    ("varchar(9)", "' ab '", text(" ab ")),
    ("varchar(9) character set utf8mb4 collate utf8mb4_bin", "'Äb🦀'", text("Äb🦀")),
    ("varchar(9) character set latin1", "'é'", text("é")),
    ("char(4)", "'ab'", text("ab")),
    ("longtext", "'007'", text("007")),
    ("binary(4)", "'ab'", text("ab\0\0")),
    ("blob", "'é'", text("é")),
    ("enum('red', 'green')", "'green'", text("green")),
    ("set('a', 'b')", "'b,a'", text("a,b")),
    ("date", "'2024-02-29'", text("2024-02-29")),
    ("datetime(6)", "'2024-02-29 12:30:00.123456'", text("2024-02-29 12:30:00.123456")),
    ("time", "'-838:59:59'", text("-838:59:59")),
];

const MARIADB_OWN: Types = &[
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("inet6", "'::1'", text("::1")),
    // Its JSON is text; it does not tell them apart.
    ("json", r#"'{"a": 1.50}'"#, text(r#"{"a": 1.50}"#)),
];

/// Its JSON keeps a fraction as a double.
const MYSQL_OWN: Types = &[
    ("json", r#"'{"b": 12345678901234567890, "a": 1.50}'"#, bare(r#"{"a": 1.5, "b": 12345678901234567890}"#)),
    ("json", r#"'"x"'"#, bare(r#""x""#)),
];

/// Here values have types; those of columns are wishes.
const SQLITE: Types = &[
    ("integer", "-9223372036854775808", bare("-9223372036854775808")),
    ("bigint", "9223372036854775807", bare("9223372036854775807")),
    ("integer", "'abc'", text("abc")),
    ("boolean", "true", bare("1")),
    ("real", "0.1 + 0.2", bare("0.30000000000000004")),
    ("real", "1", bare("1.0")),
    ("real", "-1e300", bare("-1e300")),
    ("real", "5e-324", bare("5e-324")),
    ("numeric", "1.50", bare("1.5")),
    ("text", "7", text("7")),
    ("text", "'007'", text("007")),
    ("text", "cast(x'610062' as text)", text("a\0b")),
    ("blob", "x'c3a9'", text("é")),
    ("datetime", "'2024-02-29 12:30:00'", text("2024-02-29 12:30:00")),
    ("date", "20240229", bare("20240229")),
    ("json", r#"'{"a": 1.50}'"#, text(r#"{"a": 1.50}"#)),
];

#[rstest]
#[case(Kind::Postgres, POSTGRES_OWN, POSTGRES)]
#[case(Kind::MySql, "", MYSQL)]
#[case(Kind::Sqlite, "", SQLITE)]
#[tokio::test]
async fn every_type_is_exact_to_the_digit_and_byte(#[case] kind: Kind, #[case] own: &str, #[case] types: Types) {
    let database = Database::new(kind).await;
    let further = match kind {
        Kind::MySql if database.is_mariadb().await => MARIADB_OWN,
        Kind::MySql => MYSQL_OWN,
        Kind::Postgres | Kind::Sqlite => &[],
    };
    let types = [types, further].concat();
    let numbered = |part: fn(&(&str, &str, Seen)) -> String| types.iter().map(part).collect::<Vec<_>>();
    let columns = numbered(|(column_type, ..)| (*column_type).to_owned()).into_iter().zip(0..);
    let columns = columns.map(|(column_type, n)| format!("c{n} {column_type}")).collect::<Vec<_>>().join(", ");
    let values = numbered(|(_, value, _)| (*value).to_owned()).join(", ");
    database.execute(&format!("{own} create table types ({columns}); insert into types values ({values})")).await;

    let check = async |(n, (column_type, value, seen)): (usize, &(&str, &str, Seen))| {
        let (property, mapped) = (database.quoted("properties.k"), database.quoted("mapping.40"));
        let query = format!(
            "select c{n} as provided_id, c{n} as name, c{n} as {property}, c{n} as {mapped}, \
             c{n} as hierarchy_level_name from types"
        );
        let printed = || Cow::Borrowed(seen.printed);
        let property = if seen.property.is_empty() { json::quote(seen.printed).into() } else { seen.property.into() };
        let expected = Tenant {
            provided_id: printed(),
            name: Some(printed()),
            properties: Some(Object::Keys(vec![("k".into(), Some(property))])),
            mapping: Some(Object::Keys(vec![("40".into(), Some(json::quote(seen.printed).into()))])),
            hierarchy_level_name: Some(printed()),
            ..Tenant::default()
        };
        assert_eq!(read(&database, &query).await, [Ok(expected)], "{column_type} {value}");
    };
    stream::iter(types.iter().enumerate()).for_each_concurrent(8, check).await;
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn text_arrives_byte_by_byte_also_when_long(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let texts =
        ["", " ", "O'Neill \"& Sons\"\n\t\r\\n \\ % ? $1 :x {} — Ä e\u{301} \u{202e} 🦀👩‍👩‍👧 '; --", &"ü€🦀".repeat(8192)];
    for text in texts {
        let expression = kind.literal(text);
        let tenant = column(&database, "name", &expression).await.unwrap();
        assert_eq!(tenant.name.as_deref(), Some(text));
        let tenant = column(&database, "properties.k", &expression).await.unwrap();
        assert_eq!(tenant.properties, Some(Object::Keys(vec![("k".into(), Some(json::quote(text).into()))])));
    }
}

#[rstest]
#[case(Kind::Postgres, &["'NaN'::real", "'Infinity'::real", "'-Infinity'::float8", "'NaN'::numeric", "'Infinity'::numeric"])]
#[case(Kind::Sqlite, &["9e999", "-9e999"])]
#[tokio::test]
async fn a_number_that_is_not_finite_is_no_property(#[case] kind: Kind, #[case] expressions: &[&str]) {
    let database = Database::new(kind).await;
    for expression in expressions {
        let reason = column(&database, "properties.k", expression).await.unwrap_err();
        assert_eq!(reason, "properties.k is not a finite number, and JSON has no others", "{expression}");
    }
}

#[rstest]
#[case(Kind::MySql, "cast(x'62ff' as binary)")]
#[case(Kind::Sqlite, "x'62ff'")]
#[case(Kind::Sqlite, "cast(x'62ff' as text)")]
#[tokio::test]
async fn bytes_that_are_no_text_are_invalid_in_every_column(#[case] kind: Kind, #[case] bytes: &str) {
    let database = Database::new(kind).await;
    let columns = ["name", "emails", "group_tags", "properties", "mapping", "hierarchy_level_name", "is_demo_group"];
    for name in columns.into_iter().chain(["properties.k", "mapping.40"]) {
        let reason = column(&database, name, bytes).await.unwrap_err();
        assert!(reason.starts_with(&format!("{name} is bytes that are not UTF-8 text")), "{reason}");
    }
    let row = read(&database, &format!("select {bytes} as provided_id")).await.remove(0).unwrap_err();
    assert_eq!((row.provided_id, &*row.reason), (None, "provided_id is bytes that are not UTF-8 text"));
}

#[tokio::test]
async fn bits_are_a_number_also_where_mariadb_computes_them() {
    let database = Database::new(Kind::MySql).await;
    let rows = "create table bits (w bit(12), o bit(8)); insert into bits values (2049, 49)";
    let views =
        "create view kept as select w, o from bits; create view computed as select coalesce(w, w) as w from bits";
    database.execute(&format!("{rows}; {views}")).await;
    let computed = ["max(w)", "coalesce(w, w)", "(select w from bits)", "case when true then w end", "w + 0"];
    let computed = computed.map(|expression| format!("{expression} as `properties.k` from bits"));
    let stored = ["bits", "bits as other", "kept", "computed", "(select w from bits) as merged"];
    let stored = stored.map(|table| format!("w as `properties.k` from {table}"));
    let copied = ["max(w) as `properties.k` from bits group by o", "distinct w as `properties.k` from bits"];
    let copied = copied.map(str::to_owned);
    // 49 is the code of the digit 1.
    let digits = ["bits", "kept"].map(|table| (format!("o as `properties.k` from {table}"), "49"));
    let others = computed.into_iter().chain(stored).chain(copied).map(|query| (query, "2049"));
    for (query, number) in others.chain(digits) {
        // `distinct` stands first.
        let (distinct, rest) = query.strip_prefix("distinct ").map_or(("", &*query), |rest| ("distinct", rest));
        let tenant = read(&database, &format!("select {distinct} 'x' as provided_id, {rest}")).await.remove(0).unwrap();
        assert_eq!(tenant.properties, Some(Object::Keys(vec![("k".into(), Some(number.into()))])), "{query}");
    }
}
