//! The lock of a run, where the source can hold one.

use std::time::Duration;

use crate::{
    config::Config,
    explo::Stop,
    lock::{self, Attempt, Timing},
    source::{self, AnySource},
};

/// Asks for the lock of this name for so long, at least once. An API holds none.
pub(super) async fn acquire(
    config: &Config,
    name: &str,
    wait: Duration,
    stop: &Stop,
) -> Result<Attempt, source::Error> {
    match &config.source {
        AnySource::Sql(sql) => lock::acquire(sql, name, Timing { wait, ..Timing::default() }, stop).await,
        AnySource::Rest(_) => Ok(Attempt::Unavailable("the source is an API, which can't hold one".to_owned())),
    }
}
