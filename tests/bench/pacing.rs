//! How much of a limit that nobody told is used, and how many calls are refused, on the real clock over loopback: the client
//! beside one that goes on at its configured rate and only waits as long as it is told. Prints a table; takes a minute.
//!
//! `cargo bench --bench pacing` (with `--profile dev` it need not be optimized).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "it fails by panicking, and its result is printed")]
#![allow(unreachable_pub, dead_code, reason = "the modules are shared with tests and other benches")]

#[path = "../suite/support/limiter.rs"]
mod limiter;
mod loopback;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, http::StatusCode, response::IntoResponse};
use explo_sync::explo::Reader;
use futures_util::{StreamExt, future::join_all, stream};
use tokio::time::{Instant, sleep_until};

use limiter::{LIMIT, Limiter};
use loopback::IN_FLIGHT;

/// Calls a second that the clients are configured for.
const CONFIGURED: u32 = 100;

/// How long it takes, and what is not counted of it: the limit is to be found first.
const END: Duration = Duration::from_mins(1);
const LEARNED: Duration = Duration::from_secs(10);

/// When calls came, and whether they were borne.
type Calls = Arc<Mutex<Vec<(Duration, bool)>>>;

#[derive(Clone, Copy)]
enum Caller {
    Adapting,
    Fixed,
}

#[tokio::main]
async fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    explo_sync::install_crypto();
    let limiters = [
        ("bucket, burst 20", Limiter::bucket(20.0)),
        ("bucket, burst 1", Limiter::bucket(1.0)),
        ("fixed window", Limiter::window()),
    ];
    let measured = limiters.iter().flat_map(|(name, limiter)| {
        [("adapting", Caller::Adapting), ("fixed", Caller::Fixed)]
            .map(|(caller_name, caller)| measure(name, caller_name, limiter.clone(), caller))
    });
    println!("limiter           caller     calls  of the limit  refused");
    for row in join_all(measured).await {
        println!("{row}");
    }
}

async fn measure(limiter_name: &str, caller_name: &str, limiter: Limiter, caller: Caller) -> String {
    let calls = Calls::default();
    let url = serve(limiter, Arc::clone(&calls)).await;
    match caller {
        Caller::Adapting => call_adapting(&url).await,
        Caller::Fixed => call_at_a_fixed_rate(&url).await,
    }
    let calls = calls.lock().unwrap();
    let count = |borne: bool| {
        let counted = calls.iter().filter(|(at, bears)| *at > LEARNED && *at <= END && *bears == borne);
        f64::from(u32::try_from(counted.count()).unwrap())
    };
    let (borne, refused) = (count(true), count(false));
    let used = 100.0 * borne / LIMIT / (END.as_secs_f64() - LEARNED.as_secs_f64());
    let too_many = 100.0 * refused / (borne + refused);
    format!("{limiter_name:16}  {caller_name:8}  {:6}  {used:10.1} %  {too_many:5.1} %", calls.len())
}

/// A server of its own with a limit, counted from the first call on.
async fn serve(mut limiter: Limiter, calls: Calls) -> String {
    let began = Instant::now();
    let answer = move || {
        let at = began.elapsed();
        let bears = limiter.bears(at);
        calls.lock().unwrap().push((at, bears));
        if bears {
            return r#"{"success": 1, "customer": {"provided_id": "a"}}"#.into_response();
        }
        (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response()
    };
    let answer = Arc::new(Mutex::new(answer));
    loopback::serve(Router::new().fallback(move || async move { (answer.lock().unwrap())() })).await
}

async fn call_adapting(url: &str) {
    let client = loopback::client(url, 60 * CONFIGURED);
    let end = Instant::now() + END;
    let calls = stream::repeat(()).take_while(|()| async { Instant::now() < end });
    calls
        .map(|()| client.customer("a"))
        .buffer_unordered(IN_FLIGHT)
        .for_each(|done| async { drop(done.unwrap()) })
        .await;
}

async fn call_at_a_fixed_rate(url: &str) {
    let (http, end) = (reqwest::Client::new(), Instant::now() + END);
    let next = Mutex::new(Instant::now());
    let call = || async {
        let slot = {
            let mut next = next.lock().unwrap();
            let slot = (*next).max(Instant::now());
            *next = slot + Duration::from_secs(1) / CONFIGURED;
            slot
        };
        sleep_until(slot).await;
        if http.post(format!("{url}api/get_customer/")).send().await.unwrap().status() != StatusCode::OK {
            let mut next = next.lock().unwrap();
            *next = (*next).max(Instant::now() + Duration::from_secs(1));
        }
    };
    let calls = stream::repeat(()).take_while(|()| async { Instant::now() < end });
    calls.map(|()| call()).buffer_unordered(IN_FLIGHT).for_each(|()| async {}).await;
}
