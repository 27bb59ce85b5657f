//! Rows that the ledger refuses for themselves, or drops in silence, and a deadlock, which is no row's fault.

use std::{collections::BTreeMap, time::Duration};

use explo_sync::sandbox::Sandbox;
use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection, raw_sql};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{held, ids, program, tenants, world};
use crate::support::{Database, Kind, Program, Server, sandbox};

/// Does this with every row before it is written, in this database's language for triggers.
async fn before_each_row(database: &Database, action: &str) {
    for event in ["insert", "update"] {
        let name = format!("each_{event}");
        if database.kind == Kind::Postgres {
            let function = format!("create function {name}() returns trigger as $$ begin {action} return new; end $$");
            database.execute(&format!("{function} language plpgsql")).await;
        }
        let (when, action) = match (database.kind, action.split_once(": ")) {
            (Kind::Postgres, _) => (String::new(), format!("execute function {name}()")),
            (Kind::Sqlite, Some((when, action))) => (format!("when {when}"), format!("begin {action}; end")),
            (Kind::MySql | Kind::Sqlite, _) => (String::new(), action.to_owned()),
        };
        let trigger = format!("create trigger {name} before {event} on explo_customers for each row {when} {action}");
        database.execute(&trigger).await;
    }
}

async fn let_all_through(database: &Database) {
    for name in ["each_insert", "each_update"] {
        let on = if database.kind == Kind::Postgres { " on explo_customers" } else { "" };
        database.execute(&format!("drop trigger {name}{on}")).await;
    }
}

/// Refuses a tenant in MySQL, with a signal.
fn signal(signal: &str) -> String {
    format!("begin if new.provided_id = 't-002' then signal {signal}; end if; end")
}

