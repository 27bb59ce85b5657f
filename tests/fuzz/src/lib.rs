//! What reads texts that others wrote: each target takes any bytes at all, and fails by panicking.
//!
//! The suite gives each of them its corpus; `tests/run --fuzz` makes up more.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a target fails by panicking")]

mod columns;
mod config;
mod cron;
mod listing;
mod plan;
mod retry_after;

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// The targets by the names of their directories in `corpus`.
pub const TARGETS: [(&str, Target); 6] = [
    ("columns", columns::target),
    ("config", config::target),
    ("cron", cron::target),
    ("listing", listing::target),
    ("plan", plan::target),
    ("retry_after", retry_after::target),
];

/// No line of a log is torn, nor a terminal moved, by what a message quotes.
fn assert_printable(message: &str) {
    assert!(!message.contains(char::is_control), "{message:?}");
}
