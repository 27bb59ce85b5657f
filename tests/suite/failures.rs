//! What the program makes of answers that are none, and of those that say no.

use std::time::Instant;

use explo_sync::sandbox::Sandbox;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Database, Kind, Program, World, customer, endpoints, sandbox, stored, writes};

/// Five tenants: two to create, two to update, one equal.
async fn sides() -> (Database, Sandbox, Program) {
    let tenant = |(id, name): (&str, &str)| {
        let email = format!("{}@{id}.example", name.to_lowercase());
        json!({"provided_id": id, "name": name, "emails": [email]})
    };
    let tenants = [("a", "Ann"), ("b", "Bob"), ("c", "Cat"), ("d", "Dan"), ("e", "Eve")].map(tenant);
    let world = World::of(tenants).derived().without(["a", "b"]);
    let world = world.but("c", |customer| customer.name = "Catherine".into());
    world
        .but("d", |customer| customer.emails = vec!["old@d.example".to_owned()])
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2")
        .start()
        .await
}

#[rstest]
#[case::server_error(500, "oops")]
#[case::gateway(502, "<html>Bad gateway</html>")]
#[case::html(200, "<html>Maintenance</html>")]
#[case::empty(200, "")]
#[case::cut(200, r#"{"total_count": 3, "results": {"customers": [{"tok"#)]
#[case::broken(0, r#"{"total_count": 3, "#)]
#[tokio::test]
async fn a_failure_that_passes_is_retried_and_one_that_stays_ends_the_run(
    #[case] status: u16,
    #[case] body: &'static str,
) {
    let (_database, sandbox, program) = sides().await;
    let once =
        program.behind(&sandbox, move |asked| (asked.before == 0).then(|| Answer::new(status, body)).flatten()).await;
    let (code, report) = once.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(4)));
    let made = json!({"customers": 2, "create_customer": 3, "update_customer": 3});
    assert_eq!(report["calls"]["made"], made, "one retry of each endpoint");

    drop(sandbox.take_calls());
    let always = program.behind(&sandbox, move |_| Answer::new(status, body)).await;
    let (code, report) = always.sync(&[]).await;
    assert_eq!((code, report["error"].as_str().unwrap().contains("customers failed 2 times")), (1, true), "{report}");
    assert_eq!(sandbox.take_calls(), [], "no write after a listing that failed");
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_repeated_without_a_duplicate() {
    let (_database, sandbox, program) = sides().await;
    // The sandbox does what it is asked; the first answer of each kind is lost on the way.
    let upstream = sandbox.url();
    let lossy = program
        .behind(&sandbox, move |asked| {
            if asked.before == 0 && asked.endpoint != "customers" {
                let (url, body) = (format!("{upstream}{}", asked.path), asked.body.to_owned());
                let call = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    let call = reqwest::Client::new().post(url).header("Explo-Authorization", "Token t").body(body);
                    runtime.block_on(call.send()).unwrap().status().as_u16()
                });
                drop(call);
                return Answer::new(504, "timed out");
            }
            None
        })
        .await;
    let (code, report) = lossy.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(4)), "{report}");
    let ids: Vec<_> = sandbox.customers().into_iter().filter_map(|customer| customer.provided_id).collect();
    assert_eq!(ids.len(), 5, "no duplicate: {ids:?}");
}

#[tokio::test]
async fn a_429_pauses_every_call_for_as_long_as_it_says_and_is_no_attempt() {
    let (_database, sandbox, program) = sides().await;
    let throttled = program
        .behind(&sandbox, |asked| {
            (asked.endpoint == "customers" && asked.before < 3).then(|| Answer::with(429, "retry-after", "1")).flatten()
        })
        .await
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    let start = Instant::now();
    let (code, report) = throttled.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["calls"]["made"]["customers"]), (0, &json!(4)));
    assert!(start.elapsed().as_secs() >= 3, "three pauses of a second");
}

#[rstest]
#[case::success_is_zero(200, r#"{"success": 0, "error": "no Ann <ann@a.example> please"}"#)]
#[case::bad_request(400, r#"{"detail": "no Ann <ann@a.example> please"}"#)]
#[case::no_customer(200, r#"{"success": 1, "detail": "no Ann <ann@a.example> please"}"#)]
#[case::another_shape(200, r#""no Ann <ann@a.example> please""#)]
#[tokio::test]
async fn a_refusal_is_one_tenants_failure_and_its_reason_is_told_without_values(
    #[case] status: u16,
    #[case] body: &'static str,
) {
    let (_database, sandbox, program) = sides().await;
    let refusing = program
        .behind(&sandbox, move |asked| {
            (asked.endpoint == "create_customer" && asked.body.contains("Ann"))
                .then(|| Answer::new(status, body))
                .flatten()
        })
        .await;
    let output = refusing.run(&["sync", "--output", "json", "-vv"]).await;
    let report = output.json();
    assert_eq!(
        (output.code, &report["outcomes"]),
        (3, &json!({"applied": 3, "failed": 1, "unsettled": 0, "deferred": 0}))
    );
    assert_eq!(report["calls"]["made"]["create_customer"], 2, "a refusal is not repeated");
    let error = report["changes"][0]["error"].as_str().unwrap();
    let quoted = if body.starts_with('"') { "another shape" } else { "please" };
    assert!(error.contains("create_customer answered") && error.contains(quoted), "{error}");
    for text in [&output.stdout, &output.stderr] {
        assert!(!text.contains("ann@") && !text.contains("Ann"), "a value in {text}");
    }
}

