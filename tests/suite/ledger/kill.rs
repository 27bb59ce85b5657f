//! `kill -9` at any moment of a run: after one more, each tenant's token is in the table.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rstest::rstest;
use serde_json::json;

use super::{held, ids, program, tenants};
use crate::support::{Kind, are_called, customer, sandbox};

/// To be created: the tenants before this one; the others are to be updated.
const CREATES: usize = 120;

const TENANTS: usize = 200;

/// For each database.
const ROUNDS: u64 = 17;

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
        let mut calls = Vec::new();
        tokio::select! {
            () = are_called(&sandbox, &mut calls, most, Duration::from_micros(longer)) => {}
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
