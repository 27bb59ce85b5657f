//! Whether a run waits for anything but the server and the pacer, on the real clock over loopback. Prints a table; takes 40 s.
//!
//! `cargo bench --bench waiting` (with `--profile dev` it need not be optimized).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "it fails by panicking, and its result is printed")]
#![allow(unreachable_pub, dead_code, reason = "the limiter is shared with the tests")]

#[path = "../suite/support/limiter.rs"]
mod limiter;

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use explo_sync::explo::{Client, ListingRules, ListingVersion, Pacer, Reader, Settings, Stop};
use futures_util::{StreamExt, stream};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

use limiter::{LIMIT, Limiter};

/// What the server takes for each answer, and how many calls are in flight.
const LATENCY: Duration = Duration::from_millis(50);
const IN_FLIGHT: usize = 8;

/// Calls to one customer each, and pages.
const CALLS: u32 = 400;

/// How long the paced calls go on.
const PACED: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    explo_sync::install_crypto();
    println!("{CALLS} calls of {LATENCY:?}, {IN_FLIGHT} in flight: the time, over the least");
    let unpaced = client(&serve(None).await, 6_000_000);
    let began = Instant::now();
    let calls = stream::iter(0..CALLS).map(|_| unpaced.customer("a")).buffer_unordered(IN_FLIGHT);
    calls.for_each(|done| async { drop(done.unwrap()) }).await;
    println!("one customer each  {:.3}", over_the_least(began));
    let began = Instant::now();
    unpaced.list(&mut |_| {}, &|_, _| {}).await.unwrap();
    println!("pages              {:.3}", over_the_least(began));

    let refused = Arc::new(Mutex::new(0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
    let rate = LIMIT as u32;
    let paced = client(&serve(Some((Limiter::bucket(2.0), Arc::clone(&refused)))).await, 60 * rate);
    let (began, mut made) = (Instant::now(), 0.0);
    let mut calls = stream::repeat(()).map(|()| paced.customer("a")).buffer_unordered(IN_FLIGHT);
    while began.elapsed() < PACED {
        calls.next().await.unwrap().unwrap();
        made += 1.0;
    }
    let used = 100.0 * made / (began.elapsed().as_secs_f64() * LIMIT);
    println!("at the rate that a server allows, burst 2: {used:.1} % of it, {} refused", refused.lock().unwrap());
}

fn over_the_least(began: Instant) -> f64 {
    let least = LATENCY * CALLS / u32::try_from(IN_FLIGHT).unwrap();
    began.elapsed().div_duration_f64(least)
}

/// A server that takes its time, or one with a limit that counts what it refuses.
async fn serve(limit: Option<(Limiter, Arc<Mutex<usize>>)>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (began, limit) = (Instant::now(), Arc::new(Mutex::new(limit)));
    let app = Router::new().fallback(move |request: Request| {
        let limit = Arc::clone(&limit);
        async move {
            let refused = limit.lock().unwrap().as_mut().map(|(limiter, refused)| {
                let is_refused = !limiter.bears(began.elapsed());
                *refused.lock().unwrap() += usize::from(is_refused);
                is_refused
            });
            match refused {
                Some(true) => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
                Some(false) => answer(&request),
                None => {
                    sleep(LATENCY).await;
                    answer(&request)
                }
            }
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// One customer, on a page of its own in a listing.
fn answer(request: &Request) -> Response {
    let page = request.uri().query().and_then(|query| query.strip_prefix("page=")?.split('&').next());
    match page {
        Some(page) => format!(
            r#"{{"total_count": {CALLS}, "results": {{"customers": [{{"token": "t{page}", "provided_id": "{page}"}}]}}}}"#
        )
        .into_response(),
        None => r#"{"success": 1, "customer": {"provided_id": "a"}}"#.into_response(),
    }
}

fn client(url: &str, requests_per_minute: u32) -> Client {
    let settings = Settings {
        base_url: url.parse().unwrap(),
        token: "t".to_owned().into(),
        timeout: Duration::from_secs(10),
        max_attempts: 3,
        pause_on_429: Duration::from_mins(1),
        ca: None,
        listing: ListingRules { version: ListingVersion::V2, page_size: 1, side_by_side: IN_FLIGHT, trust_total: true },
    };
    Client::new(settings, Pacer::new(requests_per_minute, IN_FLIGHT), Stop::default(), 7).unwrap()
}
