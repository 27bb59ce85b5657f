//! The session is ours: what a value looks like does not depend on the settings of the role, the database or the server.

use explo_sync::{database::Timezone, source::SqlSettings};
use rstest::rstest;
use url::Url;

use super::{read, rows};
use crate::support::{Database, Kind, Program, sandbox, settings};

/// The text of an expression, as the id of a row.
async fn text(url: &str, timezone: &str, expression: &str) -> String {
    let query = format!("select {expression} as provided_id, 'n' as name");
    let timezone = Timezone::parse(timezone).unwrap();
    let mut rows = rows(SqlSettings { timezone, ..settings(url, &query) }).await.unwrap();
    rows.remove(0).unwrap().provided_id.into_owned()
}

/// An instant whose date differs between zones.
const INSTANT: &str = "timestamptz '2024-02-29 20:00+00'";

#[tokio::test]
async fn a_role_that_prints_otherwise_is_read_as_any_other() {
    let database = Database::new(Kind::Postgres).await;
    let role = format!("odd_{}", uuid::Uuid::now_v7().simple());
    let settings = ["bytea_output = 'escape'", "timezone = 'Asia/Tokyo'", "intervalstyle = 'sql_standard'"];
    let settings = settings.into_iter().chain(["datestyle = 'German'", "extra_float_digits = 0"]);
    let settings = settings.chain(["standard_conforming_strings = off"]);
    database.execute(&format!("create role {role} login password 'secret'")).await;
    for setting in settings {
        database.execute(&format!("alter role {role} set {setting}")).await;
    }
    let mut url = Url::parse(&database.url).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("secret")).unwrap();
    for (expression, expected) in [
        (r"'\x00ff41'::bytea", r"\x00ff41"),
        (&format!("({INSTANT})::date"), "2024-02-29"),
        (INSTANT, "2024-02-29 20:00:00+00"),
        (r"'a\b\\c'", r"a\b\\c"),
        ("interval '1 day 02:03'", "1 day 02:03:00"),
        ("0.1::float8 + 0.2", "0.30000000000000004"),
    ] {
        assert_eq!(text(url.as_str(), "UTC", expression).await, expected, "{expression}");
    }
    database.execute(&format!("drop role {role}")).await;
}

#[rstest]
#[case("UTC", "2024-02-29", "2024-02-29 20:00:00+00", "2024-02-29 20:00:00")]
#[case("+05:30", "2024-03-01", "2024-03-01 01:30:00+05:30", "2024-03-01 01:30:00")]
#[case("-03:00", "2024-02-29", "2024-02-29 17:00:00-03", "2024-02-29 17:00:00")]
#[tokio::test]
async fn a_date_is_that_of_the_zone_of_the_configuration(
    #[case] timezone: &str,
    #[case] date: &str,
    #[case] in_postgres: &str,
    #[case] in_mysql: &str,
) {
    let database = Database::new(Kind::Postgres).await;
    assert_eq!(text(&database.url, timezone, &format!("({INSTANT})::date")).await, date);
    assert_eq!(text(&database.url, timezone, INSTANT).await, in_postgres);
    // The server's own zone is another one.
    let database = Database::new(Kind::MySql).await;
    database.execute("create table moments (at timestamp not null)").await;
    database.execute("set time_zone = '+00:00'; insert into moments values ('2024-02-29 20:00:00')").await;
    assert_eq!(text(&database.url, timezone, "(select date(at) from moments)").await, date);
    assert_eq!(text(&database.url, timezone, "(select at from moments)").await, in_mysql);
}

#[tokio::test]
async fn a_named_zone_has_its_own_summer() {
    let database = Database::new(Kind::Postgres).await;
    let of = |month| format!("timestamptz '2024-{month}-01 12:00+00'");
    assert_eq!(text(&database.url, "Europe/Berlin", &of("01")).await, "2024-01-01 13:00:00+01");
    assert_eq!(text(&database.url, "Europe/Berlin", &of("07")).await, "2024-07-01 14:00:00+02");
}

#[tokio::test]
async fn a_zone_that_the_server_or_nobody_knows_is_refused_with_the_way_out() {
    let sandbox = sandbox([]).await;
    let query = "select 'a' as provided_id, 'Ann' as name";
    for (kind, timezone, told) in [
        (Kind::MySql, "Europe/Berlin", "does not know the time zone Europe/Berlin: set source.timezone to an offset"),
        (Kind::Postgres, "Europe/Berln", "\"Europe/Berln\" must be the name of a time zone"),
        (Kind::Sqlite, "Europe/Berlin", "source.timezone is for a server: a SQLite file has no zone"),
    ] {
        let database = Database::new(kind).await;
        let program = Program::between(&database, &sandbox, query).with("EXPLO_SYNC__SOURCE__TIMEZONE", timezone);
        let output = program.run(&["check"]).await;
        assert!(output.code == 78 && output.stdout.contains(told), "{output:?}");
    }
}

#[rstest]
#[case(Kind::Postgres, r"'\x4142'::bytea", r"\x4142")]
#[case(Kind::MySql, "cast(x'4142' as binary)", "AB")]
#[tokio::test]
async fn an_id_of_bytes_is_what_the_database_prints(
    #[case] kind: Kind,
    #[case] expression: &str,
    #[case] expected: &str,
) {
    let database = Database::new(kind).await;
    let query = format!("select {expression} as provided_id, 'n' as name");
    assert_eq!(read(&database, &query).await.remove(0).unwrap().provided_id, expected);
}
