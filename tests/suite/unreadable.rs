//! Customers whose records can't be read: each is one tenant's matter, named, and the others go on.

use explo_sync::sandbox::{Odd, Sandbox};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Asked, Database, Program, World, body, endpoints, ids, stored, writes};

/// `a` is equal, `b` is odd, `c` differs, `d` is new; nobody has a row for `e`.
async fn sides(odd: Odd) -> (Database, Sandbox, Program) {
    let world = World::of([("a", "Ann"), ("b", "Bob"), ("c", "Cat"), ("d", "Dan")]).derived().without(["d"]);
    let world = world.but("c", |customer| customer.name = "Before".into());
    let world = world.and([json!({"provided_id": "e", "name": "Eve"})]).each(|customer| {
        customer.token = format!("token of {}", customer.provided_id.as_ref().unwrap());
        customer.properties = serde_json::from_str(r#"{"plan": "free"}"#).unwrap();
    });
    let (database, sandbox, program) = world.with("EXPLO_SYNC__GUARD__MAX_ORPHAN_PERCENT", "100").start().await;
    sandbox.change(|store| store.make_odd("b", odd).unwrap());
    (database, sandbox, program)
}

/// The token that the ledger has for an id, if it has a row.
async fn tokens(database: &Database, id: &str) -> Vec<Option<String>> {
    database.tokens("default").await.remove(id).into_iter().collect()
}

#[rstest]
#[case(Odd::PropertiesList)]
#[case(Odd::EmailsText)]
#[case(Odd::HalfSurrogate)]
#[case(Odd::DeepProperties)]
#[tokio::test]
async fn one_record_makes_one_tenant_invalid_and_the_others_go_on(#[case] odd: Odd) {
    let (database, sandbox, program) = sides(odd).await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["listing"]["unreadable"]), (3, &json!(["b"])), "{report}");
    assert_eq!((&report["listing"]["passes"], &report["customers"]), (&json!(1), &json!(4)));
    assert_eq!((ids(&report["invalid"]), ids(&report["changes"])), (vec!["b"], vec!["d", "c"]));
    assert!(report["invalid"][0]["reason"].as_str().unwrap().contains("can't be read"), "{report}");
    assert_eq!(report["calls"]["made"], json!({"customers": 1, "create_customer": 1, "update_customer": 1}));
    assert_eq!(report["outcomes"]["applied"], 2);
    let calls = sandbox.take_calls();
    let mut calls = endpoints(&calls);
    calls.sort_unstable();
    assert_eq!(calls, ["create_customer", "customers", "update_customer"]);

    // Without a row it is an orphan that is named.
    database.execute("delete from tenants where id = 'b'").await;
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["listing"]["unreadable"], &report["invalid"]), (0, &json!(["b"]), &json!([])));
    assert_eq!(report["orphans"], json!(["b", "e"]));
    let text = program.run(&["sync"]).await.stdout;
    assert!(text.contains("b  its record can't be read: left alone"), "{text}");
}

/// What an answer has that is not UTF-8, and the id that it has there.
#[rstest]
#[case::in_a_name("Bob", b"B\xffb", 3)]
#[case::at_the_end_of_a_character("Bob", "B\u{e9}".as_bytes().split_last().unwrap().1, 3)]
#[case::in_a_property("\"free\"", b"\"fr\xff\"", 3)]
#[case::behind_a_backslash("Bob", b"B\\\xffb", 1)]
#[case::outside_of_a_string("\"name\":\"Bob\"", b"\xff\"name\":\"Bob\"", 1)]
#[tokio::test]
async fn one_record_that_is_not_utf8_is_one_customers_matter(
    #[case] instead_of: &'static str,
    #[case] bytes: &'static [u8],
    #[case] code: i32,
) {
    let (_database, sandbox, program) = World::of([("a", "Ann"), ("b", "Bob"), ("d", "Dan")]).start().await;
    let record = |id: &str, name: &str| {
        format!(
            r#"{{"provided_id":"{id}","token":"token of {id}","name":"{name}","emails":[],"properties":{{"plan":"free"}}}}"#
        )
    };
    let page = format!(
        r#"{{"success":true,"total_count":2,"results":{{"customers":[{},{}]}}}}"#,
        record("a", "Ann").replace("free", "paid"),
        record("b", "Bob")
    );
    let (begin, end) = page.split_once(instead_of).unwrap();
    let page = [begin.as_bytes(), bytes, end.as_bytes()].concat();
    let listing =
        move |asked: &Asked<'_>| (asked.endpoint == "customers").then(|| Answer::new(200, page.clone())).flatten();
    let program = program.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    let output = program.behind(&sandbox, listing).await.run(&["sync", "--output", "json"]).await;
    assert_eq!(output.code, code, "{output:?}");
    let report = output.json();
    if code == 3 {
        assert_eq!((&report["listing"]["unreadable"], ids(&report["changes"])), (&json!(["b"]), vec!["d"]), "{report}");
    } else {
        assert!(report["error"].as_str().unwrap().contains("its answer is not UTF-8"), "{report}");
    }
}

