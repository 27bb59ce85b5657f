//! explo-sync keeps Explo's customers equal to the tenants in your database.
//!
//! # From `main` to the wire
//!
//! A run, step by step; each module's page says what it promises and refuses.
//!
//! 1. `main` reads the command line ([`cli`]) and calls [`app::execute`], which has one file per command. It builds a
//!    [`config::Config`] from the embedded defaults, the file and the environment, or reports all mistakes at once.
//! 2. `sync` and each turn of the [`daemon`] take the [`lock`](database::lock) and call [`reconciler::Reconciler::run`], which reads as
//!    a list of sentences.
//! 3. A [`source::Source`] gives every row as a [`model::Tenant`] or as [`model::Invalid`]; [`tenants::Index`] keeps
//!    them.
//! 4. An [`explo::Reader`] lists every [`model::Customer`], page by page; [`plan::Census`] compares each with its
//!    tenant and forgets it. Below it, [`http::Caller`] makes each call with its retries, [`http::Pacer`] limits the
//!    rate, and a [`http::Transport`] sends it.
//! 5. The census closes into a [`plan::Draft`], which asks Explo [`plan::Question`]s until it can be finished: a
//!    [`plan::Plan`].
//! 6. [`plan::Guard`] holds a plan that would change too much. A dry run has no [`reconciler::Writers`], and ends here.
//! 7. The [`applier`] carries out each [`plan::Change`] with an [`explo::Writer`], and compares the answer with what
//!    was wanted.
//! 8. A [`ledger::Ledger`] remembers what Explo acknowledged, and [`report`] shows what was done and gives the exit
//!    code.
//!
//! # Layers
//!
//! Imports go down only, and there is no circle of imports between files; a test checks both.
//!
//! | layer | modules |
//! |---|---|
//! | 6 program | [`app`], [`cli`], [`config`], [`telemetry`], [`stderr`], [`bars`], [`daemon`], [`schedule`], [`ops`], [`metrics`], [`resources`], [`systemd`], [`watch`]; beside them [`demo`] and [`sandbox`] |
//! | 5 run | [`reconciler`], [`applier`], [`probe`](mod@probe), [`report`], [`progress`] |
//! | 4 edges | [`source`], [`explo`], [`ledger`] |
//! | 3 ground | [`http`], [`database`] with its lock, [`stop`], [`files`]: they use nothing of layer 2 |
//! | 2 plan | [`plan`]; below it [`memory`] and [`tenants`]; below these [`compare`]: all pure |
//! | 1 model | [`model`]; beside it [`html`] |

pub mod app;
pub mod applier;
pub mod bars;
pub mod cli;
pub mod compare;
pub mod config;
pub mod daemon;
pub mod database;
pub mod demo;
pub mod explo;
pub mod files;
pub mod html;
pub mod http;
pub mod ledger;
pub mod memory;
pub mod metrics;
pub mod model;
pub mod ops;
pub mod plan;
pub mod probe;
pub mod progress;
pub mod reconciler;
pub mod report;
pub mod resources;
pub mod sandbox;
pub mod schedule;
pub mod source;
pub mod stderr;
pub mod stop;
pub mod systemd;
pub mod telemetry;
pub mod tenants;
pub mod watch;

/// Sets the process's default cryptography provider; call it before the first connection.
pub fn install_crypto() {
    // It fails only if a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
