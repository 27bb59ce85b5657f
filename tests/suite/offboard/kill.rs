//! `kill -9` at any moment of fifty deletions: nobody else is deleted, and the next run goes on.

#![expect(clippy::print_stdout, reason = "how many were killed is to be told, too")]

use std::{collections::BTreeSet, time::Duration};

use explo_sync::sandbox::Sandbox;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{deleting, world};
use crate::support::{Kind, are_called};

const LEAVING: usize = 50;

const TENANTS: usize = 70;

/// A listing, and for each: a look, its children, the deletion.
const CALLS: usize = 1 + 3 * LEAVING;

const ROUNDS: usize = 100;

fn ids(sandbox: &Sandbox) -> BTreeSet<String> {
    sandbox.customers().into_iter().filter_map(|customer| customer.provided_id).collect()
}

#[tokio::test]
async fn fifty_deletions_killed_at_a_hundred_moments_delete_nobody_else_and_the_next_run_goes_on() {
    let (database, sandbox, program) = world(Kind::Sqlite, TENANTS, 0).with_ledger().start().await;
    let program = deleting(program).with("EXPLO_SYNC__OFFBOARD__AFTER", "0s");
    assert_eq!(program.sync(&[]).await.0, 0);
    database.execute(&format!("delete from tenants where cast(substr(id, 2) as integer) < {LEAVING}")).await;
    let allow = ["sync", "--quiet", "--allow", "offboard=50", "--allow", "orphan=50"];
    assert_eq!(program.run(&allow).await.code, 0, "their rows are gone since then");
    database.execute("create table saved as select * from explo_customers").await;
    let (mut store, leaving): (_, BTreeSet<_>) = (None, (0..LEAVING).map(|n| format!("t{n}")).collect());
    sandbox.adjust(|api| store = Some(api.store().clone()));
    let store = store.unwrap();
    let staying: BTreeSet<_> = ids(&sandbox).difference(&leaving).cloned().collect();
    let (mut random, mut killed, mut midway) = (SmallRng::seed_from_u64(18), 0, 0);
    for round in 0..ROUNDS {
        database.execute("delete from explo_customers; insert into explo_customers select * from saved").await;
        sandbox.adjust(|api| *api.store_mut() = store.clone());
        let _ = sandbox.take_calls();
        let (most, longer) = (random.random_range(0..CALLS), random.random_range(0..3000));
        let mut child = program.start(&allow);
        let mut calls = Vec::new();
        tokio::select! {
            () = are_called(&sandbox, &mut calls, most, Duration::from_micros(longer)) => {}
            _ = child.wait() => {}
        }
        let _ = child.start_kill();
        killed += usize::from(child.wait().await.unwrap().code().is_none());
        let left = ids(&sandbox);
        assert!(left.is_superset(&staying), "round {round}: somebody else was deleted");
        midway += usize::from((staying.len() + 1..TENANTS).contains(&left.len()));
        // Whoever is gone was kept before.
        let kept = "select provided_id from explo_customers where offboarded like '{\"action\":\"delete\"%'";
        let kept: BTreeSet<_> = database.rows(kept).await.into_iter().filter_map(|mut row| row.remove(0)).collect();
        assert!(kept.is_superset(&leaving.difference(&left).cloned().collect()), "round {round}");
        let output = program.run(&allow).await;
        assert_eq!(output.code, 0, "round {round}: {output:?}");
        assert_eq!(ids(&sandbox), staying, "round {round}");
    }
    println!("{killed} of {ROUNDS} were killed, {midway} of them midway");
    assert!(killed > ROUNDS / 2 && midway > ROUNDS / 5, "{killed} were killed, {midway} midway");
}