#[tokio::test]
async fn a_token_of_an_unreadable_record_is_neither_taken_up_nor_forgotten() {
    let (database, sandbox, program) = sides(Odd::EmailsText).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    assert_eq!(program.sync(&[]).await.0, 3);
    assert_eq!(tokens(&database, "b").await, []);
    // Once it was read, it stays, whatever the record shows then.
    let managing = "select id as provided_id, name, '[\"b@b.example\"]' as emails from tenants";
    sandbox.change(|store| store.delete("token of b").unwrap());
    let reading = program.clone().with("EXPLO_SYNC__SOURCE__QUERY", managing).with("EXPLO_SYNC__GUARD__FLOOR", "9");
    assert_eq!(reading.sync(&[]).await.0, 0);
    let kept = tokens(&database, "b").await;
    assert!(matches!(&kept[..], [Some(_)]), "{kept:?}");
    sandbox.change(|store| store.make_odd("b", Odd::EmailsText).unwrap());
    for _ in 0..3 {
        let (code, report) = program.sync(&[]).await;
        assert_eq!((code, ids(&report["invalid"]), tokens(&database, "b").await), (3, vec!["b"], kept.clone()));
    }
}

#[rstest]
#[case::by_token(r#"{"token": "x", "name": []}, {"token": "y", "name": []}"#, json!([null, null]))]
#[case::by_id(r#"{"provided_id": "x", "name": []}, {"provided_id": "y", "token": {}}"#, json!(["x", "y"]))]
#[case::by_text(r#"{"name": []}, {"name": [ ]}"#, json!([null, null]))]
#[case::no_objects(r#"null, "text""#, json!([null, null]))]
#[case::an_id_that_is_an_object(r#"{"token": "x", "provided_id": {"id": 7}}, {"token": "y", "provided_id": [7]}"#, json!([null, null]))]
#[tokio::test]
async fn a_listing_with_unreadable_records_is_complete(#[case] records: &str, #[case] unreadable: Value) {
    let (_database, sandbox, program) = World::of([("a", "Ann")]).start().await;
    let page = |total: usize| {
        let readable = r#"{"token": "a", "provided_id": "a", "name": "Ann"}"#;
        format!(r#"{{"total_count": {total}, "results": {{"customers": [{readable}, {records}]}}}}"#)
    };
    for (total, expected) in [(3, 0), (4, 1)] {
        let page = page(total);
        let listing = move |asked: &Asked<'_>| {
            let answer =
                if asked.path.contains("page=1&") { Answer::new(200, page.clone()) } else { Answer::new(404, "") };
            (asked.endpoint == "customers").then_some(answer).flatten()
        };
        let program = program.behind(&sandbox, listing).await;
        let (code, report) = program.sync(&["--dry-run"]).await;
        assert_eq!(code, expected, "{report}");
        if code == 0 {
            assert_eq!((&report["listing"]["unreadable"], &report["customers"]), (&unreadable, &json!(3)));
            assert_eq!(report["counts"]["unchanged"], 1, "{report}");
        }
    }
}

