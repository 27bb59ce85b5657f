//! The header `Retry-After`, and `Date` in a second line.

use std::time::Duration;

use explo_sync::explo::retry_after;
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

const LONGEST: Duration = Duration::from_mins(10);

pub fn target(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |&byte| byte == b'\n');
    let mut next = || HeaderValue::from_bytes(lines.next().unwrap_or_default());
    let (Ok(after), Ok(sent_at)) = (next(), next()) else { return };
    let headers = HeaderMap::from_iter([(RETRY_AFTER, after.clone()), (DATE, sent_at)]);
    let pause = retry_after(&headers);
    assert!(pause.is_none_or(|pause| pause <= LONGEST), "{pause:?}");
    if let Some(seconds) = after.to_str().ok().and_then(|text| text.trim().parse().ok()) {
        assert_eq!(pause, Some(Duration::from_secs(seconds).min(LONGEST)));
    }
}
