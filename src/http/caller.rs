//! Makes one call with retries.
//!
//! | answer | then |
//! |---|---|
//! | no connection, timeout, 5xx, 408, 421, 425, unreadable | retried up to `max_attempts` after a backoff |
//! | any of these with a `Retry-After` | the retry waits at least that long |
//! | 429 | not an attempt: all calls pause; given up after ten minutes, or at the second 429 if it gives way |
//! | any other failure | an error for the caller |

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use reqwest::StatusCode;
use tokio::time::Instant;

use super::{
    failure::{Failure, Fault, Unusable},
    pacer::{Lane, Pacer},
    retry,
    transport::{Incoming, LARGEST_ANSWER, Outgoing, Transport},
};
use crate::stop::Stop;

/// A call that is answered 429 for this long is given up.
const THROTTLED_TOO_LONG: Duration = Duration::from_mins(10);

/// Transient statuses besides 5xx: timeout, misdirected, too early.
const TRANSIENT: [u16; 3] = [408, 421, 425];

/// Some servers put it before their JSON.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A call: its request, what may be quoted from its answer, and notifications of its progress.
pub trait Call {
    /// Its name in the log.
    fn name(&self) -> &'static str;

    /// The request.
    fn outgoing(&self) -> Outgoing<'_>;

    /// Whether it changes something: then it may have been applied even if its answer is lost.
    fn writes(&self) -> bool {
        false
    }

    /// An excerpt of an unsuccessful answer that may be quoted.
    fn excerpt(&self, status: StatusCode, body: &[u8]) -> String;

    /// Whether an answer has the shape of the server's answers, which a proxy's do not have.
    fn is_own(&self, body: &[u8]) -> bool;

    /// The documented shape of an answer.
    fn documented(&self) -> &'static str;

    /// Asked right before each attempt, once it is its turn; an error is the reason not to make it.
    fn check(&self) -> impl Future<Output = Result<(), String>> {
        std::future::ready(Ok(()))
    }

    /// It begins after waiting this long for its turn, at this many calls per minute.
    fn began(&self, _waited: Duration, _rate: f64) {}

    /// It ended, this long after it began.
    fn ended(&self, _ending: Ending, _took: Duration) {}

    /// A 429 makes all calls pause.
    fn throttled(&self) {}
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// With this HTTP status.
    Status(u16),
    /// No connection, or the connection broke.
    Broken,
    /// The server's certificate is not accepted.
    Certificate,
    /// The timeout passed.
    Timeout,
    /// The grace time after a stop ended.
    Cut,
}

/// How long and how often a call is tried.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For one attempt, from connecting to the end of the answer.
    pub timeout: Duration,
    /// Attempts per call.
    pub max_attempts: u32,
    /// The pause after a 429 without `Retry-After`.
    pub pause_on_429: Duration,
}

/// Which attempts at a call are made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// Earlier attempts that failed and may have been applied nevertheless.
    pub before: u32,
    /// Attempts to make now; all together are at most [`Patience::max_attempts`].
    pub most: u32,
    /// Whether the call is given up at its second 429, so that other calls are made first.
    pub gives_way: bool,
    /// The first attempt now must wait until then, as the answer to the last attempt requested.
    pub not_before: Option<Instant>,
}

impl Attempts {
    /// All attempts.
    pub const ALL: Self = Self { before: 0, most: u32::MAX, gives_way: false, not_before: None };
    /// The first attempt only, if other calls come before the second.
    pub const FIRST: Self = Self { before: 0, most: 1, gives_way: true, not_before: None };
    /// A single attempt.
    pub const ONE: Self = Self { before: 0, most: 1, gives_way: false, not_before: None };

    /// All attempts after the first, which failed with this fault.
    #[must_use]
    pub fn after(first: &Fault) -> Self {
        Self { before: 1, not_before: first.not_before(), ..Self::ALL }
    }

    /// The number of the last attempt.
    #[must_use]
    pub fn last(self, patience: u32) -> u32 {
        self.before.saturating_add(self.most).min(patience)
    }
}

