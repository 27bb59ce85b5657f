//! Customers that a strict reader can't read.

use explo_sync::sandbox::{Api, Odd, OddCustomer};
use rstest::rstest;
use serde_json::{Value, json};

use super::{api, call, list, post, seen};

/// The customer with its children, who are as they were.
fn oddly(odd: Odd, flags: &str) -> Api {
    let mut api = api(flags);
    api.store_mut().make_odd("a", odd).unwrap();
    api
}

/// The answers that show the customer: both listings, and one about it alone.
fn shown(api: &mut Api) -> [String; 3] {
    let mut get = |path| call(api, "GET", path, &Value::Null).body;
    let [v2, v1] = [get("/v2/api/customers/"), get("/api/customers/")];
    [v2, v1, post(api, "get_customer", &json!({"provided_id": "a"})).body].map(|body| String::from_utf8(body).unwrap())
}

#[rstest]
#[case(Odd::PropertiesList, "\"properties\":[],\"computed_properties\":[],")]
#[case(Odd::EmailsText, "\"emails\":\"\",")]
#[case(Odd::HalfSurrogate, "\"name\":\"\\ud800\",")]
fn what_is_odd_is_shown_by_every_answer(#[case] odd: Odd, #[case] member: &str) {
    let usual = shown(&mut api(""));
    for (odd, usual) in shown(&mut oddly(odd, "")).iter().zip(usual) {
        assert!(odd.contains(member) && !usual.contains(member), "{odd}");
    }
}

#[rstest]
#[case(Odd::LongName, "/name", 1_200_000..1_201_000, 1)]
#[case(Odd::LargeProperties, "/properties", 1_500_000..1_501_000, 1)]
#[case(Odd::DeepProperties, "/properties", 800..2_000, 70)]
fn a_record_is_large_or_deep(
    #[case] odd: Odd,
    #[case] field: &str,
    #[case] length: std::ops::Range<usize>,
    #[case] depth: usize,
) {
    let answer = post(&mut oddly(odd, ""), "get_customer", &json!({"provided_id": "a"}));
    assert!(length.contains(&answer.body.len()), "{}", answer.body.len());
    let seen = seen(&answer);
    let mut value = seen.pointer(&format!("/body/customer{field}")).unwrap();
    let mut levels = 1;
    if field == "/properties" {
        while let Some(within) = value.as_object().and_then(|object| object.values().next()).filter(|v| v.is_object()) {
            (value, levels) = (within, levels + 1);
        }
    }
    assert_eq!(levels, depth);
}

#[rstest]
#[case(Odd::PropertiesList, json!({"properties": {"plan": "new"}}))]
#[case(Odd::DeepProperties, json!({"properties": {"plan": "new"}}))]
#[case(Odd::LargeProperties, json!({"properties": {"plan": "new"}}))]
#[case(Odd::EmailsText, json!({"emails": ["new@a.example"]}))]
#[case(Odd::HalfSurrogate, json!({"name": "New"}))]
#[case(Odd::LongName, json!({"name": "New"}))]
fn a_field_is_odd_until_a_write_sets_it(#[case] odd: Odd, #[case] set: Value) {
    let mut api = oddly(odd, "");
    let mut update = |mut body: Value| {
        body["provided_id"] = json!("a");
        post(&mut api, "update_customer", &body).body
    };
    let odd = update(json!({"is_demo_group": true}));
    let ordinary = update(set.clone());
    let (field, value) = set.as_object().unwrap().iter().next().unwrap();
    let shown = serde_json::from_slice::<Value>(&ordinary).unwrap()["customer"][field].clone();
    assert_eq!(shown, *value);
    let shown = serde_json::from_slice::<Value>(&odd).map(|body| body["customer"][field].clone());
    assert!(shown.is_err() || shown.unwrap() != *value);
}

#[test]
fn others_are_listed_as_they_were() {
    let mut api = oddly(Odd::PropertiesList, "");
    assert_eq!(list(&mut api)["body"]["results"]["customers"][1]["computed_properties"]["plan"], "free");
    assert_eq!(list(&mut api)["ids"], json!(["a", "b", "c"]));
}

#[rstest]
#[case("a=long-name", "a", Odd::LongName)]
#[case("a=b=properties-list", "a=b", Odd::PropertiesList)]
fn an_odd_customer_is_named_with_its_kind(#[case] text: &str, #[case] id: &str, #[case] odd: Odd) {
    assert_eq!(text.parse(), Ok(OddCustomer { provided_id: id.to_owned(), odd }));
}

#[rstest]
#[case("a")]
#[case("a=strange")]
fn another_text_is_refused_with_the_way_out(#[case] text: &str) {
    let told = text.parse::<OddCustomer>().unwrap_err().to_string();
    let way_out = "names no odd customer: write ID=KIND with one of properties-list, emails-text, half-surrogate, long-name, \
                   deep-properties, large-properties";
    assert_eq!(told, format!("{text:?} {way_out}"));
}
