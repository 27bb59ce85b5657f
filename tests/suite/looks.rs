//! A look at one customer: there, absent, or refused. A refusal is absence only where the server says the same of an id that
//! nobody has.

use explo_sync::sandbox::{Call, Endpoint, Fault, FaultKind, Sandbox};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Asked, Database, Program, World, body, customer, endpoints, writes};

/// `new` is to be made, `b` is to get the id of `renamed`, `c` is to be changed.
async fn sides(flags: &str) -> (Database, Sandbox, Program) {
    let tenants = [("new", None, "New"), ("renamed", Some("b"), "Bob"), ("c", None, "Cat")];
    let tenants =
        tenants.map(|(id, previous, name)| json!({"provided_id": id, "previous_provided_id": previous, "name": name}));
    let held = [("b", "Bob"), ("c", "Before")].map(|(id, name)| json!({"provided_id": id, "name": name}));
    World::of(tenants).and(held).behaving(flags).with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2").start().await
}

/// The same, with looks at these ids refused in this way.
async fn refusing(
    sandbox: &Sandbox,
    program: &Program,
    ids: &'static [&str],
    status: u16,
    said: &'static str,
) -> Program {
    let refuse = move |asked: &Asked<'_>| {
        let is_it = asked.endpoint == "get_customer" && ids.iter().any(|id| asked.body.contains(&format!("\"{id}\"")));
        is_it.then(|| Answer::new(status, said)).flatten()
    };
    program.behind(sandbox, refuse).await
}

