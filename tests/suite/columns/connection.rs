//! The connection: one statement, read only, in one snapshot, in time, verified; and messages that help and hide.

use std::{net::TcpListener, time::Duration};

use explo_sync::{
    model::{Row, Tenant},
    source::{Error, Source, Sql, SqlSettings},
};
use rstest::rstest;
use url::Url;

use super::{read, rows};
use crate::support::{Database, Kind, settings};

const TENANTS: &str = "create table tenants (id int); insert into tenants values (1), (2), (3)";
const SELECT: &str = "select id as provided_id from tenants order by id";

async fn tenants(kind: Kind) -> Database {
    let database = Database::new(kind).await;
    database.execute(TENANTS).await;
    database
}

async fn refused(database: &Database, query: &str) -> Error {
    rows(settings(&database.url, query)).await.err().unwrap_or_else(|| panic!("not refused: {query}"))
}

/// The URL, with something changed.
fn changed(database: &Database, change: impl FnOnce(&mut Url)) -> String {
    let mut url = database.url.parse().unwrap();
    change(&mut url);
    url.into()
}

fn select_one(url: &str) -> SqlSettings {
    settings(url, "select 1 as provided_id")
}

/// The same, with the authority that signed the servers' certificate.
pub(super) fn trusting(settings: SqlSettings) -> SqlSettings {
    SqlSettings { ca_file: std::env::var_os("TEST_CA_FILE").map(|file| std::fs::read(file).unwrap()), ..settings }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_second_statement_is_refused(#[case] kind: Kind) {
    let database = tenants(kind).await;
    for second in [SELECT, "delete from tenants", "select 1 where 1 = 0", "commit", "drop table tenants"] {
        let error = refused(&database, &format!("{SELECT}; {second}")).await;
        assert!(matches!(error, Error::SeveralStatements { .. } | Error::Query { .. }), "{second}: {error}");
        assert_eq!(read(&database, SELECT).await.len(), 3, "{second}");
    }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn comments_and_a_semicolon_at_the_end_are_no_second_statement(#[case] kind: Kind) {
    let database = tenants(kind).await;
    for (before, after) in
        [("", ";"), ("-- all; of them\n", " ; \n"), ("/* ; */ ", " -- the end;"), ("\n", "\n-- the end\n;\n")]
    {
        assert_eq!(read(&database, &format!("{before}{SELECT}{after}")).await.len(), 3, "{before:?} {after:?}");
    }
}

#[tokio::test]
async fn what_postgresql_does_not_copy_is_read_all_the_same() {
    let database = Database::new(Kind::Postgres).await;
    let procedure = "create procedure tenant(inout provided_id text, inout name text) language sql \
                     as $$ select 'a\tb', null::text $$";
    database.execute(procedure).await;
    let tenant = Tenant { provided_id: "a\tb".into(), ..Tenant::default() };
    assert_eq!(read(&database, "call tenant(null, null)").await, [Ok(tenant)]);
}

const WRITES: &[&str] = &[
    "delete from tenants returning id as provided_id",
    "insert into tenants values (4) returning id as provided_id",
    "delete from tenants",
    "drop table tenants",
    "create table more as select id as provided_id from tenants",
];

#[rstest]
#[case(Kind::Postgres, &[
    "update tenants set id = id + 10 returning id as provided_id",
    "with gone as (delete from tenants returning id) select id as provided_id from gone",
    "select nextval('numbers') as provided_id",
    "select id as provided_id into more from tenants",
    "select id as provided_id from tenants for update",
])]
#[case(Kind::MySql, &["replace into tenants values (4) returning id as provided_id"])]
#[case(Kind::Sqlite, &["update tenants set id = id + 10 returning id as provided_id", "vacuum"])]
#[tokio::test]
async fn a_query_that_writes_is_refused_and_changes_nothing(#[case] kind: Kind, #[case] more: &[&str]) {
    let database = tenants(kind).await;
    if kind == Kind::Postgres {
        database.execute("create sequence numbers").await;
    }
    for query in WRITES.iter().chain(more) {
        let error = refused(&database, query).await;
        assert!(matches!(error, Error::Query { .. } | Error::Columns(_)), "{query}: {error}");
        let ids: Vec<_> = read(&database, SELECT).await.into_iter().map(|row| row.unwrap().provided_id).collect();
        assert_eq!(ids, ["1", "2", "3"], "{query}");
        assert!(rows(settings(&database.url, "select provided_id from more")).await.is_err(), "{query}");
    }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn rows_written_meanwhile_neither_show_nor_wait(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let values: Vec<_> = (1..=5000).map(|n| format!("({n})")).collect();
    let values = values.join(",");
    database.execute(&format!("create table tenants (id int primary key); insert into tenants values {values}")).await;
    let write = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(database.execute("insert into tenants values (5001); delete from tenants where id > 4000"));
    };
    let mut count = 0;
    let take = &mut |_: &Row<'_>| {
        if count == 0 {
            std::thread::scope(|scope| scope.spawn(write).join()).unwrap();
        }
        count += 1;
    };
    Sql::new(settings(&database.url, SELECT)).unwrap().read(take).await.unwrap();
    assert_eq!(count, 5000);
    assert_eq!(read(&database, SELECT).await.len(), 4000);
}

