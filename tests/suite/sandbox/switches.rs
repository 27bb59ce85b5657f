//! For each switch: what is seen without it, and with it.

use explo_sync::sandbox::{Api, STRANGER, Store};
use rstest::rstest;
use serde_json::{Value, json};

use super::{api, call, list, post, seen, switches};
use crate::support::customer;

const V2: &str = "/v2/api/customers/";
const FIRST: &str = "/body/results/customers/0";

#[rstest]
#[case::page_size("--page-size-name page_size", "?pageSize=2", "/ids", json!(["a", "b"]), json!(["a", "b", "c"]))]
#[case::page_size_in_camel("--page-size-name pageSize", "?page_size=2", "/ids", json!(["a", "b"]), json!(["a", "b", "c"]))]
#[case::no_page_size("--page-size-name neither", "?page_size=2&pageSize=2", "/ids", json!(["a", "b"]), json!(["a", "b", "c"]))]
#[case::largest_page("--largest-page 1", "?page_size=2", "/ids", json!(["a", "b"]), json!(["a"]))]
#[case::unknown_refused("--unknown-parameters refused", "?sort=name", "/status", json!(200), json!(400))]
#[case::other_spelling("--unknown-parameters refused --page-size-name page_size", "?page_size=9&pageSize=9", "/status", json!(200), json!(400))]
#[case::known_taken("--unknown-parameters refused", "?page=1&page_size=9&pageSize=9&parent_provided_id=a", "/status", json!(200), json!(200))]
#[case::no_total("--total missing", "", "/body/total_count", json!(3), Value::Null)]
#[case::count("--total count", "", "/body/count", Value::Null, json!(3))]
#[case::count_alone("--total count", "", "/body/total_count", json!(3), Value::Null)]
#[case::both_totals("--total both", "", "/body/count", Value::Null, json!(3))]
#[case::hidden_counted("--total-of all", "", "/body/total_count", json!(3), json!(4))]
#[case::hidden_not_listed("--total-of all", "", "/ids", json!(["a", "b", "c"]), json!(["a", "b", "c"]))]
#[case::past_end("--past-end empty", "?page=2", "/status", json!(404), json!(200))]
#[case::newest("--order newest", "", "/ids", json!(["a", "b", "c"]), json!(["c", "b", "a"]))]
#[case::descendants("--parent-filter descendants", "?parent_provided_id=a", "/ids", json!(["b"]), json!(["b", "c"]))]
#[case::folded_filter("--ids folded", "?parent_provided_id=A", "/ids", json!([]), json!(["b"]))]
#[case::level("--order newest", "?hierarchy_level_name=country", "/ids", json!(["b"]), json!(["b"]))]
#[case::no_v2("--v2 missing", "", "/status", json!(200), json!(404))]
#[case::camel_total("--keys camel", "", "/body/totalCount", Value::Null, json!(3))]
#[case::camel_record("--keys camel", "", "/body/results/customers/1/groupTags", Value::Null, json!(["Silver"]))]
#[case::camel_leaves_properties("--keys camel", "", "/body/results/customers/0/properties/plan", json!("pro"), json!("pro"))]
#[case::mapping_numbers("--mapping-values numbers", "", "/body/results/customers/0/parent_schema_datasource_mapping", json!({"40": "213", "41": "north"}), json!({"40": 213, "41": "north"}))]
#[case::tags_listed("--inherited-tags listed", "", "/body/results/customers/1/group_tags", json!(["Silver"]), json!(["Silver", "Gold"]))]
#[case::no_empty_objects("--empty-objects null", "", "/body/results/customers/2/properties", json!({}), Value::Null)]
#[case::no_nulls("--empty-objects braces", "", "/body/results/customers/2/parent_schema_datasource_mapping", Value::Null, json!({}))]
#[case::level_null("--level-shown null", "", "/level", json!(["region"]), json!([null]))]
#[case::level_missing("--level-shown missing", "", "/level", json!(["region"]), json!("missing"))]
fn a_listing_is_changed_by_its_switch(
    #[case] flags: &str,
    #[case] query: &str,
    #[case] pointer: &str,
    #[case] usual: Value,
    #[case] switched: Value,
) {
    for (flags, expected) in [("", usual), (flags, switched)] {
        let seen = seen(&call(&mut api(flags), "GET", &format!("{V2}{query}"), &Value::Null));
        assert_eq!(seen.pointer(pointer).unwrap_or(&Value::Null), &expected, "{flags}: {seen}");
    }
}

