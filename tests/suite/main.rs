//! What the program does, seen from outside: the real binary, real databases, a real HTTP server on loopback.
//!
//! `tests/run` brings the database servers; each test makes a database of its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "a test fails by panicking")]

mod contract;
mod deploy;
mod failures;
mod guard;
mod init;
mod laws;
mod layers;
mod ops;
mod plans;
mod reconcile;
mod rows;
mod settings;
mod schedule;
mod support;
