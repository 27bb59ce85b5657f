//! `source.query_changed`: the tenants that changed since a time.

use std::{collections::BTreeSet, time::Duration};

use explo_sync::{
    database::Timezone,
    source::{Changed, Error, Signal, Source, Sql, SqlSettings},
};
use rstest::rstest;

use super::{Logs, Origin};
use crate::support::{Database, Kind, Pooler, Program, Server, sandbox, settings};

const QUERY: &str = "select id as provided_id, name from tenants";

/// The rows that change at a time have these types.
const TIMES: [(Kind, &str); 5] = [
    (Kind::Postgres, "timestamptz"),
    (Kind::Postgres, "timestamp"),
    (Kind::MySql, "datetime(6)"),
    (Kind::MySql, "timestamp(6)"),
    (Kind::Sqlite, "text"),
];

/// What a database's clock shows, in a column of this type and a session's zone.
fn clock((kind, column): (Kind, &str), zone: &str) -> String {
    match kind {
        Kind::Postgres if column == "timestamp" && zone == "+05:30" => "now() at time zone interval '5:30'".to_owned(),
        Kind::Postgres if column == "timestamp" => "now() at time zone 'UTC'".to_owned(),
        Kind::Postgres => "now()".to_owned(),
        Kind::MySql if column == "datetime(6)" && zone == "+05:30" => {
            "utc_timestamp(6) + interval 330 minute".to_owned()
        }
        Kind::MySql => "now(6)".to_owned(),
        Kind::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', 'now')".to_owned(),
    }
}

fn placeholder(kind: Kind) -> &'static str {
    if kind == Kind::Postgres { "$1" } else { "?" }
}

async fn tenants(kind: Kind, column: &str) -> Database {
    let database = Database::new(kind).await;
    let null = if column == "timestamp(6)" { " null" } else { "" };
    database
        .execute(&format!("create table tenants (id varchar(99), name varchar(99), updated_at {column}{null})"))
        .await;
    database
}

fn asked_at(url: &str, kind: Kind, overlap: Duration) -> SqlSettings {
    let query = format!("{QUERY} where updated_at >= {} order by updated_at, id", placeholder(kind));
    let changed = Some(Changed { query, every: Duration::from_millis(100), overlap });
    SqlSettings { changed, ..settings(url, QUERY) }
}

fn asked(database: &Database, overlap: Duration) -> SqlSettings {
    asked_at(&database.url, database.kind, overlap)
}

fn watch(settings: SqlSettings) -> Origin {
    let sql = Sql::new(settings).unwrap();
    Origin::start(|tell| sql.watch_changes(move |signal| drop(tell.send(signal))))
}

/// The overlap returns each row again and again; its id is told once.
#[rstest]
#[tokio::test]
async fn each_change_is_told_once(#[values(0, 1, 2, 3, 4)] type_of: usize, #[values("UTC", "+05:30")] zone: &str) {
    let (kind, column) = TIMES[type_of];
    let (database, now) = (tenants(kind, column).await, clock(TIMES[type_of], zone));
    let long_ago = if kind == Kind::Sqlite { "'2001-01-01 00:00:00.000'" } else { "'2001-01-01 00:00:00'" };
    database.execute(&format!("insert into tenants values ('old', 'Old', {long_ago})")).await;
    let timezone = Timezone::parse(if kind == Kind::Sqlite { "UTC" } else { zone }).unwrap();
    let overlap = Duration::from_mins(2);
    let mut origin = watch(SqlSettings { timezone, ..asked(&database, overlap) });
    origin.hears().await;
    database.execute(&format!("insert into tenants values ('a', 'Ann', {now})")).await;
    origin.tells("a").await;
    database.execute(&format!("insert into tenants values ('b', 'Bob', {now})")).await;
    origin.tells("b").await;
    database.execute(&format!("update tenants set updated_at = {now}")).await;
    origin.tells("old").await;
    database.execute(&format!("update tenants set name = 'Anna', updated_at = {now} where id = 'a'")).await;
    origin.tells("a").await;
    database.execute(&format!("insert into tenants values (null, 'Nobody', {now})")).await;
    database.execute(&format!("insert into tenants values ('c', null, {now}), ('d', 'Dan', {now})")).await;
    origin.tells("c").await;
    origin.tells("d").await;
}

