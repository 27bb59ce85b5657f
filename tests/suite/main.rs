//! What the program does, seen from outside: the real binary, real databases, a real HTTP server on loopback.
//!
//! `tests/run` brings the database servers; each test makes a database of its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "a test fails by panicking")]

mod deploy;
mod failures;
mod guard;
mod laws;
mod layers;
mod reconcile;
mod support;
