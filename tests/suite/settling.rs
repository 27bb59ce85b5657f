//! What a server makes of some values says nothing of others: everybody's update is sent that would change something.

use explo_sync::sandbox::{OnUpdate, Sandbox};
use serde_json::{Value, json};

use crate::support::{Database, Program, World, body, stored, unsettled, writes};

/// With a server of these habits.
async fn start(world: World, flags: &str) -> (Database, Sandbox, Program) {
    world.behaving(flags).with_ledger().with("EXPLO_SYNC__GUARD__FLOOR", "1000").start().await
}

fn tenant(id: &str, emails: &[&str]) -> Value {
    json!({"provided_id": id, "name": "Ann", "emails": emails, "properties": {}})
}

fn named(kind: &str, number: usize) -> String {
    format!("{kind}{number:02}")
}

fn emails(sandbox: &Sandbox, id: &str) -> Value {
    stored(sandbox, id)["emails"].clone()
}

/// The ids that a run writes.
async fn written(program: &Program, sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    drop(sandbox.take_calls());
    program.sync(arguments).await;
    let calls = sandbox.take_calls();
    let mut ids: Vec<_> =
        writes(&calls).into_iter().map(|call| body(call)["provided_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn where_letters_are_lowered_leavers_lose_their_access_all_the_same() {
    let with_adam =
        (0..4).map(|n| tenant(&named("a", n), &[&format!("Zoe{n}@X.example"), &format!("adam{n}@x.example")]));
    let with_leaver = (0..20).map(|n| tenant(&named("l", n), &[&format!("stays{n}@x.example")]));
    let world = World::of(with_adam.chain(with_leaver)).derived().each(|customer| match customer.emails.len() {
        1 => customer.emails.push(customer.emails[0].replace("stays", "leaver")),
        _ => drop(customer.emails.remove(0)),
    });
    let (_database, sandbox, program) = start(world, "--address-case lower").await;
    let (code, report) = program.sync(&[]).await;
    for n in 0..20 {
        assert_eq!(emails(&sandbox, &named("l", n)), json!([format!("stays{n}@x.example")]));
    }
    assert_eq!((code, unsettled(&report)), (3, (0..4).map(|n| format!("a{n:02} emails")).collect()));
    assert_eq!(written(&program, &sandbox, &[]).await, Vec::<String>::new());
}

#[tokio::test]
async fn where_addresses_are_only_added_each_new_one_arrives() {
    let wanted = (0..8).map(|n| tenant(&named("t", n), &[&format!("new{n}@x.example")]));
    let world = World::of(wanted).derived().each(|customer| customer.emails = vec!["old@x.example".to_owned()]);
    let (_database, sandbox, program) = start(world, "--emails merge").await;
    assert_eq!(program.sync(&[]).await.0, 3);
    for n in 0..8 {
        assert_eq!(emails(&sandbox, &named("t", n)), json!(["old@x.example", format!("new{n}@x.example")]));
    }
    assert_eq!(written(&program, &sandbox, &[]).await, Vec::<String>::new());
    assert_eq!(program.sync(&[]).await.0, 3, "an old address still opens the portal");
}

#[tokio::test]
async fn where_numbers_become_doubles_and_texts_another_form_each_value_is_sent() {
    let cases: [(&str, &str, Value); 5] = [
        ("--numbers doubles", "Ann", json!({"large": 9_007_199_254_740_993_u64})),
        ("--unicode nfc", "Zoe\u{308}", json!({})),
        ("--spaces collapsed", "Two  spaces", json!({})),
        ("--markup escaped", "Smith & Sons", json!({})),
        ("--cut-at 8", "A name of many letters", json!({})),
    ];
    for (flags, name, properties) in cases {
        let tenant =
            |id, name: &str, properties: &Value| json!({"provided_id": id, "name": name, "properties": properties});
        let odd = (0..5).map(|n| tenant(named("odd", n), name, &properties));
        let plain = (0..9).map(|n| tenant(named("plain", n), "Ann", &json!({"a": n})));
        let world = World::of(odd.chain(plain)).derived().each(|customer| {
            customer.name = "Bob".into();
            customer.properties = serde_json::from_str(r#"{"b": 1}"#).unwrap();
        });
        let (_database, sandbox, program) = start(world, flags).await;
        let (_, report) = program.sync(&[]).await;
        for n in 0..9 {
            let held = stored(&sandbox, &named("plain", n));
            assert_eq!((&held["name"], &held["properties"]), (&json!("Ann"), &json!({"a": n})), "{flags}");
        }
        for n in 0..5 {
            assert_ne!(stored(&sandbox, &named("odd", n))["properties"], json!({"b": 1}), "{flags}: {report}");
        }
        let told = unsettled(&report);
        assert!(told.len() == 5 && told.iter().all(|one| one.starts_with("odd")), "{flags}: {told:?}");
        assert_eq!(written(&program, &sandbox, &[]).await, Vec::<String>::new(), "{flags}");
    }
}

/// Ten that lose an address, at a server that only adds.
async fn leavers() -> (Database, Sandbox, Program) {
    let wanted = (0..10).map(|n| tenant(&named("t", n), &["stays@x.example"]));
    let world = World::of(wanted).derived().each(|customer| customer.emails.push("leaver@x.example".to_owned()));
    start(world.with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1"), "--emails merge").await
}

/// Everything that was found out was so two days ago.
async fn age(database: &Database) {
    for row in database.rows("select provided_id, unsettled from explo_customers where unsettled is not null").await {
        let (id, text) = (row[0].as_ref().unwrap(), row[1].as_ref().unwrap());
        let older = |word: &str| match word.trim_end_matches(';').parse::<u64>() {
            Ok(at) => word.replace(&at.to_string(), &(at - 2 * 86_400).to_string()),
            Err(_) => word.to_owned(),
        };
        let text: Vec<_> = text.split(' ').map(older).collect();
        let update = format!("update explo_customers set unsettled = '{}' where provided_id = '{id}'", text.join(" "));
        database.execute(&update).await;
    }
}

#[tokio::test]
async fn what_is_predicted_is_not_sent_and_is_said_not_to_have_been() {
    let (_database, sandbox, program) = leavers().await;
    assert_eq!(written(&program, &sandbox, &[]).await, ["t00", "t01", "t02"], "three are enough");
    assert_eq!(written(&program, &sandbox, &[]).await, Vec::<String>::new());
    let sent = program.run(&["explain", "t00"]).await.stdout;
    assert!(sent.contains("It was sent, and Explo showed something else"), "{sent}");
    let spared = program.run(&["explain", "t09"]).await.stdout;
    assert!(spared.contains("Not sent: emails. Explo keeps old values, as seen on three others"), "{spared}");
    assert_eq!(written(&program, &sandbox, &["--only", "t09"]).await, ["t09"], "it was asked for by name");
    assert_eq!(written(&program, &sandbox, &["--retry-failed"]).await, Vec::<String>::new(), "it did not fail");
}

#[tokio::test]
async fn one_is_sent_a_day_and_where_it_settles_all_are_due_again() {
    let (database, sandbox, program) = leavers().await;
    program.sync(&[]).await;
    for _ in 0..2 {
        age(&database).await;
        assert_eq!(written(&program, &sandbox, &[]).await.len(), 1);
        assert_eq!(written(&program, &sandbox, &[]).await, Vec::<String>::new(), "once a day");
    }
    sandbox.adjust(|api| api.behaviour.emails = OnUpdate::Replace);
    assert_eq!(written(&program, &sandbox, &[]).await, Vec::<String>::new());
    age(&database).await;
    assert_eq!(written(&program, &sandbox, &[]).await.len(), 1);
    assert_eq!(written(&program, &sandbox, &[]).await.len(), 9, "found or predicted");
    assert!((0..10).all(|n| emails(&sandbox, &named("t", n)) == json!(["stays@x.example"])));
    assert_eq!(program.sync(&[]).await.0, 0);
}

#[tokio::test]
async fn what_an_earlier_version_guessed_is_sent_once() {
    let (database, sandbox, program) = leavers().await;
    program.sync(&[]).await;
    for row in database.rows("select provided_id, unsettled from explo_customers").await {
        let (id, text) = (row[0].as_ref().unwrap(), row[1].clone().unwrap_or_default());
        let sides = text.split(' ').nth(1).unwrap_or_default();
        let rule = if id == "t00" { "changed" } else { "added" };
        let update =
            format!("update explo_customers set unsettled = 'emails {sides} {rule}' where provided_id = '{id}'");
        database.execute(&update).await;
    }
    let sent = written(&program, &sandbox, &[]).await;
    assert_eq!(sent, ["t00", "t01"], "one whose rule says nothing of it, and today's check of the others");
    assert_eq!(written(&program, &sandbox, &[]).await, Vec::<String>::new());
}