/// The time is the database's own: what is older than the overlap was said before.
#[rstest]
#[tokio::test]
async fn only_the_overlap_is_asked_for_again(#[values(0, 1, 2, 3, 4)] type_of: usize) {
    let (kind, column) = TIMES[type_of];
    let (database, now) = (tenants(kind, column).await, clock(TIMES[type_of], "UTC"));
    let ago = |seconds: u32| match kind {
        Kind::Sqlite => format!("strftime('%Y-%m-%d %H:%M:%f', 'now', '-{seconds} seconds')"),
        _ => format!(
            "{now} - interval {}",
            if kind == Kind::MySql { format!("{seconds} second") } else { format!("'{seconds} s'") }
        ),
    };
    let (before, within) = (ago(330), ago(270));
    database.execute(&format!("insert into tenants values ('before', 'B', {before}), ('within', 'W', {within})")).await;
    let mut origin = watch(asked(&database, Duration::from_mins(5)));
    origin.tells("within").await;
    origin.hears().await;
    database.execute(&format!("insert into tenants values ('late', 'L', {})", ago(280))).await;
    origin.tells("late").await;
}

/// What changed while the database did not answer is told when it does again, although nothing overlaps.
#[rstest]
#[tokio::test]
async fn an_outage_costs_no_change(#[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind) {
    let logs = Logs::keep();
    let time = TIMES.into_iter().find(|time| time.0 == kind).unwrap();
    let (database, now) = (tenants(kind, time.1).await, clock(time, "UTC"));
    let mut origin = watch(asked(&database, Duration::ZERO));
    origin.hears().await;
    database.execute("alter table tenants rename to away").await;
    let told = logs.say("WARN").await;
    assert!(told.contains("source.query_changed is not answered") && told.contains("check source.query"), "{told}");
    database.execute(&format!("insert into away values ('a', 'Ann', {now})")).await;
    // Longer than the first waits.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    database.execute("alter table away rename to tenants").await;
    origin.tells("a").await;
    logs.say("answered again").await;
    assert_eq!((logs.with("WARN").len(), logs.with("INFO").len()), (1, 1), "{:?}", logs.with(""));
}

#[rstest]
#[tokio::test]
async fn a_connection_that_is_lost_is_made_anew(#[values(Kind::Postgres, Kind::MySql)] kind: Kind) {
    let logs = Logs::keep();
    let time = TIMES.into_iter().find(|time| time.0 == kind).unwrap();
    let (database, now) = (tenants(kind, time.1).await, clock(time, "UTC"));
    let mut origin = watch(asked(&database, Duration::from_secs(5)));
    origin.hears().await;
    end_connections(&database).await;
    logs.say("WARN").await;
    database.execute(&format!("insert into tenants values ('a', 'Ann', {now})")).await;
    origin.tells("a").await;
    logs.say("answered again").await;
    assert_eq!(logs.with("WARN").len(), 1, "{:?}", logs.with(""));
}

/// Ends all connections to a database but this one.
async fn end_connections(database: &Database) {
    if database.kind == Kind::Postgres {
        let others = "datname = current_database() and pid <> pg_backend_pid()";
        database.rows(&format!("select pg_terminate_backend(pid)::text from pg_stat_activity where {others}")).await;
        return;
    }
    let others = "db = database() and id <> connection_id()";
    let ids =
        database.rows(&format!("select cast(id as char) from information_schema.processlist where {others}")).await;
    for id in ids.iter().flatten().flatten() {
        database.execute(&format!("kill connection {id}")).await;
    }
}

#[tokio::test]
async fn a_pooler_of_transactions_may_stand_between() {
    let (database, logs) = (tenants(Kind::Postgres, "timestamptz").await, Logs::keep());
    let pooler = Pooler::start(&database, "transaction").await;
    let mut origin = watch(asked_at(&pooler.to(&database), Kind::Postgres, Duration::from_mins(1)));
    origin.hears().await;
    for id in ["a", "b", "c"] {
        database.execute(&format!("insert into tenants values ('{id}', 'Ann', now())")).await;
        origin.tells(id).await;
    }
    assert_eq!(logs.with("WARN"), Vec::<String>::new());
}

