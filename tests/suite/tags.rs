//! Tags that tenants carry and Explo may not have.

use explo_sync::sandbox::{Sandbox, Store};
use rstest::rstest;
use serde_json::json;

use crate::support::{
    Answer, Asked, Database, Program, World, before, changes, customer, endpoints, ids, stored, told, writes,
};

/// Tenants with these tags; `listed` has a customer that has the tag `gold`.
async fn sides(tenants: &[(&str, &str)]) -> (Database, Sandbox, Program) {
    let tagged = |(id, tags): &(&str, &str)| {
        let tags: Vec<_> = tags.split(',').filter(|tag| !tag.is_empty()).collect();
        json!({"provided_id": id, "name": format!("Tenant {id}"), "emails": [], "group_tags": tags})
    };
    let listed = json!({"provided_id": "listed", "name": "Tenant listed", "group_tags": ["gold"]});
    let world = World::of(tenants.iter().map(tagged)).and([listed]);
    world.with("EXPLO_SYNC__GUARD__MAX_ORPHAN_PERCENT", "100").start().await
}

fn creating(program: &Program) -> Program {
    program.clone().with("EXPLO_SYNC__FIELDS__CREATE_MISSING_TAGS", "true")
}

fn tags(sandbox: &Sandbox) -> Vec<String> {
    sandbox.adjust(|api| api.store().tags().iter().cloned().collect())
}

#[rstest]
#[case::carried_by_changes(&[("new", "gold"), ("listed", "gold")])]
#[case::none(&[("new", ""), ("listed", "")])]
#[tokio::test]
async fn tags_that_listed_customers_have_are_not_asked_for(#[case] tenants: &[(&str, &str)]) {
    let (_database, sandbox, program) = sides(tenants).await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert!(!endpoints(&sandbox.take_calls()).contains(&"group_tags"));
}

#[tokio::test]
async fn an_unchanged_customer_is_no_reason_to_ask() {
    let (_database, sandbox, program) = sides(&[("listed", "gold")]).await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(told(&sandbox.take_calls()), ["customers"]);
}

#[tokio::test]
async fn tags_that_nobody_has_are_asked_for_once() {
    let (_database, sandbox, program) = sides(&[("a", "silver"), ("b", "gold,silver"), ("listed", "silver")]).await;
    sandbox.change(|store| store.add_tag("silver").unwrap());
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["calls"]["made"]), (0, &report["calls"]["planned"]), "{report}");
    assert_eq!(told(&sandbox.take_calls())[..2], ["customers", "group_tags"]);
    assert_eq!(stored(&sandbox, "b")["group_tags"], json!(["gold", "silver"]));
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(told(&sandbox.take_calls()), ["customers"]);
}

#[tokio::test]
async fn a_tenant_with_a_tag_that_does_not_exist_is_invalid_and_the_others_go_on() {
    let tenants = [("a", "gold"), ("b", "gold,silver"), ("listed", "bronze,silver")];
    let (_database, sandbox, program) = sides(&tenants).await;
    // The customer of an invalid tenant has a tenant: were it an orphan, the plan would be held.
    let program = program.with("EXPLO_SYNC__GUARD__MAX_ORPHAN_PERCENT", "0");
    let (code, report) = program.sync(&["--show-values"]).await;
    let way_out = "create it there, or set fields.create_missing_tags = true";
    let invalid = json!([
        {"provided_id": "b", "reason": format!("Explo has no group tag \"silver\": {way_out}")},
        {"provided_id": "listed", "reason": format!("Explo has no group tag \"bronze\", \"silver\": {way_out}")},
    ]);
    assert_eq!((code, changes(&report)), (3, vec!["create a applied".to_owned()]));
    assert_eq!((&report["invalid"], &report["orphans"], &report["held"]), (&invalid, &json!([]), &json!([])));
    let calls = json!({"customers": 1, "group_tags": 1, "create_customer": 1});
    assert_eq!((&report["calls"]["planned"], &report["calls"]["made"]), (&calls, &calls));
    assert_eq!(told(&sandbox.take_calls()), ["customers", "group_tags", "create_customer a"]);
    assert_eq!(stored(&sandbox, "listed")["group_tags"], json!(["gold"]));
}

