//! `POST /sync/{id}`.

use rstest::rstest;
use serde_json::json;

use super::{TOKEN, Woken, world};
use crate::support::{Kind, World, customer};
use explo_sync::sandbox::StoredCustomer;

#[rstest]
#[case::with_ledger(true)]
#[case::without(false)]
#[tokio::test]
async fn a_sign_up_gets_its_token_and_a_second_request_finds_nothing_to_do(
    #[case] has_ledger: bool,
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let world = world(kind).derived();
    let woken = Woken::start(if has_ledger { world.with_ledger() } else { world }).await;
    woken.database.execute("insert into tenants (id, name) values ('new', 'Nia')").await;
    let answer = woken.post("new").await;
    let token = woken.sandbox.customers().into_iter().find(|one| one.name == "Nia").unwrap().token;
    let applied = json!({"provided_id": "new", "outcome": "applied", "token": token, "error": null});
    assert_eq!((answer.status, answer.body), (200, applied));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let calls: &[&str] =
        if has_ledger { &["create_customer"] } else { &["get_customer", "get_customer", "create_customer"] };
    assert_eq!(woken.calls(), calls);

    let answer = woken.post("new").await;
    let unchanged = json!({"provided_id": "new", "outcome": "unchanged", "token": token, "error": null});
    assert_eq!((answer.status, answer.body), (200, unchanged));
    let calls: &[&str] = if has_ledger { &[] } else { &["get_customer"] };
    assert_eq!(woken.calls(), calls);

    woken.database.execute("update tenants set name = 'Nina' where id = 'new'").await;
    let answer = woken.post("new").await;
    assert_eq!(
        (answer.status, &answer.body["outcome"], &answer.body["token"]),
        (200, &json!("applied"), &json!(token))
    );
    assert_eq!(woken.calls(), ["get_customer", "update_customer"]);
    woken.ends().await;
}

#[tokio::test]
async fn each_end_has_its_status() {
    let world = World::of([json!({"provided_id": "a", "name": "Ann", "group_tags": ["vip"]})]).with_ledger();
    let woken = Woken::start(world.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1")).await;
    let status = async |id: &str| {
        let answer = woken.post(id).await;
        (answer.status, answer.body["outcome"].as_str().unwrap().to_owned())
    };
    assert_eq!(status("nobody").await, (404, "invalid".to_owned()));
    assert_eq!(status("a").await, (422, "invalid".to_owned()), "no customer has this tag");
    let insert = async |id: &str, name: &str| {
        let sql = format!("insert into tenants (id, name, group_tags) values ('{id}', {name}, null)");
        woken.database.execute(&sql).await;
    };
    insert("nameless", "null").await;
    assert_eq!(status("nameless").await, (422, "invalid".to_owned()));
    insert("a/ä%", "'Slash'").await;
    assert_eq!(status("a%2F%C3%A4%25").await, (200, "applied".to_owned()), "decoded once");
    insert("refused", "'Ref'").await;
    woken.sandbox.adjust(|api| api.faults.push("status=400,id=refused".parse().unwrap()));
    let answer = woken.post("refused").await;
    assert_eq!((answer.status, &answer.body["outcome"]), (502, &json!("failed")), "{}", answer.body);
    assert!(answer.body["error"].as_str().unwrap().contains("400"), "{}", answer.body);
    for wrong in ["", "Bearer", "Bearer ", "Bearer wrong", &format!("Basic {TOKEN}"), &format!("Bearer {TOKEN}x")] {
        assert_eq!(woken.post_with("a", wrong).await.status, 401, "{wrong}");
    }
    assert_eq!(woken.post_with("refused", &format!("bearer {TOKEN}")).await.status, 502, "the scheme ignores case");
    woken.ends().await;
}

#[tokio::test]
async fn without_a_token_there_is_no_such_path() {
    let (_database, _sandbox, program) = world(Kind::Sqlite).start().await;
    let program = program.with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0");
    let mut daemon = super::Daemon::start(&program, &[]);
    let line: serde_json::Value = serde_json::from_str(&daemon.says("ops server listens").await).unwrap();
    let url = format!("http://{}/sync/a", line["address"].as_str().unwrap());
    assert_eq!(reqwest::Client::new().post(url).send().await.unwrap().status(), 404);
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));
}

