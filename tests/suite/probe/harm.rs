//! Faults, signals and odd answers in the middle of a probe.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use explo_sync::{
    probe::PREFIX,
    sandbox::{Fault, Sandbox},
};
use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use rstest::rstest;
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::{TOKEN, explo, probed, state};
use crate::support::{Program, customer, signal};

/// Longer than the grace time of a signal.
const LONG: Duration = Duration::from_secs(40);

fn fails(sandbox: &Sandbox, faults: &[&str]) {
    let faults: Vec<Fault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    sandbox.adjust(|api| api.faults = faults);
}

/// The ids of demo customers.
fn left(sandbox: &Sandbox) -> Vec<String> {
    let ids = sandbox.customers().into_iter().filter_map(|customer| customer.provided_id);
    ids.filter(|id| id.starts_with(PREFIX)).collect()
}

fn impatient(program: Program) -> Program {
    program.with("EXPLO_SYNC__EXPLO__TIMEOUT", "1s").with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "4")
}

#[rstest]
#[case::lost_creation(&["drop-after,endpoint=create_customer,times=1"], 0)]
#[case::creation_never_answered(&["drop-after,endpoint=create_customer"], 1)]
#[case::creation_refused_after(&["status-after=400,endpoint=create_customer"], 1)]
#[case::creation_forbidden(&["forbidden,endpoint=create_customer"], 77)]
#[case::creation_hangs(&["hang-after,endpoint=create_customer,times=1"], 0)]
#[case::update_fails(&["status=503,endpoint=update_customer"], 1)]
#[case::update_hangs(&["hang-before,endpoint=update_customer,times=1"], 0)]
#[case::lost_deletion(&["drop-after,endpoint=delete_customer,times=1"], 0)]
#[case::deletion_refused_after(&["status-after=400,endpoint=delete_customer,times=1"], 0)]
#[case::throttled(&["throttle=1,after=5,times=1", "throttle=1,endpoint=delete_customer,times=1"], 0)]
#[case::listing_fails(&["status=500,endpoint=customers,times=2"], 0)]
#[case::nobody_listed(&["nobody,endpoint=customers"], 0)]
#[case::itself_not_listed(&["fewer=1,endpoint=customers"], 0)]
#[case::anothers_token_at_first(&["other-token,endpoint=create_customer,times=1"], 0)]
#[case::anothers_token_at_the_look(&["other-token,endpoint=get_customer,times=1"], 0)]
#[tokio::test]
async fn whatever_fails_it_removes_its_customer(#[case] faults: &[&str], #[case] code: i32) {
    let (sandbox, program) = explo("").await;
    let before = state(&sandbox);
    fails(&sandbox, faults);
    let (exit, report) = probed(&impatient(program)).await;
    assert_eq!((exit, &report["removed"]), (code, &json!(true)), "{report}");
    assert_eq!(state(&sandbox), before, "{report}");
}