#[tokio::test]
async fn what_a_tenant_manages_of_a_record_that_is_too_large_is_sent_once_for_each_change_of_its_row() {
    let (database, sandbox, program) = sides(Odd::LargeProperties).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", "source");
    let (code, report) = program.sync(&["--dry-run", "--show-values"]).await;
    let update = report["changes"].as_array().unwrap().iter().find(|change| change["provided_id"] == "b").unwrap();
    assert_eq!((code, &update["fields"]), (0, &json!({"name": {"old": null, "new": "Bob"}})));
    assert_eq!((&report["invalid"], report["listing"].get("unreadable")), (&json!([]), None));
    assert_eq!(program.sync(&[]).await.0, 0);
    let sent = |sandbox: &Sandbox| -> Vec<Value> { writes(&sandbox.take_calls()).into_iter().map(body).collect() };
    assert!(sent(&sandbox).contains(&json!({"provided_id": "b", "name": "Bob"})));
    assert_eq!(tokens(&database, "b").await, [Some("token of b".to_owned())], "it is read");
    for _ in 0..2 {
        let (code, report) = program.sync(&[]).await;
        assert_eq!((code, &report["counts"]["unchanged"], sent(&sandbox)), (0, &json!(4), vec![]), "{report}");
    }
    let (code, report) = program.sync(&["--only", "b"]).await;
    assert_eq!((code, &report["changes"]), (0, &json!([])), "{report}");
    database.execute("update tenants set name = 'Bo' where id = 'b'").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(sent(&sandbox), [json!({"provided_id": "b", "name": "Bo"})]);
    assert_eq!((program.sync(&[]).await.0, sent(&sandbox)), (0, vec![]));
}

#[tokio::test]
async fn a_name_that_is_too_large_is_mended_by_the_name_of_the_row() {
    let (_database, sandbox, program) = sides(Odd::LongName).await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(stored(&sandbox, "b")["name"], "Bob");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["counts"]["unchanged"], &report["changes"]), (0, &json!(4), &json!([])), "{report}");
}

#[rstest]
#[case(Odd::LargeProperties, "too large to be read")]
#[case(Odd::PropertiesList, "can't be read")]
#[tokio::test]
async fn others_values_are_not_lost_where_they_cannot_be_read(#[case] odd: Odd, #[case] told: &str) {
    let (_database, sandbox, program) = sides(odd).await;
    let dotted = "select id as provided_id, name, 'pro' as \"properties.plan\" from tenants where id = 'b'";
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", dotted);
    let (code, report) = program.sync(&[]).await;
    let failure =
        if odd == Odd::LargeProperties { &report["changes"][0]["error"] } else { &report["invalid"][0]["reason"] };
    assert!(code == 3 && failure.as_str().unwrap().contains(told), "{report}");
    assert!(writes(&sandbox.take_calls()).is_empty(), "nothing is sent");
}

#[rstest]
#[case(Odd::LargeProperties, 0, "too large to be read", "To update: one call of update_customer with name")]
#[case(Odd::PropertiesList, 3, "whose record can't be read", "Invalid, so nothing is sent")]
#[tokio::test]
async fn a_single_tenant_tells_that_its_customer_cannot_be_read(
    #[case] odd: Odd,
    #[case] code: i32,
    #[case] found: &str,
    #[case] decision: &str,
) {
    let (_database, sandbox, program) = sides(odd).await;
    let explained = program.run(&["explain", "b"]).await.stdout;
    assert!(explained.contains(found) && explained.contains(decision), "{explained}");
    drop(sandbox.take_calls());
    let (ended, report) = program.sync(&["--only", "b"]).await;
    assert_eq!((ended, ids(&report["invalid"]).len()), (code, usize::from(code == 3)), "{report}");
    let written = if code == 0 { vec!["get_customer", "update_customer"] } else { vec!["get_customer"] };
    assert_eq!(endpoints(&sandbox.take_calls()), written);
}

