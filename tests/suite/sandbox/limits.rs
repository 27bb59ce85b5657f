//! The limit of calls, on a clock that the test moves.

use std::time::Duration;

use explo_sync::sandbox::{Rate, Request};
use rstest::rstest;
use tokio::time::Instant;

use super::api;

/// One call at each of these milliseconds: `ok`, or what the 429 says.
fn told(flags: &str, times: &[u64]) -> Vec<String> {
    let (mut api, start) = (api(flags), Instant::now());
    let request = Request { method: "GET", path: "/v2/api/customers/", token: Some("t"), body: b"" };
    let tell = |time: &u64| {
        let reply = api.answer(&request, start + Duration::from_millis(*time));
        let pause = reply.headers.into_iter().find_map(|(name, value)| (name == "retry-after").then_some(value));
        if reply.status == 200 { "ok".to_owned() } else { format!("{} {}", reply.status, pause.unwrap_or_default()) }
    };
    times.iter().map(tell).collect()
}

#[rstest]
#[case::bucket("--limit 2/s", &[0, 0, 0, 499, 500, 999, 1000], "ok,ok,429 1,429 1,ok,429 1,ok")]
#[case::burst("--limit 60/m --burst 3", &[0, 0, 0, 0, 1000, 1000], "ok,ok,ok,429 1,ok,429 1")]
#[case::steady("--limit 6/m --burst 1", &[0, 1, 9_999, 10_000], "ok,429 10,429 1,ok")]
#[case::window("--limit 2/s --limit-kind window", &[0, 900, 950, 1000, 1100, 1999, 5500, 5999, 5999, 6000], "ok,ok,429 1,ok,ok,429 1,ok,ok,429 1,ok")]
#[case::long_window("--limit 1/m --limit-kind window", &[0, 500, 59_999, 60_000], "ok,429 60,429 1,ok")]
#[case::unsaid("--limit 1/s --limit-hint nothing", &[0, 0, 1000], "ok,429 ,ok")]
#[case::none("", &[0, 0, 0], "ok,ok,ok")]
fn a_limit_lets_through_what_its_kind_says(#[case] flags: &str, #[case] times: &[u64], #[case] expected: &str) {
    assert_eq!(told(flags, times).join(","), expected);
}

#[test]
fn a_rate_is_calls_a_second_or_a_minute() {
    for text in ["20/s", "180/m"] {
        assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
    }
    for text in ["20", "0/s", "/s", "20/h", "-1/s"] {
        let error = text.parse::<Rate>().unwrap_err().to_string();
        assert!(error.contains(&format!("{text:?}")) && error.contains("such as 20/s or 180/m"), "{error}");
    }
}