#[rstest]
#[case::emails("--emails merge", "update_customer", json!({"provided_id": "a", "emails": ["new@a.example"]}), "/emails", json!(["new@a.example"]), json!(["ann@a.example", "new@a.example"]))]
#[case::properties("--properties merge", "update_customer", json!({"provided_id": "b", "properties": {"seats": 5}}), "/properties", json!({"seats": 5}), json!({"plan": "free", "seats": 5}))]
#[case::mapping("--mapping merge", "update_customer", json!({"provided_id": "a", "mapping": {"41": "south"}}), "/parent_schema_datasource_mapping", json!({"41": "south"}), json!({"40": "213", "41": "south"}))]
#[case::tags_replace("--emails merge", "update_customer", json!({"provided_id": "a", "group_tags": ["Silver"]}), "/group_tags", json!(["Silver"]), json!(["Silver"]))]
#[case::spaces("--spaces trimmed", "update_customer", json!({"provided_id": "a", "name": " Ann "}), "/name", json!(" Ann "), json!("Ann"))]
#[case::cut_name("--cut-at 2", "update_customer", json!({"provided_id": "a", "name": "Änne"}), "/name", json!("Änne"), json!("Än"))]
#[case::cut_property("--cut-at 2", "update_customer", json!({"provided_id": "a", "properties": {"plan": "pro", "n": 12345}}), "/properties", json!({"plan": "pro", "n": 12345}), json!({"plan": "pr", "n": 12345}))]
#[case::folded_id("--ids folded", "get_customer", json!({"provided_id": "A"}), "/provided_id", Value::Null, json!("a"))]
#[case::folded_create("--ids folded", "create_customer", json!({"provided_id": "A", "name": "Another"}), "/name", json!("Another"), json!("Ann"))]
#[case::trimmed_id("--ids trimmed", "create_customer", json!({"provided_id": " z ", "name": "Zed"}), "/provided_id", json!(" z "), json!("z"))]
#[case::existing("--existing updated", "create_customer", json!({"provided_id": "a", "name": "Anna"}), "/name", json!("Ann"), json!("Anna"))]
#[case::unknown_tag("--unknown-tags made", "update_customer", json!({"provided_id": "a", "group_tags": ["New"]}), "/group_tags", Value::Null, json!(["New"]))]
#[case::hidden("--hidden unknown", "get_customer", json!({"provided_id": "hidden"}), "/name", json!("Hidden"), Value::Null)]
#[case::hidden_found("--hidden unknown", "create_customer", json!({"provided_id": "hidden", "name": "Z"}), "/name", json!("Hidden"), json!("Hidden"))]
#[case::null("--nulls cleared", "update_customer", json!({"provided_id": "a", "emails": null}), "/emails", json!(["ann@a.example"]), json!([]))]
#[case::unknown_level("--levels region,country,site", "update_customer", json!({"provided_id": "c", "hierarchy_level_name": "galaxy"}), "/hierarchy_level", json!("galaxy"), Value::Null)]
#[case::root_level("--levels region,country,site", "create_customer", json!({"provided_id": "z", "name": "Zed"}), "/hierarchy_level", Value::Null, json!("region"))]
#[case::parent_too_low("--levels region,country,site", "create_customer", json!({"provided_id": "z", "name": "Zed", "hierarchy_level_name": "country", "parent_provided_id": "c"}), "/name", json!("Zed"), Value::Null)]
#[case::tags_everywhere("--inherited-tags everywhere", "get_customer", json!({"provided_id": "c"}), "/group_tags", json!([]), json!(["Silver", "Gold"]))]
#[case::tags_listed_alone("--inherited-tags listed", "get_customer", json!({"provided_id": "c"}), "/group_tags", json!([]), json!([]))]
fn the_answer_to_a_call_is_changed_by_its_switch(
    #[case] flags: &str,
    #[case] endpoint: &str,
    #[case] body: Value,
    #[case] pointer: &str,
    #[case] usual: Value,
    #[case] switched: Value,
) {
    for (flags, expected) in [("", usual), (flags, switched)] {
        let seen = seen(&post(&mut api(flags), endpoint, &body));
        let found = seen.pointer(&format!("/body/customer{pointer}"));
        assert_eq!(found.unwrap_or(&Value::Null), &expected, "{flags}: {seen}");
    }
}