/// Where it can't know whose token it is, it leaves its customer and says so, and the next probe finds it.
#[rstest]
#[case::no_deletion(&["status=500,endpoint=delete_customer"])]
#[case::no_look(&["status=500,endpoint=get_customer,after=3"])]
#[case::always_anothers_token(&["other-token,after=1"])]
#[case::no_listing(&["other-token", "status=400,endpoint=customers"])]
#[tokio::test]
async fn what_it_cant_remove_it_names_with_the_way_to_remove_it(#[case] faults: &[&str]) {
    let (sandbox, program) = explo("").await;
    let (program, before) = (program.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2"), state(&sandbox));
    fails(&sandbox, faults);
    let output = program.run(&["probe", "--yes"]).await;
    let [id] = &left(&sandbox)[..] else { panic!("{output:?}") };
    assert!(output.code == 1 && output.stdout.contains(id) && !output.stdout.contains("sandbox-token"), "{output:?}");
    fails(&sandbox, &[]);
    let (code, report) = probed(&program).await;
    assert_eq!((code, &report["leftovers"], &report["removed"]), (1, &json!([id]), &json!(true)));
    assert_eq!(left(&sandbox), std::slice::from_ref(id), "it is not this probe's");

    let way = output.stdout.split("EXPLO_TOKEN:\n").nth(1).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", &way.lines().take(3).collect::<String>()]).env("EXPLO_TOKEN", TOKEN);
    assert!(shell.status().await.unwrap().success());
    assert_eq!(state(&sandbox), before, "{way}");
}

async fn ends(child: Child) -> (Option<i32>, String) {
    let output = timeout(LONG, child.wait_with_output()).await.unwrap().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// Waits for the Nth call.
async fn is_called(sandbox: &Sandbox, calls: usize) {
    while sandbox.adjust(|api| api.calls().len()) < calls {
        sleep(Duration::from_millis(2)).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_signal_leaves_nothing(
    #[values(1, 2, 3, 5, 8, 12, 16, 17, 18)] calls: usize,
    #[values("-TERM", "-INT")] name: &str,
) {
    let (sandbox, program) = explo("").await;
    let before = state(&sandbox);
    let child = program.with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "1200").start(&["probe", "--yes"]);
    is_called(&sandbox, calls).await;
    signal(&child, name).await;
    let (code, stdout) = ends(child).await;
    assert_eq!(state(&sandbox), before, "{stdout}");
    // One call before its end it may be over when the signal comes.
    if calls < 18 || code != Some(0) {
        assert_eq!(code, Some(75), "{stdout}");
        assert!(stdout.contains("It ended early: stopped by a signal\n"), "{stdout}");
    }
}

#[rstest]
#[case::creation(&["hang-after,endpoint=create_customer,times=1"], 2)]
#[case::update(&["hang-before,endpoint=update_customer,times=1"], 9)]
#[case::look(&["hang-before,endpoint=customers,times=1"], 3)]
#[tokio::test]
async fn a_signal_during_a_call_that_hangs_leaves_nothing(#[case] faults: &[&str], #[case] calls: usize) {
    let (sandbox, program) = explo("").await;
    let before = state(&sandbox);
    fails(&sandbox, faults);
    let child = program.start(&["probe", "--yes"]);
    is_called(&sandbox, calls).await;
    signal(&child, "-TERM").await;
    let (code, stdout) = ends(child).await;
    assert_eq!((code, &*state(&sandbox)), (Some(75), &*before), "{stdout}");
}

/// After a second Ctrl-C nothing is waited for, but told.
#[tokio::test]
async fn a_second_interrupt_ends_it_and_it_says_what_is_left() {
    let (sandbox, program) = explo("").await;
    fails(&sandbox, &["hang-before,endpoint=delete_customer"]);
    let child = program.start(&["probe", "--yes"]);
    is_called(&sandbox, 18).await;
    for _ in 0..2 {
        signal(&child, "-INT").await;
        sleep(Duration::from_millis(500)).await;
    }
    let (code, stdout) = timeout(Duration::from_secs(10), ends(child)).await.unwrap();
    let [id] = &left(&sandbox)[..] else { panic!("{stdout}") };
    assert!(code == Some(1) && stdout.contains(id), "{stdout}");
}

#[tokio::test]
async fn a_yes_on_the_terminal_begins_it() {
    let (sandbox, program) = explo("").await;
    let mut terminal = program.on_terminal_after("true", "probe");
    let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"y\n").await.unwrap();
    let (_, shown) = ends(child).await;
    assert!(shown.contains("is deleted again"), "{shown}");
    assert!(left(&sandbox).is_empty());
}

const SWITCHES: [(&str, &str); 26] = [
    ("--page-size-name", "pageSize"),
    ("--largest-page", "3"),
    ("--unknown-parameters", "refused"),
    ("--total", "missing"),
    ("--total-plus", "9"),
    ("--past-end", "last"),
    ("--order", "shuffled"),
    ("--order", "newest"),
    ("--v2", "missing"),
    ("--keys", "camel"),
    ("--property-keys", "snake"),
    ("--failure-shape", "ok"),
    ("--failure-shape", "html"),
    ("--unknown-id", "400"),
    ("--refusal-mark", "request-id"),
    ("--emails", "merge"),
    ("--properties", "merge"),
    ("--spaces", "collapsed"),
    ("--cut-at", "60"),
    ("--address-case", "lower"),
    ("--ids", "folded"),
    ("--ids", "trimmed"),
    ("--existing", "updated"),
    ("--nulls", "cleared"),
    ("--gone", "success"),
    ("--success", "true"),
];

const FAULTS: [&str; 16] = [
    "drop-before",
    "drop-after",
    "status=503",
    "status=400",
    "status=404",
    "status-after=500",
    "status-after=400",
    "throttle=1",
    "hang-before",
    "hang-after",
    "empty",
    "cut",
    "half",
    "html",
    "other-token",
    "unauthorized",
];

/// Many mixes of behaviours and faults. All others stay as they are, and what is left is named.
#[tokio::test]
async fn in_no_mix_is_anything_left_untold_or_another_touched() {
    join_all((0..40).map(mixed)).await;
}

async fn mixed(seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let switches: BTreeMap<_, _> = SWITCHES.sample(&mut random, 4).copied().collect();
    let flags = switches.iter().map(|(flag, value)| format!("{flag} {value}")).collect::<Vec<_>>().join(" ");
    let mut fault = || {
        let (fault, after) = (*FAULTS.choose(&mut random).unwrap(), random.random_range(0..19));
        // A server that throttles for ever is waited for, ten minutes a call.
        let times = if fault == "throttle=1" { 1..3 } else { 1..4 };
        match random.random_range(times) {
            3 => format!("{fault},after={after}"),
            times => format!("{fault},after={after},times={times}"),
        }
    };
    let faults = [fault(), fault()];
    let (sandbox, program) = explo(&flags).await;
    let stranger = json!({"provided_id": "stranger", "name": "S"});
    sandbox.change(|store| store.add(customer(stranger)));
    let others = |sandbox: &Sandbox| {
        let mut customers = sandbox.customers();
        customers.retain(|one| !one.provided_id.as_deref().unwrap_or_default().starts_with(PREFIX));
        serde_json::to_string(&customers).unwrap()
    };
    let before = others(&sandbox);
    fails(&sandbox, &[&faults[0], &faults[1]]);
    let program = impatient(program).with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2");
    let output = program.run(&["probe", "--yes"]).await;
    let told = format!("seed {seed}: {flags} {faults:?}: {output:?}");
    assert_eq!(others(&sandbox), before, "{told}");
    for id in left(&sandbox) {
        assert!(output.code == 1 && output.stdout.contains(&id), "{told}");
    }
    assert!([0, 1, 77].contains(&output.code), "{told}");
}
