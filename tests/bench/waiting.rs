//! Whether a run waits for anything but the server and the pacer, on the real clock over loopback. Prints a table; takes 45 s.
//!
//! `cargo bench --bench waiting` (with `--profile dev` it need not be optimized).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "it fails by panicking, and its result is printed")]
#![allow(unreachable_pub, dead_code, reason = "the modules are shared with tests and other benches")]

#[path = "../suite/support/limiter.rs"]
mod limiter;
mod loopback;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use explo_sync::explo::Reader;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use limiter::{LIMIT, Limiter};
use loopback::{IN_FLIGHT, client, serve, sync};

/// What the server takes for each answer.
const LATENCY: Duration = Duration::from_millis(50);

/// Single calls, pages, and changes.
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
    let slow = serve(Router::new().fallback(answer_slowly)).await;
    let unpaced = client(&slow, 6_000_000);
    let began = Instant::now();
    let calls = stream::iter(0..CALLS).map(|_| unpaced.customer("a")).buffer_unordered(IN_FLIGHT);
    calls.for_each(|done| async { drop(done.unwrap()) }).await;
    println!("single calls  {:.3}", over_the_least(began.elapsed()));
    let began = Instant::now();
    unpaced.list(&mut |_| {}, &|_, _| {}).await.unwrap();
    println!("pages         {:.3}", over_the_least(began.elapsed()));
    println!("changes       {:.3}", over_the_least(applying().await));

    let refused = Arc::new(Mutex::new(0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
    let rate = LIMIT as u32;
    let paced = client(&serve(limited(Arc::clone(&refused))).await, 60 * rate);
    let (began, mut made) = (Instant::now(), 0.0);
    let mut calls = stream::repeat(()).map(|()| paced.customer("a")).buffer_unordered(IN_FLIGHT);
    while began.elapsed() < PACED {
        calls.next().await.unwrap().unwrap();
        made += 1.0;
    }
    let used = 100.0 * made / (began.elapsed().as_secs_f64() * LIMIT);
    println!("at the rate that a server allows, burst 2: {used:.1} % of it, {} refused", refused.lock().unwrap());
}

fn over_the_least(took: Duration) -> f64 {
    let least = LATENCY * CALLS / u32::try_from(IN_FLIGHT).unwrap();
    took.div_duration_f64(least)
}

/// What the program takes to carry out its plan: beyond a dry run, which reads, lists and compares the same.
async fn applying() -> Duration {
    let directory = tempfile::tempdir().unwrap();
    let query = format!(
        "with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < {CALLS}) \
         select n as provided_id, 'Tenant ' || n as name from numbers"
    );
    let list = || async {
        sleep(LATENCY).await;
        r#"{"total_count": 0, "results": {"customers": []}}"#
    };
    let create = |customer: String| async move {
        sleep(LATENCY).await;
        format!(r#"{{"success": 1, "new_customer": true, "customer": {customer}}}"#)
    };
    let app = Router::new().route("/v2/api/customers/", get(list)).route("/api/create_customer/", post(create));
    let url = serve(app).await;
    let took = async |further: &[&str]| {
        let began = Instant::now();
        let mut sync = sync(directory.path(), &query, &url);
        let status = sync.args(["--allow", &format!("create={CALLS}")]).args(further).status().await.unwrap();
        assert!(status.success(), "{status}");
        began.elapsed()
    };
    let planning = took(&["--dry-run"]).await;
    took(&[]).await.saturating_sub(planning)
}

async fn answer_slowly(request: Request) -> Response {
    sleep(LATENCY).await;
    answer(&request)
}

/// A server with a limit, which counts what it refuses.
fn limited(refused: Arc<Mutex<usize>>) -> Router {
    let (began, limiter) = (Instant::now(), Arc::new(Mutex::new(Limiter::bucket(2.0))));
    Router::new().fallback(async move |request: Request| {
        if limiter.lock().unwrap().bears(began.elapsed()) {
            return answer(&request);
        }
        *refused.lock().unwrap() += 1;
        (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response()
    })
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
