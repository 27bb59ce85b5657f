//! The lock of a run, where the source can hold one.

use crate::{
    config::Config,
    explo::Stop,
    lock::{self, Attempt, Timing},
    source::{self, AnySource},
};

/// Asks for the lock of this name. An API holds none.
pub(super) async fn acquire(
    config: &Config,
    name: &str,
    timing: Timing,
    stop: &Stop,
) -> Result<Attempt, source::Error> {
    match &config.source {
        AnySource::Sql(sql) => lock::acquire(sql, name, timing, stop).await,
        AnySource::Rest(_) => Ok(Attempt::Unavailable("the source is an API, which can't hold one".to_owned())),
    }
}
