//! The lock of a run, where the source can hold one.

use std::time::Duration;

use super::pair;
use crate::{
    config::Config,
    explo::Stop,
    lock::{self, Attempt, Timing},
    source::{self, AnySource},
};

/// Asks for the lock of runs for so long, at least once. An API holds none.
pub(super) async fn acquire(config: &Config, wait: Duration, stop: &Stop) -> Result<Attempt, source::Error> {
    acquire_as(config, &pair::lock_name(config), wait, stop).await
}

/// Asks once for the lock of the daemons: the one that holds it works, the others stand by.
pub(super) async fn acquire_for_daemon(config: &Config, stop: &Stop) -> Result<Attempt, source::Error> {
    acquire_as(config, &format!("{}~daemon", pair::lock_name(config)), Duration::ZERO, stop).await
}

async fn acquire_as(config: &Config, name: &str, wait: Duration, stop: &Stop) -> Result<Attempt, source::Error> {
    match &config.source {
        AnySource::Sql(sql) => lock::acquire(sql, name, Timing { wait, ..Timing::default() }, stop).await,
        AnySource::Rest(_) => Ok(Attempt::Unavailable("the source is an API, which can't hold one".to_owned())),
    }
}