/// Makes the calls to one server.
#[derive(Debug)]
pub struct Caller<T> {
    transport: T,
    patience: Patience,
    pacer: Arc<Pacer>,
    lane: Lane,
    stop: Stop,
    random: Mutex<SmallRng>,
}

/// The result of one attempt.
enum Attempt<A> {
    Answer(A),
    Failed(Fault),
    Throttled { began: Instant, pause: Duration },
    Final(Failure),
}

impl<T: Transport> Caller<T> {
    /// Callers with the same pacer share its rate. `seed` is for the jitter.
    pub fn new(transport: T, patience: Patience, pacer: Arc<Pacer>, stop: Stop, seed: u64) -> Self {
        let random = Mutex::new(SmallRng::seed_from_u64(seed));
        Self { transport, patience, pacer, lane: Lane::Usual, stop, random }
    }

    /// Waits in this lane from now on.
    #[must_use]
    pub fn in_lane(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// Makes one call with these attempts; `read` checks the answer. Also returns how many attempts failed before and
    /// may have been applied nevertheless.
    pub async fn call<A>(
        &self,
        call: &impl Call,
        attempts: Attempts,
        mut read: impl FnMut(&[u8]) -> Result<A, Unusable>,
    ) -> Result<(A, u32), Failure> {
        let (mut failed, last) = (attempts.before, attempts.last(self.patience.max_attempts));
        let (mut throttled_since, mut throttled) = (None, 0);
        if failed > 0 {
            let waited = self.back_off(call.name(), failed, attempts.not_before, None).await;
            waited.map_err(|_| self.cut(call))?;
        }
        loop {
            let fault = match self.attempt(call, &mut read).await {
                Attempt::Answer(answer) => return Ok((answer, failed)),
                // An earlier attempt may have been applied.
                Attempt::Final(Failure::Stopped { .. }) if failed > 0 => return Err(self.cut(call)),
                // It had its turn and other calls did not, so the next run must begin with those.
                Attempt::Final(Failure::Stopped { .. }) if throttled > 0 && attempts.gives_way => {
                    return Err(Failure::GaveUp { attempts: 1, fault: Fault::Throttled });
                }
                Attempt::Final(failure) => return Err(failure),
                Attempt::Throttled { began, pause } => {
                    let since = *throttled_since.get_or_insert_with(Instant::now);
                    let pause_s = pause.as_secs();
                    tracing::warn!(endpoint = call.name(), pause_s, "throttled: every call pauses");
                    if self.pacer.pause(began, pause) {
                        call.throttled();
                    }
                    throttled += 1;
                    let is_last = attempts.gives_way && throttled > 1;
                    if !is_last && since.elapsed() < THROTTLED_TOO_LONG {
                        continue;
                    }
                    return Err(Failure::GaveUp { attempts: failed + 1, fault: Fault::Throttled });
                }
                Attempt::Failed(fault) => fault,
            };
            failed += 1;
            // A call that reads is repeated alone by its caller; a write's effect must be found out.
            let is_final = matches!(fault, Fault::TooLarge { most: ..LARGEST_ANSWER }) && !call.writes();
            if is_final || failed >= last {
                return Err(Failure::GaveUp { attempts: failed, fault });
            }
            let waited = self.back_off(call.name(), failed, fault.not_before(), Some(&fault)).await;
            waited.map_err(|_| self.cut(call))?;
        }
    }

    /// Waits before the next attempt of a call that may have been applied, of which `failed` attempts failed; not
    /// before
    /// `not_before`. Logs the reason if the last attempt failed just now.
    pub async fn back_off(
        &self,
        name: &'static str,
        failed: u32,
        not_before: Option<Instant>,
        why: Option<&Fault>,
    ) -> Result<(), Failure> {
        let random = self.random.lock().unwrap_or_else(PoisonError::into_inner).random();
        let asked = not_before.map_or(Duration::ZERO, |asked| asked.saturating_duration_since(Instant::now()));
        let wait = retry::backoff(failed, random).max(asked);
        if let Some(fault) = why {
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(endpoint = name, attempt = failed, wait_ms, "retrying, because {fault}");
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.stop.requested() => Err(Failure::Cut),
        }
    }

    /// The failure if a stop interrupts a call of which an earlier attempt may have been made.
    fn cut(&self, call: &impl Call) -> Failure {
        if call.writes() { Failure::Cut } else { Failure::Stopped { reason: self.stop.reason() } }
    }

    async fn attempt<A>(&self, call: &impl Call, read: &mut impl FnMut(&[u8]) -> Result<A, Unusable>) -> Attempt<A> {
        let asked = Instant::now();
        let permit = tokio::select! {
            biased;
            () = self.stop.requested() => return Attempt::Final(Failure::Stopped { reason: self.stop.reason() }),
            permit = self.pacer.pass(self.lane) => permit,
        };
        let checked = tokio::select! {
            biased;
            () = self.stop.requested() => return Attempt::Final(Failure::Stopped { reason: self.stop.reason() }),
            checked = call.check() => checked,
        };
        if let Err(reason) = checked {
            return Attempt::Final(Failure::Unsent { reason });
        }
        if call.writes() {
            self.stop.write_begins();
        }
        let began = Instant::now();
        call.began(began - asked, self.pacer.rate());
        let answered = tokio::select! {
            answered = self.send(call) => Some(answered),
            () = self.stop.requested(), if !call.writes() => None,
            () = self.stop.over() => None,
        };
        drop(permit);
        let answer = match &answered {
            Some(Ok(answer)) => Ending::Status(answer.status.as_u16()),
            Some(Err(Fault::Timeout { .. })) => Ending::Timeout,
            Some(Err(Fault::Certificate(_))) => Ending::Certificate,
            Some(Err(_)) => Ending::Broken,
            None => Ending::Cut,
        };
        call.ended(answer, began.elapsed());
        let Incoming { status, headers, mut body } = match answered {
            Some(Ok(answer)) => answer,
            Some(Err(Fault::Unsent(reason))) => return Attempt::Final(Failure::Unsent { reason }),
            Some(Err(fault)) => return Attempt::Failed(fault),
            None => return Attempt::Final(self.cut(call)),
        };
        if body.starts_with(BYTE_ORDER_MARK) {
            body.drain(..BYTE_ORDER_MARK.len());
        }
        let refused = |excerpt: String| {
            let doubt = self.transport.doubt().filter(|_| !call.is_own(&body));
            let (status, is_own) = (status.as_u16(), doubt.is_none());
            let excerpt = format!("{excerpt}{}", doubt.unwrap_or_default());
            Attempt::Final(Failure::Status { status, excerpt, is_own })
        };
        let excerpt = || call.excerpt(status, &body);
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let pause = retry::retry_after(&headers).unwrap_or(self.patience.pause_on_429);
                Attempt::Throttled { began, pause }
            }
            status if status.is_server_error() || TRANSIENT.contains(&status.as_u16()) => {
                Attempt::Failed(Fault::Server {
                    status: status.as_u16(),
                    excerpt: excerpt(),
                    way: self.transport.way(),
                    not_before: retry::retry_after(&headers).map(|asked| Instant::now() + asked),
                })
            }
            status if status.is_redirection() => {
                refused(format!("{}; redirects are not followed{}", excerpt(), self.transport.way()))
            }
            status if !status.is_success() => refused(excerpt()),
            _ => match read(&body) {
                Ok(answer) => Attempt::Answer(answer),
                Err(Unusable::Unreadable(how)) => Attempt::Failed(Fault::Unreadable { how, way: self.transport.way() }),
                Err(Unusable::Refusal) => refused(excerpt()),
                Err(Unusable::Shape) => {
                    refused(format!("JSON that does not have the documented shape: {}", call.documented()))
                }
            },
        }
    }

    /// One exchange including the answer, within the timeout.
    async fn send(&self, call: &impl Call) -> Result<Incoming, Fault> {
        let answered = tokio::time::timeout(self.patience.timeout, self.transport.send(&call.outgoing())).await;
        answered.unwrap_or_else(|_| Err(Fault::Timeout { way: self.transport.way() }))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Broken => f.write_str("broken"),
            Self::Certificate => f.write_str("certificate"),
            Self::Timeout => f.write_str("timeout"),
            Self::Cut => f.write_str("cut"),
        }
    }
}
