//! Every fault, as the API answers it and as HTTP carries it.

use std::time::Duration;

use explo_sync::sandbox::{Delivery, Fault, Sandbox};
use rstest::rstest;
use serde_json::{Value, json};

use super::{api, post};
use crate::support::sandbox_of;

/// The name that [`written`] gives, and whether a customer has it.
fn is_applied(sandbox: &Sandbox) -> bool {
    sandbox.customers().iter().any(|customer| customer.name == "Anna")
}

#[rstest]
#[case("throttle", 429, Delivery::Whole, false)]
#[case("throttle=7", 429, Delivery::Whole, false)]
#[case("throttle-until=7", 429, Delivery::Whole, false)]
#[case("unavailable=7", 503, Delivery::Whole, false)]
#[case("status=503", 503, Delivery::Whole, false)]
#[case("status-after=504", 504, Delivery::Whole, true)]
#[case("unauthorized", 401, Delivery::Whole, false)]
#[case("forbidden", 403, Delivery::Whole, false)]
#[case("redirect", 302, Delivery::Whole, false)]
#[case("html", 200, Delivery::Whole, false)]
#[case("empty", 200, Delivery::Whole, true)]
#[case("cut", 200, Delivery::Cut, true)]
#[case("half", 200, Delivery::Whole, true)]
#[case("huge", 200, Delivery::Repeated(1040), true)]
#[case("gzip-bomb", 200, Delivery::Whole, true)]
#[case("nested", 200, Delivery::Whole, true)]
#[case("drip", 200, Delivery::Dripped, true)]
#[case("drop-before", 0, Delivery::Dropped, false)]
#[case("drop-after", 0, Delivery::Dropped, true)]
#[case("hang-before", 0, Delivery::Hung, false)]
#[case("hang-after", 0, Delivery::Hung, true)]
#[case("other-token", 200, Delivery::Whole, true)]
#[case("nobody", 200, Delivery::Whole, true)]
#[case("fewer=1", 200, Delivery::Whole, true)]
fn a_fault_has_its_status_and_delivery_and_the_call_is_applied_or_not(
    #[case] text: &str,
    #[case] status: u16,
    #[case] delivery: Delivery,
    #[case] is_applied: bool,
) {
    let mut api = api("");
    api.faults = vec![text.parse().unwrap()];
    let reply = post(&mut api, "update_customer", &json!({"provided_id": "a", "name": "Anna"}));
    assert_eq!((api.take_calls()[0].status, reply.delivery), (status, delivery));
    assert_eq!(api.store().customers()[0].name == "Anna", is_applied);
}

#[rstest]
#[case("cut,times=1")]
#[case("status=503,endpoint=update_customer,times=2,after=3")]
#[case("throttle=7,endpoint=customers")]
#[case("throttle-until=0,after=1")]
#[case("hang-before,endpoint=get_customer,id=a,id=b=c,id=d%2C%25,times=1")]
#[case("fewer=2,endpoint=customers")]
fn a_fault_is_written_as_it_is_read(#[case] text: &str) {
    assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
}

#[rstest]
#[case("teapot", "there is no fault \"teapot\": choose throttle=SECONDS, ")]
#[case("", "there is no fault \"\": choose ")]
#[case("status=99", "status=99 is not a fault: write status=N with a status from 200 to 599")]
#[case("throttle=soon", "throttle=soon is not a fault: write throttle=N with a number of seconds")]
#[case("cut=1", "cut takes no value: write cut alone")]
#[case("cut,often", "\"often\" is not a part of a fault: add endpoint=NAME, id=ID, times=N or after=N")]
#[case("fewer", "fewer= is not a fault: write fewer=N with a number of customers")]
#[case("nobody,endpoint=get_customer", "nobody never affects calls of get_customer: omit endpoint=get_customer")]
#[case("nobody,id=a", "no call that nobody,id=a affects names an id: omit id=ID")]
#[case("cut,endpoint=customers,id=a", "no call that cut,endpoint=customers,id=a affects names an id: ")]
#[case("cut,times=0", "times=0 is not a number of calls: write times=N with a whole number, from 1")]
#[case(
    "cut,endpoint=/api/customers/",
    "there is no endpoint \"/api/customers/\": choose one of customers, create_customer, "
)]
fn a_text_that_is_no_fault_is_refused_with_the_way_out(#[case] text: &str, #[case] told: &str) {
    let error = text.parse::<Fault>().unwrap_err().to_string();
    assert!(error.starts_with(told), "{error}");
}

