//! What a server makes of some values says nothing of others: everybody's update is sent that would change something.

use clap::Parser;
use explo_sync::sandbox::{Api, Behaviour, OnUpdate, Sandbox, Store};
use serde_json::{Value, json};

use crate::support::{Database, Kind, Program, body, customer, sandbox_of, stored, writes};

#[derive(Debug, Parser)]
struct Switches {
    #[command(flatten)]
    behaviour: Behaviour,
}

const QUERY: &str = "select id as provided_id, name, emails, properties from tenants";

/// A tenant: id, name, addresses and properties; and the customer that Explo has, with the same.
type Side<'a> = (String, &'a str, Value, Value);

/// Both sides, with a server of these habits.
async fn sides(flags: &str, wanted: &[Side<'_>], current: &[Side<'_>]) -> (Database, Sandbox, Program) {
    let database = Database::new(Kind::Sqlite).await;
    database.execute("create table tenants (id text, name text, emails text, properties text)").await;
    for (id, name, emails, properties) in wanted {
        let quoted = |text: &str| text.replace('\'', "''");
        let (emails, properties) = (quoted(&emails.to_string()), quoted(&properties.to_string()));
        let insert = format!("insert into tenants values ('{id}', '{}', '{emails}', '{properties}')", quoted(name));
        database.execute(&insert).await;
    }
    let held = current.iter().map(|(id, name, emails, properties)| {
        customer(json!({"provided_id": id, "name": name, "emails": emails, "properties": properties}))
    });
    let mut api = Api::new(Store::new(held), 7);
    let flags = std::iter::once("sandbox").chain(flags.split_whitespace());
    api.behaviour = Switches::parse_from(flags).behaviour;
    let sandbox = sandbox_of(api).await;
    let program = Program::between(&database, &sandbox, QUERY)
        .with("EXPLO_SYNC__LEDGER__URL", "source")
        .with("EXPLO_SYNC__GUARD__FLOOR", "1000");
    (database, sandbox, program)
}

fn named(kind: &str, number: usize) -> String {
    format!("{kind}{number:02}")
}

fn emails(sandbox: &Sandbox, id: &str) -> Value {
    stored(sandbox, id)["emails"].clone()
}

fn unsettled(report: &Value) -> Vec<String> {
    let told = |one: &Value| format!("{} {}", one["provided_id"].as_str().unwrap(), one["field"].as_str().unwrap());
    report["unsettled"].as_array().unwrap().iter().map(told).collect()
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
    let (mut wanted, mut current) = (Vec::new(), Vec::new());
    for n in 0..4 {
        let adam = format!("adam{n}@x.example");
        wanted.push((named("a", n), "Ann", json!([format!("Zoe{n}@X.example"), adam]), json!({})));
        current.push((named("a", n), "Ann", json!([adam]), json!({})));
    }
    for n in 0..20 {
        let stays = format!("stays{n}@x.example");
        wanted.push((named("l", n), "Ann", json!([stays]), json!({})));
        current.push((named("l", n), "Ann", json!([stays, format!("leaver{n}@x.example")]), json!({})));
    }
    let (_database, sandbox, program) = sides("--address-case lower", &wanted, &current).await;
    let (code, report) = program.sync(&[]).await;
    for n in 0..20 {
        assert_eq!(emails(&sandbox, &named("l", n)), json!([format!("stays{n}@x.example")]));
    }
    assert_eq!((code, unsettled(&report)), (3, (0..4).map(|n| format!("a{n:02} emails")).collect()));
    assert_eq!(written(&program, &sandbox, &[]).await, Vec::<String>::new());
}

#[tokio::test]
async fn where_addresses_are_only_added_each_new_one_arrives() {
    let wanted: Vec<_> =
        (0..8).map(|n| (named("t", n), "Ann", json!([format!("new{n}@x.example")]), json!({}))).collect();
    let current: Vec<_> = (0..8).map(|n| (named("t", n), "Ann", json!(["old@x.example"]), json!({}))).collect();
    let (_database, sandbox, program) = sides("--emails merge", &wanted, &current).await;
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
        let mut wanted: Vec<_> = (0..5).map(|n| (named("odd", n), name, json!([]), properties.clone())).collect();
        wanted.extend((0..9).map(|n| (named("plain", n), "Ann", json!([]), json!({"a": n}))));
        let current: Vec<_> = wanted.iter().map(|(id, ..)| (id.clone(), "Bob", json!([]), json!({"b": 1}))).collect();
        let (_database, sandbox, program) = sides(flags, &wanted, &current).await;
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
    let wanted: Vec<_> = (0..10).map(|n| (named("t", n), "Ann", json!(["stays@x.example"]), json!({}))).collect();
    let both = json!(["stays@x.example", "leaver@x.example"]);
    let current: Vec<_> = (0..10).map(|n| (named("t", n), "Ann", both.clone(), json!({}))).collect();
    let (database, sandbox, program) = sides("--emails merge", &wanted, &current).await;
    (database, sandbox, program.with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1"))
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