#[tokio::test]
async fn a_saved_plan_updates_a_record_that_is_still_too_large_and_leaves_one_that_became_unreadable() {
    for (odd, code) in [(Odd::LargeProperties, 0), (Odd::EmailsText, 3)] {
        let (_database, sandbox, program) = sides(Odd::LargeProperties).await;
        let (_directory, path) = program.saved().await;
        sandbox.change(|store| store.make_odd("b", odd).unwrap());
        let (ended, report) = program.sync(&["--plan", &path]).await;
        let skipped = if code == 0 { json!([]) } else { json!(["b"]) };
        assert_eq!((ended, &report["skipped"]), (code, &skipped), "{report}");
    }
}

#[tokio::test]
async fn a_customer_under_a_previous_id_that_cannot_be_read_is_not_renamed() {
    for (odd, renamed) in [(Odd::EmailsText, false), (Odd::LargeProperties, true)] {
        let (database, sandbox, program) = sides(odd).await;
        database
            .execute("delete from tenants where id <> 'a'; insert into tenants (id, name) values ('f', 'Bob')")
            .await;
        let query =
            "select id as provided_id, name, case id when 'f' then 'b' end as previous_provided_id from tenants";
        let program = program.with("EXPLO_SYNC__SOURCE__QUERY", query);
        for arguments in [&["--dry-run", "--only", "f"][..], &["--dry-run"]] {
            let (_, report) = program.sync(arguments).await;
            let invalid = if renamed { vec![] } else { vec!["f"] };
            assert_eq!((ids(&report["invalid"]), report["counts"]["create"].as_u64()), (invalid, Some(0)), "{report}");
        }
        let (code, report) = program.sync(&[]).await;
        assert_eq!((code, &report["counts"]["rename"]), (if renamed { 0 } else { 3 }, &json!(u8::from(renamed))));
        assert_eq!(sandbox.customers().iter().any(|held| held.provided_id.as_deref() == Some("f")), renamed);
    }
}

#[rstest]
#[case(Odd::PropertiesList, "its record can't be read")]
#[case(Odd::LongName, "its record is too large to be read")]
#[tokio::test]
async fn an_export_names_what_it_leaves_out(#[case] odd: Odd, #[case] told: &str) {
    let (_database, _sandbox, program) = sides(odd).await;
    let output = program.run(&["export"]).await;
    let exported: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let exported: Vec<_> = exported.iter().map(|line| line["provided_id"].as_str().unwrap()).collect();
    assert_eq!((output.code, exported), (3, vec!["a", "c", "e"]));
    assert!(output.stderr.contains(&format!("b: {told}")), "{}", output.stderr);
}

#[tokio::test]
async fn check_names_those_of_its_page() {
    let (_database, _sandbox, program) = sides(Odd::EmailsText).await;
    let check = program.run(&["check"]).await;
    assert!(check.stdout.contains("warn  customer  b: its record can't be read"), "{}", check.stdout);
    assert!(check.code == 0 && check.stdout.contains("a page of 4 of 4 customers"), "{}", check.stdout);
}

#[tokio::test]
async fn children_are_told_by_their_ids_whatever_else_is_in_their_records() {
    let tenants = [("p", "Root", None), ("c", "Customer", Some("p")), ("d", "Customer", Some("p"))];
    let tenants = tenants.map(|(id, level, parent)| {
        json!({"provided_id": id, "name": id, "hierarchy_level_name": level, "parent_provided_id": parent})
    });
    let world = World::of(tenants).derived().but("d", |customer| customer.parent_provided_id = None);
    let (_database, sandbox, program) = world.start().await;
    for (children, moved) in [
        (r#"{"token": "c", "provided_id": "c", "emails": ""}"#, vec!["d"]),
        (r#"{"token": "c", "provided_id": {"id": "c"}}"#, vec![]),
    ] {
        let page = format!(r#"{{"total_count": 1, "results": {{"customers": [{children}]}}}}"#);
        let below = move |asked: &Asked<'_>| {
            asked.path.contains("parent_provided_id").then(|| Answer::new(200, page.clone())).flatten()
        };
        let program = program.behind(&sandbox, below).await;
        let (code, report) = program.sync(&["--dry-run"]).await;
        assert_eq!((code, ids(&report["changes"])), (0, moved), "{report}");
    }
}
