//! `check` reads as a run would: where it is green, `sync --dry-run` works.

use explo_sync::sandbox::{Store, Total};
use rstest::rstest;
use serde_json::json;
use url::Url;

use crate::{
    service::Daemon,
    support::{Database, Kind, Program, World, customer, ids, sandbox},
};

#[tokio::test]
async fn check_reads_every_row_and_tells_what_cant_be_planned_by_reasons() {
    let tenants = (0..1200).map(|number| (format!("t{number:04}"), "Ann"));
    let (database, _sandbox, program) = World::of(tenants).columns(&["mapping"]).start().await;
    database
        .execute(
            "update tenants set mapping = '{' where id >= 't0100'; insert into tenants values ('t0000', 'Two', null)",
        )
        .await;
    let query = "select id as provided_id, mapping from tenants";
    let output = program.with("EXPLO_SYNC__SOURCE__QUERY", query).run(&["check"]).await;
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

/// What no listing can mend is invalid; what only a listing tells is said, and is no finding.
#[tokio::test]
async fn what_can_be_judged_without_a_listing_is_judged() {
    let database = Database::new(Kind::Sqlite).await;
    let values = [
        "('root', null, 'region', null, 'Root', null)",
        "('no-level', 'root', null, null, 'Ann', null)",
        "('below', 'no-level', 'site', null, 'Ann', null)",
        "('round', 'about', 'site', null, 'Ann', null)",
        "('about', 'round', 'site', null, 'Ann', null)",
        "('foster', 'elsewhere', 'site', null, 'Ann', null)",
        "('taken', null, null, 'root', 'Ann', null)",
        "('one', null, null, 'former', 'Ann', null)",
        "('two', null, null, 'former', 'Ann', null)",
        "('nameless', null, null, null, null, 'vip')",
        "('fine', 'root', 'site', 'once', 'Ann', null)",
    ];
    let table = "create table tenants (id text, parent text, level text, previous text, name text, tags text)";
    database.execute(&format!("{table}; insert into tenants values {}", values.join(", "))).await;
    let query = "select id as provided_id, parent as parent_provided_id, level as hierarchy_level_name, \
                 previous as previous_provided_id, name, tags as group_tags from tenants";
    let sandbox = sandbox([]).await;
    let program = Program::between(&database, &sandbox, query);
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 3, "{output:?}");
    for part in [
        "fail  rows      1 invalid, no-level: parent_provided_id needs hierarchy_level_name beside it",
        "fail  rows      1 invalid, below: it is below an invalid tenant: no-level",
        "fail  rows      1 invalid, about: its parents form a circle: round → about",
        "listing tells of 1, foster, that have a parent_provided_id that no row has",
        "listing tells of 3, taken, one, two, that have a previous_provided_id that another row has as well",
        "listing tells of 1, nameless, that have no name",
        "listing tells of 1, nameless, that have group_tags: Explo must have them all",
    ] {
        assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
    }
    assert_eq!(output.stdout.matches("fail  ").count(), 4, "{}", output.stdout);
    let (_, report) = program.sync(&["--dry-run"]).await;
    assert_eq!(
        ids(&report["invalid"]),
        ["about", "below", "foster", "nameless", "no-level", "round", "taken"],
        "{report}"
    );
}

#[tokio::test]
async fn an_explo_that_does_not_count_fails_check_as_it_fails_a_run() {
    let (_database, sandbox, program) = World::of([("a", "Ann")]).start().await;
    sandbox.adjust(|api| api.behaviour.total = Total::Missing);
    for arguments in [&["check"][..], &["sync", "--dry-run"]] {
        let output = program.run(arguments).await;
        let told = format!("{}{}", output.stdout, output.stderr);
        assert!(output.code == 1 && told.contains("set explo.trust_total = false"), "{output:?}");
    }
    let program = program.with("EXPLO_SYNC__EXPLO__TRUST_TOTAL", "false");
    for arguments in [&["check"][..], &["sync", "--dry-run"]] {
        assert_eq!(program.run(arguments).await.code, 0, "{arguments:?}");
    }
}

#[rstest]
#[case::of_whom_all_are_shown(2, 78)]
#[case::of_whom_one_page_is_shown(1, 0)]
#[tokio::test]
async fn strangers_fail_check_as_they_fail_a_run(#[case] page_size: usize, #[case] code: i32) {
    let world = World::of([("a", "Ann"), ("b", "Bob"), ("c", "Cat")]).with_ledger();
    let world = world.with("EXPLO_SYNC__EXPLO__PAGE_SIZE", &page_size.to_string());
    let (_database, ours, program) = world.start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(program.run(&["check"]).await.code, 0, "they are known");
    let strangers =
        ["x", "y"].map(|id| customer(json!({"provided_id": id, "name": id, "token": format!("another-token-{id}")})));
    ours.change(|store| *store = Store::new(strangers));
    let output = program.run(&["check"]).await;
    assert_eq!((output.code, output.stdout.contains("ledger --adopt")), (code, code == 78), "{output:?}");
    assert_eq!(program.run(&["sync", "--dry-run"]).await.code, 78);
}

#[tokio::test]
async fn a_cron_that_never_fires_is_told_once() {
    let (database, sandbox, _) = World::of([("a", "Ann")]).start().await;
    let program = Program::between(&database, &sandbox, "select id as provided_id, name from tenants")
        .with("EXPLO_SYNC__SCHEDULE__CRON", "0 0 31 2 *")
        .with("EXPLO_SYNC__OPS__LISTEN", "");
    assert!(program.run(&["check"]).await.stdout.contains("warn  schedule  schedule.cron never fires"));
    let mut daemon = Daemon::start(&program, &[]);
    let lines = daemon.says_until("run ended").await;
    let told: Vec<_> = lines.iter().filter(|line| line.contains("schedule.cron never fires")).collect();
    assert!(told.len() == 1 && told[0].contains("WARN"), "{lines:?}");
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0), "the run at the start is made all the same");
    let output = program.run(&["sync"]).await;
    assert!(output.code == 0 && output.stderr.matches("schedule.cron never fires").count() == 1, "{output:?}");
}
