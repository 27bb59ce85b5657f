//! Notifications to systemd, if it started the process: readiness, a status line, the watchdog.

use sd_notify::NotifyState;

/// The configuration is valid and the loop begins.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    notify(&[NotifyState::Status(text)]);
}

/// The loop is alive: without this for `WatchdogSec=`, systemd ends the process.
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// The daemon is stopping.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Without systemd this does nothing.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("systemd was not notified: {error}");
    }
}