fn looked(calls: &[Call]) -> Vec<String> {
    let looks = calls.iter().filter(|call| call.path.contains("get_customer"));
    let mut ids: Vec<_> = looks.map(|call| body(call)["provided_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[rstest]
#[case("")]
#[case("--unknown-id 404 --failure-shape html")]
#[case("--unknown-id 400")]
#[case("--unknown-id 200")]
#[case("--failure-shape ok --success true")]
#[case("--failure-shape unknown")]
#[tokio::test]
async fn absence_is_what_the_server_says_of_an_id_that_nobody_has(
    #[case] flags: &str,
    #[values("nothing", "request-id", "timestamp")] mark: &str,
) {
    let (_database, sandbox, program) = sides(&format!("{flags} --refusal-mark {mark}")).await;
    let (_directory, path) = program.saved().await;
    drop(sandbox.take_calls());
    let (code, report) = program.sync(&["--plan", &path]).await;
    assert_eq!((code, &report["skipped"], &report["outcomes"]["applied"]), (0, &json!([]), &json!(3)), "{report}");
    assert_eq!(report["calls"]["planned"], report["calls"]["made"]);
    let looked = looked(&sandbox.take_calls());
    let nobody: Vec<_> = looked.iter().filter(|id| id.starts_with("explo-sync-asks-for-nobody-")).collect();
    assert_eq!((looked.len(), nobody.len(), nobody[0].len()), (5, 1, 59), "{looked:?}");
}

#[rstest]
#[case::forbidden(403, r#"{"detail": "not in your group"}"#)]
#[case::other_words(404, r#"{"success": 0, "error": "the customer is locked"}"#)]
#[case::other_status(409, r#"{"success": 0, "error": "there is no customer with the given provided_id"}"#)]
#[case::another_customer(200, r#"{"success": 1, "customer": {"provided_id": "z", "token": "z"}}"#)]
#[case::odd(200, r#"{"success": 1, "customer": []}"#)]
#[tokio::test]
async fn any_other_refusal_leaves_a_saved_change_alone_and_names_it(#[case] status: u16, #[case] said: &'static str) {
    let (_database, sandbox, program) = sides("").await;
    for (refused, skipped) in [(&["new"][..], "new"), (&["renamed"], "renamed"), (&["b"], "renamed"), (&["c"], "c")] {
        let program = refusing(&sandbox, &program, refused, status, said).await;
        let (_directory, path) = program.saved().await;
        drop(sandbox.take_calls());
        let (code, report) = program.sync(&["--plan", &path]).await;
        assert_eq!((code, &report["skipped"][0]), (3, &json!(skipped)), "{report}");
        let changes = report["changes"].as_array().unwrap();
        assert!(changes.iter().all(|change| change["provided_id"] != skipped), "{report}");
        return_to(&sandbox);
    }
}

/// Undoes what a plan did.
fn return_to(sandbox: &Sandbox) {
    sandbox.change(|store| {
        let tokens: Vec<_> = store.customers().iter().map(|held| held.token.clone()).collect();
        for token in &tokens {
            store.delete(token).unwrap();
        }
        for (id, name) in [("b", "Bob"), ("c", "Before")] {
            store.add(customer(json!({"provided_id": id, "name": name})));
        }
    });
}

#[tokio::test]
async fn explain_tells_a_refusal_from_absence() {
    let (_database, sandbox, program) = sides("").await;
    let explained = program.run(&["explain", "new"]).await.stdout;
    assert!(explained.contains("no customer that this token sees") && explained.contains("To create"), "{explained}");
    assert_eq!(endpoints(&sandbox.take_calls()), ["get_customer"; 2]);
    let refused = refusing(&sandbox, &program, &["new"], 403, r#"{"detail": "not in your group"}"#).await;
    let explained = refused.run(&["explain", "new"]).await;
    for part in ["Explo refused to show its customer", "get_customer answered 403", "not in your group"] {
        assert!(explained.stdout.contains(part), "{part} in {explained:?}");
    }
    assert!(!explained.stdout.contains("To create"), "{explained:?}");
}

#[tokio::test]
async fn a_server_error_is_no_evidence_of_absence() {
    let (_database, sandbox, program) = sides("--unknown-id 500").await;
    let (_directory, path) = program.saved().await;
    for arguments in [&["explain", "new"][..], &["sync", "--plan", &path]] {
        let output = program.run(arguments).await;
        assert!(output.code == 1 && output.stderr.contains("get_customer failed 2 times"), "{output:?}");
    }
    assert!(writes(&sandbox.take_calls()).is_empty());
    assert_eq!(program.sync(&[]).await.0, 0, "a run that lists needs no look");
}

#[rstest]
#[case(404, r#"{"success": 0, "error": "the customer is locked"}"#)]
#[case(403, "{}")]
#[tokio::test]
async fn a_single_tenant_is_made_without_proof_that_it_is_absent(#[case] status: u16, #[case] said: &'static str) {
    let (_database, sandbox, program) = sides("").await;
    let refused = refusing(&sandbox, &program, &["new"], status, said).await;
    let (code, report) = refused.sync(&["--only", "new"]).await;
    assert_eq!((code, &report["calls"]["made"]), (0, &json!({"get_customer": 1, "create_customer": 1})), "{report}");
}

#[rstest]
#[case::new_id(&["renamed"], "refuses to show the customer with the new id: get_customer answered 403")]
#[case::old_id(&["b"], "refuses to show the customer with the old id: get_customer answered 403")]
#[tokio::test]
async fn a_rename_whose_answer_was_lost_is_not_believed_where_a_look_is_refused(
    #[case] refused: &'static [&str],
    #[case] told: &str,
) {
    let (_database, sandbox, program) = sides("").await;
    sandbox.adjust(|api| {
        api.faults = vec![Fault::new(FaultKind::DropAfter).at(Endpoint::UpdateCustomer).of(["b"]).times(1)];
    });
    let program = refusing(&sandbox, &program, refused, 403, "{}").await;
    let (code, report) = program.sync(&[]).await;
    let renames = |change: &&Value| change["kind"] == "rename";
    let rename = report["changes"].as_array().unwrap().iter().find(renames).unwrap();
    assert_eq!((code, &rename["outcome"]), (3, &json!("failed")), "{report}");
    assert!(rename["error"].as_str().unwrap().contains(told), "{report}");
    assert_eq!(report["outcomes"]["applied"], 2, "the others go on");
}

#[tokio::test]
async fn what_carries_others_values_is_not_sent_where_the_look_is_refused() {
    let (_database, sandbox, program) = sides("").await;
    let dotted = "select id as provided_id, name, 'pro' as \"properties.plan\" from tenants where id = 'c'";
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", dotted);
    let program = refusing(&sandbox, &program, &["c"], 404, r#"{"error": "locked"}"#).await;
    let (code, report) = program.sync(&[]).await;
    let error = report["changes"][0]["error"].as_str().unwrap();
    assert!(code == 3 && error.contains("get_customer answered 404") && error.contains("locked"), "{error}");
    assert!(writes(&sandbox.take_calls()).is_empty());
}
