//! Who is who: two customers with one id, tokens and ids that move, and groups that nobody sees.

use explo_sync::sandbox::{Api, STRANGER, Second};
use rstest::rstest;
use serde_json::{Value, json};

use super::{api, call, list, post, seen};
use crate::support::customer;

/// Ids, names and tokens of those that are listed.
fn listed(api: &mut Api) -> Vec<(String, String, String)> {
    let seen = list(api);
    let customers = seen["body"]["results"]["customers"].as_array().unwrap().iter();
    let text = |customer: &Value, key| customer[key].as_str().unwrap().to_owned();
    customers.map(|one| (text(one, "provided_id"), text(one, "name"), text(one, "token"))).collect()
}

fn token(api: &Api, id: &str) -> String {
    api.store().get(id).unwrap().token.clone()
}

#[rstest]
#[case::after(Second::After, ["Bob", "Bob again"])]
#[case::before(Second::Before, ["Bob again", "Bob"])]
fn two_customers_have_one_id_and_calls_reach_the_first(#[case] second: Second, #[case] names: [&str; 2]) {
    let mut api = api("");
    api.store_mut().twice("b", second).unwrap();
    let seen = listed(&mut api);
    let told: Vec<_> = seen.iter().map(|(id, name, _)| (id.as_str(), name.as_str())).collect();
    assert_eq!(told, [("a", "Ann"), ("b", names[0]), ("b", names[1]), ("c", "Cat")]);
    assert_ne!(seen[1].2, seen[2].2, "each has its token");
    assert_eq!(list(&mut api)["body"]["total_count"], 4);
    for (endpoint, body) in [
        ("get_customer", json!({"provided_id": "b"})),
        ("create_customer", json!({"provided_id": "b", "name": "B"})),
        ("update_customer", json!({"provided_id": "b", "is_demo_group": true})),
    ] {
        let answer = post(&mut api, endpoint, &body);
        assert_eq!(super::seen(&answer)["body"]["customer"]["name"], names[0], "{endpoint}");
    }
}

#[test]
fn once_the_first_of_two_has_another_id_or_is_gone_calls_reach_the_second() {
    let mut api = api("");
    api.store_mut().twice("a", Second::After).unwrap();
    post(&mut api, "update_customer", &json!({"provided_id": "a", "new_provided_id": "z"}));
    let name = |api: &mut Api, id| {
        seen(&post(api, "get_customer", &json!({"provided_id": id})))["body"]["customer"]["name"].clone()
    };
    assert_eq!([name(&mut api, "z"), name(&mut api, "a")], [json!("Ann"), json!("Ann again")]);
    api.store_mut().twice("c", Second::After).unwrap();
    let first = json!({"current_token": token(&api, "c")});
    assert_eq!(call(&mut api, "DELETE", "/api/delete_customer/", &first).status, 200);
    assert_eq!(name(&mut api, "c"), json!("Cat again"));
}

#[test]
fn a_hidden_customer_with_a_twin_stays_hidden_under_its_next_id() {
    let mut api = api("");
    api.store_mut().twice("hidden", Second::After).unwrap();
    post(&mut api, "update_customer", &json!({"provided_id": "hidden", "new_provided_id": "z"}));
    assert_eq!(list(&mut api)["ids"], json!(["a", "b", "c"]));
}

#[test]
fn two_customers_swap_their_ids_and_keep_their_tokens_children_and_visibility() {
    let mut api = api("");
    let tokens = ["a", "b", "hidden"].map(|id| token(&api, id));
    api.store_mut().swap_ids("a", "b").unwrap();
    api.store_mut().swap_ids("a", "hidden").unwrap();
    let told: Vec<_> = listed(&mut api).into_iter().map(|(id, name, _)| (id, name)).collect();
    assert_eq!(
        told,
        [("b", "Ann"), ("hidden", "Bob"), ("c", "Cat")].map(|(id, name)| (id.to_owned(), name.to_owned()))
    );
    assert_eq!(["b", "hidden", "a"].map(|id| token(&api, id)), tokens);
    let parents = ["hidden", "c"].map(|id| api.store().get(id).unwrap().parent_provided_id.clone());
    assert_eq!(parents, [Some("b".to_owned()), Some("hidden".to_owned())]);
}

#[test]
fn a_token_is_rotated() {
    let mut api = api("");
    let before = token(&api, "a");
    api.store_mut().rotate_token("a").unwrap();
    let after = token(&api, "a");
    assert!(before != after && after.starts_with("sandbox-token-"), "{after}");
    assert_eq!(listed(&mut api)[0].2, after);
}

#[test]
fn nobody_can_be_doubled_swapped_or_rotated_who_is_not_there() {
    let mut api = api("");
    let store = api.store_mut();
    let refused = [store.twice("z", Second::After), store.swap_ids("a", "z"), store.rotate_token("z")];
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
}

#[test]
fn a_stranger_gets_another_token_while_somebody_lists() {
    let mut api = api("--churn token");
    let id = format!("{STRANGER}1");
    api.store_mut().add(customer(json!({"provided_id": id, "name": "Stranger"})));
    let tokens = |api: &mut Api| listed(api).into_iter().map(|(_, _, token)| token).collect::<Vec<_>>();
    let [before, after] = [tokens(&mut api), tokens(&mut api)];
    assert_eq!(before[..3], after[..3]);
    assert_ne!(before[3], after[3]);
}

#[rstest]
#[case::update("", "update_customer", 200)]
#[case::get("", "get_customer", 200)]
#[case::unknown("--hidden unknown", "update_customer", 404)]
fn a_group_is_hidden_from_listings_and_create_finds_its_customers(
    #[case] flags: &str,
    #[case] endpoint: &str,
    #[case] status: u16,
) {
    let mut api = api(flags);
    let other = json!({"provided_id": "o", "name": "Otto", "access_group": "Test"});
    api.store_mut().add(customer(other));
    assert_eq!(list(&mut api)["ids"], json!(["a", "b", "c", "o"]));
    api.store_mut().hide_group("Test");
    assert_eq!((&list(&mut api)["ids"], &list(&mut api)["body"]["total_count"]), (&json!(["a", "b", "c"]), &json!(3)));
    let found = seen(&post(&mut api, "create_customer", &json!({"provided_id": "o", "name": "Other"})));
    let customer = &found["body"]["customer"];
    assert_eq!((&found["body"]["new_customer"], &customer["access_group"]), (&json!(false), &json!("Test")));
    assert_eq!(post(&mut api, endpoint, &json!({"provided_id": "o"})).status, status);
}

#[test]
fn the_group_may_be_shown_by_no_answer() {
    for (flags, group) in [("", json!("Production")), ("--access-group null", Value::Null)] {
        let mut api = api(flags);
        let made = seen(&post(&mut api, "create_customer", &json!({"provided_id": "z", "name": "Zed"})));
        assert_eq!(made["body"]["customer"].get("access_group"), Some(&group));
        assert_eq!(list(&mut api)["body"]["results"]["customers"][3].get("access_group"), Some(&group));
    }
}
