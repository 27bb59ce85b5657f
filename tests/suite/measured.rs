//! What is sent can be read again: it is measured before.

use std::borrow::Cow;

use explo_sync::{
    compare::measure,
    explo::{ListingVersion, Page, Shown, wire::Body},
    model::{Object, Tenant, json},
    sandbox::{Api, Request, Sandbox, Store},
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Database, Kind, Program, customer, sandbox, stored, writes};

fn call(api: &mut Api, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    api.answer(&Request { method, path, token: Some("t"), body }, Instant::now()).body
}

/// The fields in which a tenant is large, and the text that makes them so.
fn tenant(text: &str, shares: [usize; 5]) -> Tenant<'static> {
    let part = |share: usize| text.chars().take(share).collect::<String>();
    let [name, emails, tags, key, value] = shares.map(part);
    let properties = format!("{{{}:[{}]}}", json::quote(&key), json::quote(&value));
    let list = |text: String| Some(vec![Cow::Owned(text)]);
    Tenant {
        provided_id: "a".into(),
        name: Some(format!("n{name}").into()),
        emails: list(emails),
        group_tags: list(tags),
        properties: Some(Object::Whole(properties.into())),
        ..Tenant::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_let_through_is_listed_and_read_again(
        unit in "[a\"\\\\/]{1,4}|[\\x00-\\x1f\\x7f]{1,3}|[é\u{2028}\u{202e}]{1,3}|[\u{1f600}a]{1,3}|\\PC{1,4}",
        shares in prop::array::uniform5(0_usize..120_000),
        shrinking in 0_u32..3,
    ) {
        let longest = shares.into_iter().max().unwrap_or(0);
        let text = unit.repeat(longest / unit.chars().count() + 1);
        let wanted = tenant(&text, shares.map(|share| share >> shrinking));
        prop_assume!(measure(&wanted, None).is_ok());
        let mut api = Api::new(Store::default(), 7);
        api.behaviour.unknown_tags = explo_sync::sandbox::UnknownTags::Made;
        call(&mut api, "POST", "/api/create_customer/", &serde_json::to_vec(&Body::from(&wanted)).unwrap());
        let listed = call(&mut api, "GET", "/v2/api/customers/", b"");
        let (mut whole, mut partial) = (0, 0);
        let page = Page::read(&listed, ListingVersion::V2, &mut |shown| match shown {
            Shown::Customer(customer) => {
                assert_eq!(Some(&customer.name), wanted.name.as_ref());
                whole += 1;
            }
            Shown::Partial(..) => partial += 1,
        });
        prop_assert_eq!((page.map(|page| page.customers), whole, partial), (Ok(1), 1, 0));
    }
}

async fn sides(kind: Kind, tenants: &[(&str, &str)]) -> (Database, Sandbox) {
    let database = Database::new(kind).await;
    let text = if kind == Kind::MySql { "longtext" } else { "text" };
    database.execute(&format!("create table tenants (id {text}, value {text})")).await;
    for (id, value) in tenants {
        database.execute(&format!("insert into tenants values ('{id}', {value})")).await;
    }
    (database, sandbox([]).await)
}

/// The value of SQL that is a text so many times over.
fn repeated(kind: Kind, text: &str, times: usize) -> String {
    match kind {
        Kind::Sqlite => format!("replace(hex(zeroblob({times})), '00', '{text}')"),
        Kind::Postgres | Kind::MySql => format!("repeat('{text}', {times})"),
    }
}

