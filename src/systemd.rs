//! What systemd is told, where it listens: readiness, a line of status, and that the loop moves.

use sd_notify::NotifyState;

/// The configuration is valid and the loop begins.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    notify(&[NotifyState::Status(text)]);
}

/// The loop moves: without this for `WatchdogSec=`, systemd ends the process.
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// The end has begun.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Nobody listening is no failure.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("systemd was not told: {error}");
    }
}
