//! Signals become a [`Stop`].

use std::{io, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind},
    time::sleep,
};

use crate::{stderr, stop::Stop, watch::Watch};

/// How long a command that writes nothing may take to end by itself.
const LEAVE: Duration = Duration::from_millis(1200);

/// From now on SIGTERM and SIGINT request a stop; a second SIGINT cuts calls in flight. If no write is in flight, and
/// all earlier ones are recorded, `end` is called soon after, even if the command still computes or waits.
pub(super) fn stop_at_signal(watch: &Watch, stop: &Stop, end: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let (terminate, interrupt) = (watch.signal(SignalKind::terminate())?, watch.signal(SignalKind::interrupt())?);
    watch.spawn(listen(terminate, interrupt, stop.clone(), end));
    Ok(())
}

async fn listen(mut terminate: Signal, mut interrupt: Signal, stop: Stop, end: impl FnOnce()) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::warn!("stopping: no new call, {} s for writes in flight", Stop::GRACE.as_secs());
    let stopping = async {
        tokio::select! {
            () = stop.request("a signal") => {}
            // A second SIGINT means: do not wait.
            _ = interrupt.recv() => stop.cut(),
        }
    };
    let ending = async {
        let mut was_writing = true;
        loop {
            sleep(LEAVE / 2).await;
            if !std::mem::replace(&mut was_writing, stop.is_writing()) && !was_writing {
                break;
            }
        }
        tracing::warn!("ended at once: no write is in flight");
        stderr::flush(stderr::HASTE);
        end();
    };
    tokio::join!(stopping, ending);
}