/// The clock of a standby is what it has replayed: it may lag behind for longer than the overlap.
#[tokio::test]
async fn a_standby_that_lags_behind_costs_no_change() {
    let primary = Server::postgres(&[]).await;
    let standby = primary.standby(&[]).await;
    let (primary, lagging) = (Database::at(Kind::Postgres, &primary.url), Database::at(Kind::Postgres, &standby.url));
    primary.execute("create table tenants (id text, name text, updated_at timestamptz)").await;
    primary.execute("insert into tenants values ('a', 'Ann', now())").await;
    let count = "select count(*)::text from tenants";
    while lagging.rows("select to_regclass('tenants')::text").await[0][0].is_none()
        || lagging.rows(count).await[0][0].as_deref() != Some("1")
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut origin = watch(asked(&lagging, Duration::from_millis(10)));
    while origin.next().await != Signal::Hearing {}
    lagging.execute("select pg_wal_replay_pause()").await;
    primary.execute("insert into tenants values ('b', 'Bob', now())").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    lagging.execute("select pg_wal_replay_resume()").await;
    origin.tells("b").await;
}

/// Of very many rows, some are told again: this costs nothing but looks.
#[tokio::test]
async fn many_rows_at_once_are_all_told() {
    let database = tenants(Kind::Sqlite, "text").await;
    let mut origin = watch(asked(&database, Duration::from_mins(10)));
    origin.hears().await;
    let numbers = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 10050)";
    let now = clock((Kind::Sqlite, "text"), "UTC");
    database.execute(&format!("insert into tenants {numbers} select 't' || n, 'T', {now} from n")).await;
    let (mut told, mut signals) = (BTreeSet::new(), 0);
    while signals < 10_100 {
        let Signal::Changed(id) = origin.next().await else { panic!("it hears already") };
        signals += 1;
        told.insert(id);
    }
    assert_eq!(told.len(), 10_050);
}

/// A file that took the place of another is read.
#[tokio::test]
async fn a_sqlite_file_may_be_replaced() {
    let (database, other) = (tenants(Kind::Sqlite, "text").await, tenants(Kind::Sqlite, "text").await);
    let mut origin = watch(asked(&database, Duration::from_mins(10)));
    origin.hears().await;
    other.execute(&format!("insert into tenants values ('a', 'Ann', {})", clock((Kind::Sqlite, "text"), "UTC"))).await;
    std::fs::rename(other.file(), database.file()).unwrap();
    origin.tells("a").await;
}

#[rstest]
#[case::no_parameter(Kind::Postgres, QUERY, "it must select by the time, which is bound as $1")]
#[case::no_parameter_in_mysql(Kind::MySql, QUERY, "it must select by the time, which is bound as ?")]
#[case::a_number(
    Kind::Postgres,
    "select id as provided_id, name from tenants where length(name) > $1",
    "a time can't be bound as INT4: write `where updated_at >= $1::timestamptz`"
)]
#[case::a_column_less(
    Kind::Sqlite,
    "select id as provided_id from tenants where updated_at > ?",
    "it does not return 'name'"
)]
#[case::a_column_more(
    Kind::MySql,
    "select id as provided_id, name, 1 as is_demo_group from tenants where updated_at > ?",
    "source.query does not return its 'is_demo_group'"
)]
#[tokio::test]
async fn a_query_that_does_not_fit_is_told_by_check(#[case] kind: Kind, #[case] query: &str, #[case] told: &str) {
    let time = TIMES.into_iter().find(|time| time.0 == kind).unwrap();
    let database = tenants(kind, time.1).await;
    let changed = Changed { query: query.to_owned(), every: Duration::from_secs(1), overlap: Duration::ZERO };
    let source = Sql::new(SqlSettings { changed: Some(changed), ..settings(&database.url, QUERY) }).unwrap();
    let error = source.columns().await.unwrap_err();
    assert!(matches!(error, Error::QueryChanged(_)) && error.is_about_config(), "{error}");
    let sandbox = sandbox([]).await;
    let program = Program::between(&database, &sandbox, QUERY);
    let output = program.clone().with("EXPLO_SYNC__SOURCE__QUERY_CHANGED", query).run(&["check"]).await;
    assert_eq!(output.code, 78, "{output:?}");
    assert!(
        output.stdout.contains("source.query_changed can't be used: ") && output.stdout.contains(told),
        "{output:?}"
    );
    let fits = format!("{QUERY} where updated_at > {}", placeholder(kind));
    let output = program.with("EXPLO_SYNC__SOURCE__QUERY_CHANGED", &fits).run(&["check"]).await;
    assert!(output.code == 0 && output.stdout.contains("ok    query_changed "), "{output:?}");
}
