//! A list that changes, lies or fails while it is read: no plan is made on a part of it.

use std::ops::Range;

use explo_sync::sandbox::{Behaviour, Churn, Endpoint, Fault, FaultKind, STRANGER, Sandbox, UpstreamCount};
use rstest::rstest;
use serde_json::{Value, json};

use super::{between, provided_id, record, split, upstream};
use crate::support::Program;

/// Three hundred records: six pages. Something may happen to the strangers among them.
async fn list(strangers: Range<u64>) -> Sandbox {
    let records = (1..=300).map(|id| {
        let mut record = record(id);
        // Nobody's child, so that nobody needs a parent that goes.
        record["owner"] = Value::Null;
        if strangers.contains(&id) {
            record["name"] = json!(format!("{STRANGER}{id}"));
        }
        record
    });
    upstream(records).await
}

/// Calls one after the other, so that what happens between two of them is the same each time.
fn in_order(program: &Program) -> Program {
    program.clone().with("EXPLO_SYNC__SOURCE__MAX_IN_FLIGHT", "1")
}

#[rstest]
#[case::newest_first("[]", Churn::Add, 6 + 7)]
#[case::changed_first("[\"sortBy=updatedAt\"]", Churn::Touch, 6 + 6)]
#[case::one_that_goes("[\"sortBy=id\",\"sortDirection=asc\"]", Churn::Delete, 6 + 6)]
#[tokio::test]
async fn records_that_move_between_pages_are_noticed_and_listed_again(
    #[case] parameters: &str,
    #[case] kind: Churn,
    #[case] pages: usize,
) {
    let sandbox = list(5..6).await;
    sandbox.adjust(|api| {
        api.behaviour = Behaviour { churn: vec![kind], churn_every: Some(4), ..Behaviour::default() };
    });
    let (program, _directory) = between(&sandbox);
    let program = in_order(&program).with("EXPLO_SYNC__SOURCE__PARAMETERS", parameters);
    let output = program.run(&["sync", "--dry-run", "--output", "json"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stderr.contains("the pages do not add up to the total"), "{}", output.stderr);
    assert_eq!(split(sandbox.take_calls()).0.len(), pages, "two passes");
    let report = output.json();
    let changes = report["changes"].as_array().unwrap();
    let is_planned = |id: u64| changes.iter().any(|change| change["provided_id"] == provided_id(id));
    let lacking: Vec<_> = (1..=300).filter(|id| *id != 5 && !is_planned(*id)).collect();
    assert_eq!(lacking, [0; 0], "only the stranger may have gone");
}

#[rstest]
#[case::that_shrinks_for_ever(Behaviour { churn: vec![Churn::Delete], ..Behaviour::default() })]
#[case::that_counts_the_page(Behaviour { upstream_count: UpstreamCount::Page, ..Behaviour::default() })]
#[tokio::test]
async fn a_list_that_never_adds_up_ends_the_run_before_anything_is_planned(#[case] behaviour: Behaviour) {
    let sandbox = list(1..100).await;
    sandbox.adjust(|api| api.behaviour = behaviour);
    let (program, _directory) = between(&sandbox);
    let output = in_order(&program).run(&["sync"]).await;
    assert_eq!(output.code, 1, "{output:?}");
    assert!(
        output.stderr.contains("Nothing was planned") && output.stderr.contains("source.total"),
        "{}",
        output.stderr
    );
    assert_eq!(split(sandbox.take_calls()).1, [], "Explo is not even asked");
}

#[rstest]
#[case::that_is_the_pages("/count", "the total falls from 3 to 0 while they are read, in each of 3 passes")]
#[case::that_is_nowhere("/nowhere", "3 distinct ones, and no page has a total at source.total")]
#[tokio::test]
async fn a_total_that_is_none_is_told(#[case] total: &str, #[case] told: &str) {
    let sandbox = upstream((1..=3).map(record)).await;
    sandbox.adjust(|api| api.behaviour.upstream_count = UpstreamCount::Page);
    let (program, _directory) = between(&sandbox);
    let program = program.with("EXPLO_SYNC__SOURCE__TOTAL", total);
    for arguments in [&["check"][..], &["sync"]] {
        let output = program.run(arguments).await;
        let text = format!("{}{}", output.stdout, output.stderr);
        assert!(output.code == 1 && text.contains(told), "{output:?}");
    }
}

#[tokio::test]
async fn without_a_total_the_list_ends_with_a_short_page() {
    let sandbox = list(0..0).await;
    sandbox.adjust(|api| api.behaviour.upstream_count = UpstreamCount::Page);
    let (program, directory) = between(&sandbox);
    let config = directory.path().join("explo-sync.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("total = \"/count\"", "total = \"\"")).unwrap();
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["counts"]["create"]), (0, &json!(300)));
    let offsets: Vec<_> =
        split(sandbox.take_calls()).0.iter().map(|call| call.path.rsplit('=').next().unwrap().to_owned()).collect();
    assert_eq!(offsets, ["0", "50", "100", "150", "200", "250", "300"]);
}

#[rstest]
#[case::unauthorized(FaultKind::Unauthorized, "refuses the token (401")]
#[case::forbidden(FaultKind::Forbidden, "refuses the token (403: You do not have permission")]
#[case::bad_request(FaultKind::Status(400), "refuses the request (400")]
#[case::bad_gateway(FaultKind::Status(502), "it answered 502: a service behind it failed")]
#[case::own_error(FaultKind::Status(500), "it answered 500: an unexpected error of its own")]
#[case::html(FaultKind::Html, "its answer is not JSON")]
#[case::half(FaultKind::Half, "its answer is not JSON, or cut short")]
#[case::cut(FaultKind::Cut, "can't be read")]
#[case::redirect(FaultKind::Redirect, "redirects are not followed; the call goes to")]
#[tokio::test]
async fn an_error_in_the_middle_ends_the_run_without_a_plan(#[case] kind: FaultKind, #[case] told: &str) {
    let sandbox = list(0..0).await;
    sandbox.adjust(|api| api.faults = vec![Fault::new(kind).at(Endpoint::Upstream).after(3)]);
    let (program, _directory) = between(&sandbox);
    let output = program.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2").run(&["sync"]).await;
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains(told), "{}", output.stderr);
    assert_eq!(split(sandbox.take_calls()).1, []);
}

#[rstest]
#[case::throttled(FaultKind::Throttle(Some(0)))]
#[case::bad_gateway(FaultKind::Status(502))]
#[case::no_answer(FaultKind::DropBefore)]
#[tokio::test]
async fn an_error_that_passes_costs_one_more_call(#[case] kind: FaultKind) {
    let sandbox = list(0..0).await;
    sandbox.adjust(|api| api.faults = vec![Fault::new(kind).at(Endpoint::Upstream).after(3).times(1)]);
    let (program, _directory) = between(&sandbox);
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["counts"]["create"]), (0, &json!(300)), "{report}");
    assert_eq!(split(sandbox.take_calls()).0.len(), 7);
}

#[tokio::test]
async fn a_token_that_the_list_does_not_know_is_the_sources_fault_and_not_explos() {
    let sandbox = list(0..0).await;
    let (program, directory) = between(&sandbox);
    std::fs::write(directory.path().join("token"), "my-secret-but-wrong").unwrap();
    let output = program.run(&["sync"]).await;
    assert_eq!(output.code, 1, "77 is for Explo's token: {output:?}");
    let told = "refuses the token (403: Your credentials are missing or not valid.): check that source.token_file";
    assert!(output.stderr.contains(told), "{}", output.stderr);
}