#[tokio::test]
async fn the_guard_counts_the_changes_of_an_hour_together() {
    let tenants: Vec<_> = (0..20).map(|n| (format!("t{n:02}"), format!("Name {n}"))).collect();
    let world = World::of(tenants).derived().with_ledger().with("EXPLO_SYNC__GUARD__FLOOR", "5");
    let woken = Woken::start(world).await;
    woken.database.execute("update tenants set name = 'Everybody'").await;
    let mut statuses = Vec::new();
    for n in 0..8 {
        statuses.push(woken.post(&format!("t{n:02}")).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 409, 409, 409]);
    let changed = woken.sandbox.customers().iter().filter(|one| one.name == "Everybody").count();
    assert_eq!(changed, 5);
    // A sign-up is of another class.
    woken.database.execute("insert into tenants (id, name) values ('new', 'Nia')").await;
    assert_eq!(woken.post("new").await.status, 200);
    let metrics = woken.get("/metrics").await;
    let held = r#"explo_sync_wakes_total{sync_instance="default",origin="post",outcome="held"} 3"#;
    assert!(metrics.contains(held), "{metrics}");
    woken.ends().await;
}

#[tokio::test]
async fn a_customer_that_somebody_made_is_taken_up_and_its_values_mended() {
    let woken = Woken::start(world(Kind::Sqlite).derived().with_ledger()).await;
    let made = customer(json!({"provided_id": "c", "name": "Another", "token": "token-of-c"}));
    woken.sandbox.change(|store| {
        let access_group = store.customers()[0].access_group.clone();
        store.add(StoredCustomer { access_group, ..made });
    });
    woken.database.execute("insert into tenants (id, name) values ('c', 'Cleo')").await;
    let answer = woken.post("c").await;
    assert_eq!((answer.status, answer.body["token"].as_str()), (200, Some("token-of-c")), "{}", answer.body);
    assert_eq!(woken.calls(), ["create_customer", "update_customer"]);
    woken.has("c", "Cleo").await;
    woken.ends().await;
}

#[tokio::test]
async fn a_new_child_brings_its_new_parent_along() {
    let world = World::of([json!({"provided_id": "top", "name": "Top", "hierarchy_level_name": "a"})])
        .columns(&["parent_provided_id"])
        .with_ledger();
    let woken = Woken::start(world).await;
    let values = "('mid', 'Mid', 'b', 'top'), ('low', 'Low', 'c', 'mid')";
    let insert = format!("insert into tenants (id, name, hierarchy_level_name, parent_provided_id) values {values}");
    woken.database.execute(&insert).await;
    assert_eq!(woken.post("low").await.status, 200);
    assert_eq!(woken.calls(), ["create_customer", "create_customer"]);
    let parent = |id: &str| {
        let customers = woken.sandbox.customers();
        customers.into_iter().find(|one| one.provided_id.as_deref() == Some(id)).unwrap().parent_provided_id
    };
    assert_eq!((parent("low").as_deref(), parent("mid").as_deref()), (Some("mid"), Some("top")));
    woken.ends().await;
}

/// What an own customer is recognised by if the ledger lacks its row or its token.
#[tokio::test]
async fn a_row_that_the_ledger_lost_or_never_took_costs_a_look_and_no_refusal() {
    let woken = Woken::start(world(Kind::Sqlite).derived().with_ledger()).await;
    let long = "i".repeat(2049);
    woken.database.execute(&format!("insert into tenants (id, name) values ('new', 'Nia'), ('{long}', 'Long')")).await;
    assert_eq!((woken.post("new").await.status, woken.post(&long).await.status), (200, 200));
    drop(woken.calls());

    woken.database.execute("update explo_customers set token = null where provided_id = 'new'").await;
    let answer = woken.post("new").await;
    let token = woken.sandbox.customers().into_iter().find(|one| one.name == "Nia").unwrap().token;
    assert_eq!((answer.status, answer.body["token"].as_str()), (200, Some(&*token)));
    assert_eq!(woken.calls(), ["get_customer"]);
    assert_eq!(woken.post("new").await.body["token"].as_str(), Some(&*token));
    assert_eq!(woken.calls(), [""; 0], "the ledger has it again");

    woken.database.execute("delete from explo_customers where provided_id = 'new'").await;
    woken.database.execute("update tenants set name = 'Lang' where name = 'Long'").await;
    for id in ["new", &long] {
        let answer = woken.post(id).await;
        assert_eq!((answer.status, answer.body["error"].as_str()), (200, None), "{}", answer.body);
        assert!(answer.body["token"].is_string(), "{}", answer.body);
    }
    assert_eq!(woken.calls(), ["create_customer", "create_customer", "update_customer"]);
    woken.ends().await;
}

/// No listing has shown the group of a customer that was made since.
#[tokio::test]
async fn a_sign_up_after_an_empty_first_listing_can_be_changed() {
    let woken = Woken::start(World::of([] as [(&str, &str); 0])).await;
    woken.database.execute("insert into tenants (id, name) values ('new', 'Nia')").await;
    assert_eq!(woken.post("new").await.status, 200);
    woken.database.execute("update tenants set name = 'Nina'").await;
    let answer = woken.post("new").await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("applied")), "{}", answer.body);
    assert!(answer.body["token"].is_string(), "{}", answer.body);
    woken.ends().await;
}
