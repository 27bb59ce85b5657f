//! What a database cuts or drops on its way is an error that names it; what is only large is whole, or one invalid row.

use std::collections::BTreeSet;

use explo_sync::{
    model::{Row, Tenant},
    source::{Error, Source, Sql, SqlSettings},
};
use rstest::rstest;
use url::Url;

use super::{owned, read, rows};
use crate::support::{Database, Kind, settings};

const LIST: &str = "GROUP_CONCAT or JSON_ARRAYAGG cut a list that is longer than max_allowed_packet";
const PACKET: &str = "the result of a function was larger than max_allowed_packet, and dropped";
const ROOM: &str = "a value did not fit into the type or length that its column has, and was cut";
const DEPTH: &str = "JSON is nested deeper than a JSON function of the server reads, and was dropped";
const CHARACTERS: &str =
    "a text has characters that the character set it is converted to lacks, and they were replaced or dropped";
const COUNT: &str = "it gives more warnings than the server keeps";

/// A number that a text is not: a warning for each.
const NO_NUMBER: &str = "cast(concat('12 ', seq) as signed)";

/// A list that is longer than a packet.
const TOO_LONG: &str =
    "(select group_concat(repeat('x', @@max_allowed_packet div 2)) from (select 1 union select 2 union select 3) t)";

const TOO_LONG_JSON: &str =
    "(select json_arrayagg(repeat('x', @@max_allowed_packet div 2)) from (select 1 union select 2 union select 3) t)";

/// A table of so many rows, counted by `seq`.
fn counted(rows: usize) -> String {
    format!("json_table(concat('[', repeat('0,', {rows} - 1), '0]'), '$[*]' columns (seq for ordinality)) counted")
}

/// What MySQL makes of it where MariaDB warns.
enum InMySql {
    Warned,
    /// At the latest where one id is asked for.
    Refused,
    /// It does not say so, or takes what is larger.
    Untold,
}

