//! How calls are refused: how an unknown id is, what is too large, and what each refusal also tells.

use std::time::Duration;

use explo_sync::sandbox::Request;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{api, call, post, seen};

#[rstest]
#[case::as_others_are("", 404, "/error")]
#[case::as_others_are_at_200("--failure-shape ok", 200, "/error")]
#[case::not_found("--unknown-id 404 --failure-shape ok", 404, "/error")]
#[case::bad_request("--unknown-id 400", 400, "/error")]
#[case::bad_request_of_another_shape("--unknown-id 400 --failure-shape unknown", 400, "/errors/0/message")]
#[case::success("--unknown-id 200", 200, "/error")]
#[case::success_beside_pages("--unknown-id 200 --failure-shape html", 200, "/error")]
#[case::server_error("--unknown-id 500", 500, "/error")]
fn an_unknown_id_has_its_answer(#[case] flags: &str, #[case] status: u16, #[case] pointer: &str) {
    let mut api = api(flags);
    let told = json!("there is no customer with the given provided_id");
    for endpoint in ["get_customer", "update_customer"] {
        let answer = seen(&post(&mut api, endpoint, &json!({"provided_id": "z", "name": "Zed"})));
        assert_eq!((&answer["status"], answer["body"].pointer(pointer)), (&json!(status), Some(&told)), "{endpoint}");
        if pointer == "/error" {
            assert_eq!(answer["body"]["success"], 0);
        }
    }
}

#[rstest]
#[case("--unknown-id 500", 400)]
#[case("--unknown-id 404 --failure-shape ok", 200)]
fn other_refusals_stay_as_they_are(#[case] flags: &str, #[case] status: u16) {
    let taken = json!({"provided_id": "a", "new_provided_id": "b"});
    assert_eq!(post(&mut api(flags), "update_customer", &taken).status, status);
}

#[test]
fn a_body_of_more_bytes_than_there_may_be_is_refused_and_not_applied() {
    let body = json!({"provided_id": "a", "name": "Anna"});
    let length = body.to_string().len();
    for (most, status, name) in [(length, 200, "Anna"), (length - 1, 413, "Ann")] {
        let mut api = api(&format!("--largest-body {most}"));
        assert_eq!(post(&mut api, "update_customer", &body).status, status);
        assert_eq!(api.store().get("a").unwrap().name, name);
        assert_eq!(call(&mut api, "GET", "/v2/api/customers/", &Value::Null).status, 200);
    }
}

/// The refusals of one kind of each: by the store, by the framework, by a fault, by a limit.
#[rstest]
#[case::documented("", "", "get_customer", json!({"provided_id": "z"}))]
#[case::at_200("--failure-shape ok", "", "get_customer", json!({"provided_id": "z"}))]
#[case::of_another_shape("--failure-shape unknown", "", "get_customer", json!({"provided_id": "z"}))]
#[case::no_such_path("", "", "no_such_call", json!({}))]
#[case::fault("", "status=500,id=a", "get_customer", json!({"provided_id": "a"}))]
#[case::fault_after("", "status-after=504,id=a", "get_customer", json!({"provided_id": "a"}))]
#[case::forbidden("", "forbidden", "get_customer", json!({"provided_id": "a"}))]
fn a_refusal_tells_another_request_id_each_time(
    #[case] flags: &str,
    #[case] fault: &str,
    #[case] endpoint: &str,
    #[case] body: Value,
) {
    let told = |mark: &str| {
        let mut api = api(&format!("{flags} {mark}"));
        api.faults = (!fault.is_empty()).then(|| fault.parse().unwrap()).into_iter().collect();
        [0, 1].map(|_| seen(&post(&mut api, endpoint, &body))["body"].clone())
    };
    let [usual, again] = told("");
    assert_eq!(usual, again);
    let mut marked = told("--refusal-mark request-id");
    let ids = marked.each_mut().map(|body| body.as_object_mut().unwrap().remove("request_id").unwrap());
    assert_eq!(marked, [usual, again], "nothing else differs");
    assert_ne!(ids[0], ids[1]);
    assert!(ids.iter().all(|id| id.as_str().unwrap().len() == 32), "{ids:?}");
    assert_eq!(told("--refusal-mark request-id"), told("--refusal-mark request-id"), "the same seed, the same ids");
}

#[test]
fn a_limit_and_a_page_for_a_browser_tell_it_too() {
    let mut api = api("--limit 1/m --failure-shape html --refusal-mark request-id --keys camel");
    let page = post(&mut api, "get_customer", &json!({"provided_id": "z"}));
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("<p>requestId: ") && page.ends_with("</p></body></html>\n"), "{page}");
    let throttled = seen(&post(&mut api, "get_customer", &json!({"provided_id": "z"})));
    assert!(throttled["body"]["requestId"].is_string(), "{throttled}");
}

#[test]
fn an_answer_that_is_no_refusal_tells_nothing() {
    let mut api = api("--refusal-mark request-id");
    let answer = post(&mut api, "get_customer", &json!({"provided_id": "a"}));
    assert!(!String::from_utf8(answer.body).unwrap().contains("request_id"));
}

#[test]
fn a_refusal_tells_when_it_was() {
    let (mut api, start) = (api("--refusal-mark timestamp"), Instant::now());
    let path = "/api/get_customer/";
    let request = Request { method: "POST", path, token: Some("t"), body: br#"{"provided_id": "z"}"# };
    let told = [0, 1500].map(|ms| {
        let reply = api.answer(&request, start + Duration::from_millis(ms));
        seen(&reply)["body"]["timestamp"].as_str().unwrap().to_owned()
    });
    assert_eq!(told, ["2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:01.500000Z"]);
}