#[rstest]
#[case::stored("stored", "filterValue", "filterValue")]
#[case::snake_listed("snake-listed", "filter_value", "filterValue")]
#[case::camel_listed("camel-listed", "filterValue", "filterValue")]
#[case::snake("snake", "filter_value", "filter_value")]
#[case::camel("camel", "filterValue", "filterValue")]
fn keys_of_properties_are_shown_in_one_style_however_deep(
    #[case] style: &str,
    #[case] listed: &str,
    #[case] got: &str,
) {
    let mut api = api(&format!("--property-keys {style}"));
    let deep = |key: &str| match key {
        "filter_value" => json!({"plan": "pro", "filter_value": {"inner_key": [{"deep_key": 1.5}]}}),
        _ => json!({"plan": "pro", "filterValue": {"innerKey": [{"deepKey": 1.5}]}}),
    };
    assert_eq!(list(&mut api).pointer(&format!("{FIRST}/properties")), Some(&deep(listed)));
    let answer = post(&mut api, "get_customer", &json!({"provided_id": "a"}));
    assert!(String::from_utf8_lossy(&answer.body).contains("1.50"), "numbers keep their digits");
    assert_eq!(seen(&answer).pointer("/body/customer/properties"), Some(&deep(got)));
}

#[test]
fn camel_case_is_made_of_snake_case() {
    let mut api = api("--property-keys camel");
    let body = json!({"provided_id": "a", "properties": {"filter_value": 1, "_x_y": 2}});
    let answer = seen(&post(&mut api, "update_customer", &body));
    assert_eq!(answer.pointer("/body/customer/properties"), Some(&json!({"filterValue": 1, "_xY": 2})));
}

#[rstest]
#[case::success("--success true", json!({"provided_id": "a"}), "/body/success", json!(1), json!(true))]
#[case::failure("--success true", json!({"provided_id": "z"}), "/body/success", json!(0), json!(false))]
#[case::ok("--failure-shape ok", json!({"provided_id": "z"}), "/status", json!(404), json!(200))]
#[case::html("--failure-shape html", json!({"provided_id": "z"}), "/body/error", json!("there is no customer with the given provided_id"), Value::Null)]
#[case::unknown("--failure-shape unknown", json!({"provided_id": "z"}), "/body/errors/0/message", Value::Null, json!("there is no customer with the given provided_id"))]
fn success_and_failure_have_the_shape_that_was_asked_for(
    #[case] flags: &str,
    #[case] body: Value,
    #[case] pointer: &str,
    #[case] usual: Value,
    #[case] switched: Value,
) {
    for (flags, expected) in [("", usual), (flags, switched)] {
        let seen = seen(&post(&mut api(flags), "get_customer", &body));
        assert_eq!(seen.pointer(pointer).unwrap_or(&Value::Null), &expected, "{flags}: {seen}");
    }
}

#[test]
fn a_path_without_its_slash_is_refused_or_redirected() {
    let path = "/v2/api/customers?page=1";
    let refused = call(&mut api(""), "GET", path, &Value::Null);
    assert_eq!(seen(&refused)["body"], json!({"detail": "Method not allowed"}));
    assert_eq!(refused.status, 405);
    let redirected = call(&mut api("--missing-slash 301"), "GET", path, &Value::Null);
    assert_eq!(redirected.status, 301);
    assert!(redirected.headers.contains(&("location", "/v2/api/customers/?page=1".to_owned())), "{redirected:?}");
}

