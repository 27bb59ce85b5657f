//! Connections that stay open between two tenants.

use rstest::rstest;

use super::{Woken, world};
use crate::support::{Database, Kind};

/// What the daemon's connections do that do not hold its locks.
const IDLE: &str =
    "from pg_stat_activity where datname = current_database() and application_name = 'explo-sync' and state = 'idle'";

async fn idle(database: &Database) -> Vec<Vec<Option<String>>> {
    database.rows(&format!("select pid::text {IDLE} order by pid")).await
}

#[tokio::test]
async fn the_next_tenant_is_read_over_the_connections_of_the_last() {
    let woken = Woken::start(world(Kind::Postgres).derived().with_ledger()).await;
    woken.database.execute("insert into tenants (id, name) values ('new', 'Nia'), ('later', 'Lea')").await;
    assert_eq!(woken.post("new").await.status, 200);
    let kept = idle(&woken.database).await;
    assert_eq!(kept.len(), 2, "of the source and of the ledger");
    assert_eq!(woken.post("later").await.status, 200);
    assert_eq!(idle(&woken.database).await, kept);
    woken.ends().await;
}

#[tokio::test]
async fn connections_that_the_server_ends_are_made_anew() {
    let woken = Woken::start(world(Kind::Postgres).derived().with_ledger()).await;
    woken.database.execute("insert into tenants (id, name) values ('new', 'Nia'), ('later', 'Lea')").await;
    assert_eq!(woken.post("new").await.status, 200);
    let kept = idle(&woken.database).await;
    woken.database.rows(&format!("select pg_terminate_backend(pid)::text {IDLE}")).await;
    let answer = woken.post("later").await;
    assert_eq!((answer.status, &*answer.body["error"].to_string()), (200, "null"));
    assert!(idle(&woken.database).await.iter().all(|one| !kept.contains(one)));
    woken.ends().await;
}

/// A row that was committed since is read: each reading has a snapshot of its own.
#[rstest]
#[tokio::test]
async fn a_kept_connection_reads_the_newest_row(#[values(Kind::Postgres, Kind::MySql)] kind: Kind) {
    let woken = Woken::start(world(kind).derived().with_ledger()).await;
    for name in ["Anna", "Annabel", "Anne"] {
        woken.database.execute(&format!("update tenants set name = '{name}' where id = 'a'")).await;
        assert_eq!(woken.post("a").await.body["outcome"], "applied");
        woken.has("a", name).await;
    }
    woken.ends().await;
}
