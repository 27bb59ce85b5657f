//! explo-sync keeps Explo's customers equal to the tenants in your database.
//!
//! Layers; imports go down only, and a test sees to it:
//!
//! | layer | modules |
//! |---|---|
//! | 5 program | [`app`], [`cli`], [`config`], [`telemetry`], [`stderr`], [`bars`], [`daemon`], [`schedule`], [`ops`], [`metrics`], [`resources`], [`systemd`], [`watch`]; beside them [`demo`] and [`sandbox`] |
//! | 4 run | [`reconciler`], [`applier`], [`report`], [`progress`] |
//! | 3 edges | [`source`], [`explo`], [`ledger`], [`lock`]; [`http`] below the first two, [`files`] below all |
//! | 2 plan | [`plan`]: pure |
//! | 1 model | [`model`] |

pub mod app;
pub mod applier;
pub mod bars;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod explo;
pub mod files;
pub mod http;
pub mod ledger;
pub mod lock;
pub mod metrics;
pub mod model;
pub mod ops;
pub mod plan;
pub mod progress;
pub mod reconciler;
pub mod report;
pub mod resources;
pub mod sandbox;
pub mod schedule;
pub mod source;
pub mod stderr;
pub mod systemd;
pub mod telemetry;
pub mod watch;

/// Makes one cryptography provider the default of the process; to be called before the first connection.
pub fn install_crypto() {
    // The only failure is that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
