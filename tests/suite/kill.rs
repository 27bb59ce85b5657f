//! `kill -9` at any moment of a run: nothing is made twice, and one more run mends all.

#![expect(clippy::print_stdout, reason = "how many were killed is to be told, too")]

use std::{collections::HashMap, time::Duration};

use explo_sync::sandbox::{Api, Sandbox, Store, StoredCustomer};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rstest::rstest;
use serde_json::json;

use crate::support::{World, are_called, body, customer, endpoints, sandbox_of};

/// To be created: the tenants before this one; the others are to be updated.
const CREATES: usize = 300;

const TENANTS: usize = 500;

/// A page and the changes.
const CALLS: usize = 1 + TENANTS;

const ROUNDS: usize = 100;

fn id(n: usize) -> String {
    format!("t-{n:03}")
}

/// In the order of the ids.
fn names(sandbox: &Sandbox) -> Vec<(Option<String>, String)> {
    let customers = sandbox.customers().into_iter();
    let mut names: Vec<_> = customers.map(|customer| (customer.provided_id, customer.name)).collect();
    names.sort_unstable();
    names
}

#[rstest]
#[case(1)]
#[case(2)]
#[tokio::test]
async fn a_hundred_runs_killed_at_any_moment_make_no_duplicate_and_one_more_run_mends_each(#[case] seed: u64) {
    let (_database, _sandbox, program) = World::of((0..TENANTS).map(|n| (id(n), "as wanted"))).start().await;
    let drifted = (CREATES..TENANTS).map(|n| {
        customer(json!({"token": id(n), "provided_id": id(n), "name": "drifted", "access_group": "Production"}))
    });
    let drifted: Vec<StoredCustomer> = drifted.collect();
    let wanted: Vec<_> = (0..TENANTS).map(|n| (Some(id(n)), "as wanted".to_owned())).collect();
    let mut random = SmallRng::seed_from_u64(seed);
    let (mut killed, mut midway) = (0, 0);
    for round in 0..=ROUNDS {
        let sandbox = sandbox_of(Api::new(Store::new(drifted.clone()), seed)).await;
        let program = program.clone().with("EXPLO_SYNC__EXPLO__BASE_URL", &sandbox.url());
        let arguments = ["sync", "--quiet", "--allow", "create=300", "--allow", "update=200"];
        let mut calls = Vec::new();
        // The first round is undisturbed: so many calls there are.
        if round > 0 {
            let (most, longer) = (random.random_range(0..CALLS), random.random_range(0..1000));
            let mut child = program.start(&arguments);
            tokio::select! {
                () = are_called(&sandbox, &mut calls, most, Duration::from_micros(longer)) => {}
                _ = child.wait() => {}
            }
            let _ = child.start_kill();
            // Near its end it may have been faster.
            match child.wait().await.unwrap().code() {
                None => killed += 1,
                code => assert_eq!(code, Some(0), "round {round} failed by itself"),
            }
            calls.extend(sandbox.take_calls());
            midway += usize::from((2..CALLS).contains(&calls.len()));
        }
        let output = program.run(&arguments).await;
        assert_eq!(output.code, 0, "round {round}: {output:?}");
        calls.extend(sandbox.take_calls());
        assert_eq!(names(&sandbox), wanted, "round {round}");
        assert!(round > 0 || calls.len() == CALLS, "{} calls", calls.len());
        // What one run had made the other was shown, so that each customer was asked for once.
        let mut created = HashMap::new();
        let endpoints = endpoints(&calls);
        for (call, _) in calls.iter().zip(endpoints).filter(|(_, endpoint)| *endpoint == "create_customer") {
            *created.entry(body(call)["provided_id"].to_string()).or_insert(0) += 1;
        }
        let all_once = created.len() == CREATES && created.values().all(|times| *times == 1);
        assert!(all_once, "round {round}: {:?}", created.iter().filter(|(_, times)| **times > 1).collect::<Vec<_>>());
    }
    let told =
        format!("of {ROUNDS} rounds {killed} were killed, and {midway} ended between the first and the last write");
    assert!(killed >= 95 && midway >= 90, "{told}");
    println!("{told}");
}
