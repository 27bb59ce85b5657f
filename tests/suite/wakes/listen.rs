//! Notifications of PostgreSQL, and a reload of the configuration.

use super::{Woken, world};
use crate::support::Kind;

#[tokio::test]
async fn a_notification_makes_a_customer_before_and_after_a_reload() {
    let world = world(Kind::Postgres).derived().with_ledger().with("EXPLO_SYNC__SOURCE__LISTEN", "explo_sync");
    let mut woken = Woken::start(world).await;
    woken.database.execute("insert into tenants (id, name) values ('new', 'Nia')").await;
    woken.database.execute("select pg_notify('explo_sync', 'new')").await;
    woken.has("new", "Nia").await;
    woken.daemon.signal("-HUP").await;
    woken.daemon.says("configuration reloaded").await;
    woken.daemon.says("source.listen hears").await;
    // What came before it heard is found by this run.
    woken.daemon.says("run ended").await;
    woken.database.execute("insert into tenants (id, name) values ('later', 'Lea')").await;
    woken.database.execute("select pg_notify('explo_sync', 'later')").await;
    woken.has("later", "Lea").await;
    woken.ends().await;
}