#[test]
fn a_fault_concerns_its_endpoint_begins_after_some_calls_and_ends_after_its_times() {
    let mut api = api("");
    api.faults = vec![
        "status=503,endpoint=get_customer,times=2,after=1".parse().unwrap(),
        "status=500,after=6".parse().unwrap(),
    ];
    let body = json!({"provided_id": "a"});
    let endpoints =
        ["get_customer", "update_customer", "get_customer", "get_customer", "get_customer", "update_customer"];
    let statuses = endpoints.map(|endpoint| post(&mut api, endpoint, &body).status);
    assert_eq!(statuses, [200, 200, 503, 503, 200, 200]);
    assert_eq!(api.faults, ["status=500".parse().unwrap()], "one is over, the other is due");
    assert_eq!([0, 1].map(|_| post(&mut api, "get_customer", &body).status), [500, 500]);
}

#[test]
fn throttling_says_how_long_in_seconds_as_a_date_or_not_at_all() {
    let header = |text: &str, name: &str| {
        let mut api = api("");
        api.faults = vec![text.parse().unwrap()];
        let reply = post(&mut api, "get_customer", &Value::Null);
        reply.headers.into_iter().find_map(|(header, value)| (header == name).then_some(value))
    };
    assert_eq!(header("throttle", "retry-after"), None);
    assert_eq!(header("throttle=7", "retry-after"), Some("7".to_owned()));
    let date = |name| httpdate::parse_http_date(&header("throttle-until=7", name).unwrap()).unwrap();
    assert_eq!(date("retry-after").duration_since(date("date")).unwrap(), Duration::from_secs(7));
}

#[test]
fn nested_properties_are_those_of_the_first_customer() {
    let mut api = api("");
    api.faults = vec!["nested".parse().unwrap()];
    let reply = post(&mut api, "get_customer", &json!({"provided_id": "a"}));
    let text = String::from_utf8(reply.body).unwrap();
    let customer = text.split_once("\"properties\":").unwrap().1;
    assert!(customer.starts_with(&"{\"a\":".repeat(100_000)), "{}", text.len());
    serde_json::from_str::<Box<serde_json::value::RawValue>>(&text).unwrap();
}

/// The first customer's update through HTTP; what came of the answer's body: its length, or how it failed.
async fn written(sandbox: &Sandbox) -> Result<usize, String> {
    explo_sync::install_crypto();
    let kind = |error: reqwest::Error| if error.is_timeout() { "timeout" } else { "broken" }.to_owned();
    let http = reqwest::Client::builder().read_timeout(Duration::from_secs(1)).build().unwrap();
    let call = http.post(format!("{}/api/update_customer/", sandbox.url())).header("Explo-Authorization", "Token t");
    let body = json!({"provided_id": "a", "name": "Anna"}).to_string();
    let mut response = call.body(body).send().await.map_err(|error| format!("no answer: {}", kind(error)))?;
    let mut length = 0;
    while let Some(chunk) = response.chunk().await.map_err(kind)? {
        length += chunk.len();
    }
    Ok(length)
}

#[rstest]
#[case("empty", Ok(0..1), true)]
#[case("cut", Err("broken"), true)]
#[case("half", Ok(100..500), true)]
#[case("huge", Ok((64 << 20) + 1..70 << 20), true)]
#[case("gzip-bomb", Ok((64 << 20) + 1..70 << 20), true)]
#[case("nested", Ok(600_000..700_000), true)]
#[case("drop-before", Err("no answer: broken"), false)]
#[case("drop-after", Err("no answer: broken"), true)]
#[case("hang-before", Err("no answer: timeout"), false)]
#[case("hang-after", Err("no answer: timeout"), true)]
#[tokio::test]
async fn http_carries_a_fault_and_the_next_call_is_answered(
    #[case] text: &str,
    #[case] expected: Result<std::ops::Range<usize>, &str>,
    #[case] applied: bool,
) {
    let mut api = api("");
    api.faults = vec![format!("{text},times=1").parse().unwrap()];
    let sandbox = sandbox_of(api).await;
    let got = written(&sandbox).await;
    match (&got, expected) {
        (Ok(length), Ok(range)) => assert!(range.contains(length), "{length}"),
        (Err(how), Err(expected)) => assert_eq!(how, expected),
        _ => panic!("{got:?}"),
    }
    assert_eq!(is_applied(&sandbox), applied);
    assert!(written(&sandbox).await.unwrap() > 100);
}

#[tokio::test]
async fn an_answer_drips_a_byte_now_and_then() {
    let mut api = api("");
    api.faults = vec!["drip".parse().unwrap()];
    let sandbox = sandbox_of(api).await;
    let dripping = tokio::time::timeout(Duration::from_secs(2), written(&sandbox)).await;
    assert!(dripping.is_err() && is_applied(&sandbox), "neither an end nor a pause: {dripping:?}");
}