#[test]
fn the_first_listing_is_whole_and_filters_by_query_or_body() {
    let filter = json!({"parent_provided_id": "a"});
    let path = "/api/customers/?parent_provided_id=b";
    for (flags, expected) in [("", json!(["c"])), ("--v1-filters body", json!(["b"]))] {
        assert_eq!(seen(&call(&mut api(flags), "GET", path, &filter))["ids"], expected, "{flags}");
    }
    let whole = seen(&call(&mut api(""), "GET", "/api/customers/", &Value::Null));
    assert_eq!((&whole["ids"], &whole["body"]["success"]), (&json!(["a", "b", "c"]), &json!(1)));
}

#[test]
fn the_same_seed_gives_the_same_answers_and_another_one_others() {
    let history = |seed| {
        let mut api = behaving("--order shuffled --churn add,touch", seed);
        (0..8).map(|_| list(&mut api)).collect::<Vec<_>>()
    };
    assert_eq!(history(1), history(1));
    assert_ne!(history(1), history(2));
    let orders: Vec<_> = history(1).iter().map(|seen| seen["ids"].clone()).collect();
    assert!(orders.iter().any(|order| order != &orders[0]), "shuffled anew: {orders:?}");
}

#[test]
fn tokens_can_be_recognised() {
    let mut api = api("");
    let answer = seen(&post(&mut api, "create_customer", &json!({"provided_id": "z", "name": "Zed"})));
    let token = answer["body"]["customer"]["token"].as_str().unwrap().strip_prefix("sandbox-token-").unwrap();
    assert!(token.len() == 32 && token.chars().all(|c| c.is_ascii_hexdigit()), "{token}");
}

#[rstest]
#[case("add")]
#[case("delete")]
#[case("rename")]
#[case("touch")]
#[case("reorder")]
fn churn_changes_strangers_alone_and_only_at_every_nth_listing(#[case] kind: &str) {
    let mut api = behaving(&format!("--churn {kind} --churn-every 3"), 5);
    let tell = |store: &Store, are_strangers: bool| {
        let customers = store.customers().iter();
        let chosen = customers.filter(|c| c.provided_id.as_deref().unwrap().starts_with(STRANGER) == are_strangers);
        chosen.map(|c| (c.provided_id.clone(), c.name.clone(), c.token.clone())).collect::<Vec<_>>()
    };
    let (ours, strangers) = (tell(api.store(), false), tell(api.store(), true));
    let order = |store: &Store| store.customers().iter().map(|c| c.token.clone()).collect::<Vec<_>>();
    let before = order(api.store());
    list(&mut api);
    list(&mut api);
    assert_eq!((tell(api.store(), true), order(api.store())), (strangers.clone(), before.clone()));
    for _ in 0..10 {
        list(&mut api);
    }
    let mut now = tell(api.store(), false);
    now.sort();
    assert_eq!(now, ours, "nobody else changes");
    let changed = if kind == "reorder" { order(api.store()) != before } else { tell(api.store(), true) != strangers };
    assert!(changed, "{kind}: {:?}", api.store());
}

#[test]
fn what_is_inherited_is_computed_and_the_parent_is_never_listed() {
    let mut api = api("");
    let seen = list(&mut api);
    let c = &seen["body"]["results"]["customers"][2];
    assert_eq!(
        (&c["properties"], &c["computed_properties"]["plan"]),
        (&json!({}), &json!("free")),
        "the nearest counts"
    );
    assert_eq!(c["computed_parent_schema_datasource_mapping"], json!({"40": "213", "41": "north"}));
    assert!(!seen.to_string().contains("parent_provided_id"), "{seen}");
}