#[rstest]
#[case::as_usual(Kind::Postgres, "raise exception 'no %', new.token;")]
#[case::as_a_security_error(Kind::Postgres, "raise exception using errcode = 'SEC01', message = new.token;")]
#[case::as_an_internal_error(Kind::Postgres, "raise exception using errcode = 'XX000', message = new.token;")]
#[case::as_an_operator(Kind::Postgres, "raise exception using errcode = '57000', message = new.token;")]
#[case::as_a_conflict(Kind::Postgres, "raise exception using errcode = '40001', message = new.token;")]
#[case::as_a_check(Kind::Postgres, "raise exception using errcode = '23514', message = new.token;")]
#[case::as_denied(Kind::Postgres, "raise exception using errcode = '42501', message = new.token;")]
#[case::by_mistake(Kind::Postgres, "perform * from nowhere;")]
#[case::in_silence(Kind::Postgres, "return null;")]
#[case::as_usual(Kind::MySql, "sqlstate '45000' set message_text = 'no'")]
#[case::as_too_long(Kind::MySql, "sqlstate '22001' set message_text = 'no'")]
#[case::as_a_conflict(Kind::MySql, "sqlstate '40001' set message_text = 'no'")]
#[case::as_a_check(Kind::MySql, "sqlstate 'HY000' set mysql_errno = 4025, message_text = 'no'")]
#[case::as_full(Kind::MySql, "sqlstate 'HY000' set mysql_errno = 1114, message_text = 'no'")]
#[case::as_read_only(Kind::MySql, "sqlstate 'HY000' set mysql_errno = 1290, message_text = 'no'")]
#[case::as_usual(Kind::Sqlite, "select raise(abort, 'no')")]
#[case::for_good(Kind::Sqlite, "select raise(fail, 'no')")]
#[case::rolled_back(Kind::Sqlite, "select raise(rollback, 'no')")]
#[case::in_silence(Kind::Sqlite, "select raise(ignore)")]
#[tokio::test]
async fn a_row_that_is_refused_costs_one_row_whatever_the_code(#[case] kind: Kind, #[case] refusal: &str) {
    let database = tenants(kind, ids(0..6)).await;
    let sandbox = sandbox([]).await;
    let program = program(&database, &sandbox);
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    let action = match kind {
        Kind::Postgres => format!("if new.provided_id = 't-002' then {refusal} end if;"),
        Kind::MySql => signal(refusal),
        Kind::Sqlite => format!("new.provided_id = 't-002': {refusal}"),
    };
    before_each_row(&database, &action).await;
    let mut expected = BTreeMap::new();
    for _ in 0..2 {
        let output = program.run(&["sync", "--output", "json"]).await;
        expected = held(&sandbox);
        let (_, token) = expected.remove_entry("t-002").unwrap();
        assert_eq!((output.code, database.tokens("default").await), (3, expected.clone()), "{output:?}");
        assert_eq!(output.stderr.matches("not kept in the ledger").count(), 1, "{output:?}");
        assert!(output.stderr.contains("t-002"), "{output:?}");
        assert!(output.json()["error"].as_str().unwrap().contains("refuses or drops 1 row(s)"), "{output:?}");
        let printed = output.stdout + &output.stderr;
        assert!(!printed.contains(&token.unwrap()), "{printed}");
    }
    let_all_through(&database).await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(database.tokens("default").await, held(&sandbox));
    assert_eq!(expected.len(), 5);
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn what_the_ledger_drops_is_told_of_each_row_and_of_its_own(#[case] kind: Kind) {
    let (database, sandbox, program) = world(kind, ids(0..3)).start().await;
    database.execute(&program.run(&["ledger", "--print-sql"]).await.stdout).await;
    before_each_row(&database, if kind == Kind::Postgres { "return null;" } else { "true: select raise(ignore)" })
        .await;
    let output = program.run(&["sync"]).await;
    assert_eq!((output.code, output.stderr.matches("not kept in the ledger").count()), (3, 3), "{output:?}");
    assert!(output.stderr.contains("can't store its pair"), "{output:?}");
    assert!(output.stderr.contains("a trigger or a rule of the table drops it"), "{output:?}");
    let_all_through(&database).await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

#[rstest]
#[case(Kind::Postgres, "if new.provided_id like '%7' then raise exception using errcode = 'XX000'; end if;")]
#[case(
    Kind::MySql,
    "begin if new.provided_id like '%7' then signal sqlstate 'HY000' set mysql_errno = 1114; end if; end"
)]
#[case(Kind::Sqlite, "new.provided_id like '%7': select raise(ignore)")]
#[tokio::test]
async fn of_many_rows_those_that_are_refused_are_named_and_the_others_are_kept(
    #[case] kind: Kind,
    #[case] action: &str,
) {
    let (database, sandbox, program) = world(kind, ids(0..500)).start().await;
    assert_eq!(program.sync(&["--max-changes", "0", "--allow", "create=500"]).await.0, 75);
    before_each_row(&database, action).await;
    let output = program.run(&["sync", "--allow", "create=500"]).await;
    assert_eq!((output.code, output.stderr.matches("not kept in the ledger").count()), (3, 50), "{output:?}");
    let expected: BTreeMap<_, _> = held(&sandbox).into_iter().filter(|(id, _)| !id.ends_with('7')).collect();
    assert_eq!((expected.len(), database.tokens("default").await), (450, expected));
}

/// Holds a row of the ledger, and wants another one as soon as the ledger waits for the first.
async fn stand_in_the_way<C: Connection>(mut session: C, database: &Database, waiting: &str, holds: oneshot::Sender<()>)
where
    for<'c> &'c mut C: Executor<'c>,
{
    let update = |id| {
        let set = "update explo_customers set failures = failures + 0 where instance = 'default'";
        raw_sql(AssertSqlSafe(format!("{set} and provided_id = '{id}'")))
    };
    // MariaDB ends the session that changed less.
    (&mut session).execute(raw_sql("begin; update heavy set n = n + 1")).await.unwrap();
    (&mut session).execute(update("t-001")).await.unwrap();
    holds.send(()).unwrap();
    let ledger_waits = async {
        while database.rows(waiting).await.is_empty() {
            // MariaDB and MySQL look anew only if nobody asked for a tenth of a second.
            sleep(Duration::from_millis(300)).await;
        }
    };
    timeout(Duration::from_mins(1), ledger_waits).await.unwrap();
    (&mut session).execute(update("")).await.unwrap();
    (&mut session).execute(raw_sql("commit")).await.unwrap();
}

