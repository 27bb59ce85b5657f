//! How fast the client calls a server whose limit nobody told it: the real client and pacer on tokio's paused clock.

use std::{sync::Mutex, time::Duration};

use explo_sync::explo::{
    Client, Endpoint, Fault, Incoming, ListingRules, ListingVersion, Outgoing, Pacer, Reader, Settings, Transport,
};
use explo_sync::stop::Stop;
use futures_util::{StreamExt, stream};
use reqwest::StatusCode;
use rstest::rstest;
use tokio::time::{Instant, sleep};

use crate::support::{LIMIT, Limiter};

/// A server in process: 20 ms away, with a limit.
struct Server {
    began: Instant,
    limiter: Mutex<Limiter>,
    /// When calls came, and whether they were borne.
    calls: Mutex<Vec<(Duration, bool)>>,
}

impl Transport for &Server {
    async fn send(&self, _: &Outgoing<'_>) -> Result<Incoming, Fault> {
        sleep(Duration::from_millis(10)).await;
        let at = self.began.elapsed();
        let bears = self.limiter.lock().unwrap().bears(at);
        self.calls.lock().unwrap().push((at, bears));
        sleep(Duration::from_millis(10)).await;
        if bears {
            let body = br#"{"success": 1, "customer": {"provided_id": "a"}}"#.to_vec();
            return Ok(Incoming { body, ..Incoming::default() });
        }
        let headers = [("retry-after".parse().unwrap(), "1".parse().unwrap())].into_iter().collect();
        Ok(Incoming { status: StatusCode::TOO_MANY_REQUESTS, headers, ..Incoming::default() })
    }
}

/// A client of that server that may make so many calls a minute.
fn client(server: &Server, requests_per_minute: u32) -> Client<&Server> {
    let settings = Settings {
        base_url: "http://localhost/".parse().unwrap(),
        token: "t".to_owned().into(),
        timeout: Duration::from_secs(10),
        max_attempts: 1,
        pause_on_429: Duration::from_mins(1),
        ca: None,
        proxy: None,
        listing: ListingRules { version: ListingVersion::V2, page_size: 1, side_by_side: 1, trust_total: true },
    };
    Client::over(server, settings, Pacer::new(requests_per_minute, 8), Stop::default(), 7)
}

#[rstest]
#[case::a_bucket_without_a_burst(Limiter::bucket(1.0))]
#[case::a_bucket_with_a_burst(Limiter::bucket(20.0))]
#[case::a_fixed_window(Limiter::window())]
#[tokio::test(start_paused = true)]
async fn a_limit_that_nobody_told_is_found_and_nearly_used_up(#[case] limiter: Limiter) {
    let (began, limiter) = (Instant::now(), Mutex::new(limiter));
    let server = Server { began, limiter, calls: Mutex::default() };
    let client = client(&server, 6_000);
    let (learned, end) = (Duration::from_secs(10), Duration::from_mins(10));
    let calls = stream::repeat(()).take_while(|()| async { began.elapsed() < end });
    calls.map(|()| client.customer("a")).buffer_unordered(8).for_each(|done| async { drop(done.unwrap()) }).await;

    let calls = server.calls.lock().unwrap();
    let count = |borne: bool| {
        let count = calls.iter().filter(|(at, bears)| *at > learned && *bears == borne).count();
        f64::from(u32::try_from(count).unwrap())
    };
    let (borne, refused) = (count(true), count(false));
    let used = borne / LIMIT / (end.as_secs_f64() - learned.as_secs_f64());
    let too_many = refused / (borne + refused);
    assert!(used > 0.85 && too_many < 0.03, "{used:.3} of the limit used, {too_many:.4} of the calls refused");
    assert_eq!(client.calls()[&Endpoint::GetCustomer], calls.len());
}
