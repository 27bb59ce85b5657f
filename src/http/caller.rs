//! Making one call as often as it takes.
//!
//! | answer | then |
//! |---|---|
//! | no connection, timeout, 5xx, unreadable | again after a backoff, up to `max_attempts` |
//! | 429 | every call pauses; not an attempt; given up after ten minutes |
//! | any other that is no success | a failure for whoever called |
//! | ten calls in a row given up | the server is down |

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use reqwest::StatusCode;
use tokio::time::Instant;

use super::{
    failure::{Failure, Fault, Unusable},
    pacer::Pacer,
    retry,
    stop::Stop,
    transport::{Incoming, Outgoing, Transport},
};

/// A call that is answered 429 for so long is given up.
const THROTTLED_TOO_LONG: Duration = Duration::from_mins(10);

/// So many different calls given up in a row are an outage.
const OUTAGE: u32 = 10;

/// A call: what is sent, what may be told of its answer, and who is told how it went.
pub trait Call {
    /// Its name in the log.
    fn name(&self) -> &'static str;

    /// What is sent.
    fn outgoing(&self) -> Outgoing<'_>;

    /// What may be told of an answer that is no success.
    fn excerpt(&self, status: StatusCode, body: &[u8]) -> String;

    /// It begins, having waited so long for its turn, at so many calls a minute.
    fn began(&self, _waited: Duration, _rate: f64) {}

    /// It ended, so long after it began.
    fn ended(&self, _answer: Answer, _took: Duration) {}

    /// A 429 makes every call pause.
    fn throttled(&self) {}
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// With this HTTP status.
    Status(u16),
    /// No connection, or it broke.
    Broken,
    /// Not in time.
    Timeout,
    /// Not before the time to stop ran out.
    Cut,
}

/// How long and how often a call is tried.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For one attempt, from connecting to the end of the answer.
    pub timeout: Duration,
    /// Attempts at one call.
    pub max_attempts: u32,
    /// The pause after a 429 that does not say how long.
    pub pause_on_429: Duration,
}

/// Makes the calls to one server.
#[derive(Debug)]
pub struct Caller<T> {
    transport: T,
    patience: Patience,
    pacer: Arc<Pacer>,
    stop: Stop,
    random: Mutex<SmallRng>,
    given_up_in_a_row: AtomicU32,
}

/// What became of one attempt.
enum Attempt<A> {
    Answer(A),
    Failed(Fault),
    Throttled { began: Instant, pause: Duration },
    Final(Failure),
}

impl<T: Transport> Caller<T> {
    /// Callers that share a pacer are paced together. `seed` is for the jitter.
    pub fn new(transport: T, patience: Patience, pacer: Arc<Pacer>, stop: Stop, seed: u64) -> Self {
        let random = Mutex::new(SmallRng::seed_from_u64(seed));
        Self { transport, patience, pacer, stop, random, given_up_in_a_row: AtomicU32::new(0) }
    }

    /// Makes one call as often as it takes; `read` checks the answer, which comes with the number of attempts that
    /// failed before and yet may have been applied.
    pub async fn call<A>(
        &self,
        call: &impl Call,
        read: impl FnMut(&[u8]) -> Result<A, Unusable>,
    ) -> Result<(A, u32), Failure> {
        self.attempts(call, self.patience.max_attempts, read).await
    }

    /// Makes one call that must not be repeated: where the answer is lost it may have been applied.
    pub async fn call_once<A>(
        &self,
        call: &impl Call,
        read: impl FnMut(&[u8]) -> Result<A, Unusable>,
    ) -> Result<A, Failure> {
        Ok(self.attempts(call, 1, read).await?.0)
    }