#[rstest]
#[case::unknown(json!({"provided_id": "c", "parent_provided_id": "z"}), 400)]
#[case::itself(json!({"provided_id": "a", "parent_provided_id": "a"}), 400)]
#[case::below_itself(json!({"provided_id": "a", "parent_provided_id": "c"}), 400)]
#[case::in_another_group(json!({"provided_id": "a", "parent_provided_id": "hidden"}), 400)]
#[case::another(json!({"provided_id": "c", "parent_provided_id": "a"}), 200)]
#[case::taken_id(json!({"provided_id": "a", "new_provided_id": "b"}), 400)]
#[case::unknown_customer(json!({"provided_id": "z", "name": "Zed"}), 404)]
fn an_update_that_cant_be_done_is_refused_and_changes_nothing(#[case] body: Value, #[case] status: u16) {
    let mut api = api("");
    let before = format!("{:?}", api.store().customers());
    assert_eq!(post(&mut api, "update_customer", &body).status, status);
    assert_eq!(format!("{:?}", api.store().customers()) == before, status != 200);
}

#[test]
fn children_follow_a_rename_and_keep_their_parent_from_being_deleted() {
    let mut api = api("");
    let renamed = seen(&post(&mut api, "update_customer", &json!({"provided_id": "b", "new_provided_id": "b2"})));
    assert_eq!(renamed.pointer("/body/customer/provided_id"), Some(&json!("b2")));
    let below = call(&mut api, "GET", "/v2/api/customers/?parent_provided_id=b2", &Value::Null);
    assert_eq!(seen(&below)["ids"], json!(["c"]));
    let token = |api: &mut Api, id: &str| json!({"current_token": api.store_mut().customer(id).unwrap().token});
    let (parent, child) = (token(&mut api, "b2"), token(&mut api, "c"));
    let mut delete = |body| call(&mut api, "DELETE", "/api/delete_customer/", body).status;
    assert_eq!([delete(&parent), delete(&child), delete(&child), delete(&parent)], [400, 200, 404, 200]);
}

#[rstest]
#[case("", [400, 200, 404], [0, 1, 0])]
#[case("--parents 200 --gone success", [200, 200, 200], [0, 1, 1])]
#[case("--parents 400 --unknown-id 200 --failure-shape ok", [400, 200, 200], [0, 1, 0])]
#[case("--failure-shape ok --gone success", [200, 200, 200], [0, 1, 1])]
fn a_deletion_of_a_parent_and_of_one_that_is_gone_has_its_answer(
    #[case] flags: &str,
    #[case] statuses: [u16; 3],
    #[case] successes: [u8; 3],
) {
    let mut api = api(flags);
    let token = |id: &str, api: &mut Api| json!({"current_token": api.store_mut().customer(id).unwrap().token});
    let (parent, child) = (token("b", &mut api), token("c", &mut api));
    let answers = [&parent, &child, &child].map(|body| seen(&call(&mut api, "DELETE", "/api/delete_customer/", body)));
    assert_eq!(answers.each_ref().map(|answer| answer["status"].clone()), statuses.map(|status| json!(status)));
    assert_eq!(answers.each_ref().map(|answer| answer["body"]["success"].clone()), successes.map(|one| json!(one)));
}

#[test]
fn tags_are_listed_and_made_once() {
    let mut api = api("");
    let mut make = || post(&mut api, "create_group_tag", &json!({"name": "New"})).status;
    assert_eq!([make(), make()], [200, 400]);
    let tags = seen(&call(&mut api, "GET", "/api/group_tags/", &Value::Null));
    assert_eq!(
        tags["body"],
        json!({"success": 1, "group_tags": [{"name": "Gold"}, {"name": "New"}, {"name": "Silver"}]})
    );
}

/// Two customers of ours between strangers.
fn behaving(flags: &str, seed: u64) -> Api {
    let ids = ["stranger-1", "a", "stranger-2", "b", "stranger-3"];
    let mut api = Api::new(Store::new(ids.map(|id| customer(json!({"provided_id": id, "name": id})))), seed);
    api.behaviour = switches(flags).behaviour;
    api
}

#[test]
fn the_calls_about_tags_may_be_missing() {
    for (flags, status) in [("", 200), ("--tag-calls missing", 404)] {
        let mut api = api(flags);
        assert_eq!(call(&mut api, "GET", "/api/group_tags/", &Value::Null).status, status);
        assert_eq!(post(&mut api, "create_group_tag", &json!({"name": "New"})).status, status);
    }
}
