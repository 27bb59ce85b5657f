//! What a fault makes of an answer.

use std::time::Duration;

use super::{
    FaultKind,
    reply::{Delivery, Reply},
};

/// The sandbox's clock begins here: 2026-01-01.
pub(super) const BEGINNING: Duration = Duration::from_hours(490_896);

/// Depth of `nested` properties.
const DEPTH: usize = 100_000;

/// Size and number of the chunks of a huge answer: 65 MiB.
const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 1040;

/// A gzip stream in one fixed block: 1 + 258 spaces ([`FIRST`]), then 8 times 258 spaces ([`NEXT`]), repeated.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const FIRST: [u8; 3] = [0x53, 0x18, 0x05];
const NEXT: [u8; 13] = [0xa3, 0x60, 0x14, 0x8c, 0x82, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28, 0x18, 0x05];
const NEXT_COUNT: usize = 33_000;
/// The end of the block, the checksum of 68,112,259 spaces, and their number.
const TRAILER: [u8; 9] = [0, 0x69, 0x5e, 0x68, 0x62, 0x83, 0x4f, 0x0f, 0x04];

impl Reply {
    /// 429; the caller adds how long to wait.
    pub(super) fn throttled() -> Self {
        Self::detail(429, "Request was throttled.")
    }

    /// With `Retry-After`, in whole seconds.
    pub(super) fn retried_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with("retry-after", seconds.to_string())
    }

    /// The answer of a fault that prevents the call; `None` if the fault lets the call be applied. `elapsed` is for
    /// dates.
    pub(super) fn instead(kind: FaultKind, elapsed: Duration) -> Option<Self> {
        let date = |after: Duration| httpdate::fmt_http_date(std::time::UNIX_EPOCH + BEGINNING + elapsed + after);
        Some(match kind {
            FaultKind::Throttle(None) => Self::throttled(),
            FaultKind::Throttle(Some(seconds)) => Self::throttled().retried_after(Duration::from_secs(seconds.into())),
            FaultKind::ThrottleUntil(seconds) => Self::throttled()
                .with("date", date(Duration::ZERO))
                .with("retry-after", date(Duration::from_secs(seconds.into()))),
            FaultKind::Unavailable(seconds) => Self::status(503).retried_after(Duration::from_secs(seconds.into())),
            FaultKind::Status(status) => Self::status(status),
            FaultKind::Unauthorized => Self::unauthorized(),
            FaultKind::Forbidden => Self::detail(403, "You do not have permission to perform this action."),
            FaultKind::Redirect => Self::html(302, "Found").with("location", "/login/".to_owned()),
            FaultKind::Html => Self::html(200, "Down for maintenance"),
            FaultKind::DropBefore => Self::status(504).by(Delivery::Dropped),
            FaultKind::HangBefore => Self::status(504).by(Delivery::Hung),
            FaultKind::StatusAfter(_)
            | FaultKind::Empty
            | FaultKind::Cut
            | FaultKind::Half
            | FaultKind::Huge
            | FaultKind::GzipBomb
            | FaultKind::Nested
            | FaultKind::Drip
            | FaultKind::DropAfter
            | FaultKind::HangAfter
            | FaultKind::Nobody
            | FaultKind::Fewer(_)
            | FaultKind::OtherToken => return None,
        })
    }

    /// Damages the answer to a call that was applied.
    pub(super) fn damaged(mut self, kind: FaultKind) -> Self {
        match kind {
            FaultKind::Empty => Self { body: Vec::new(), ..self },
            FaultKind::Cut => {
                let promised = self.body.len().to_string();
                self.body.truncate(self.body.len() / 2);
                self.with("content-length", promised).by(Delivery::Cut)
            }
            FaultKind::Half => {
                self.body.truncate(self.body.len() / 2);
                self
            }
            FaultKind::Huge => Self { body: vec![b' '; CHUNK], ..self }.by(Delivery::Repeated(CHUNKS)),
            FaultKind::GzipBomb => {
                let body = [&HEADER[..], &FIRST, &NEXT.repeat(NEXT_COUNT), &TRAILER].concat();
                Self { body, ..self }.with("content-encoding", "gzip".to_owned())
            }
            FaultKind::Nested => Self { body: nested(&self.body), ..self },
            FaultKind::Drip => self.by(Delivery::Dripped),
            FaultKind::DropAfter => self.by(Delivery::Dropped),
            FaultKind::HangAfter => self.by(Delivery::Hung),
            FaultKind::Throttle(_)
            | FaultKind::ThrottleUntil(_)
            | FaultKind::Unavailable(_)
            | FaultKind::Status(_)
            | FaultKind::StatusAfter(_)
            | FaultKind::Unauthorized
            | FaultKind::Forbidden
            | FaultKind::Redirect
            | FaultKind::Html
            | FaultKind::DropBefore
            | FaultKind::HangBefore
            | FaultKind::Nobody
            | FaultKind::Fewer(_)
            | FaultKind::OtherToken => self,
        }
    }

    /// 401.
    pub(super) fn unauthorized() -> Self {
        Self::detail(401, "Invalid token.")
    }

    /// An answer with the status of a fault.
    pub(super) fn status(status: u16) -> Self {
        Self::detail(status, "This answer is a fault that was requested.")
    }
}

/// The body, with a deep object as the properties of its first customer.
fn nested(body: &[u8]) -> Vec<u8> {
    const KEY: &str = "\"properties\":";
    let body = String::from_utf8_lossy(body);
    let deep = format!("{KEY}{}1{},\"flat_properties\":", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH));
    body.replacen(KEY, &deep, 1).into_bytes()
}
