//! What can go wrong with a call to any API.

use tokio::time::Instant;

/// A call without a usable answer; the caller decides what that means.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The answer refuses this request; repeating it would not help.
    #[error("it answered {status}: {excerpt}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// An excerpt of the answer that may be quoted.
        excerpt: String,
        /// Whether the answer is certainly the server's: there is no proxy, or the answer has the server's shape.
        is_own: bool,
    },
    /// The call was not made, because its request can't be sent.
    #[error("it was not called: {reason}")]
    Unsent {
        /// The obstacle.
        reason: String,
    },
    /// All attempts failed.
    #[error("it failed {}because {fault}", times(*.attempts))]
    GaveUp {
        /// The number of attempts.
        attempts: u32,
        /// The last failure.
        fault: Fault,
    },
    /// A stop was requested before the call began, or during a call that only reads.
    #[error("stopped by {reason}")]
    Stopped {
        /// What requested the stop.
        reason: &'static str,
    },
    /// The grace time after a stop ended during the call, which writes.
    #[error("cut off while waiting for the answer")]
    Cut,
}

/// A failure of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No connection, or the connection broke.
    #[error("{0}")]
    Connection(String),
    /// The certificate of the server, or of the proxy, is not accepted.
    #[error("{0}")]
    Certificate(String),
    /// No answer within the timeout.
    #[error("it timed out{way}")]
    Timeout {
        /// See [`Transport::way`](super::Transport::way).
        way: String,
    },
    /// The server failed.
    #[error("it answered {status}: {excerpt}{way}")]
    Server {
        /// The HTTP status.
        status: u16,
        /// An excerpt of the answer that may be quoted.
        excerpt: String,
        /// See [`Transport::way`](super::Transport::way).
        way: String,
        /// The earliest time of a retry, as the server requested it.
        not_before: Option<Instant>,
    },
    /// The answer can't be read: cut, empty, HTML.
    #[error("its answer {how}{way}")]
    Unreadable {
        /// What is wrong with it.
        how: &'static str,
        /// See [`Transport::way`](super::Transport::way).
        way: String,
    },
    /// The answer is larger than allowed; a retry does not make it smaller.
    #[error("its answer is larger than {} MiB", .most >> 20)]
    TooLarge {
        /// The limit in bytes.
        most: usize,
    },
    /// The request can't be sent; a retry would not help.
    #[error("{0}")]
    Unsent(String),
    /// Too many 429 in a row.
    #[error("it was throttled (429) again and again")]
    Throttled,
}

/// How often something failed, to be followed by the last reason.
#[must_use]
pub fn times(attempts: u32) -> String {
    if attempts == 1 { String::new() } else { format!("{attempts} times, the last time ") }
}

impl Failure {
    /// Whether the answer was larger than allowed.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::GaveUp { fault: Fault::TooLarge { .. }, .. })
    }
}

impl Fault {
    /// The earliest time of a retry, as the server requested it.
    #[must_use]
    pub fn not_before(&self) -> Option<Instant> {
        match self {
            Self::Server { not_before, .. } => *not_before,
            Self::Connection(_)
            | Self::Certificate(_)
            | Self::Timeout { .. }
            | Self::Unreadable { .. }
            | Self::TooLarge { .. }
            | Self::Unsent(_)
            | Self::Throttled => None,
        }
    }
}

/// Why an answer can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Not JSON, or cut: worth a retry.
    Unreadable(&'static str),
    /// JSON that refuses the request.
    Refusal,
    /// JSON without the documented shape; it may contain anything, so it is not quoted.
    Shape,
}