#[rstest]
#[case(Kind::Postgres, "40P01")]
#[case(Kind::MySql, "40001")]
#[tokio::test]
async fn a_deadlock_is_no_refusal_and_is_tried_again(#[case] kind: Kind, #[case] code: &str) {
    let (database, sandbox, program) = world(kind, ids(0..3)).start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute("update explo_customers set token = 'old', wanted = '' where provided_id > 't-000'").await;
    let rows = vec!["(1)"; 1000].join(", ");
    database.execute(&format!("create table heavy (n int); insert into heavy values {rows}")).await;
    let (holds, held_now) = oneshot::channel();
    let standing = async {
        if kind == Kind::Postgres {
            // The ledger's session finds the deadlock, and is the one that is ended.
            let limit = "execute format('alter database %I set deadlock_timeout = ''3s''', current_database())";
            database.execute(&format!("do $$ begin {limit}; end $$")).await;
            let mut session = PgConnection::connect(&database.url).await.unwrap();
            raw_sql("set deadlock_timeout = '1min'").execute(&mut session).await.unwrap();
            let waiting = "select pid::text from pg_stat_activity \
                           where datname = current_database() and wait_event_type = 'Lock'";
            stand_in_the_way(session, &database, waiting, holds).await;
        } else {
            let session = MySqlConnection::connect(&database.url).await.unwrap();
            let waiting = "select trx_state from information_schema.innodb_trx \
                           join information_schema.processlist on trx_mysql_thread_id = id \
                           where trx_state = 'LOCK WAIT' and db = database()";
            stand_in_the_way(session, &database, waiting, holds).await;
        }
    };
    let running = async {
        held_now.await.unwrap();
        program.run(&["sync"]).await
    };
    let ((), output) = tokio::join!(standing, running);
    assert_eq!((output.code, database.tokens("default").await), (0, held(&sandbox)), "{output:?}");
    assert!(output.stderr.contains("is retried") && output.stderr.contains(code), "{output:?}");
    assert!(!output.stderr.contains("not kept"), "{output:?}");
}

/// Who reads by default writes the ledger all the same: the server takes writes.
async fn writes_the_ledger(program: &Program, database: &Database, sandbox: &Sandbox) {
    for _ in 0..2 {
        let check = program.run(&["check"]).await;
        assert!(check.code == 0, "{check:?}");
        let output = program.run(&["sync"]).await;
        assert_eq!((output.code, database.tokens("default").await), (0, held(sandbox)), "{output:?}");
    }
}

#[tokio::test]
async fn a_role_that_is_read_only_by_default_writes_the_ledger_all_the_same() {
    let database = tenants(Kind::Postgres, ids(0..3)).await;
    let sandbox = sandbox([]).await;
    let role = format!("r{}", &uuid::Uuid::now_v7().simple().to_string()[16..]);
    database.execute(&format!("create role {role} login password 'pg-secret'")).await;
    database.execute(&format!("alter role {role} set default_transaction_read_only = on")).await;
    database.execute(&format!("grant create on schema public to {role}")).await;
    let mut url: url::Url = database.url.parse().unwrap();
    url.set_username(&role).unwrap();
    let program = program(&database, &sandbox).with("EXPLO_SYNC__LEDGER__URL", url.as_str());
    writes_the_ledger(&program, &database, &sandbox).await;
}

#[tokio::test]
async fn a_server_whose_transactions_are_read_only_by_default_takes_a_ledger_all_the_same() {
    let server = Server::mysql(
        &[],
        "CREATE DATABASE app; SET GLOBAL /*M! tx_read_only */ /*!80000 transaction_read_only */ = ON;",
    )
    .await;
    let mut url: url::Url = server.url.parse().unwrap();
    url.set_path("app");
    let ledger = Database::at(Kind::MySql, url.as_str());
    let (_database, sandbox, program) = world(Kind::Sqlite, ids(0..3)).start().await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", &ledger.url);
    writes_the_ledger(&program, &ledger, &sandbox).await;
}

#[rstest]
#[case::of_all("", 3)]
#[case::of_one("where new.provided_id = 't-002'", 1)]
#[tokio::test]
async fn what_a_rule_drops_is_told(#[case] condition: &str, #[case] dropped: usize) {
    let (database, _sandbox, program) = world(Kind::Postgres, ids(0..3)).start().await;
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    let rule = format!("create rule drops as on insert to explo_customers {condition} do instead nothing");
    database.execute(&rule).await;
    let output = program.run(&["sync"]).await;
    assert_eq!((output.code, database.tokens("default").await.len()), (3, 3 - dropped), "{output:?}");
    assert_eq!(output.stderr.matches("a trigger or a rule of the table drops it").count(), dropped, "{output:?}");
}
