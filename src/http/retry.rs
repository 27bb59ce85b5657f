//! How long to wait before a retry.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// The wait after attempt number `attempt` (from 1) failed: a random share of min(60 s, 2^(attempt-1) s).
/// `random` is from 0 to 1.
#[must_use]
pub fn backoff(attempt: u32, random: f64) -> Duration {
    let ceiling = 2_u64.saturating_pow(attempt.saturating_sub(1)).min(60);
    Duration::from_secs(ceiling).mul_f64(random.clamp(0.0, 1.0))
}

/// The pause that an answer asks for, in seconds or as a date (compared with the server's own `Date`).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date(text)?.duration_since(date(headers.get(DATE)?.to_str().ok()?)?).unwrap_or_default(),
    };
    Some(pause.min(LONGEST_PAUSE))
}

fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_to_a_minute_and_is_jittered_from_nothing() {
        let longest = [1, 2, 3, 7, 8, 60].map(|attempt| backoff(attempt, 1.0).as_secs());
        assert_eq!(longest, [1, 2, 4, 60, 60, 60]);
        assert_eq!(backoff(5, 0.0), Duration::ZERO);
        assert_eq!(backoff(5, 0.5), Duration::from_secs(8));
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date_and_capped() {
        let asked = |after: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, "Fri, 20 Nov 2026 10:00:00 GMT".parse().unwrap());
            headers.insert(RETRY_AFTER, after.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Fri, 20 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(asked("Fri, 20 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("86400"), Some(LONGEST_PAUSE));
        for unclear in ["soon", "", "1.5", "-1", "Fri, 20 Nov", "99999999999999999999"] {
            assert_eq!(asked(unclear), None, "{unclear}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