#[rstest]
#[case(Kind::Postgres, "1 / (2 - id)", "division by zero")]
#[case(Kind::MySql, "id + 18446744073709551614", "out of range")]
#[case(Kind::Sqlite, "abs(id - 9223372036854775807 - 2)", "integer overflow")]
#[tokio::test]
async fn an_error_of_the_query_names_place_and_cause(#[case] kind: Kind, #[case] failing: &str, #[case] words: &str) {
    let database = tenants(kind).await;
    let place = Sql::new(settings(&database.url, SELECT)).unwrap().place();
    let while_running = format!("select {failing} as provided_id from tenants order by id");
    for (query, words) in [(while_running.as_str(), words), ("select nonsense as provided_id from tenants", "nonsense")]
    {
        let error = refused(&database, query).await;
        assert!(matches!(error, Error::Query { .. }) && !error.is_about_config(), "{error:?}");
        let message = error.to_string();
        assert!(message.starts_with(&format!("the query failed in {place}: ")) && message.contains(words), "{message}");
        assert!(!message.contains("-secret") && !message.contains('\n'), "{message}");
    }
}

#[tokio::test]
async fn an_error_about_a_value_does_not_show_it() {
    let database = Database::new(Kind::Postgres).await;
    for query in
        ["select 'ann@x.example'::text::int as provided_id", "select '{ann@x.example'::text::json as provided_id"]
    {
        let message = refused(&database, query).await.to_string();
        assert!(message.contains("invalid input syntax") && !message.contains("ann"), "{message}");
    }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn columns_that_are_none_of_a_tenant_are_named_with_the_nearest(#[case] kind: Kind) {
    let database = tenants(kind).await;
    let one = |name: &str| format!("1 as {}", database.quoted(name));
    let columns = ["Name", "emials", "colour", "properties", "properties.a", "name", "name"].map(one).join(", ");
    let source = Sql::new(settings(&database.url, &format!("select {columns} from tenants"))).unwrap();
    let errors = [source.columns().await.unwrap_err(), source.read(&mut |row| panic!("{row:?}")).await.unwrap_err()];
    for error in errors {
        assert!(error.is_about_config());
        let Error::Columns(mistakes) = error else { panic!("{error}") };
        let known = "provided_id, previous_provided_id, name, emails, group_tags, properties, mapping, is_demo_group, \
                     hierarchy_level_name, parent_provided_id";
        let expected = [
            "'Name' is not a column of a tenant; did you mean 'name'?",
            "'emials' is not a column of a tenant; did you mean 'emails'?",
            &format!("'colour' is not a column of a tenant; there are {known}, properties.KEY, mapping.KEY, offboard"),
            "'name' occurs twice",
            "'provided_id' is missing: select your tenant's id as provided_id",
            "'properties' manages the whole object and 'properties.a' one key of it: keep one kind",
        ];
        assert_eq!(mistakes, expected);
    }
}

#[rstest]
#[case("postgres")]
#[case("mysql")]
#[tokio::test]
async fn a_server_that_is_not_there_or_silent_is_named(#[case] scheme: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("{scheme}://user:very-secret@{address}/tenants?sslmode=disable");
    let url = if scheme == "mysql" { url.replace("sslmode=disable", "ssl-mode=disabled") } else { url };
    let place = format!("{scheme}://{address}/tenants");
    let timeout = Duration::from_secs(1);
    let silent = rows(SqlSettings { timeout, ..select_one(&url) }).await.unwrap_err().to_string();
    let words =
        "was silent for 1 s while connecting: check host and port in source.url, that a server of that kind listens";
    assert!(silent.starts_with(&format!("{place} {words}")), "{silent}");

    drop(listener);
    let gone = rows(select_one(&url)).await.unwrap_err().to_string();
    assert!(gone.starts_with(&format!("can't connect to {place}: ")) && gone.contains("refused"), "{gone}");
    assert!(!gone.contains("secret"), "{gone}");
}

#[tokio::test]
async fn the_server_of_another_kind_is_told() {
    let url = changed(&Database::new(Kind::Postgres).await, |url| {
        url.set_query(Some("ssl-mode=disabled"));
    });
    let timeout = Duration::from_secs(1);
    let url = url.replace("postgres://", "mysql://");
    let told = rows(SqlSettings { timeout, ..select_one(&url) }).await.unwrap_err().to_string();
    assert!(told.contains("that a server of that kind listens there"), "{told}");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named_and_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tenants.db");
    let error = rows(select_one(&format!("sqlite://{}", file.display()))).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("can't connect to sqlite:{}: ", file.display())), "{error}");
    assert!(!file.exists());
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[tokio::test]
async fn the_password_may_come_beside_a_url_that_has_none(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let password = database.url.parse::<Url>().unwrap().password().unwrap().to_owned();
    let bare = database.bare_url();
    let beside = |url: &str, password: &str| SqlSettings { password: Some(password.into()), ..select_one(url) };
    assert_eq!(rows(beside(&bare, &password)).await.unwrap().len(), 1);
    assert_eq!(rows(beside(&database.url, "another-secret")).await.unwrap().len(), 1, "the URL has one");
    let error = rows(beside(&bare, "another-secret")).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }) && !error.to_string().contains("-secret"), "{error}");
}

