//! `check` reads as a run would: where it is green, `sync --dry-run` works.

use rstest::rstest;
use url::Url;

use crate::support::{Database, Kind, Program, sandbox};

#[tokio::test]
async fn check_reads_every_row_and_tells_what_cant_be_planned_by_reasons() {
    let tenants = (0..1200).map(|number| (format!("t{number:04}"), "Ann"));
    let database = Database::of_tenants(tenants).await;
    database
        .execute(
            "update tenants set tag = '{' where id >= 't0100'; insert into tenants values ('t0000', 'Two', null, null)",
        )
        .await;
    let sandbox = sandbox([]).await;
    let query = "select id as provided_id, tag as mapping from tenants";
    let output = Program::between(&database, &sandbox, query).run(&["check"]).await;
    assert_eq!(output.code, 3, "{output:?}");
    for part in [
        "ok    rows      1,201\n",
        "fail  rows      1,100 invalid, t0100, t0101, t0102, …: mapping",
        "fail  rows      1 invalid, t0000: ",
        "warn  query     without a column name no customer can be created",
    ] {
        assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
    }
}

/// Where a run can't read, `check` says so, though the query is understood.
#[rstest]
#[case::no_right(
    "revoke select on tenants from ROLE",
    "select id as provided_id, name from tenants",
    1,
    "GRANT SELECT"
)]
#[case::no_table("drop table tenants", "select id as provided_id, name from tenants", 78, "check source.query")]
#[case::a_write(
    "grant update on tenants to ROLE",
    "update tenants set name = 'x' returning id as provided_id, name",
    78,
    "may only read"
)]
#[case::one_connection(
    "alter role ROLE connection limit 1",
    "select id as provided_id, name from tenants",
    1,
    "a run takes up to three connections"
)]
#[tokio::test]
async fn where_no_row_could_be_read_check_is_not_green(
    #[case] stage: &str,
    #[case] query: &str,
    #[case] code: i32,
    #[case] told: &str,
) {
    let database = Database::new(Kind::Postgres).await;
    let mut url: Url = database.url.parse().unwrap();
    let role = format!("r{}", &url.path()[url.path().len() - 20..]);
    let staged = "create table tenants (id text, name text); insert into tenants values ('a', 'Ann'); \
                  create role ROLE login password 'very-secret'; grant select on tenants to ROLE;";
    database.execute(&format!("{staged} {stage}").replace("ROLE", &role)).await;
    url.set_username(&role).unwrap();
    url.set_password(Some("very-secret")).unwrap();
    let program = Program::between(&database, &sandbox([]).await, query).with("DATABASE_URL", url.as_str());
    let output = program.run(&["check"]).await;
    assert!(output.code == code && output.stdout.contains(told), "{output:?}");
    assert!(!output.stdout.contains("very-secret"), "{output:?}");
}
