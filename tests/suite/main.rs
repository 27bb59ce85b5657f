//! What the program does, seen from outside: the real binary, real databases, a real HTTP server on loopback.
//!
//! `tests/run` brings the database servers; each test makes a database of its own.

mod reconcile;
mod support;