#[tokio::test]
async fn off_a_terminal_no_tag_is_named() {
    let (_database, _sandbox, program) = sides(&[("a", "silver")]).await;
    for arguments in [&["sync", "--dry-run", "-v"][..], &["sync", "--dry-run", "--output", "json"], &["explain", "a"]] {
        let refused = program.run(arguments).await;
        assert!(
            refused.stdout.contains("one of its group_tags does not exist in Explo: create it there"),
            "{refused:?}"
        );
        let to_make = creating(&program).run(arguments).await;
        for output in [refused, to_make] {
            assert!(!format!("{}{}", output.stdout, output.stderr).contains("silver"), "{output:?}");
        }
    }
}

#[tokio::test]
async fn missing_tags_are_made_before_the_changes_where_that_is_asked_for() {
    let (_database, sandbox, program) = sides(&[("a", "silver"), ("b", "gold,\"x\""), ("listed", "gold,silver")]).await;
    let program = creating(&program);
    let planned =
        json!({"customers": 1, "group_tags": 1, "create_group_tag": 2, "create_customer": 2, "update_customer": 1});
    let (code, report) = program.sync(&["--dry-run", "--show-values"]).await;
    assert_eq!((code, &report["calls"]["planned"]), (0, &planned));
    assert_eq!((&report["calls"]["made"], &report["invalid"]), (&json!({"customers": 1, "group_tags": 1}), &json!([])));
    assert_eq!(report["calls"]["tags"], json!(["\"x\"", "silver"]), "which tags it would make");
    assert!(program.sync(&["--dry-run"]).await.1["calls"].get("tags").is_none(), "names are values");
    let text = program.run(&["sync", "--dry-run", "--show-values"]).await.stdout;
    assert!(text.contains("Group tags to create first, 2: \"\\\"x\\\"\", \"silver\"\n"), "{text}");
    let text = program.run(&["sync", "--dry-run"]).await.stdout;
    assert!(text.contains("Group tags to create first, 2\n") && text.contains("2 create_group_tag"), "{text}");
    assert!(writes(&sandbox.take_calls()).is_empty(), "a dry run makes none");

    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["calls"]["planned"], &report["calls"]["made"]), (0, &planned, &planned));
    let calls = told(&sandbox.take_calls());
    let mut made = calls[2..4].to_vec();
    made.sort();
    assert_eq!(
        (&calls[..2], made),
        (
            &["customers", "group_tags"].map(str::to_owned)[..],
            vec!["create_group_tag \"x\"".to_owned(), "create_group_tag silver".to_owned()]
        )
    );
    assert_eq!(stored(&sandbox, "listed")["group_tags"], json!(["gold", "silver"]));
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(told(&sandbox.take_calls()), ["customers"], "the second run is quiet");
}

#[rstest]
#[case::not_found("status=404")]
#[case::not_allowed("status=405")]
#[case::forbidden("forbidden")]
#[case::not_implemented("status=501")]
#[case::refused("status=400")]
#[case::broken("status=500")]
#[case::a_page_for_a_browser("html")]
#[tokio::test]
async fn where_explo_does_not_tell_nothing_is_held_against_anyone(#[case] fault: &str) {
    let (_database, sandbox, program) = sides(&[("a", "silver"), ("b", "bronze")]).await;
    sandbox.change(|store| store.add_tag("silver").unwrap());
    sandbox.adjust(|api| api.faults = vec![format!("{fault},endpoint=group_tags").parse().unwrap()]);
    for program in [creating(&program), program] {
        let (code, report) = program.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1").sync(&[]).await;
        assert_eq!((code, &report["invalid"]), (3, &json!([])), "Explo itself refuses what it does not have");
        assert_eq!(changes(&report).last(), Some(&"create b failed".to_owned()));
        assert!(report["calls"]["planned"].get("create_group_tag").is_none(), "{report}");
        assert_eq!(tags(&sandbox), ["gold", "silver"]);
    }
}

