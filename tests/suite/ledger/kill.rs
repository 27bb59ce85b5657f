//! `kill -9` at any moment of a run: after one more, each tenant's token is in the table.

use std::time::Duration;

use explo_sync::sandbox::Sandbox;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rstest::rstest;
use serde_json::json;
use tokio::time::Instant;

use super::{held, ids, program, tenants};
use crate::support::{Kind, customer, sandbox};

/// To be created: the tenants before this one; the others are to be updated.
const CREATES: usize = 120;

const TENANTS: usize = 200;

/// For each database.
const ROUNDS: u64 = 17;

/// Waits until the sandbox has got so many calls, and a little longer.
async fn wait(sandbox: &Sandbox, most: usize, longer: Duration) {
    let mut calls = 0;
    while calls < most {
        tokio::time::sleep(Duration::from_millis(1)).await;
        calls += sandbox.take_calls().len();
    }
    // A timer is not so fine.
    let moment = Instant::now() + longer;
    while Instant::now() < moment {
        tokio::task::yield_now().await;
    }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn runs_killed_at_any_moment_leave_no_token_behind_after_one_more_run(#[case] kind: Kind) {
    let mut random = SmallRng::seed_from_u64(kind as u64);
    let mut killed = 0;
    let database = tenants(kind, ids(0..TENANTS)).await;
    for round in 0..ROUNDS {
        let drifted = ids(CREATES..TENANTS).map(|id| customer(json!({"provided_id": id, "name": "Drifted"})));
        let sandbox = sandbox(drifted).await;
        let program = program(&database, &sandbox);
        // The first round makes the table, half of the others begin without one, half with rows that were another's.
        if round % 2 == 1 {
            database.execute("drop table explo_customers").await;
        } else if round > 0 {
            assert_eq!(program.run(&["ledger", "--adopt"]).await.code, 0, "round {round}");
        }
        let arguments = ["sync", "--quiet", "--allow", "create=200", "--allow", "update=200"];
        let (most, longer) = (random.random_range(0..TENANTS + 20), random.random_range(0..5000));
        let mut child = program.start(&arguments);
        tokio::select! {
            () = wait(&sandbox, most, Duration::from_micros(longer)) => {}
            _ = child.wait() => {}
        }
        let _ = child.start_kill();
        killed += usize::from(child.wait().await.unwrap().code().is_none());
        let output = program.run(&arguments).await;
        assert_eq!(output.code, 0, "round {round}: {output:?}");
        assert_eq!(database.tokens("default").await, held(&sandbox), "round {round}");
        assert_eq!(sandbox.customers().len(), TENANTS, "round {round}");
    }
    assert!(killed >= 12, "{killed} were killed");
}