/// What was lost, of a query that must not give a plan.
async fn lost(source: &Sql, ids: Option<&[&str]>) -> Option<String> {
    let (mut take, is_one) = (|_: &Row<'_>| {}, ids.is_some());
    let ids = ids.map(|ids| ids.iter().map(ToString::to_string).collect());
    let read = match ids {
        None => source.read(&mut take).await,
        Some(ids) => source.read_some(&ids, &mut take).await.map(drop),
    };
    let error = read.err()?;
    let message = error.to_string();
    if matches!(error, Error::Query { .. }) {
        return Some(message);
    }
    assert!(!error.is_about_config(), "{error}");
    assert!(!message.contains("SECRET"), "{message}");
    let Error::Lost { key, what, way_out, .. } = error else { panic!("{message}") };
    assert_eq!(key, if is_one { "source.query_one" } else { "source.query" });
    assert_eq!(
        message,
        format!("{} lost a part of what {key} selects: {what}. Nothing was planned; {way_out}", source.place())
    );
    Some(what.to_owned())
}

fn source(database: &Database, query: &str) -> Sql {
    Sql::new(settings(&database.url, query)).unwrap()
}

/// A row whose name is an expression.
fn named(expression: &str) -> String {
    format!("select 'x' as provided_id, {expression} as name")
}

#[rstest]
#[case::list(TOO_LONG, LIST, InMySql::Untold)]
#[case::json_list(TOO_LONG_JSON, LIST, InMySql::Refused)]
#[case::concatenated("concat('SECRET', repeat('x', @@max_allowed_packet))", PACKET, InMySql::Warned)]
#[case::padded("rpad('SECRET', @@max_allowed_packet + 1, 'x')", PACKET, InMySql::Warned)]
#[case::json("json_object('SECRET', repeat('x', @@max_allowed_packet - 10))", PACKET, InMySql::Refused)]
#[case::out_of_range("cast(12345.6 as decimal(3,1))", ROOM, InMySql::Warned)]
#[case::overflow("cast(1e30 as signed)", ROOM, InMySql::Untold)]
#[case::cut("cut('SECRET')", ROOM, InMySql::Warned)]
#[case::question_mark("convert('SECRET 株式会社' using latin1)", CHARACTERS, InMySql::Untold)]
#[case::no_text("convert(x'61ff' using utf8mb4)", CHARACTERS, InMySql::Warned)]
#[case::deep("json_extract(concat(repeat('[', 101), repeat(']', 101)), '$[0]')", DEPTH, InMySql::Refused)]
#[tokio::test]
async fn what_mysql_cuts_or_drops_is_an_error_that_names_it(
    #[case] expression: &str,
    #[case] what: &str,
    #[case] in_mysql: InMySql,
) {
    let database = Database::new(Kind::MySql).await;
    let in_mysql = if database.is_mariadb().await { InMySql::Warned } else { in_mysql };
    // A function keeps the mode in which it was made: this one cuts.
    database.execute("set sql_mode = ''; create function cut(a text) returns varchar(3) no sql return a").await;
    let whole = source(&database, &named(expression));
    let lost_in_whole = lost(&whole, None).await;
    match in_mysql {
        InMySql::Warned => assert_eq!(lost_in_whole.as_deref(), Some(what)),
        InMySql::Refused => assert!(lost_in_whole.is_some()),
        InMySql::Untold => return assert_eq!(lost_in_whole, None),
    }

    let settings = settings(&database.url, "select 'x' as provided_id, 'whole' as name");
    let one = format!("select * from ({}) t where provided_id = ?", named(expression));
    let one = Sql::new(SqlSettings { query_one: Some(one), ..settings }).unwrap();
    assert_eq!(lost(&one, None).await, None, "only the other query loses something");
    let lost_in_one = lost(&one, Some(&["a", "x"])).await.unwrap();
    assert!(lost_in_one == what || matches!(in_mysql, InMySql::Refused), "{lost_in_one}");
}

#[tokio::test]
async fn rows_that_were_not_looked_at_are_lost() {
    let database = Database::new(Kind::MySql).await;
    database.execute(&format!("create table t as select seq from {}", counted(1000))).await;
    let all = "select a.seq as provided_id from t a join t b limit rows examined 500";
    let what = "LIMIT ROWS EXAMINED ended the query before all rows were read";
    let what = if database.is_mariadb().await { what } else { "error in your SQL syntax" };
    assert!(lost(&source(&database, all), None).await.unwrap().contains(what));
}

#[tokio::test]
async fn what_a_query_makes_of_a_value_is_no_loss() {
    let database = Database::new(Kind::MySql).await;
    let column = "column_get(column_create('a', '12 SECRET'), 'a' as int)";
    let asked = [
        ("cast('12 SECRET' as signed)", Some("12")),
        ("cast('ANN SECRET' as char(3))", Some("ANN")),
        ("cast('SECRET' as date)", None),
        ("left('ANN SECRET', 3)", Some("ANN")),
        ("cast(1.239 as decimal(3,2))", Some("1.24")),
        ("cast('2024-02-29 12:30:00.1234567' as datetime)", Some("2024-02-29 12:30:00")),
        ("1 / 0", None),
        ("str_to_date('SECRET', '%Y')", None),
        ("json_value('{SECRET', '$.a')", None),
        ("json_valid('{SECRET')", Some("0")),
        (if database.is_mariadb().await { column } else { "'12 SECRET' + 0" }, Some("12")),
        ("if('12 SECRET' = 12, 'same', 'other')", Some("same")),
        ("date_add('9999-12-31', interval 1 year)", None),
    ];
    for (expression, name) in asked {
        let [Ok(tenant)] = &read(&database, &named(expression)).await[..] else { panic!("{expression}") };
        assert_eq!(tenant.name.as_deref(), name, "{expression}");
    }
}

#[tokio::test]
async fn a_warning_that_is_not_kept_is_not_hidden() {
    let database = Database::new(Kind::MySql).await;
    let warnings = |count| format!("select seq as provided_id, {NO_NUMBER} as name from {}", counted(count));
    assert_eq!(lost(&source(&database, &warnings(65_535)), None).await, None);
    let no_room = format!("(select cast(max(seq) + 999 as decimal(3,1)) from {})", counted(2));
    let hidden = format!("{} union all select 'last', {no_room}", warnings(65_535));
    for query in [warnings(65_536), hidden] {
        let what = lost(&source(&database, &query), None).await.unwrap();
        assert!(what.starts_with(COUNT), "{what}");
    }
    let first = format!("select 'first' as provided_id, {no_room} as name union all {}", warnings(65_536));
    assert_eq!(lost(&source(&database, &first), None).await.as_deref(), Some(ROOM), "what is known is told");

    // In MySQL it takes a right to have as many kept.
    let keeps = if database.is_mariadb().await { 65_535 } else { 1024 };
    database.execute("create user if not exists warned identified by 'my-secret'").await;
    let mut url: Url = database.url.parse().unwrap();
    url.set_username("warned").unwrap();
    url.set_path("/information_schema");
    let by_role = |count| Sql::new(settings(url.as_str(), &warnings(count))).unwrap();
    assert_eq!(lost(&by_role(keeps), None).await, None);
    assert!(lost(&by_role(keeps + 1), None).await.unwrap().starts_with(COUNT));
}

#[tokio::test]
async fn a_list_is_whole_however_short_the_server_cuts_its_own() {
    let database = Database::new(Kind::MySql).await;
    let server = database.rows("select @@group_concat_max_len").await[0][0].clone().unwrap();
    let addresses = counted(60_000);
    let addresses = format!("from (select concat('somebody', seq, '@tenant.example') as email from {addresses}) t");
    assert!(60_000 * 25 > server.parse::<usize>().unwrap(), "as long as the server would cut it");
    for list in ["group_concat", "json_arrayagg"] {
        let rows = read(&database, &format!("select 'x' as provided_id, {list}(email) as emails {addresses}")).await;
        let emails: BTreeSet<_> = rows[0].as_ref().unwrap().emails.iter().flatten().collect();
        assert_eq!(emails.len(), 60_000, "{list}");
    }
}

#[tokio::test]
async fn every_character_arrives_whatever_character_set_the_url_names() {
    let database = Database::new(Kind::MySql).await;
    let url = format!("{}?charset=latin1", database.url);
    let rows = rows(settings(&url, &named("'株式会社 🦀'"))).await.unwrap();
    assert_eq!(rows[0].as_ref().unwrap().name.as_deref(), Some("株式会社 🦀"));
}

#[tokio::test]
async fn nothing_is_cut_by_what_a_server_sets_for_each_session() {
    let database = Database::new(Kind::MySql).await;
    let set = |(variable, value): &(&str, u8)| {
        format!("{variable} = cast(if(user() like 'limited@%', {value}, @@{variable}) as unsigned)")
    };
    let sets = [("sql_select_limit", 1), ("group_concat_max_len", 4), ("max_error_count", 0)];
    // In MySQL no role of this kind may set the last one.
    let sets = if database.is_mariadb().await { &sets[..] } else { &sets[..2] };
    let sets = sets.iter().map(set).collect::<Vec<_>>().join(", ");
    let init = format!("set global init_connect = \"set {sets}\"");
    database.execute(&format!("create user if not exists limited identified by 'my-secret'; {init}")).await;
    let mut url: Url = database.url.parse().unwrap();
    url.set_username("limited").unwrap();
    url.set_path("/information_schema");
    let list = "(select group_concat(id) from (select 1 id union select 2 union select 3 union select 4) t) as emails";
    let query = format!("select 'x' as provided_id, {list} union all select 'y', '5'");
    let rows = rows(settings(url.as_str(), &query)).await.unwrap();
    let emails: Vec<_> = rows.iter().flatten().map(|tenant| tenant.emails.clone().unwrap()).collect();
    assert_eq!(emails, [vec!["1", "2", "3", "4"], vec!["5"]]);
    let cut = Sql::new(settings(url.as_str(), &named("cast(12345.6 as decimal(3,1))"))).unwrap();
    assert_eq!(lost(&cut, None).await.as_deref(), Some(ROOM), "and no warning is dropped");
    database.execute("set global init_connect = ''").await;
}

/// The driver takes such a row for the end.
#[tokio::test]
async fn a_row_that_looks_like_the_end_is_an_error() {
    let database = Database::new(Kind::MySql).await;
    let long = "make_set(3, repeat('x', 9000000), repeat('x', 9000000))";
    let what = "a row whose first column has 16 MiB or more looks like the end of all rows";
    for others in [
        "",
        " union all select 'b', 'y'",
        " union all select null, 'y'",
        &format!(" union all select repeat('z', 251), seq from {}", counted(1000)),
    ] {
        let query = format!("select 'a' as name, 'x' as provided_id union all select {long}, 'z'{others}");
        assert_eq!(lost(&source(&database, &query), None).await.as_deref(), Some(what), "{others}");
    }
    let rows = read(&database, &format!("select 'x' as provided_id, {long} as name union all select 'y', 'b'")).await;
    assert!(rows[0].is_err() && rows[1].is_ok(), "in another column it is one invalid row");
}

/// A text of so many bytes.
fn repeated(kind: Kind, bytes: usize) -> String {
    match kind {
        Kind::Postgres | Kind::MySql => format!("repeat('x', {bytes})"),
        Kind::Sqlite => format!("substr(hex(zeroblob({})), 1, {bytes})", bytes / 2 + 1),
    }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_row_of_more_than_16_mib_is_one_invalid_row(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let text = |bytes| repeated(kind, bytes);
    let row = |id: &str, first: usize, second: usize| {
        format!(
            "select {} as name, '{id}' as provided_id, {} as {}",
            text(first),
            text(second),
            database.quoted("properties.a")
        )
    };
    let most = 16 << 20;
    let rest = most - 9_000_000 - "whole".len();
    let queries = [row("a", 1, 1), row("whole", 9_000_000, rest), row("large", 9_000_000, rest + 1), row("z", 1, 1)];
    let query = queries.join(" union all ");
    let expected = [
        ("a", None),
        ("whole", None),
        ("large", Some("the row has 16777217 bytes; the limit is 16777216 (16 MiB)")),
        ("z", None),
    ];
    let told = |rows: &[Row<'_>]| -> Vec<(String, Option<String>)> {
        let told = |row: &Row<'_>| match row {
            Ok(tenant) => {
                let Tenant { provided_id, name, .. } = tenant;
                let bytes = if provided_id == "whole" { 9_000_000 } else { 1 };
                assert_eq!(name.as_ref().map(|name| name.len()), Some(bytes), "{provided_id}");
                (provided_id.to_string(), None)
            }
            Err(invalid) => (invalid.provided_id.clone().unwrap(), Some(invalid.reason.clone())),
        };
        rows.iter().map(told).collect()
    };
    let expected = expected.map(|(id, reason)| (id.to_owned(), reason.map(str::to_owned)));
    assert_eq!(told(&read(&database, &query).await), expected);

    let placeholder = if kind == Kind::Postgres { "$1" } else { "?" };
    let one = format!("select * from ({query}) t where provided_id = {placeholder}");
    let source = Sql::new(SqlSettings { query_one: Some(one), ..settings(&database.url, &query) }).unwrap();
    let mut found = Vec::new();
    let ids = ["large", "z"].map(str::to_owned).into();
    source.read_some(&ids, &mut |row| found.push(owned(row.clone()))).await.unwrap();
    assert_eq!(told(&found), expected[2..]);
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn an_id_that_is_too_large_itself_is_not_kept(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let query = format!("select {} as provided_id, 'Ann' as name", repeated(kind, 16_777_217));
    let invalid = read(&database, &query).await.remove(0).unwrap_err();
    let reason = "the row has 16777220 bytes; the limit is 16777216 (16 MiB)";
    assert_eq!((invalid.provided_id, &*invalid.reason), (None, reason));
}

#[tokio::test]
async fn bytes_that_are_no_text_make_one_invalid_row_in_a_database_without_an_encoding() {
    let server = Database::new(Kind::Postgres).await;
    let mut url: Url = server.url.parse().unwrap();
    let name = format!("{}_ascii", url.path().trim_start_matches('/'));
    server.execute(&format!("create database {name} encoding 'SQL_ASCII' locale 'C' template template0")).await;
    url.set_path(&name);
    let rows_of = |query: &str| settings(url.as_str(), query);
    let bytes = r"convert_from('\x636166e9', 'sql_ascii')";
    let query = format!(
        "select id as provided_id, name, array[name] as emails from (values ('1', 'café'), ('2', {bytes}), ('3', null), ({bytes}, 'é')) \
         t(id, name)"
    );
    let no_text = "is bytes that are not UTF-8 text";
    let expected = [
        Ok("café".to_owned()),
        Err(format!(
            "name {no_text}: text is needed; emails {no_text}: an array, a JSON array or text split at commas is needed"
        )),
        Ok(String::new()),
        Err(format!("provided_id {no_text}")),
    ];
    let told = |row: &Row<'_>| match row {
        Ok(tenant) => Ok(tenant.name.as_deref().unwrap_or_default().to_owned()),
        Err(invalid) => Err(invalid.reason.clone()),
    };
    let read = rows(rows_of(&query)).await.unwrap();
    assert_eq!(read.iter().map(told).collect::<Vec<_>>(), expected);

    let one = format!("select * from ({query}) t where provided_id = $1");
    let source = Sql::new(SqlSettings { query_one: Some(one), ..rows_of(&query) }).unwrap();
    let mut found = Vec::new();
    let ids = ["1", "2", "é"].map(str::to_owned).into();
    source.read_some(&ids, &mut |row| found.push(told(row))).await.unwrap();
    assert_eq!(found, expected[..2]);
    server.execute(&format!("drop database {name} with (force)")).await;
}