#[tokio::test]
async fn an_answer_about_another_customer_is_a_failure() {
    let (_database, sandbox, program) = sides().await;
    let confused = program.behind(&sandbox, |asked| {
        let other =
            r#"{"success": 1, "new_customer": true, "customer": {"token": "x", "provided_id": "z", "name": "Ann"}}"#;
        asked.body.contains(r#""provided_id":"a""#).then(|| Answer::new(200, other)).flatten()
    })
    .await;
    let (code, report) = confused.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["failed"]), (3, &json!(1)));
    assert!(report["changes"][0]["error"].as_str().unwrap().contains("another provided_id"));
}

#[rstest]
#[case(401)]
#[case(403)]
#[tokio::test]
async fn rejected_credentials_end_the_run(#[case] status: u16) {
    let (_database, sandbox, program) = sides().await;
    let rejected = program.behind(&sandbox, move |_| Answer::new(status, "{}")).await;
    assert_eq!(rejected.sync(&[]).await.0, 77);
    assert_eq!(sandbox.take_calls(), []);
    // Reading is allowed, writing is not: one at a time, so that what is deferred is certain.
    let read_only = program
        .behind(&sandbox, move |asked| (asked.endpoint != "customers").then(|| Answer::new(status, "{}")).flatten())
        .await
        .with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1");
    let (code, report) = read_only.sync(&[]).await;
    let failed = if status == 401 { 1 } else { 3 };
    assert_eq!(code, 77);
    assert_eq!(report["outcomes"], json!({"applied": 0, "failed": failed, "unsettled": 0, "deferred": 4 - failed}));
    assert!(!report["error"].is_null());
}

#[tokio::test]
async fn ten_calls_given_up_in_a_row_end_the_run() {
    let (_database, sandbox, program) = World::of((0..30).map(|n| (format!("t{n:02}"), "T"))).start().await;
    let down = program
        .behind(&sandbox, |asked| (asked.endpoint != "customers").then(|| Answer::new(503, "")).flatten())
        .await
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1")
        .with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1");
    let (code, report) = down.sync(&[]).await;
    assert_eq!((code, &report["calls"]["made"]["create_customer"]), (1, &json!(10)));
    assert_eq!(report["outcomes"], json!({"applied": 0, "failed": 10, "unsettled": 0, "deferred": 20}));
}

#[tokio::test]
async fn a_listing_that_does_not_add_up_is_repeated_and_then_gives_no_plan() {
    let (_database, sandbox, program) = sides().await;
    let promise = |count: u64| move |page: &str| page.replace("\"total_count\":3", &format!("\"total_count\":{count}"));
    let listed = serde_json::to_string(&sandbox.customers()).unwrap();
    let page = format!("{{\"total_count\":3,\"results\":{{\"customers\":{listed}}}}}");
    let (four, three) = (promise(4)(&page), page.clone());

    let lying = four.clone();
    let short = program
        .behind(&sandbox, move |asked| {
            let answer =
                if asked.path.contains("page=1&") { Answer::new(200, lying.clone()) } else { Answer::new(404, "{}") };
            (asked.endpoint == "customers").then_some(answer).flatten()
        })
        .await;
    let (code, report) = short.sync(&[]).await;
    let error = report["error"].as_str().unwrap();
    assert_eq!((code, error.contains("3 passes") && error.contains("trust_total")), (1, true), "{error}");
    assert_eq!(sandbox.take_calls(), [], "nothing was written");

    let trusting = short.with("EXPLO_SYNC__EXPLO__TRUST_TOTAL", "false");
    let (code, report) = trusting.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["listing"]), (0, &json!({"passes": 1, "pages": 2, "complete": true})));

    let churning = program
        .behind(&sandbox, move |asked| {
            let page = if asked.before == 0 { four.clone() } else { three.clone() };
            let answer = if asked.path.contains("page=1&") { Answer::new(200, page) } else { Answer::new(404, "{}") };
            (asked.endpoint == "customers").then_some(answer).flatten()
        })
        .await;
    let (code, report) = churning.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["listing"]["passes"]), (0, &json!(2)), "the second pass adds up");
    assert_eq!(report["counts"]["create"], 2, "a customer seen twice counts once");
}