#[rstest]
#[case::in_camel_case(r#"{"success": true, "groupTags": [{"id": 1, "name": "silver"}, null]}"#, true)]
#[case::as_plain_names(r#"{"success": 1, "group_tags": ["silver"]}"#, true)]
#[case::without_success(r#"{"group_tags": [{"name": "silver"}]}"#, true)]
#[case::empty(r#"{"success": 1, "group_tags": []}"#, false)]
#[case::refused(r#"{"success": 0, "group_tags": []}"#, true)]
#[case::of_another_shape(r#"{"success": 1, "tags": {}}"#, true)]
#[tokio::test]
async fn the_list_of_tags_is_read_liberally(#[case] answer: &'static str, #[case] is_valid: bool) {
    let (_database, sandbox, program) = sides(&[("a", "silver")]).await;
    sandbox.change(|store| store.add_tag("silver").unwrap());
    let list = move |asked: &Asked<'_>| (asked.endpoint == "group_tags").then(|| Answer::new(200, answer)).flatten();
    let url = before(&sandbox, list).await;
    let (_, report) = program.with("EXPLO_SYNC__EXPLO__BASE_URL", &url).sync(&[]).await;
    assert_eq!(report["invalid"] == json!([]), is_valid, "{report}");
}

#[tokio::test]
async fn rejected_credentials_end_the_run_at_the_tags_too() {
    let (_database, sandbox, program) = sides(&[("a", "silver")]).await;
    sandbox.adjust(|api| api.faults = vec!["unauthorized,endpoint=group_tags".parse().unwrap()]);
    assert_eq!(program.sync(&[]).await.0, 77);
    assert_eq!(told(&sandbox.take_calls()), ["customers", "group_tags"]);
}

#[rstest]
#[case::refused("status=400")]
#[case::refused_with_200("html")]
#[case::forbidden("forbidden")]
#[case::broken("status=500")]
#[tokio::test]
async fn a_tag_that_can_not_be_made_fails_those_that_carry_it(#[case] fault: &str) {
    let tenants = [("a", "silver"), ("b", "gold"), ("c", "bronze,gold"), ("listed", "bronze")];
    let (_database, sandbox, program) = sides(&tenants).await;
    let fault = format!("{fault},endpoint=create_group_tag,times=1");
    sandbox.adjust(|api| api.faults = vec![fault.parse().unwrap()]);
    let once = [("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1"), ("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1")];
    let program = once.iter().fold(creating(&program), |program, (name, value)| program.with(name, value));
    let (code, report) = program.sync(&[]).await;
    let expected = ["create a applied", "create b applied", "create c failed", "update listed failed"];
    assert_eq!((code, changes(&report)), (3, expected.map(str::to_owned).to_vec()));
    let error = report["changes"][2]["error"].as_str().unwrap();
    let is_told =
        error.starts_with("one of its group_tags could not be created: ") && error.contains("create_group_tag");
    assert!(is_told, "{error}");
    assert!(!error.contains("bronze"), "{error}");
    assert_eq!(report["outcomes"], json!({"applied": 2, "failed": 2, "unsettled": 0, "deferred": 0}));
    assert_eq!(program.sync(&[]).await.0, 0, "the next run makes it");
    assert_eq!(tags(&sandbox), ["bronze", "gold", "silver"]);
}

#[rstest]
#[case::lost("drop-after", 2)]
#[case::empty("empty", 2)]
#[case::broken_afterwards("status-after=502", 2)]
#[case::lost_for_good("drop-after", 1)]
#[tokio::test]
async fn a_tag_whose_answer_was_lost_is_looked_after(#[case] fault: &str, #[case] attempts: u32) {
    let (_database, sandbox, program) = sides(&[("a", "silver")]).await;
    let fault = format!("{fault},endpoint=create_group_tag,times=1");
    sandbox.adjust(|api| api.faults = vec![fault.parse().unwrap()]);
    let program = creating(&program).with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", &attempts.to_string());
    assert_eq!(program.sync(&[]).await.0, 0);
    let create = vec!["create_group_tag silver"; attempts as usize];
    let expected = [&["customers", "group_tags"][..], &create, &["group_tags", "create_customer a"]].concat();
    assert_eq!(told(&sandbox.take_calls()), expected);
}

