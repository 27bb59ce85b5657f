//! The rate limit: calls beyond it get a 429.

use std::{fmt, str::FromStr, time::Duration};

use clap::{Args, ValueEnum};
use tokio::time::Instant;

const LIMIT: &str = "Rate limit";

/// The rate limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub struct Limit {
    /// Calls that are allowed, such as 20/s or 180/m; further ones get 429
    #[arg(long = "limit", value_name = "RATE", help_heading = LIMIT)]
    pub rate: Option<Rate>,
    /// Size of the bucket, the calls allowed at once: as many as the rate names
    #[arg(long, value_name = "N", requires = "rate", value_parser = clap::value_parser!(u32).range(1..), help_heading = LIMIT)]
    pub burst: Option<u32>,
    /// How calls are counted: bucket, window
    #[arg(long = "limit-kind", value_enum, default_value_t, value_name = "KIND", help_heading = LIMIT)]
    pub kind: LimitKind,
    /// What a 429 says: seconds (Retry-After), nothing
    #[arg(long = "limit-hint", value_enum, default_value_t, value_name = "HINT", help_heading = LIMIT)]
    pub hint: Hint,
}

/// How calls are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LimitKind {
    /// A bucket of tokens that fills steadily.
    #[default]
    Bucket,
    /// Windows of fixed length, each as long as the rate's period; the first begins with the first call.
    Window,
}

/// Whether a 429 says how long to wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Hint {
    /// `Retry-After`, in seconds.
    #[default]
    Seconds,
    /// No `Retry-After`.
    Nothing,
}

/// Calls in a period, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    calls: u32,
    period: Period,
}

/// The period of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// `/s`
    Second,
    /// `/m`
    Minute,
}

/// A text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a rate: write calls per second or per minute, at least one, such as 20/s or 180/m")]
pub struct RateError(String);

/// How much of the limit is used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meter {
    /// When the bucket will be full.
    full_at: Option<Instant>,
    /// When the window began, and the calls allowed in it so far.
    window: Option<(Instant, u32)>,
}

impl Rate {
    /// At least one call.
    #[must_use]
    pub const fn new(calls: u32, period: Period) -> Self {
        Self { calls: if calls == 0 { 1 } else { calls }, period }
    }

    fn period(self) -> Duration {
        match self.period {
            Period::Second => Duration::from_secs(1),
            Period::Minute => Duration::from_mins(1),
        }
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let parse = || {
            let (calls, period) = text.split_once('/')?;
            let period = match period {
                "s" => Period::Second,
                "m" => Period::Minute,
                _ => return None,
            };
            let calls = calls.parse().ok().filter(|calls| *calls > 0)?;
            Some(Self { calls, period })
        };
        parse().ok_or_else(|| RateError(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = match self.period {
            Period::Second => 's',
            Period::Minute => 'm',
        };
        write!(f, "{}/{period}", self.calls)
    }
}

impl Meter {
    /// Counts a call and allows it, or gives how long to wait.
    pub(super) fn pass(&mut self, limit: Limit, now: Instant) -> Result<(), Duration> {
        let Some(rate) = limit.rate else { return Ok(()) };
        match limit.kind {
            LimitKind::Bucket => {
                let interval = rate.period() / rate.calls;
                let full_at = self.full_at.unwrap_or(now).max(now);
                let spare = interval * (limit.burst.unwrap_or(rate.calls).max(1) - 1);
                let wait = (full_at - now).saturating_sub(spare);
                if !wait.is_zero() {
                    return Err(wait);
                }
                self.full_at = Some(full_at + interval);
            }
            LimitKind::Window => {
                let (mut began, mut used) = self.window.unwrap_or((now, 0));
                if now - began >= rate.period() {
                    let past = (now - began).as_millis() % rate.period().as_millis();
                    (began, used) = (now - Duration::from_millis(u64::try_from(past).unwrap_or(0)), 0);
                }
                if used >= rate.calls {
                    return Err((began + rate.period()) - now);
                }
                self.window = Some((began, used + 1));
            }
        }
        Ok(())
    }
}
