//! Signals become a [`Stop`].

use std::{io, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind},
    time::sleep,
};

use crate::{stderr, stop::Stop, watch::Watch};

/// How long a command that has nothing to write may take to end by itself.
const LEAVE: Duration = Duration::from_millis(1200);

/// From now on SIGTERM and SIGINT ask for a stop; a second SIGINT cuts what is in flight. Where nothing was written, or all of
/// it is told, there is nothing to wait for: then `end` is called, whatever the command computes or waits for.
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
            // A second signal means: do not wait.
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
