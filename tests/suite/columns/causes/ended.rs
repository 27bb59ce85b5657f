//! Queries that an administrator, a deadlock or a standby ends.

use std::time::Duration;

use rstest::rstest;
use sqlx::{Connection, MySqlConnection, PgConnection};

use super::refusal;
use crate::support::{Database, Kind, Program, Server, sandbox, settings};

const SLEEP: &str = "select pg_sleep(60)::text as provided_id from tenants";

/// Waits until such a query gives a row, and gives its first column.
async fn seen(database: &Database, query: &str) -> String {
    loop {
        if let Some(row) = database.rows(query).await.into_iter().next() {
            return row[0].clone().unwrap();
        }
        // What InnoDB tells of its transactions stays the same to those who ask within a tenth of a second.
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

const ENDED: &str = "the server or an administrator ended it";
const BROKEN: &str = "the connection broke";
const LATE: &str = "own limit of time or another session ended it";
const CALL: &str = "call slow(null)";
const NAP: &str = "select sleep(60) as provided_id from tenants";

const SLEEPING: &str =
    "select cast(id as char) from information_schema.processlist where db = database() and state = 'User sleep'";

#[rstest]
#[case::a_session(Kind::Postgres, CALL, "select pg_terminate_backend(ID)", ENDED)]
// The driver keeps what is told in the middle of a copy to itself.
#[case::a_session_that_copies(Kind::Postgres, SLEEP, "select pg_terminate_backend(ID)", BROKEN)]
#[case::a_query(Kind::Postgres, SLEEP, "select pg_cancel_backend(ID)", LATE)]
#[case::a_session(Kind::MySql, NAP, "kill ID", BROKEN)]
#[case::a_query(Kind::MySql, NAP, "kill query ID", LATE)]
#[tokio::test]
async fn what_an_administrator_ends_is_told(
    #[case] kind: Kind,
    #[case] query: &str,
    #[case] end: &str,
    #[case] way_out: &str,
) {
    let database = Database::new(kind).await;
    database.execute("create table tenants (id int); insert into tenants values (1)").await;
    let running = if kind == Kind::Postgres {
        let slow =
            "create procedure slow(inout provided_id text) language plpgsql as $$ begin perform pg_sleep(60); end $$";
        database.execute(slow).await;
        "select pid::text from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    } else {
        SLEEPING
    };
    let ending = async {
        let id = seen(&database, running).await;
        database.execute(&end.replace("ID", &id)).await;
    };
    let (told, ()) = tokio::join!(refusal(settings(&database.url, query)), ending);
    assert!(told.contains(way_out), "{told}");
}

#[tokio::test]
async fn a_server_that_is_shut_down_is_told() {
    let server = Server::mysql(&[], "").await;
    let database = Database::at(Kind::MySql, &server.url);
    database.execute("create table tenants (id int); insert into tenants values (1)").await;
    let ending = async {
        seen(&database, SLEEPING).await;
        server.signal("-TERM");
    };
    let (told, ()) = tokio::join!(refusal(settings(&server.url, NAP)), ending);
    assert!(told.contains(if Server::is_mariadb() { BROKEN } else { ENDED }), "{told}");
}

#[tokio::test]
async fn a_deadlock_is_told() {
    let database = Database::new(Kind::Postgres).await;
    database.execute("create table tenants (id int); create table others (id int)").await;
    let mut another = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("set deadlock_timeout = '1h'; begin; lock others").execute(&mut another).await.unwrap();
    let locking = async {
        seen(&database, "select pid::text from pg_locks where relation = 'others'::regclass and not granted").await;
        sqlx::raw_sql("lock tenants").execute(&mut another).await.unwrap();
    };
    let query = "select tenants.id as provided_id from tenants, others";
    let (told, ()) =
        tokio::join!(refusal(settings(&format!("{}?options=-cdeadlock_timeout%3D5s", database.url), query)), locking);
    assert!(told.contains("deadlock") && told.contains("the next run tries again"), "{told}");
}

#[tokio::test]
async fn a_deadlock_of_rows_is_told() {
    let database = Database::new(Kind::MySql).await;
    database.execute("create table tenants (id int); insert into tenants values (1)").await;
    database.execute("create table others (id int); insert into others values (1)").await;
    let mut another = MySqlConnection::connect(&database.url).await.unwrap();
    // The server ends the one that changed less.
    sqlx::raw_sql("begin; update others set id = 2").execute(&mut another).await.unwrap();
    let locking = async {
        let waiting = "select cast(id as char) from information_schema.processlist join information_schema.innodb_trx \
                       on id = trx_mysql_thread_id where db = database() and trx_state = 'LOCK WAIT'";
        seen(&database, waiting).await;
        sqlx::raw_sql("update tenants set id = 2").execute(&mut another).await.unwrap();
    };
    let query = "select tenants.id as provided_id from tenants straight_join others lock in share mode";
    let (told, ()) = tokio::join!(refusal(settings(&database.url, query)), locking);
    assert!(told.contains("eadlock") && told.contains("the next run tries again"), "{told}");
}

#[tokio::test]
async fn what_a_standby_cancels_for_its_replay_is_told() {
    let primary = Server::postgres(&[]).await;
    let standby = primary.standby(&["max_standby_streaming_delay=0"]).await;
    let [writing, reading] = [&primary, &standby].map(|server| Database::at(Kind::Postgres, &server.url));
    writing.execute("create table tenants (id int); insert into tenants values (1)").await;
    seen(&reading, "select relname::text from pg_class where relname = 'tenants'").await;
    let ending = async {
        seen(&reading, "select pid::text from pg_stat_activity where wait_event = 'PgSleep'").await;
        writing.execute("drop table tenants").await;
    };
    let (told, ()) = tokio::join!(refusal(settings(&standby.url, SLEEP)), ending);
    assert!(told.contains("hot_standby_feedback"), "{told}");
}

#[rstest]
#[tokio::test]
async fn what_a_standby_cancels_is_read_again(#[values(&["sync"], &["sync", "--only", "a"])] arguments: &[&str]) {
    let primary = Server::postgres(&[]).await;
    let standby = primary.standby(&["max_standby_streaming_delay=0"]).await;
    let [writing, reading] = [&primary, &standby].map(|server| Database::at(Kind::Postgres, &server.url));
    writing
        .execute("create table tenants (id text); insert into tenants values ('a'); create table others (id text)")
        .await;
    writing.execute("insert into others values ('b')").await;
    seen(&reading, "select relname::text from pg_class where relname = 'others'").await;
    let sandbox = sandbox([]).await;
    let query = "select id as provided_id, 'Ann' as name from tenants,
                 lateral (select case when (select count(*) from others) > 0 then pg_sleep(60)::text end) slow";
    let program = Program::between(&reading, &sandbox, query);
    let ending = async {
        seen(&reading, "select pid::text from pg_stat_activity where wait_event = 'PgSleep'").await;
        writing.execute("truncate others").await;
    };
    let (output, ()) = tokio::join!(program.run(arguments), ending);
    assert_eq!((output.code, sandbox.customers().len()), (0, 1), "{output:?}");
    assert!(output.stderr.contains("reading the tenants again"), "{output:?}");
}