#[tokio::test]
async fn a_tag_that_somebody_made_meanwhile_is_as_good() {
    let (_database, sandbox, program) = sides(&[("a", "silver")]).await;
    sandbox.change(|store| store.add_tag("silver").unwrap());
    let hidden = |asked: &Asked<'_>| {
        let is_first = asked.endpoint == "group_tags" && asked.before == 0;
        is_first.then(|| Answer::new(200, r#"{"success": 1, "group_tags": []}"#)).flatten()
    };
    assert_eq!(creating(&program).behind(&sandbox, hidden).await.sync(&[]).await.0, 0);
    // The first question did not get as far as here.
    assert_eq!(
        told(&sandbox.take_calls()),
        ["customers", "create_group_tag silver", "group_tags", "create_customer a"]
    );
}

#[tokio::test]
async fn no_tag_is_made_for_a_plan_that_is_held_or_a_change_that_is_not_begun() {
    let (_database, sandbox, program) = sides(&[("a", "silver"), ("b", "bronze")]).await;
    let program = creating(&program);
    assert_eq!(program.clone().with("EXPLO_SYNC__GUARD__CREATE_FLOOR", "0").sync(&[]).await.0, 4);
    assert_eq!(tags(&sandbox), ["gold"]);
    assert_eq!(program.sync(&["--max-changes", "1"]).await.0, 75);
    assert_eq!(tags(&sandbox), ["gold", "silver"]);
    assert_eq!(program.sync(&[]).await.0, 0);
}

#[tokio::test]
async fn only_asks_for_tags_that_the_looked_at_customers_do_not_have() {
    let (database, sandbox, program) = sides(&[("a", "silver"), ("b", "gold"), ("listed", "gold")]).await;
    database.execute("update tenants set name = 'Other' where id = 'listed'").await;
    assert_eq!(program.sync(&["--only", "b", "--only", "listed"]).await.0, 0);
    let calls = told(&sandbox.take_calls());
    assert!(!calls.contains(&"group_tags".to_owned()), "{calls:?}");
    let (code, report) = program.sync(&["--only", "a", "--only", "listed"]).await;
    let calls = json!({"get_customer": 2, "group_tags": 1});
    assert_eq!((code, &report["invalid"][0]["provided_id"]), (3, &json!("a")));
    assert_eq!((&report["calls"]["planned"], &report["calls"]["made"]), (&calls, &calls));
    assert_eq!(creating(&program).sync(&["--only", "a"]).await.0, 0);
    assert_eq!(stored(&sandbox, "a")["group_tags"], json!(["silver"]));
}

#[tokio::test]
async fn explain_decides_as_a_run_does() {
    let (_database, sandbox, program) = sides(&[("a", "silver")]).await;
    let explained = async |program: &Program| program.run(&["explain", "a", "--show-values"]).await.stdout;
    let invalid = explained(&program).await;
    assert!(invalid.contains("Invalid, so nothing is sent: Explo has no group tag \"silver\""), "{invalid}");
    let created = explained(&creating(&program)).await;
    assert!(created.contains("To create first: the group tag \"silver\".\nTo create: one call"), "{created}");
    assert!(writes(&sandbox.take_calls()).is_empty());
}

#[tokio::test]
async fn a_saved_plan_keeps_its_tags_and_checks_them_again() {
    let (_database, sandbox, program) = sides(&[("a", "silver"), ("b", "bronze")]).await;
    let (_directory, path) = creating(&program).saved().await;
    sandbox.change(|store| store.add_tag("bronze").unwrap());
    drop(sandbox.take_calls());
    // The plan says what is to be made, whatever the configuration says now.
    let (code, report) = program.sync(&["--plan", &path]).await;
    let calls = json!({"get_customer": 3, "group_tags": 1, "create_group_tag": 1, "create_customer": 2});
    assert_eq!((code, &report["calls"]["planned"], &report["calls"]["made"]), (0, &calls, &calls), "{report}");
    assert_eq!(tags(&sandbox), ["bronze", "gold", "silver"]);
}

#[tokio::test]
async fn a_tag_whose_tenants_all_moved_since_the_plan_was_saved_is_not_made() {
    let (_database, sandbox, program) = sides(&[("a", "silver")]).await;
    let (_directory, path) = creating(&program).saved().await;
    sandbox.change(|store| store.add(customer(json!({"provided_id": "a", "name": "Made by hand"}))));
    let (code, report) = program.sync(&["--plan", &path]).await;
    let calls = json!({"get_customer": 1});
    assert_eq!((code, &report["calls"]["planned"], &report["calls"]["made"]), (3, &calls, &calls));
}

#[tokio::test]
async fn where_explo_does_not_tell_any_more_a_saved_plan_makes_the_tags_that_it_names() {
    let (_database, sandbox, program) = sides(&[("a", "silver")]).await;
    let (_directory, path) = creating(&program).saved().await;
    sandbox.adjust(|api| api.faults = vec!["status=404,endpoint=group_tags".parse().unwrap()]);
    assert_eq!(program.sync(&["--plan", &path]).await.0, 0);
    assert_eq!(stored(&sandbox, "a")["group_tags"], json!(["silver"]));
}

#[tokio::test]
async fn a_tag_that_went_since_the_plan_was_saved_makes_its_tenants_invalid() {
    let (_database, sandbox, program) = sides(&[("a", "silver"), ("b", "gold")]).await;
    sandbox.change(|store| store.add_tag("silver").unwrap());
    let (_directory, path) = program.saved().await;
    let gold = json!({"provided_id": "listed", "name": "Tenant listed", "group_tags": ["gold"]});
    sandbox.change(|store| *store = Store::new([customer(gold)]));
    let (code, report) = program.sync(&["--plan", &path]).await;
    assert_eq!((code, changes(&report)), (3, vec!["create b applied".to_owned()]));
    assert_eq!(report["invalid"][0]["provided_id"], "a");
}

#[tokio::test]
async fn a_tenant_to_be_renamed_that_has_a_tag_that_does_not_exist_is_left_alone() {
    let (database, sandbox, program) = sides(&[("new", "silver")]).await;
    let query = "select id as provided_id, 'listed' as previous_provided_id, name, group_tags from tenants";
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", query).with("EXPLO_SYNC__GUARD__MAX_ORPHAN_PERCENT", "0");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, changes(&report), &report["orphans"]), (3, vec![], &json!([])), "{report}");
    assert!(writes(&sandbox.take_calls()).is_empty());
    assert_eq!(creating(&program).sync(&[]).await.0, 0);
    assert_eq!(stored(&sandbox, "new")["group_tags"], json!(["silver"]));
    drop(database);
}

#[tokio::test]
async fn an_inherited_tag_that_is_listed_exists() {
    let (_database, sandbox, program) = sides(&[("a", "silver")]).await;
    let list = |asked: &Asked<'_>| {
        let page =
            r#"{"total_count": 1, "results": {"customers": [{"token": "t", "group_tags": [{"name": "silver"}]}]}}"#;
        (asked.endpoint == "customers").then(|| Answer::new(200, page)).flatten()
    };
    sandbox.change(|store| store.add_tag("silver").unwrap());
    assert_eq!(program.behind(&sandbox, list).await.sync(&[]).await.0, 0);
    assert_eq!(told(&sandbox.take_calls()), ["create_customer a"]);
}

#[tokio::test]
async fn below_a_tenant_that_is_not_renamed_for_want_of_a_tag_nobody_is_made() {
    let query = "select id as provided_id, name, group_tags, emails as previous_provided_id, \
                 case id when 'k' then 'q' end as parent_provided_id, 'a level' as hierarchy_level_name from tenants";
    let (database, sandbox, program) = sides(&[("q", "missing"), ("k", "")]).await;
    database.execute("update tenants set emails = case id when 'q' then 'listed' end").await;
    let (code, report) = program.with("EXPLO_SYNC__SOURCE__QUERY", query).sync(&[]).await;
    assert_eq!((code, changes(&report), ids(&report["invalid"])), (3, vec![], vec!["k", "q"]), "{report}");
    assert_eq!(writes(&sandbox.take_calls()).len(), 0);
}
