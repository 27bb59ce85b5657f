//! The lock of a run, where the source can hold one.

use std::time::Duration;

use crate::{
    config::Config,
    database::lock::{self, Attempt, Timing},
    source::{self, AnySource},
    stop::Stop,
    watch::Watch,
};

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
        AnySource::Rest(_) => Ok(Attempt::Unavailable("the source is an API, which can't hold one".to_owned())),
    }
}
