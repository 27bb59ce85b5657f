//! The limits on calls that servers have: 20 calls a second, counted in three ways.

use std::time::Duration;

/// Calls a second that are borne.
pub const LIMIT: f64 = 20.0;

/// A limit and what was used of it.
#[derive(Debug, Clone)]
pub enum Limiter {
    /// Tokens come in evenly, and so many can be saved.
    Bucket { burst: f64, tokens: f64, filled: Duration },
    /// Each second of the clock has its own.
    Window { second: u64, calls: f64 },
}

impl Limiter {
    /// A token bucket, full.
    pub fn bucket(burst: f64) -> Self {
        Self::Bucket { burst, tokens: burst, filled: Duration::ZERO }
    }

    /// A fixed window.
    pub fn window() -> Self {
        Self::Window { second: 0, calls: 0.0 }
    }

    /// Whether a call that comes then, counted from the start, is borne.
    pub fn bears(&mut self, at: Duration) -> bool {
        match self {
            Self::Bucket { burst, tokens, filled } => {
                *tokens = burst.min(*tokens + at.saturating_sub(*filled).as_secs_f64() * LIMIT);
                *filled = at;
                // Rounding takes no token away.
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
