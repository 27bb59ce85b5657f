//! Signals become a [`Stop`].

use tokio::signal::unix::{SignalKind, signal};

use crate::explo::Stop;

/// Waits for SIGTERM or SIGINT and asks for a stop; a second SIGINT cuts what is in flight.
pub(super) async fn stop_at_signal(stop: Stop) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::warn!("stopping: no new call, {} s for those in flight", Stop::GRACE.as_secs());
    tokio::select! {
        () = stop.request("a signal") => {}
        // Whoever asks twice does not want to wait.
        _ = interrupt.recv() => stop.cut(),
    }
}
