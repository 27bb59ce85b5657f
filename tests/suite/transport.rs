//! The client over transports that are of no help, on tokio's paused clock.

use std::{cell::Cell, future, time::Duration};

use explo_sync::{
    explo::{
        Attempts, Client, Error, Fault, Incoming, ListingRules, ListingVersion, Outgoing, Pacer, Reader, Settings,
        Transport, Writer,
    },
    model::Tenant,
    stop::Stop,
};
use reqwest::StatusCode;
use rstest::rstest;
use tokio::time::{Instant, sleep};

struct Silence;

impl Transport for Silence {
    async fn send(&self, request: &Outgoing<'_>) -> Result<Incoming, Fault> {
        assert_eq!((request.method.as_str(), request.path), ("POST", "api/get_customer/"));
        assert_eq!((request.query, request.body), ([].as_slice(), Some(r#"{"provided_id":"a"}"#)));
        future::pending().await
    }
}

/// Never answers, whatever comes.
struct Nothing;

impl Transport for Nothing {
    async fn send(&self, _: &Outgoing<'_>) -> Result<Incoming, Fault> {
        future::pending().await
    }
}

/// Too many calls, whatever comes; counts them.
struct Throttling {
    retry_after: Option<&'static str>,
    calls: Cell<u32>,
}

impl Transport for &Throttling {
    async fn send(&self, _: &Outgoing<'_>) -> Result<Incoming, Fault> {
        self.calls.set(self.calls.get() + 1);
        let mut answer = Incoming { status: StatusCode::TOO_MANY_REQUESTS, ..Incoming::default() };
        if let Some(seconds) = self.retry_after {
            answer.headers.insert("retry-after", seconds.parse().unwrap());
        }
        Ok(answer)
    }
}

fn settings() -> Settings {
    Settings {
        base_url: "http://localhost/".parse().unwrap(),
        token: "t".to_owned().into(),
        timeout: Duration::from_mins(5),
        max_attempts: 3,
        pause_on_429: Duration::from_mins(1),
        ca: None,
        proxy: None,
        listing: ListingRules { version: ListingVersion::V2, page_size: 1, side_by_side: 1, trust_total: true },
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_times_out_on_tokios_clock_and_is_repeated_as_the_seed_says() {
    let settings = settings();
    let mut took = Vec::new();
    for seed in [7, 7, 8] {
        let client = Client::over(Silence, settings.clone(), Pacer::new(60, 1), Stop::default(), seed);
        let began = Instant::now();
        let failed = client.customer("a").await.unwrap_err();
        assert!(matches!(failed, Error::GaveUp { attempts: 3, fault: Fault::Timeout { .. }, .. }), "{failed}");
        took.push(began.elapsed());
    }
    assert!(took[0] >= 3 * settings.timeout && took[0] < 3 * settings.timeout + Duration::from_secs(4), "{took:?}");
    assert!(took[0] == took[1] && took[0] != took[2], "{took:?}");
}

#[rstest]
#[case::for_a_minute_as_nothing_is_said(None, 11)]
#[case::for_as_long_as_is_said(Some("100"), 7)]
#[case::for_nothing(Some("0"), 600)]
#[tokio::test(start_paused = true)]
async fn a_call_that_is_throttled_for_good_is_given_up_after_ten_minutes(
    #[case] retry_after: Option<&'static str>,
    #[case] most_calls: u32,
) {
    let throttling = Throttling { retry_after, calls: Cell::new(0) };
    let client = Client::over(&throttling, settings(), Pacer::new(60, 1), Stop::default(), 7);
    let began = Instant::now();
    let failed = client.customer("a").await.unwrap_err();
    assert!(matches!(failed, Error::GaveUp { fault: Fault::Throttled, .. }), "{failed}");
    let minutes = began.elapsed().as_secs() / 60;
    assert!(
        (10..13).contains(&minutes) && throttling.calls.get() <= most_calls,
        "{minutes}, {}",
        throttling.calls.get()
    );
}

#[tokio::test]
async fn an_id_that_no_address_can_carry_is_not_asked_for_and_not_tried_again() {
    explo_sync::install_crypto();
    let client = Client::new(settings(), Pacer::new(6_000_000, 1), Stop::default(), 7).unwrap();
    let failed = client.children(&"x".repeat(70_000)).await.unwrap_err();
    assert!(matches!(failed, Error::Unsent { .. }) && !failed.ends_run(), "{failed}");
    assert!(failed.to_string().starts_with("customers was not called: "), "{failed}");
}

#[rstest]
#[case::a_read(false, 1)]
#[case::a_write(true, 1 + 20)]
#[tokio::test(start_paused = true)]
async fn a_stop_after_a_second_cuts_a_read_in_flight_at_once_and_a_write_after_its_grace(
    #[case] writes: bool,
    #[case] seconds: u64,
) {
    let (stop, tenant) = (Stop::default(), Tenant { provided_id: "a".into(), ..Tenant::default() });
    let client = Client::over(Nothing, settings(), Pacer::new(60, 1), stop.clone(), 7);
    let call = async {
        if writes {
            client.create(&tenant, Attempts::ALL).await.map(drop)
        } else {
            client.customer("a").await.map(drop)
        }
    };
    let stopping = async {
        sleep(Duration::from_secs(1)).await;
        stop.request("a test").await;
        future::pending::<()>().await;
    };
    let began = Instant::now();
    let failed = tokio::select! {
        failed = call => failed.unwrap_err(),
        () = stopping => unreachable!("it only asks for a stop"),
    };
    assert_eq!((began.elapsed(), stop.is_writing()), (Duration::from_secs(seconds), writes));
    assert_eq!(matches!(failed, Error::Cut { .. }), writes, "{failed}");
    assert_eq!(matches!(failed, Error::Stopped { reason: "a test" }), !writes, "{failed}");
}