#[rstest]
#[case::name("value as name", "n", 1_040_000, 1_200_000, "name is too large")]
#[case::name_in_ascii("value as name", "é", 170_000, 180_000, "name is too large")]
#[case::property("id as name, value as \"properties.p\"", "p", 500_000, 530_000, "properties is too large")]
#[case::mapping("id as name, value as \"mapping.40\"", "m", 500_000, 530_000, "mapping is too large")]
#[case::address("id as name, value as emails", "e", 1_040_000, 1_200_000, "emails is too large")]
#[case::previous(
    "id as name, 'x' as hierarchy_level_name, value as parent_provided_id",
    "p",
    60_000,
    70_000,
    "parent_provided_id has 70000 bytes"
)]
#[tokio::test]
async fn what_could_not_be_read_again_is_invalid_and_the_others_go_on(
    #[case] columns: &str,
    #[case] text: &str,
    #[case] fits: usize,
    #[case] too_large: usize,
    #[case] reason: &str,
) {
    let kind = Kind::Sqlite;
    let values = [repeated(kind, text, fits), repeated(kind, text, too_large)];
    let (database, sandbox) = sides(kind, &[("fits", &values[0]), ("large", &values[1]), ("other", "'o'")]).await;
    if columns.contains("parent") {
        for parent in [text.repeat(fits), "o".to_owned()] {
            sandbox.change(|store| {
                store.add(customer(json!({"provided_id": parent, "name": "P", "hierarchy_level": "x"})));
            });
        }
    }
    let program = Program::between(&database, &sandbox, &format!("select id as provided_id, {columns} from tenants"));
    let program = program.with("EXPLO_SYNC__GUARD__MAX_ORPHAN_PERCENT", "100");
    let (code, report) = program.sync(&[]).await;
    let invalid = report["invalid"].as_array().unwrap();
    assert_eq!((code, invalid.len(), &invalid[0]["provided_id"]), (3, 1, &json!("large")), "{report}");
    let told = invalid[0]["reason"].as_str().unwrap();
    assert!(told.contains(reason), "{told}");
    assert_eq!(report["outcomes"]["applied"], 2);
    drop(sandbox.take_calls());
    let (code, report) = program.sync(&[]).await;
    assert_eq!(
        (code, &report["counts"]["unchanged"], &report["changes"]),
        (3, &json!(2), &json!([])),
        "it is read again"
    );
    assert!(report["listing"].get("unreadable").is_none() && writes(&sandbox.take_calls()).is_empty());
}

#[rstest]
#[case(63, None)]
#[case(64, Some("properties.deep is nested in more than 63 levels"))]
#[tokio::test]
async fn a_dotted_property_is_as_deep_as_is_read_with_the_object_around_it(
    #[case] levels: usize,
    #[case] reason: Option<&str>,
) {
    let nested = format!("'{}1{}'", "[".repeat(levels), "]".repeat(levels));
    let (database, sandbox) = sides(Kind::Postgres, &[("deep", &nested), ("other", "'1'")]).await;
    let query = "select id as provided_id, id as name, value::jsonb as \"properties.deep\" from tenants";
    let program = Program::between(&database, &sandbox, query);
    let (code, report) = program.sync(&[]).await;
    let told = report["invalid"].get(0).map(|invalid| invalid["reason"].as_str().unwrap());
    assert_eq!((code, told.is_some()), (if reason.is_some() { 3 } else { 0 }, reason.is_some()), "{report}");
    assert!(told.unwrap_or_default().contains(reason.unwrap_or_default()), "{told:?}");
    let (_, report) = program.sync(&[]).await;
    assert_eq!((&report["changes"], report["listing"].get("unreadable")), (&json!([]), None), "{report}");
}

#[rstest]
#[case::dotted("'pro' as \"properties.plan\"", "", json!({"properties": {"other": "x".repeat(523_000)}}))]
#[case::added("'[\"new@a.example\"]' as emails", "add", json!({"emails": [format!("{}@a.example", "x".repeat(1_046_000))]}))]
#[tokio::test]
async fn what_is_carried_is_measured_right_before_it_is_sent(
    #[case] column: &str,
    #[case] emails: &str,
    #[case] held: Value,
) {
    let (database, sandbox) = sides(Kind::Sqlite, &[("a", "'x'"), ("b", "'x'")]).await;
    let mut one = json!({"provided_id": "a", "name": "x"});
    one.as_object_mut().unwrap().extend(held.as_object().unwrap().clone());
    sandbox.change(|store| store.add(customer(one.clone())));
    let query = format!("select id as provided_id, value as name, {column} from tenants");
    let program = Program::between(&database, &sandbox, &query);
    let program = if emails.is_empty() { program } else { program.with("EXPLO_SYNC__FIELDS__EMAILS", emails) };
    let (code, report) = program.sync(&[]).await;
    let failed = report["changes"].as_array().unwrap().iter().find(|change| change["provided_id"] == "a").unwrap();
    assert!(code == 3 && failed["outcome"] == "failed", "{code} {failed}");
    let told = failed["error"].as_str().unwrap();
    assert!(told.contains("update_customer was not called") && told.contains("is too large"), "{told}");
    assert_eq!((report["outcomes"]["applied"].as_u64(), stored(&sandbox, "a")["name"].as_str()), (Some(1), Some("x")));
}
