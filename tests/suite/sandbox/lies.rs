//! Listings that lie, and tokens that are another customer's.

use rstest::rstest;
use serde_json::{Value, json};

use super::{api, call, list, post, seen};

#[rstest]
#[case::too_high("1000000000", "--total total_count", json!(1_000_000_003))]
#[case::too_low("-1", "", json!(2))]
#[case::never_below_nothing("-9", "", json!(0))]
#[case::beside_the_hidden("1", "--total-of all", json!(5))]
fn a_total_lies_and_the_pages_do_not(#[case] plus: &str, #[case] flags: &str, #[case] total: Value) {
    let seen = list(&mut api(&format!("--total-plus {plus} {flags}")));
    assert_eq!((&seen["body"]["total_count"], &seen["ids"]), (&total, &json!(["a", "b", "c"])));
}

#[rstest]
#[case::nobody("nobody", "", "", json!([]), 0)]
#[case::nobody_at_all("nobody", "--total-plus 5 --total-of all", "", json!([]), 0)]
#[case::nobody_on_a_later_page("nobody", "--past-end empty", "?page=2", json!([]), 0)]
#[case::fewer("fewer=1", "", "", json!(["a", "b"]), 2)]
#[case::fewer_newest_first("fewer=1", "--order newest", "", json!(["b", "a"]), 2)]
#[case::fewer_on_a_later_page("fewer=1", "", "?page=2&page_size=1", json!(["b"]), 2)]
#[case::fewer_beside_the_hidden("fewer=2", "--total-of all", "", json!(["a"]), 2)]
#[case::fewer_than_there_are("fewer=9", "", "", json!([]), 0)]
fn a_listing_lies_consistently_and_once(
    #[case] fault: &str,
    #[case] flags: &str,
    #[case] query: &str,
    #[case] ids: Value,
    #[case] total: usize,
) {
    let mut api = api(flags);
    api.faults = vec![format!("{fault},times=1").parse().unwrap()];
    post(&mut api, "get_customer", &json!({"provided_id": "a"}));
    let mut call = || seen(&call(&mut api, "GET", &format!("/v2/api/customers/{query}"), &Value::Null));
    let lie = call();
    assert_eq!((&lie["ids"], &lie["body"]["total_count"]), (&ids, &json!(total)), "{lie}");
    assert_ne!(call()["body"]["total_count"], json!(total), "a call that lists nobody did not count");
}

#[test]
fn the_first_listing_lies_too() {
    let mut api = api("");
    api.faults = vec!["fewer=2,times=1".parse().unwrap(), "nobody,times=1".parse().unwrap()];
    let mut ids = || seen(&call(&mut api, "GET", "/api/customers/", &Value::Null))["ids"].clone();
    assert_eq!([ids(), ids(), ids()], [json!(["a"]), json!([]), json!(["a", "b", "c"])]);
}

#[rstest]
#[case("create_customer", json!({"provided_id": "z", "name": "Zed"}), "a")]
#[case("update_customer", json!({"provided_id": "a", "name": "Anna"}), "b")]
#[case("get_customer", json!({"provided_id": "c"}), "a")]
fn an_answer_carries_the_token_of_another_customer_that_is_listed(
    #[case] endpoint: &str,
    #[case] body: Value,
    #[case] other: &str,
) {
    let mut api = api("");
    api.faults = vec!["other-token,times=1".parse().unwrap()];
    list(&mut api);
    let answers = [0, 1].map(|_| seen(&post(&mut api, endpoint, &body))["body"]["customer"].clone());
    let id = body["provided_id"].as_str().unwrap();
    let token = |id| json!(api.store().get(id).unwrap().token);
    assert_eq!(answers.clone().map(|answer| answer["token"].clone()), [token(other), token(id)]);
    assert_eq!(answers.map(|answer| answer["provided_id"].clone()), [json!(id), json!(id)]);
}