    async fn attempts<A>(
        &self,
        call: &impl Call,
        most: u32,
        mut read: impl FnMut(&[u8]) -> Result<A, Unusable>,
    ) -> Result<(A, u32), Failure> {
        let mut attempts = 0;
        let mut throttled_since = None;
        loop {
            let fault = match self.attempt(call, &mut read).await {
                Attempt::Answer(answer) => {
                    self.given_up_in_a_row.store(0, Ordering::Relaxed);
                    return Ok((answer, attempts));
                }
                // An attempt before this one may have been applied.
                Attempt::Final(Failure::Stopped { .. }) if attempts > 0 => return Err(Failure::Cut),
                Attempt::Final(failure) => {
                    if matches!(failure, Failure::Status { .. }) {
                        self.given_up_in_a_row.store(0, Ordering::Relaxed);
                    }
                    return Err(failure);
                }
                Attempt::Throttled { began, pause } => {
                    let since = *throttled_since.get_or_insert_with(Instant::now);
                    let pause_s = pause.as_secs();
                    tracing::warn!(endpoint = call.name(), pause_s, "throttled: every call pauses");
                    if self.pacer.pause(began, pause) {
                        call.throttled();
                    }
                    if since.elapsed() < THROTTLED_TOO_LONG {
                        continue;
                    }
                    return Err(self.give_up(attempts + 1, Fault::Throttled));
                }
                Attempt::Failed(fault) => {
                    attempts += 1;
                    fault
                }
            };
            if attempts >= most {
                return Err(self.give_up(attempts, fault));
            }
            self.back_off(call.name(), attempts, &fault).await?;
        }
    }

    /// Waits before the next attempt at a call that may have been applied.
    pub async fn back_off(&self, endpoint: &str, attempts: u32, fault: &Fault) -> Result<(), Failure> {
        let wait = retry::backoff(attempts, self.random.lock().unwrap_or_else(PoisonError::into_inner).random());
        tracing::warn!(endpoint, attempt = attempts, wait_ms = wait.as_millis(), "retrying, because {fault}");
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.stop.requested() => Err(Failure::Cut),
        }
    }

    fn give_up(&self, attempts: u32, fault: Fault) -> Failure {
        let calls = self.given_up_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if calls >= OUTAGE { Failure::Outage { calls, fault } } else { Failure::GaveUp { attempts, fault } }
    }

    async fn attempt<A>(&self, call: &impl Call, read: &mut impl FnMut(&[u8]) -> Result<A, Unusable>) -> Attempt<A> {
        let asked = Instant::now();
        let permit = tokio::select! {
            biased;
            () = self.stop.requested() => return Attempt::Final(Failure::Stopped { reason: self.stop.reason() }),
            permit = self.pacer.pass() => permit,
        };
        let began = Instant::now();
        call.began(began - asked, self.pacer.rate());
        let answered = tokio::select! {
            answered = self.send(call) => Some(answered),
            () = self.stop.over() => None,
        };
        drop(permit);
        let answer = match &answered {
            Some(Ok(answer)) => Answer::Status(answer.status.as_u16()),
            Some(Err(Fault::Timeout)) => Answer::Timeout,
            Some(Err(_)) => Answer::Broken,
            None => Answer::Cut,
        };
        call.ended(answer, began.elapsed());
        let Incoming { status, headers, body } = match answered {
            Some(Ok(answer)) => answer,
            Some(Err(fault)) => return Attempt::Failed(fault),
            None => return Attempt::Final(Failure::Cut),
        };
        let refused = |excerpt| Attempt::Final(Failure::Status { status: status.as_u16(), excerpt });
        let excerpt = || call.excerpt(status, &body);
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let pause = retry::retry_after(&headers).unwrap_or(self.patience.pause_on_429);
                Attempt::Throttled { began, pause }
            }
            status if status.is_server_error() => {
                Attempt::Failed(Fault::Server { status: status.as_u16(), excerpt: excerpt() })
            }
            status if !status.is_success() => refused(excerpt()),
            _ => match read(&body) {
                Ok(answer) => Attempt::Answer(answer),
                Err(Unusable::Unreadable(how)) => Attempt::Failed(Fault::Unreadable(how)),
                Err(Unusable::Refusal) => refused(excerpt()),
                Err(Unusable::Shape) => refused("JSON of another shape than is documented".to_owned()),
            },
        }
    }

    /// One exchange, reading the answer included, within the time for it.
    async fn send(&self, call: &impl Call) -> Result<Incoming, Fault> {
        let answered = tokio::time::timeout(self.patience.timeout, self.transport.send(&call.outgoing())).await;
        answered.unwrap_or(Err(Fault::Timeout))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Broken => f.write_str("broken"),
            Self::Timeout => f.write_str("timeout"),
            Self::Cut => f.write_str("cut"),
        }
    }
}
