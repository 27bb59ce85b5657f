//! The lock of a run, where the source can hold one.

use std::time::Duration;

use super::pair;
use crate::{
    config::Config,
    database::lock::{self, Attempt, Timing},
    source::{self, AnySource},
    stop::Stop,
    watch::Watch,
};

/// Asks for the lock of runs for so long, at least once. An API holds none.
pub(super) async fn acquire(
    watch: &Watch,
    config: &Config,
    wait: Duration,
    stop: &Stop,
) -> Result<Attempt, source::Error> {
    acquire_as(watch, config, pair::lock_name(config), wait, stop).await
}

/// Asks once for the lock of the daemons: the one that holds it works, the others stand by.
pub(super) async fn acquire_for_daemon(watch: &Watch, config: &Config, stop: &Stop) -> Result<Attempt, source::Error> {
    acquire_as(watch, config, format!("{}~daemon", pair::lock_name(config)), Duration::ZERO, stop).await
}

/// Its connection is made where it is pinged, whatever the work computes.
async fn acquire_as(
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
        AnySource::Rest(_) => Ok(Attempt::Unavailable("the source is an API, which can't hold one".to_owned())),
    }
}
