//! What can go wrong with a call to any API.

use tokio::time::Instant;

/// A call that gave no usable answer; what that means is for the caller to say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// An answer that refuses this request; asking again would not help.
    #[error("it answered {status}: {excerpt}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// What may be told of the answer.
        excerpt: String,
        /// Whether it is certainly the server's: no proxy is on the way, or the answer has the server's shape.
        is_own: bool,
    },
    /// The call was not made: no request can say that.
    #[error("it was not called: {reason}")]
    Unsent {
        /// What stands against it.
        reason: String,
    },
    /// Tried as often as is allowed.
    #[error("it failed {}because {fault}", times(*.attempts))]
    GaveUp {
        /// How often the call was made.
        attempts: u32,
        /// What went wrong last.
        fault: Fault,
    },
    /// A stop was asked for before the call began, or while it only read.
    #[error("stopped by {reason}")]
    Stopped {
        /// What asked for it.
        reason: &'static str,
    },
    /// The call, which writes, was in flight when the time to stop ran out.
    #[error("cut off while waiting for the answer")]
    Cut,
}

/// A failure that may pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No connection, or it broke.
    #[error("{0}")]
    Connection(String),
    /// No answer in time.
    #[error("it timed out{way}")]
    Timeout {
        /// See [`Transport::way`](super::Transport::way).
        way: String,
    },
    /// The server's own failure.
    #[error("it answered {status}: {excerpt}{way}")]
    Server {
        /// The HTTP status.
        status: u16,
        /// What may be told of the answer.
        excerpt: String,
        /// See [`Transport::way`](super::Transport::way).
        way: String,
        /// When it may be asked again, as it says itself.
        not_before: Option<Instant>,
    },
    /// The answer can't be read: cut, empty, HTML.
    #[error("its answer {how}{way}")]
    Unreadable {
        /// How it is unlike any.
        how: &'static str,
        /// See [`Transport::way`](super::Transport::way).
        way: String,
    },
    /// The answer has more bytes than it may have: another try does not make it smaller.
    #[error("its answer is larger than {} MiB", .most >> 20)]
    TooLarge {
        /// The most.
        most: usize,
    },
    /// No request can say that: another try would not help.
    #[error("{0}")]
    Unsent(String),
    /// Too many calls for too long.
    #[error("it was throttled (429) again and again")]
    Throttled,
}

/// How often something failed, before the reason of the last time.
#[must_use]
pub fn times(attempts: u32) -> String {
    if attempts == 1 { String::new() } else { format!("{attempts} times, the last time ") }
}

impl Failure {
    /// Whether the answer had more bytes than it may have.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::GaveUp { fault: Fault::TooLarge { .. }, .. })
    }
}

impl Fault {
    /// When the server may be asked again, as it says itself.
    #[must_use]
    pub fn not_before(&self) -> Option<Instant> {
        match self {
            Self::Server { not_before, .. } => *not_before,
            Self::Connection(_)
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
    /// Not JSON, or cut: worth another try.
    Unreadable(&'static str),
    /// JSON that says no.
    Refusal,
    /// JSON that is not what was documented; it may hold anything, so it is not quoted.
    Shape,
}