#[rstest]
#[case(Kind::Postgres, "sslmode=verify-full")]
#[case(Kind::MySql, "ssl-mode=VERIFY_IDENTITY")]
#[tokio::test]
async fn a_verified_connection_needs_the_authority_that_signed(#[case] kind: Kind, #[case] mode: &str) {
    let database = Database::new(kind).await;
    let url = format!("{}?{mode}", database.url);
    let error = rows(select_one(&url)).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }) && error.to_string().contains("certificate"), "{error}");
    assert_eq!(rows(trusting(select_one(&url))).await.unwrap().len(), 1);
}

#[rstest]
#[case(Kind::Postgres, &["", "?sslmode=prefer", "?sslmode=require"], "?sslmode=disable")]
#[case(Kind::MySql, &["", "?ssl-mode=PREFERRED", "?ssl-mode=required"], "?ssl-mode=DISABLED")]
#[tokio::test]
async fn another_host_is_verified_unless_the_url_turns_tls_off(
    #[case] kind: Kind,
    #[case] modes: &[&str],
    #[case] off: &str,
) {
    let database = Database::new(kind).await;
    // A name of this machine that is not known to be one.
    let url = database.url.replace("127.0.0.1", "LOCALHOST");
    for mode in modes {
        let settings = || select_one(&format!("{url}{mode}"));
        let error = rows(settings()).await.unwrap_err();
        assert!(matches!(error, Error::Connect { .. }) && error.to_string().contains("certificate"), "{mode}: {error}");
        assert_eq!(rows(trusting(settings())).await.unwrap().len(), 1, "{mode}");
    }
    assert_eq!(rows(select_one(&format!("{url}{off}"))).await.unwrap().len(), 1);
    assert_eq!(rows(select_one(&database.url)).await.unwrap().len(), 1, "with this machine nothing is verified");
}

#[rstest]
#[case(Kind::Postgres, "select pg_sleep(20)::text as provided_id")]
#[case(Kind::MySql, "select sleep(20) as provided_id")]
#[case(
    Kind::Sqlite,
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000000) select max(i) as provided_id from n"
)]
#[tokio::test]
async fn a_query_that_is_silent_for_too_long_is_given_up(#[case] kind: Kind, #[case] query: &str) {
    let database = Database::new(kind).await;
    let timeout = Duration::from_secs(1);
    let error = rows(SqlSettings { timeout, ..settings(&database.url, query) }).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { seconds: 1, doing: "sending rows", .. }), "{error}");
}
