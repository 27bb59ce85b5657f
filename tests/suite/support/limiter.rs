//! Rate limits of a server: 20 calls per second, counted in three ways.

use std::time::Duration;

/// Allowed calls per second.
pub const LIMIT: f64 = 20.0;

/// A limit and its use.
#[derive(Debug, Clone)]
pub enum Limiter {
    /// Tokens arrive evenly; at most `burst` of them are saved.
    Bucket { burst: f64, tokens: f64, filled: Duration },
    /// Each second of the clock has its own calls.
    Window { second: u64, calls: f64 },
}

impl Limiter {
    /// A full token bucket.
    pub fn bucket(burst: f64) -> Self {
        Self::Bucket { burst, tokens: burst, filled: Duration::ZERO }
    }

    /// A fixed window.
    pub fn window() -> Self {
        Self::Window { second: 0, calls: 0.0 }
    }

    /// Whether a call is allowed at this time since the start.
    pub fn bears(&mut self, at: Duration) -> bool {
        match self {
            Self::Bucket { burst, tokens, filled } => {
                *tokens = burst.min(*tokens + at.saturating_sub(*filled).as_secs_f64() * LIMIT);
                *filled = at;
                // The tolerance makes up for rounding.
                let bears = *tokens > 1.0 - 1e-6;
                *tokens -= if bears { 1.0 } else { 0.0 };
                bears
            }
            Self::Window { second, calls } => {
                if *second != at.as_secs() {
                    (*second, *calls) = (at.as_secs(), 0.0);
                }
                *calls += 1.0;
                *calls <= LIMIT
            }
        }
    }
}