#[tokio::test]
async fn a_customer_that_exists_in_another_visibility_group_is_left_alone() {
    let (_database, sandbox, program) = sides().await;
    for (id, group) in [("a", json!("Production")), ("b", Value::Null)] {
        let hidden = customer(json!({"provided_id": id, "name": "Hidden", "access_group": group}));
        sandbox.change(|store| {
            store.add(hidden);
            store.hide([id.to_owned()]);
        });
    }
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]), (3, &json!({"applied": 3, "failed": 1, "unsettled": 0, "deferred": 0})));
    assert!(report["changes"][1]["error"].as_str().unwrap().contains("visibility group"));
    assert_eq!((&stored(&sandbox, "a")["name"], &stored(&sandbox, "b")["name"]), (&json!("Ann"), &json!("Hidden")));
}

#[tokio::test]
async fn a_value_that_explo_shows_differently_is_unsettled_and_named_with_the_likely_rule() {
    let (database, sandbox, program) = sides().await;
    database
        .execute(
            "update tenants set name = ' Dan ' where id = 'd'; update tenants set name = 'CATHERINE' where id = 'c'",
        )
        .await;
    let meddling = program.behind(&sandbox, |asked| {
        let sent: Value = serde_json::from_str(asked.body).unwrap_or_default();
        let answer = |name: &str| {
            let customer =
                json!({"provided_id": sent["provided_id"], "name": name, "emails": ["dan@d.example", "old@d.example"]});
            Answer::new(200, json!({"success": 1, "customer": customer}).to_string())
        };
        match sent["provided_id"].as_str() {
            Some("c") => answer("Catherine"),
            Some("d") => answer("Dan"),
            _ => None,
        }
    })
    .await;
    let (code, report) = meddling.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]), (3, &json!({"applied": 2, "failed": 0, "unsettled": 2, "deferred": 0})));
    let unsettled = json!([
        {"provided_id": "c", "field": "name", "rule": "re-cased"},
        {"provided_id": "d", "field": "name", "rule": "trimmed"},
        {"provided_id": "d", "field": "emails", "rule": "added, not replaced"},
    ]);
    assert_eq!(report["unsettled"], unsettled);
}

#[tokio::test]
async fn others_keys_and_addresses_are_read_before_the_write_and_kept() {
    let database = Database::new(Kind::Sqlite).await;
    database
        .execute(
            "create table tenants (id text, name text, plan text, source text, email text);
             insert into tenants values ('a', 'Ann', 'pro', '7', 'ann@a.example'), ('b', 'Bob', null, null, 'bob@b.example')",
        )
        .await;
    let held = |id: &str, plan: &str, source: &str| {
        customer(
            json!({"provided_id": id, "name": if id == "a" { "Ann" } else { "Bob" }, "emails": ["other@x.example"],
            "properties": {"plan": plan, "theirs": 1.50}, "parent_schema_datasource_mapping": {"40": source, "41": "9"}}),
        )
    };
    let sandbox = sandbox([held("a", "free", "6"), held("b", "free", "5")]).await;
    let query = r#"select id as provided_id, name, email as emails, plan as "properties.plan", source as "mapping.40" from tenants"#;
    let program = Program::between(&database, &sandbox, query).with("EXPLO_SYNC__FIELDS__EMAILS", "add");
    let (code, report) = program.sync(&[]).await;
    assert_eq!(code, 0, "{report}");
    let expected = json!({"customers": 1, "get_customer": 2, "update_customer": 2});
    assert_eq!((&report["calls"]["made"], &report["calls"]["planned"]), (&expected, &expected));
    let (a, b) = (stored(&sandbox, "a"), stored(&sandbox, "b"));
    assert_eq!(a["properties"].to_string(), r#"{"plan":"pro","theirs":1.5}"#);
    assert_eq!(a["parent_schema_datasource_mapping"], json!({"40": "7", "41": "9"}));
    assert_eq!(a["emails"], json!(["ann@a.example", "other@x.example"]));
    assert_eq!(b["properties"].to_string(), r#"{"theirs":1.5}"#, "NULL drops the key");
    assert_eq!(b["parent_schema_datasource_mapping"], json!({"40": "5", "41": "9"}), "NULL leaves a mapping alone");
    drop(sandbox.take_calls());
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
    let calls = sandbox.take_calls();
    assert_eq!((endpoints(&calls), writes(&calls).len()), (vec!["customers"], 0));
}
