//! What the program does, seen from outside: the real binary, real databases, a real HTTP server on loopback.
//!
//! `tests/run` brings the database servers; each test makes a database of its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "nobody imports a test")]

mod alike;
mod audit;
mod behaviours;
mod browser;
mod check;
mod columns;
mod commands;
mod configuration;
mod contract;
mod daemon;
mod deploy;
mod explain;
mod failures;
mod faults;
mod files;
mod forecast;
mod fuzz;
mod given_up;
mod guard;
mod hierarchy;
mod hostile;
mod html;
mod id_locks;
mod identity;
mod init;
mod kill;
mod laws;
mod layers;
mod ledger;
mod linear;
mod listing;
mod lock;
mod looks;
mod measured;
mod offboard;
mod one;
mod ops;
mod origins;
mod outage;
mod pacing;
mod page;
mod plans;
mod poolers;
mod probe;
mod proxy;
mod readme;
mod reconcile;
mod rename;
mod rest;
mod rows;
mod sandbox;
mod schedule;
mod secrets;
mod service;
mod settling;
mod simulation;
mod single;
mod size;
mod stop;
mod streams;
mod support;
mod tags;
mod text;
mod transport;
mod unreadable;
mod wakes;
mod watch;
