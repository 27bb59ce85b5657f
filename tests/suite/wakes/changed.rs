//! `source.query_changed`: the daemon asks its database which tenants changed.

use std::time::Duration;

use rstest::rstest;

use super::{Woken, world};
use crate::support::{Database, Kind};

/// The column of the time when a row changed, and what the database's clock shows in it.
fn time(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Postgres => ("timestamptz", "now()"),
        Kind::MySql => ("datetime(6)", "utc_timestamp(6)"),
        Kind::Sqlite => ("text", "strftime('%Y-%m-%d %H:%M:%f', 'now')"),
    }
}

/// A daemon whose tenants changed long ago.
async fn start(kind: Kind) -> Woken {
    let (database, sandbox, program) = world(kind).derived().with_ledger().start().await;
    let column = time(kind).0;
    database.execute(&format!("alter table tenants add updated_at {column}")).await;
    let parameter = if kind == Kind::Postgres { "$1" } else { "?" };
    let query = format!("select id as provided_id, name from tenants where updated_at >= {parameter}");
    let program = program
        .with("EXPLO_SYNC__SOURCE__QUERY_CHANGED", &query)
        .with("EXPLO_SYNC__SOURCE__QUERY_ONE", &query.replace("updated_at >=", "id ="))
        .with("EXPLO_SYNC__SOURCE__POLL", "100ms");
    Woken::between(database, sandbox, program).await
}

async fn touch(database: &Database, id: &str, name: &str) {
    let now = time(database.kind).1;
    database.execute(&format!("update tenants set name = '{name}', updated_at = {now} where id = '{id}'")).await;
}

/// Within the overlap, all else in the row is as it was.
#[tokio::test]
async fn a_row_that_says_now_that_its_tenant_leaves_has_changed() {
    let (database, sandbox, program) = world(Kind::Sqlite).derived().with_ledger().start().await;
    database.execute("alter table tenants add updated_at text; alter table tenants add offboard boolean").await;
    let query = "select id as provided_id, name, offboard from tenants where updated_at >= ?";
    let program = program
        .with("EXPLO_SYNC__SOURCE__QUERY", query.split_once(" where").unwrap().0)
        .with("EXPLO_SYNC__SOURCE__QUERY_CHANGED", query)
        .with("EXPLO_SYNC__SOURCE__QUERY_ONE", &query.replace("updated_at >=", "id ="))
        .with("EXPLO_SYNC__OFFBOARD__ACTION", "delete")
        .with("EXPLO_SYNC__SOURCE__POLL", "100ms");
    let woken = Woken::between(database, sandbox, program).await;
    touch(&woken.database, "a", "Anna").await;
    woken.has("a", "Anna").await;
    woken.has_outcomes("poll", &[("applied", 1)]).await;
    for (offboard, customers) in [("true", 1), ("false", 2)] {
        woken.database.execute(&format!("update tenants set offboard = {offboard} where id = 'a'")).await;
        touch(&woken.database, "a", "Anna").await;
        for _ in 0..400 {
            if woken.sandbox.customers().len() == customers {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(woken.sandbox.customers().len(), customers, "{offboard}");
    }
    woken.ends().await;
}

#[rstest]
#[tokio::test]
async fn a_changed_row_is_an_update_without_a_run(#[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind) {
    let woken = start(kind).await;
    touch(&woken.database, "a", "Anna").await;
    woken.has("a", "Anna").await;
    woken.has_outcomes("poll", &[("applied", 1)]).await;
    assert_eq!(woken.calls(), ["get_customer", "update_customer"]);

    let now = time(kind).1;
    woken.database.execute(&format!("insert into tenants values ('new', 'Nia', {now})")).await;
    woken.has("new", "Nia").await;
    woken.has_outcomes("poll", &[("applied", 2)]).await;
    assert_eq!(woken.calls(), ["create_customer"]);

    // Only its time is another.
    touch(&woken.database, "b", "Bob").await;
    woken.has_outcomes("poll", &[("applied", 2), ("unchanged", 1)]).await;
    assert_eq!(woken.calls(), [""; 0]);
    woken.ends().await;
}
