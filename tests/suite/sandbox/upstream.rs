//! The list to read tenants from: what document 004 says of `GET /v2/customers`.

use explo_sync::sandbox::{Endpoint, Upstream};
use rstest::rstest;
use serde_json::{Value, json};

use super::{api, call};

/// Sixty records: the first owns the second, which owns the third; the others own nobody.
fn records() -> Vec<Value> {
    let record = |id: u64| {
        let owner = matches!(id, 2 | 3).then(|| json!({"id": id - 1}));
        let kind = if id <= 3 { "partner" } else { "customer" };
        json!({"id": id, "name": format!("Customer {}", 61 - id), "type": kind, "externalId": format!("x{id}"), "owner": owner,
               "cpo": {"id": id % 2}, "createdAt": format!("2026-01-01T00:{:02}:00Z", id - 1),
               "updatedAt": format!("2026-02-01T00:{:02}:00Z", 60 - id)})
    };
    (1..=60).map(record).collect()
}

fn get(flags: &str, query: &str) -> (u16, Value) {
    let mut api = api(flags);
    api.upstream = Some(Upstream::new(records()));
    let reply = call(&mut api, "GET", &format!("/v2/customers{query}"), &Value::Null);
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

#[rstest]
#[case::newest_first_and_fifty("", &[60, 59, 58], 50, 60)]
#[case::a_page("?limit=2&offset=3", &[57, 56], 2, 60)]
#[case::past_the_end("?offset=60", &[], 0, 60)]
#[case::sorted("?sortBy=name&sortDirection=asc", &[60, 51, 50], 50, 60)]
#[case::ascending_from_a_time("?createdAtFrom=2026-01-01T00:57:00Z", &[58, 59, 60], 3, 3)]
#[case::descending_to_a_time("?createdAtTo=2026-01-01T00:02:00Z", &[3, 2, 1], 3, 3)]
#[case::by_its_update("?updatedAtFrom=2026-02-01T00:57:00Z&createdAtTo=2026-01-01T00:02:00Z", &[3, 2, 1], 3, 3)]
#[case::at_a_time("?updatedAt=2026-02-01T00:00:00Z", &[60], 1, 1)]
#[case::by_ids("?customerIds=7&customerIds=9", &[9, 7], 2, 2)]
#[case::by_types("?types[]=partner", &[3, 2, 1], 3, 3)]
#[case::owned("?ownerId=1", &[2], 1, 1)]
#[case::owned_at_any_depth("?rootOwnerId=1", &[3, 2], 2, 2)]
#[case::of_an_operator("?cpoId=1&limit=1", &[59], 1, 30)]
#[case::searched("?search=X59", &[59], 1, 1)]
#[case::unknown("?colour=red&limit=1", &[60], 1, 60)]
fn a_query_finds(#[case] query: &str, #[case] first: &[u64], #[case] length: usize, #[case] count: usize) {
    let (status, page) = get("", query);
    let ids: Vec<_> = page["data"].as_array().unwrap().iter().map(|record| record["id"].as_u64().unwrap()).collect();
    assert_eq!((status, ids.len(), &page["count"]), (200, length, &json!(count)));
    assert_eq!(ids[..first.len()], *first);
}

#[rstest]
#[case("?limit=many", "limit must be a whole number")]
#[case("?sortBy=colour", "sortBy must be one of id, name, createdAt, updatedAt")]
#[case("?sortDirection=up", "sortDirection must be asc or desc")]
#[case("?createdAtFrom=yesterday", "createdAtFrom must be a date-time")]
#[case("?colour=red", "colour is not a known parameter")]
fn a_bad_request_is_explained(#[case] query: &str, #[case] told: &str) {
    assert_eq!(get("--unknown-parameters refused", query), (400, json!({"message": told})));
}

#[test]
fn the_count_may_be_that_of_the_page() {
    assert_eq!(get("--upstream-count page", "?limit=7").1["count"], 7);
}

#[test]
fn it_fails_where_it_is_told_to_and_is_not_there_unless_it_is_asked_for() {
    let mut api = api("");
    let get = |api: &mut _| call(api, "GET", "/v2/customers", &Value::Null).status;
    assert_eq!(get(&mut api), 404);
    api.upstream = Some(Upstream::parse("{\"id\": 1}\n{\"id\": 2}").unwrap());
    api.faults = vec!["status=502,endpoint=upstream,times=1".parse().unwrap()];
    assert_eq!(api.faults[0].endpoint, Some(Endpoint::Upstream));
    assert_eq!([get(&mut api), get(&mut api)], [502, 200]);
    api.upstream.as_mut().unwrap().token = Some("right-token".to_owned());
    assert_eq!(get(&mut api), 403, "as its list of answers says");
}
