//! The client over a transport that never answers, on tokio's paused clock.

use std::{future, time::Duration};

use explo_sync::explo::{
    Client, Error, Fault, Incoming, ListingRules, ListingVersion, Outgoing, Pacer, Reader, Settings, Stop, Transport,
};
use tokio::time::Instant;

struct Silence;

impl Transport for Silence {
    async fn send(&self, request: &Outgoing<'_>) -> Result<Incoming, Fault> {
        assert_eq!((request.method.as_str(), request.path), ("POST", "api/get_customer/"));
        assert_eq!((request.query, request.body), ([].as_slice(), Some(r#"{"provided_id":"a"}"#)));
        future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_times_out_on_tokios_clock_and_is_repeated_as_the_seed_says() {
    let settings = Settings {
        base_url: "http://localhost/".parse().unwrap(),
        token: "t".to_owned().into(),
        timeout: Duration::from_mins(5),
        max_attempts: 3,
        pause_on_429: Duration::from_mins(1),
        ca: None,
        listing: ListingRules { version: ListingVersion::V2, page_size: 1, side_by_side: 1, trust_total: true },
    };
    let mut took = Vec::new();
    for seed in [7, 7, 8] {
        let client = Client::over(Silence, settings.clone(), Pacer::new(60, 1), Stop::default(), seed);
        let began = Instant::now();
        let failed = client.customer("a").await.unwrap_err();
        assert!(matches!(failed, Error::GaveUp { attempts: 3, fault: Fault::Timeout, .. }), "{failed}");
        took.push(began.elapsed());
    }
    assert!(took[0] >= 3 * settings.timeout && took[0] < 3 * settings.timeout + Duration::from_secs(4), "{took:?}");
    assert!(took[0] == took[1] && took[0] != took[2], "{took:?}");
}
