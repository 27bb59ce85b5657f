//! The lock of a run, where the source can hold one.

use std::time::Duration;

use crate::{
    config::Config,
    database::lock::{self, Attempt, IdsAttempt, Timing},
    source::{self, AnySource},
    stop::Stop,
    watch::Watch,
};

const NO_LOCK: &str = "the source is an API, which can't hold one";

/// Asks for the lock of this name at least once, for at most `wait`. An API has no lock. The connection lives on the
/// watch's thread, so the command's own work never delays a ping.
pub(super) async fn acquire(
    watch: &Watch,
    config: &Config,
    name: String,
    wait: Duration,
    stop: &Stop,
) -> Result<Attempt, source::Error> {
    match &config.source {
        AnySource::Sql(sql) => {
            let (server, timing, stop) = (sql.server().clone(), Timing { wait, ..Timing::default() }, stop.clone());
            let asked = watch.run(async move { lock::acquire(&server, &name, timing, &stop).await }).await;
            asked.map_err(|error| sql.told(&error))
        }
        AnySource::Rest(_) => Ok(Attempt::Unavailable(NO_LOCK.to_owned())),
    }
}

/// Locks of single ids, without a run's lock.
pub(super) async fn of_ids(
    watch: &Watch,
    config: &Config,
    prefix: String,
    stop: &Stop,
) -> Result<IdsAttempt, source::Error> {
    match &config.source {
        AnySource::Sql(sql) => {
            let (server, stop) = (sql.server().clone(), stop.clone());
            let asked = watch.run(async move { lock::ids(&server, &prefix, Timing::default(), &stop).await }).await;
            asked.map_err(|error| sql.told(&error))
        }
        AnySource::Rest(_) => Ok(IdsAttempt::Unavailable(NO_LOCK.to_owned())),
    }
}
